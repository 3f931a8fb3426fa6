"""The engine of key points, for real: two small networks learn drawn faces, and are asked together."""

import importlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import drawn_people
import pytest
from container_fixtures import encoded
from container_process import serving, train, until
from drawn_people import SKELETON, picture, scene, write_people_job, written
from fake_s3 import fake_s3
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.skeletons import Skeleton
from labelloop.engines import base_weights
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.tasks.quality import iou
from made_up_models import packed
from model_files import read_model, unpack_model, write_description
from PIL import ImageOps
from recipe import Recipe
from small_networks import old_model
from starts import Start

torch = pytest.importorskip("torch")
# Looked for, not imported: `libraries` sets what must be set before ultralytics is imported.
if importlib.util.find_spec("ultralytics") is None:
    pytest.skip("could not find 'ultralytics'", allow_module_level=True)
pose, networks = importlib.import_module("pose"), importlib.import_module("networks")
trainer = importlib.import_module("trainer")
people_loss, get_cfg = importlib.import_module("people_loss"), importlib.import_module("ultralytics.cfg").get_cfg
pytestmark = pytest.mark.yolo

PERSON = ("person",)
STOCK = Path(__file__).resolve().parents[3] / "shared" / "weights" / "yolov8n.pt"
RANDOM = Start("random", None, "tiny, width 0.125")


def recipe(**changes) -> Recipe:
    given = {
        "image-size": "64",
        "batch-size": "8",
        "classes": '["person"]',
        "key-points": json.dumps(SKELETON.to_json()),
    }
    return Recipe.from_hyperparameters({**given, **changes})


