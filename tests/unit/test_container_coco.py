"""A training on COCO's photographs as they are: several people, crowds, nobody, and points that nobody labelled."""

import importlib.util
import json
from collections import defaultdict
from pathlib import Path

import pytest
from container_process import train
from drawn_people import write_labels
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import PRESETS

pytest.importorskip("torch")
# Looked for, not imported: `libraries` sets what must be set before ultralytics is imported.
if importlib.util.find_spec("ultralytics") is None:
    pytest.skip("could not find 'ultralytics'", allow_module_level=True)
PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco-keypoints-mini"
if not PHOTOGRAPHS.is_dir():
    pytest.skip("../shared/data/coco-keypoints-mini is not there", allow_module_level=True)
pytestmark = pytest.mark.yolo

SKELETON = PRESETS["coco-17"]
VISIBILITIES = ("unlabelled", "occluded", "visible")


def labels() -> list[Annotation]:
    document = json.loads((PHOTOGRAPHS / "annotations.json").read_text())
    people = defaultdict(list)
    for entry in document["annotations"]:
        if not entry["iscrowd"]:
            people[entry["image_id"]].append(person(entry))
    return [
        Annotation(
            f"s3://bucket/{image['file_name']}",
            None,
            image["width"],
            image["height"],
            tuple(people[image["id"]]),
            True,
            "",
            "coco",
            task="key-points",
        )
        for image in document["images"]
    ]


def person(entry: dict) -> Person:
    numbers = entry["keypoints"]
    points = tuple(
        KeyPoint(name, *((x, y) if said else (None, None)), VISIBILITIES[said])
        for name, x, y, said in zip(SKELETON.names, numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    )
    return Person(Box("person", *entry["bbox"]), points, area=entry["area"])


def test_a_training_on_them_runs_to_its_end(tmp_path) -> None:
    known = labels()
    said = {point.visibility for label in known for person in label.people for point in person.points}
    assert said == set(VISIBILITIES) and any(not label.people for label in known)
    small = {"image-size": "96", "batch-size": "16", "steps": "12", "base-model": "tiny.yaml"}
    write_labels(tmp_path, {"train": known, "judge": []}, SKELETON, small)
    (tmp_path / "input/data/images").symlink_to(PHOTOGRAPHS / "images")
    finished = train(tmp_path)
    assert finished.returncode == 0, finished.stderr
    facts = json.loads((tmp_path / "output/data/metrics.json").read_text())["train"]
    assert (facts["images"], facts["skipped_images"]) == (len(known), 0)
    assert facts["background_images"] == sum(not label.people for label in known)
