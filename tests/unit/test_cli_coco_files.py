"""COCO files that a dataset is written as: read back, and by pycocotools."""

import contextlib
import io
import json

import pytest
from exported_people import CLASSES, HEAD, HEIGHT, OF_BOXES, OF_PEOPLE, WIDTH, boxes, label, people, same_in_files
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.tasks import oks

from cli import coco_files
from demo import coco
from demo.annotators import parse_truth


def read_back(document, names):
    """As the demo reads COCO files of others."""
    found = coco.read(json.loads(json.dumps(document)), "x.json", ".", names, lambda _: coco.Size(WIDTH, HEIGHT))
    skeleton = found.skeleton.to_json() if found.skeleton else None
    return parse_truth({"classes": found.classes, "skeleton": skeleton, "images": found.images})


def close(one, other):
    sides = ("left", "top", "width", "height")
    return one.label == other.label and all(abs(getattr(one, side) - getattr(other, side)) < 1e-6 for side in sides)


@pytest.mark.fault("G12")
@given(st.lists(st.lists(boxes(), max_size=3, unique=True), min_size=1, max_size=3))
def test_boxes_come_back(marked):
    labels = [label(number, tuple(found)) for number, found in enumerate(marked)]
    names = [f"{number}.jpg" for number in range(len(labels))]
    document = coco_files.document(labels, names, OF_BOXES, "x")
    assert [category["name"] for category in document["categories"]] == list(CLASSES)
    if not any(marked):
        assert document["annotations"] == []
        return
    back = read_back(document, names)
    for name, known in zip(names, marked, strict=True):
        assert len(back.images[name].boxes) == len(known)
        assert all(close(one, other) for one, other in zip(back.images[name].boxes, known, strict=True))


@pytest.mark.fault("G12")
@given(st.lists(people(), min_size=1, max_size=3, unique=True))
def test_people_come_back_with_places_and_visibility(marked):
    document = coco_files.document([label(people=tuple(marked))], ["1.jpg"], OF_PEOPLE, "x")
    back = read_back(document, ["1.jpg"])
    assert back.skeleton == HEAD
    for one, other in zip(back.images["1.jpg"].people, marked, strict=True):
        assert close(one.box, other.box) and abs(oks.area(one) - oks.area(other)) < 1e-6
        for point, known in zip(one.points, other.points, strict=True):
            assert same_in_files(point) == same_in_files(known)
            assert point.x == pytest.approx(known.x, abs=1e-6) and point.y == pytest.approx(known.y, abs=1e-6)


def test_an_annotation_says_what_coco_says():
    points = tuple(
        KeyPoint(name, *place, said)
        for name, place, said in zip(
            HEAD.names,
            [(1.5, 2), (3, 4), (None, None), (None, None), (5, 6)],
            ["visible", "occluded", "outside", "unlabelled", "visible"],
            strict=True,
        )
    )
    person = Person(Box("person", 1, 2, 30, 40), points)
    document = coco_files.document(
        [label(people=()), label(2, people=(person,))], ["1.jpg", "2.jpg"], OF_PEOPLE, "told"
    )
    assert document["annotations"] == [
        {
            "id": 1,
            "image_id": 2,
            "category_id": 1,
            "bbox": [1, 2, 30, 40],
            "area": 0.53 * 1200,
            "iscrowd": 0,
            "num_keypoints": 3,
            "keypoints": [1.5, 2, 2, 3, 4, 1, 0, 0, 0, 0, 0, 0, 5, 6, 2],
        }
    ]
    (category,) = document["categories"]
    assert category["name"] == "person" and category["keypoints"] == list(HEAD.names)
    assert category["skeleton"][0] == [2, 3] and len(document["images"]) == 2
    assert document["info"] == {"description": "told"}


def test_people_of_other_classes_are_categories_with_the_same_points():
    found = coco_files.categories_of([label(people=(Person(Box("driver", 0, 0, 9, 9), ()),))], OF_PEOPLE)
    assert [(each["id"], each["name"]) for each in found] == [(1, "person"), (2, "driver")]
    assert found[0]["keypoints"] == found[1]["keypoints"]


def test_pycocotools_reads_it(tmp_path):
    reader = pytest.importorskip("pycocotools.coco")
    person = Person(Box("person", 1, 2, 30, 40), tuple(KeyPoint(name, 3, 4, "visible") for name in HEAD.names))
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(coco_files.document([label(people=(person,))], ["1.jpg"], OF_PEOPLE, "x")))
    with contextlib.redirect_stdout(io.StringIO()):
        found = reader.COCO(str(path))
    (annotation,) = found.loadAnns(found.getAnnIds(catIds=found.getCatIds(["person"])))
    assert annotation["num_keypoints"] == 5 and found.loadImgs(annotation["image_id"])[0]["file_name"] == "1.jpg"