def fitted(folder, dataset, steps, start=RANDOM, **changes):
    asked = recipe(**changes)
    made = pose.fit(dataset, asked, folder, start, steps)
    description = ModelDescription(asked.classes, 64, "pose", start.architecture, made.weights_sha256, asked.skeleton)
    write_description(folder, description, {})
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished job, and what it printed. Nobody says which engine: the job has key points."""
    base = tmp_path_factory.mktemp("learned")
    roles = {"train": [*(scene(seed) for seed in range(40)), []], "judge": [scene(seed) for seed in range(200, 210)]}
    write_people_job(base, roles, {"image-size": "64", "batch-size": "8", "steps": "120"})
    done = train(base)
    assert done.returncode == 0, done.stderr
    return base, done.stdout


@pytest.fixture(scope="module")
def learned(finished):
    return finished[0] / "model"


def nearest(person, seen):
    """Who of the seen people overlaps with the person most."""
    return max(seen, key=lambda each: iou(each.box, person.box))


def test_people_and_their_points_are_found_and_the_additional_network_tells_what_is_hidden(learned) -> None:
    engine = pose.load(learned)
    scenes = [scene(seed) for seed in range(100, 120)]
    seen = engine.predict([picture(people) for people in scenes])
    distances, additional, main = [], {"visible": [], "occluded": []}, []
    for people, found in zip(scenes, seen, strict=True):
        for person in people:
            best = nearest(person, found)
            assert iou(best.box, person.box) > 0.5 and [point.label for point in best.points] == list(SKELETON.names)
            for point, true in zip(best.points, person.points, strict=True):
                distances.append(max(abs(point.x - true.x), abs(point.y - true.y)))
                additional[true.visibility].append(point.additional)
                main.append(point.main)
    assert sum(len(people) > 1 for people in scenes) > 5
    assert fmean(distances) < 3 and min(main) > 0.3
    assert fmean(additional["visible"]) - fmean(additional["occluded"]) > 0.4


def test_left_and_right_stay_with_the_face_when_the_picture_is_mirrored(learned) -> None:
    """The left eye is the one on the right, whatever its colour: half of the pictures that taught it were mirrored."""
    engine = pose.load(learned)
    person = drawn_people.face(18, 18, 28)
    for image in (picture([person]), ImageOps.mirror(picture([person]))):
        (seen,) = engine.predict([image])
        left, right, nose = nearest(person, seen).points
        assert right.x + 3 < nose.x < left.x - 3


def test_what_is_seen_does_not_depend_on_neighbours(learned) -> None:
    engine = pose.load(learned)
    images = [picture(scene(seed)) for seed in (70, 71)]
    images.append(images[0].resize((192, 96)))
    alone = [engine.predict([image])[0] for image in images]
    assert [len(people) for people in alone] == [len(people) for people in engine.predict(images)]
    for one, other in zip(alone, engine.predict(images), strict=True):
        for person, same in zip(one, other, strict=True):
            assert iou(person.box, same.box) > 0.999
            assert [point.additional for point in person.points] == pytest.approx(
                [p.additional for p in same.points], abs=1e-4
            )


def test_the_additional_network_is_asked_only_where_the_main_one_saw_a_point(learned, monkeypatch) -> None:
    engine = pose.load(learned)
    counts = []
    look = pose.inference.looked
    monkeypatch.setattr(
        pose.inference, "looked", lambda network, pixels, on: counts.append(len(pixels)) or look(network, pixels, on)
    )
    nobody, somebody = picture([]), picture(scene(70))
    assert engine.predict([nobody])[0] == [] and counts == [1]
    engine.predict([nobody, somebody])
    assert counts == [1, 2, 1]


def test_the_same_seed_gives_the_same_bytes_and_people_without_points_are_no_hindrance(tmp_path) -> None:
    unlabelled = drawn_people.face(10, 10, 30, dict.fromkeys(SKELETON.names, "unlabelled"))
    outside = drawn_people.face(30, 10, 30, {"nose": "outside"})
    dataset = written(tmp_path / "dataset", [[unlabelled], [outside], [], scene(3)])
    made = [fitted(tmp_path / name, dataset, 2) for name in ("one", "other")]
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "other"))
    assert one == other and made[0] == made[1]
    assert {name.partition(" ")[0] for name in made[0].loss} == {"main", "additional"}
    assert not list((tmp_path / "dataset").glob("visible-*"))
    main, additional = pose.parts(read_model(tmp_path / "one"), SKELETON)
    assert main.tensors.keys() == additional.tensors.keys() and main.tensors != additional.tensors


def test_of_a_detector_all_is_kept_but_the_branch_of_points_is_new(tmp_path) -> None:
    source = networks.network(networks.read(old_model(tmp_path, ("dog", "person"))))
    made, kept = networks.taught(source, PERSON, 3)
    assert kept == ["person"] and made.yaml["kpt_shape"] == [3, 3]
    old, new = source.state_dict(), made.state_dict()
    added = {name for name in new if name not in old}
    assert added and all(name.startswith("model.22.cv4.") for name in added) and old.keys() < new.keys()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed == {f"model.22.cv3.{scale}.2.{kind}" for scale in range(3) for kind in ("weight", "bias")}


@pytest.mark.parametrize(("names", "is_same"), [("coco-17", True), ("in-cabin", False), ("head", False)])
def test_of_what_ultralytics_trained_on_coco_the_points_are_kept_where_they_are_cocos(names, is_same, tmp_path) -> None:
    skeleton = skeletons.skeleton(names)
    source, same_points = pose._source("main", old_model(tmp_path, PERSON, points=17), skeleton)
    assert same_points is is_same
    made, kept = networks.taught(source, PERSON, len(skeleton.names), same_points)
    old, new = source.state_dict(), made.state_dict()
    assert kept == ["person"] and old.keys() == new.keys()
    changed = {name for name in old if not (old[name].shape == new[name].shape and torch.equal(old[name], new[name]))}
    assert changed == set() if is_same else {name.split(".")[2] for name in changed} == {"cv4"}


def test_base_weights_of_key_points_teach_boxes_and_are_no_detector_themselves(tmp_path) -> None:
    folder = old_model(tmp_path, ("dog", "person"), points=17)
    made, kept = networks.taught(networks.network(networks.read(folder)), ("person", "hat"))
    assert kept == ["person"] and type(made).__name__ == "DetectionModel" and "kpt_shape" not in made.yaml
    with pytest.raises(InvalidInputError, match="it can be base weights"):
        importlib.import_module("detector").load(folder)


@pytest.mark.skipif(not STOCK.is_file(), reason="../shared/weights/yolov8n.pt is not there")
def test_of_cocos_weights_the_person_is_kept_with_all_that_is_seen_of_it(tmp_path) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(base_weights.packed(STOCK.read_bytes(), STOCK.name))
    (tmp_path / "base").mkdir()
    unpack_model(archive, tmp_path / "base")
    source, same_points = pose._source("additional", tmp_path / "base", SKELETON)
    made, kept = networks.taught(source, PERSON, 3, same_points)
    person = next(number for number, name in source.names.items() if name == "person")
    old, new = source.state_dict(), made.state_dict()
    assert kept == ["person"] and not same_points
    for name, tensor in old.items():
        is_of_classes = new[name].shape != tensor.shape
        assert torch.equal(new[name], tensor[person : person + 1] if is_of_classes else tensor)
    assert {name.split(".")[2] for name in new.keys() - old.keys()} == {"cv4"}


@pytest.mark.parametrize("is_same", [True, False])
def test_of_a_model_of_the_same_points_all_is_kept_part_by_part_and_of_others_all_but_their_branch(
    learned, is_same
) -> None:
    skeleton = SKELETON if is_same else skeletons.named(("chin", "brow"))
    for part in pose.PARTS:
        source, same_points = pose._source(part, learned, skeleton)
        made, _ = networks.taught(source, PERSON, len(skeleton.names), same_points)
        tensors = read_model(learned).tensors
        for name, value in made.state_dict().items():
            if is_same or ".cv4." not in name:
                stored = tensors[f"{part}.{name}"]
                assert networks.DTYPES[stored.dtype] in (torch.float16, torch.int64)
                assert value.to(networks.DTYPES[stored.dtype]).numpy().tobytes() == bytes(stored.data)


def test_a_training_goes_on_from_a_detector_with_the_rules_of_base_weights(tmp_path, monkeypatch) -> None:
    (tmp_path / "base").mkdir()
    base = old_model(tmp_path / "base", ("dog", "person"))
    start = Start("base", base, "of base weights 0123", "0123")
    rates = []
    step = trainer._Trainer.optimizer_step

    def recorded(self) -> None:
        step(self)
        of = {id(parameter): group["lr"] for group in self.optimizer.param_groups for parameter in group["params"]}
        new = {".cv4." in name: set() for name, _ in self.model.named_parameters()}
        for name, parameter in self.model.named_parameters():
            new[".cv4." in name].add(round(of[id(parameter)], 9))
        rates.append(new)

    monkeypatch.setattr(trainer._Trainer, "optimizer_step", recorded)
    made = fitted(tmp_path / "model", written(tmp_path / "dataset", [scene(1), scene(2)]), 4, start)
    assert (made.kept_classes, made.optimizer_steps, len(rates)) == (["person"], 4, 4 + 2)
    assert rates[3] == {True: {0.004}, False: {0.001}}, "the branch of points is new to the main network"
    assert rates[5] == {True: {0.001}, False: {0.001}}, "and no longer to the additional one"
    assert len(pose.load(tmp_path / "model").predict([picture(scene(1))])) == 1


def test_models_that_are_none_of_key_points_are_refused(learned, tmp_path) -> None:
    with pytest.raises(InvalidInputError, match="'detector', this is 'pose'"):
        pose.load(old_model(tmp_path))
    model = read_model(learned)
    with pytest.raises(InvalidInputError, match=r"kpt_shape.*the skeleton in model.json has 2 points"):
        pose.parts(model, skeletons.named(("a", "b")))
    stranger = {**model.tensors, "third.weight": model.tensors["main.model.0.conv.weight"]}
    with pytest.raises(InvalidInputError, match=r"third\.weight"):
        pose.parts(replace(model, tensors=stranger), SKELETON)
    with pytest.raises(InvalidInputError, match="field 'skeleton' is missing"):
        pose._skeleton(replace(model, description=replace(model.description, skeleton=None)), learned)
    with pytest.raises(InvalidInputError, match="'key-points' is missing"):
        pose._asked(replace(recipe(), skeleton=None))


def test_of_a_point_that_nobody_labelled_nothing_is_learned() -> None:
    network = networks.built(networks.architectures.with_points({**networks.tiny(0.125), "nc": 1}, 3))
    network.args = get_cfg()
    loss = people_loss.of([0.1, 0.1, 0.1])(network)
    assert loss.keypoint_loss.sigmas.tolist() == pytest.approx([0.1, 0.1, 0.1])
    everywhere = torch.ones(1, 2, dtype=torch.bool)
    target = torch.zeros(1, 2, dtype=torch.long)
    boxes, strides = torch.tensor([[[0.0, 0, 64, 64]] * 2]), torch.full((2, 1), 8.0)
    keypoints = torch.tensor([[[[8.0, 8, 2], [16, 16, 0], [32, 32, 3]]]])
    seen = torch.zeros(1, 2, 3, 3, requires_grad=True)
    sum(loss.calculate_keypoints_loss(everywhere, target, keypoints, strides, boxes.clone(), seen)).backward()
    assert (seen.grad[..., 2, :] == 0).all(), "unlabelled"
    assert (seen.grad[..., 1, :2] == 0).all() and (seen.grad[..., 1, 2] > 0).all(), "outside"
    assert (seen.grad[..., 0, :] != 0).all(), "visible"


def test_a_job_of_key_points_writes_a_model_that_says_of_what_it_is(finished) -> None:
    base, printed = finished
    assert "training on 41 images, 1 of them show nothing, from random weights" in printed
    told = json.loads((base / "model/model.json").read_text())
    assert (told["engine"], told["classes"]) == ("pose", ["person"])
    assert Skeleton.from_json(told["skeleton"]) == SKELETON
    metrics = json.loads((base / "output/data/metrics.json").read_text())
    facts, figures = metrics["train"], metrics["judge"]["challenger"]
    assert (facts["images"], facts["background_images"], facts["steps"]) == (41, 1, 120)
    assert figures["images"] == 10 and figures["people"] >= 10 > figures["people_alone"]
    assert figures["map50"] > 0.7 and figures["oks_map50"] > 0.5 and figures["oks_map50_95"] > 0.2
    assert f"judge_oks_mAP50={figures['oks_map50']:.4f}\n" in printed


def test_a_later_job_goes_on_from_the_champion_and_judges_it_again(finished, tmp_path) -> None:
    judges = [scene(seed) for seed in range(200, 210)]
    small = {"image-size": "64", "batch-size": "8", "warm-steps": "2"}
    write_people_job(tmp_path, {"train": [scene(seed) for seed in range(8)], "judge": judges}, small)
    (tmp_path / "input/data/champion").mkdir()
    files = {path.name: path.read_bytes() for path in (finished[0] / "model").iterdir()}
    (tmp_path / "input/data/champion/model.tar.gz").write_bytes(packed(files))
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr
    metrics, before = (json.loads((base / "output/data/metrics.json").read_text()) for base in (tmp_path, finished[0]))
    assert (metrics["train"]["start"], metrics["train"]["steps"]) == ("champion", 2)
    assert metrics["judge"]["champion"] == before["judge"]["challenger"]
    assert metrics["judge"]["challenger"]["oks_map50"] > 0.5, "what the champion knows is kept"


def test_the_server_takes_the_engine_from_the_model_and_answers_with_people(finished) -> None:
    base, _ = finished
    people = scene(101)
    with fake_s3() as store:
        store.objects["0.png"] = encoded(picture(people), "PNG")
        with serving(base, base / "serve.log", AWS_ENDPOINT_URL=store.address) as server:
            until(lambda: server.ping() == 200, 120)
            status, body = server.shard("0.png")
    assert status == 200, body
    answer = Prediction.from_json(json.loads(body))
    assert answer.people is not None
    for person in people:
        assert iou(nearest(person, answer.people).box, person.box) > 0.5
