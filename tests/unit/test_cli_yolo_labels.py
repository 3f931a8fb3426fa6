"""`labelloop manifest`: labels in ultralytics' files, as lines that a batch's marker may name."""

import json

import pytest
from commands import deploy, run
from exported_people import CLASSES, HEAD, OF_BOXES, OF_PEOPLE, boxes, label, people, same_in_files
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.skeletons import Vocabulary
from labelloop.people import supplied
from PIL import Image

from cli import yolo_files, yolo_labels
from cli.errors import Refused

SIZE = (640, 427)


@pytest.fixture
def dataset(tmp_path):
    """A function that writes rows by image name, and what data.yaml says on top of the usual; its path."""

    def write(rows, classes=("person",), vocabulary=OF_PEOPLE, **changed):
        for folder in ("images", "labels"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for name, text in rows.items():
            Image.new("RGB", SIZE).save(tmp_path / "images" / f"{name}.jpg")
            if text is not None:
                (tmp_path / "labels" / f"{name}.txt").write_text(text)
        data = {**json.loads(yolo_files.data_yaml(classes, vocabulary)), "train": "images", "val": None, **changed}
        (tmp_path / "data.yaml").write_text(json.dumps(data))
        return tmp_path / "data.yaml"

    return write


@pytest.mark.fault("G12")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(people(), max_size=3))
def test_exported_people_come_back(dataset, marked):
    found = yolo_labels.read(dataset({"a": yolo_files.rows(label(people=tuple(marked)), ["person"])}), OF_PEOPLE)
    assert not found.refused
    back = supplied.fitted(supplied.read(found.lines[0], "", HEAD.names, "key-points"), SIZE, HEAD.names)
    assert back.source_ref == "images/a.jpg" and back.human and len(back.people) == len(marked)
    for one, other in zip(back.people, marked, strict=True):
        sides = ("left", "top", "width", "height")
        assert all(abs(getattr(one.box, side) - getattr(other.box, side)) < 1e-6 for side in sides)
        for point, known in zip(one.points, other.points, strict=True):
            assert same_in_files(point) == same_in_files(known)
            assert (point.x, point.y) == pytest.approx((known.x, known.y), abs=1e-6)


@pytest.mark.fault("G12")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(boxes(), max_size=4))
def test_exported_boxes_come_back(dataset, marked):
    path = dataset({"a": yolo_files.rows(label(boxes=tuple(marked)), CLASSES)}, CLASSES, OF_BOXES)
    (line,) = yolo_labels.read(path, OF_BOXES).lines
    back = Annotation.from_line(line)
    assert [box.label for box in back.boxes] == [box.label for box in marked]
    for one, other in zip(back.boxes, marked, strict=True):
        assert (one.left, one.height) == pytest.approx((other.left, other.height), abs=1e-6)


def test_lists_of_images_folders_and_points_without_visibility(dataset):
    row = "0 0.5 0.5 0.5 0.5 " + " ".join(["0.5 0.5", "0 0", "0.2 0.2", "0.3 1.5", "0 0"])
    path = dataset({"a": row, "b": "", "c": None}, names=["person"], train="train.txt", val=["images", "images"])
    (path.parent / "train.txt").write_text("./images/a.jpg\n\n")
    found = yolo_labels.read(path, OF_PEOPLE)
    assert found.unlabelled == 1 and len(found.lines) == 2, "an empty file says that nothing is there"
    (person,) = Annotation.from_line(found.lines[0]).people
    assert [point.visibility for point in person.points] == [
        "visible",
        "unlabelled",
        "visible",
        "outside",
        "unlabelled",
    ]
    assert (person.points[0].x, person.points[0].y) == (320, 213.5)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("0 0.5 0.5 0.5", "a row has 4 columns"),
        ("0 0.5 0.5 0.5 0.5", "a row has 5 columns"),
        ("1 0.5 0.5 0.5 0.5 " + "0 0 0 " * 5, "class 1 is none of the 1"),
        ("0 50 0.5 0.5 0.5 " + "0 0 0 " * 5, "not in shares"),
        ("0 0.5 0.5 0.5 nan " + "0 0 0 " * 5, "what is no number"),
        ("0 0.5 0.5 0.5 0.5 " + "nan nan 2 " * 5, "what is no number"),
        ("0 0.5 0.5 0.5 0.5 " + "0 0 3 " * 5, "visibility 3"),
        ("head", "head"),
    ],
)
def test_an_odd_row_costs_its_image_and_is_told(dataset, row, said):
    found = yolo_labels.read(dataset({"a": row, "b": ""}), OF_PEOPLE)
    assert len(found.lines) == 1 and said in found.refused[0] and "a.txt" in found.refused[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kpt_shape": [17, 3]}, "has 17 key points, and the stack 5"),
        ({"kpt_shape": 17}, "has 17 key points, and the stack 5"),
        ({"train": "nowhere"}, "neither a folder nor a list"),
        ({"names": None}, "has no 'names'"),
    ],
)
def test_a_dataset_of_something_else_is_refused(dataset, changed, said):
    with pytest.raises(Refused, match=said):
        yolo_labels.read(dataset({"a": ""}, **changed), OF_PEOPLE)


def test_key_points_are_no_boxes(dataset):
    with pytest.raises(Refused, match="the stack labels boxes"):
        yolo_labels.read(dataset({"a": ""}), OF_BOXES)


@pytest.mark.usefixtures("aws")
def test_the_command_writes_the_manifest_once(fake_service, dataset, tmp_path):
    deploy(fake_service)
    row = "0 0.5 0.5 0.5 0.5\n"
    path, out = (
        dataset({"a": row, "b": "x", "c": None}, ("head",), Vocabulary("boxes", ("head",))),
        tmp_path / "labels.manifest",
    )
    done = run("manifest", str(path), "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "1 images; 1 were left out, 1 are not labelled" in done.output
    assert Annotation.from_line(out.read_text().strip()).boxes[0].label == "head"
    assert run("manifest", str(path), "--out", str(out)).exit_code == 2
    (path.parent / "labels" / "a.txt").unlink()
    nothing = run("manifest", str(path), "--out", str(tmp_path / "new"))
    assert nothing.exit_code == 2 and "no label that can be used" in nothing.output
