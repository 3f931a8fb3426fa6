"""A stack with COCO's 80 classes, and one with 133 key points: both deploy, and labels for them are imported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from loop import Loop, running_loop

from tests.support.names import COCO, WHOLE_BODY
from tests.support.pictures import SIDE, Picture, pictures

COUNT = 6


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    with running_loop(tmp_path_factory.mktemp("coco"), {"Classes": COCO, "RetrainMinimum": "1000"}) as loop:
        yield loop


def supplied(loop: Loop, prefix: str, drawn: list[Picture], labels: list[Annotation], names: list[str]) -> None:
    loop.upload(prefix, drawn)
    loop.put(f"incoming/{prefix}/labels.manifest", "\n".join(each.to_line(names) for each in labels).encode())
    loop.mark(prefix, {"labels": "labels.manifest"})


def annotation(name: str, **label: object) -> Annotation:
    given = {"marks": (), "human": True, "creation_date": "2026-11-20T10:00:00.000000", "job_name": "elsewhere"}
    return Annotation(source_ref=name, original_ref=None, width=SIDE, height=SIDE, **{**given, **label})  # type: ignore[arg-type]


def test_80_classes_are_deployed_imported_and_in_the_dataset(coco: Loop) -> None:
    names = COCO.split(",")
    drawn = pictures(COUNT, seed="coco")
    used = names[:: len(names) // COUNT][:COUNT]
    labels = [annotation(each.name, marks=(Box(label, 4, 5, 20, 21),)) for each, label in zip(drawn, used, strict=True)]
    supplied(coco, "coco", drawn, labels, names)
    run = coco.wait("coco")
    coco.assert_sound(run)
    lines = coco.manifest(run.batch)
    assert coco.summary(run.batch)["human"] == COUNT and "Request Labels" not in run.states
    drawn_classes = {
        line["boxes-metadata"]["class-map"][str(box["class_id"])]
        for line in lines
        for box in line["boxes"]["annotations"]
    }
    assert drawn_classes == set(used)
    assert "at most 50" in coco.outputs["Notices"]


def test_133_key_points_are_deployed_by_an_update_and_imported(coco: Loop) -> None:
    names = WHOLE_BODY.split(",")
    coco.put("settings/task.json", b'"key-points"')  # what a refusal tells to do
    coco.deploy_again(Task="key-points", KeyPoints=WHOLE_BODY, RetrainMinimum="1000")
    drawn = pictures(2, seed="body")
    points = tuple(KeyPoint(name, float(n % SIDE), float(n % 7), "visible") for n, name in enumerate(names))
    person = one_person(points, (SIDE, SIDE))
    labels = [annotation(each.name, task="key-points", marks=person) for each in drawn]
    supplied(coco, "body", drawn, labels, names)
    run = coco.wait("body")
    coco.assert_sound(run)
    assert len(coco.manifest(run.batch)) == 2 and coco.summary(run.batch)["human"] == 2
