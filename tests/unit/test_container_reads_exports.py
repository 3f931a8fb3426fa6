"""What `labelloop export --format yolo` writes, read by ultralytics itself."""

import pytest
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import PRESETS
from PIL import Image

from cli import yolo_files

utils = pytest.importorskip("ultralytics.data.utils", reason="ultralytics is in the container's environment")
HEAD = PRESETS["head"]
WIDTH, HEIGHT = 640, 427


def person(left, *visibilities):
    placed = [(None, None) if said in ("outside", "unlabelled") else (left + 5.3, 0.0) for said in visibilities]
    points = [KeyPoint(name, *xy, said) for name, xy, said in zip(HEAD.names, placed, visibilities, strict=True)]
    return Person(Box("person", left, 0.0, WIDTH / 3, float(HEIGHT)), tuple(points))


def label(boxes=(), people=None):
    marks, task = (boxes, "boxes") if people is None else (people, "key-points")
    return Annotation("s3://b/1.jpg", None, WIDTH, HEIGHT, marks, True, "x", "j", task=task)


def read(folder, text, classes, points=0):
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "1.jpg")
    (folder / "1.txt").write_text(text)
    told = (str(folder / "1.jpg"), str(folder / "1.txt"), "", bool(points), classes, points, 3 if points else 0, False)
    _, rows, _, _, found, missing, _, _, corrupt, message = utils.verify_image_label(told)
    assert (missing, corrupt) == (0, 0), message
    return rows, found


def test_people_with_places_and_visibility(tmp_path):
    people = (
        person(0.0, "visible", "occluded", "outside", "unlabelled", "visible"),
        person(WIDTH * 2 / 3, *["outside"] * 5),
    )
    rows, points = read(tmp_path, yolo_files.rows(label(people=people), ["person"]), 1, 5)
    assert rows.shape == (2, 5) and rows[0][1:] == pytest.approx([1 / 6, 0.5, 1 / 3, 1], abs=1e-6)
    assert [list(each[:, 2]) for each in points] == [[2, 1, 0, 0, 2], [0] * 5]
    assert points[0][0][0] == pytest.approx(5.3 / WIDTH, abs=1e-6)


def test_boxes_and_images_in_which_nothing_is(tmp_path):
    boxes = (Box("head", 1.0, 2.0, 3.0, 4.0), Box("bag", 0.0, 0.0, float(WIDTH), float(HEIGHT)))
    rows, _ = read(tmp_path, yolo_files.rows(label(boxes), ["bag", "head"]), 2)
    assert list(rows[:, 0]) == [1, 0]
    assert len(read(tmp_path, yolo_files.rows(label(), ["bag"]), 1)[0]) == 0
