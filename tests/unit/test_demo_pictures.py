"""What the demo uploads and asks of the stack; and its command line."""

import json

import pytest
from PIL import Image

from demo import __main__ as demo
from demo import pictures
from demo.annotators import parse_noise, parse_truth
from demo.errors import DemoFailed


@pytest.fixture
def own(tmp_path):
    """Two pictures of 640 x 480 in a folder, one more in the COCO file only."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("b.jpg", "a b.jpg"):
        Image.new("RGB", (640, 480)).save(folder / name)
    images = [
        {"id": n, "file_name": name, "width": 640, "height": 480}
        for n, name in enumerate(["b.jpg", "a b.jpg", "c.jpg"])
    ]
    coco = {
        "images": images,
        "annotations": [{"image_id": 0, "category_id": 2, "bbox": [10, 20, 30, 40]}],
        "categories": [{"id": 2, "name": "white cell"}, {"id": 1, "name": "red cell"}],
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco))
    return folder, path, coco


def test_drawn_pictures_know_their_truth_by_key_and_what_must_be_rejected(tmp_path):
    batch = pictures.draw(tmp_path, 6, 3)
    assert len(batch.names) == 6 + len(batch.unusable) and len(batch.unusable) >= 4
    assert all((tmp_path / name).is_file() for name in batch.names)
    assert "truth.json" not in batch.names
    assert set(batch.truth.images) | set(batch.unusable) == set(batch.keys)
    assert not set(batch.truth.images) & set(batch.unusable)
    assert all(key.startswith("incoming/demo/") for key in batch.keys)


def test_own_pictures_bring_their_classes_and_size(own):
    folder, coco, _ = own
    batch = pictures.read_own(folder, coco, None)
    assert batch.names == ("a b.jpg", "b.jpg") and batch.unusable == {}
    assert "1 more left out" in batch.source
    assert batch.truth.classes == ("red cell", "white cell")
    assert pictures.longer_sides(batch) == [640, 640]


def test_the_truth_survives_the_way_to_the_annotators(own):
    folder, coco, _ = own
    batch = pictures.read_own(folder, coco, None)
    document = json.loads(json.dumps(pictures.truth_document(batch.truth)))
    assert parse_truth(document) == batch.truth
    noise = parse_noise(pictures.noise(batch, 7))
    assert noise.jitter_px == pytest.approx(1.6) and noise.wrong_class_rate > 0


def test_a_limit_takes_the_first_by_name(own):
    folder, coco, _ = own
    assert pictures.read_own(folder, coco, 1).names == ("a b.jpg",)


@pytest.mark.parametrize("name", ["a,b", "", "x" * 65, 'a "b"'])
def test_class_names_that_the_stack_cannot_take_are_refused_by_name(own, name):
    folder, path, coco = own
    coco["categories"][0]["name"] = name
    path.write_text(json.dumps(coco))
    with pytest.raises(DemoFailed, match="Class names have 1 to 64 characters"):
        pictures.read_own(folder, path, None)


def test_wrong_paths_are_told_what_to_give(own, tmp_path):
    folder, coco, _ = own
    with pytest.raises(DemoFailed, match=r"no folder .*make demo IMAGES="):
        pictures.read_own(tmp_path / "nowhere", coco, None)
    with pytest.raises(DemoFailed, match="cannot be read"):
        pictures.read_own(folder, tmp_path / "nothing.json", None)
    with pytest.raises(DemoFailed, match="is not a COCO file"):
        coco.write_text("[]")
        pictures.read_own(folder, coco, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--images", "x"], "need both"),
        (["--truth", "x"], "need both"),
        (["--limit", "3"], "goes with --images"),
        (["--count", "0"], "at least one"),
        (["--weights", "nowhere.pt"], "there is no file nowhere.pt"),
        (["--weights", __file__], r"weights are a checkpoint (.pt)"),
        (["--target", "60"], "from 0.05 to 0.99"),
        (["--seed", "-1"], "a whole number from 0"),
    ],
)
def test_the_command_line_refuses_what_makes_no_sense(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["demo", *arguments])
    with pytest.raises(SystemExit) as ended:
        demo._options()
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_files_rejected_against_the_truth_are_named(tmp_path):
    batch = pictures.draw(tmp_path, 4, 3)
    right = {key: f"{reason}: x" for key, reason in batch.unusable.items()}
    assert demo._wrongly_rejected(batch, right) == []
    good = next(iter(batch.truth.images))
    assert demo._wrongly_rejected(batch, {**right, good: "truncated: x"}) == [f"{good} was rejected: truncated: x"]
    assert len(demo._wrongly_rejected(batch, {})) == len(batch.unusable)


@pytest.fixture
def own_people(own):
    _, path, coco = own
    coco["categories"][0] |= {"keypoints": ["nose", "left_ear", "right_ear"], "skeleton": [[1, 2], [1, 3]]}
    path.write_text(json.dumps(coco))
    return own


def test_key_points_have_the_skeleton_of_the_file_and_boxes_none(own_people):
    folder, path, _ = own_people
    batch = pictures.read_own(folder, path, None, "key-points")
    assert batch.skeleton.bones == (("nose", "left_ear"), ("nose", "right_ear"))
    assert pictures.read_own(folder, path, None).skeleton is None
    assert parse_truth(json.loads(json.dumps(pictures.truth_document(batch.truth)))) == batch.truth


def test_drawn_scenes_have_heads_of_the_preset(tmp_path):
    batch = pictures.draw(tmp_path, 3, 3, "key-points")
    assert (
        batch.skeleton.names
        == tuple(point.label for image in batch.truth.images.values() for point in image.people[0].points)[:5]
    )
    assert batch.truth.skeleton == batch.skeleton and pictures.most_people(batch) >= 1


def test_a_file_without_usable_key_points_says_what_is_in_the_way(own):
    folder, path, coco = own
    with pytest.raises(DemoFailed, match=r"no category has a list 'keypoints'.*leave TASK=key-points out"):
        pictures.read_own(folder, path, None, "key-points")
    coco["categories"][0]["keypoints"] = ["nose #1"]
    path.write_text(json.dumps(coco))
    with pytest.raises(DemoFailed, match="'nose #1'"):
        pictures.read_own(folder, path, None, "key-points")
    coco["categories"][0]["keypoints"] = [f"{number} {'x' * 50}" for number in range(80)]
    path.write_text(json.dumps(coco))
    with pytest.raises(DemoFailed, match="80 key points"):
        pictures.read_own(folder, path, None, "key-points")
