"""Files for ultralytics that a dataset is written as. It reads them itself in test_container_reads_exports."""

import json

import pytest
from exported_people import CLASSES, HEIGHT, OF_BOXES, OF_PEOPLE, WIDTH, boxes, label, people
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.skeletons import PRESETS, named

from cli import yolo_files

NUMBERS = {"visible": 2, "occluded": 1}


def columns(text):
    return [[float(word) for word in row.split()] for row in text.splitlines()]


def pixels(row):
    """left, top, width, height"""
    x, y, width, height = row[1] * WIDTH, row[2] * HEIGHT, row[3] * WIDTH, row[4] * HEIGHT
    return x - width / 2, y - height / 2, width, height


@pytest.mark.fault("G12")
@given(st.lists(boxes(), max_size=4))
def test_boxes_come_back(marked):
    found = columns(yolo_files.rows(label(boxes=tuple(marked)), CLASSES))
    assert [CLASSES[int(row[0])] for row in found] == [box.label for box in marked]
    for row, box in zip(found, marked, strict=True):
        assert len(row) == 5
        assert pixels(row) == pytest.approx((box.left, box.top, box.width, box.height), abs=1e-6)


@pytest.mark.fault("G12")
@given(st.lists(people(), max_size=3))
def test_people_come_back_with_places_and_visibility(marked):
    found = columns(yolo_files.rows(label(people=tuple(marked)), ["person"]))
    for row, person in zip(found, marked, strict=True):
        box = person.box
        assert pixels(row) == pytest.approx((box.left, box.top, box.width, box.height), abs=1e-6)
        for place, point in enumerate(person.points):
            x, y, number = row[5 + 3 * place : 8 + 3 * place]
            assert number == NUMBERS.get(point.visibility, 0)
            assert (x * WIDTH, y * HEIGHT) == pytest.approx((point.x or 0, point.y or 0), abs=1e-6)


def test_the_description_says_how_many_points_and_which_a_mirror_exchanges():
    data = json.loads(yolo_files.data_yaml(["person"], OF_PEOPLE))
    assert data["kpt_shape"] == [5, 3] and data["flip_idx"] == [0, 2, 1, 4, 3]
    assert data["names"] == {"0": "person"} and (data["train"], data["val"]) == ("train.txt", "val.txt")
    assert "kpt_shape" not in json.loads(yolo_files.data_yaml(CLASSES, OF_BOXES))


@pytest.mark.parametrize("skeleton", [*PRESETS.values(), named(["a", "left-b", "c", "right-b"])])
def test_mirroring_twice_is_no_change(skeleton):
    places = skeleton.mirrored
    assert [places[place] for place in places] == list(range(len(skeleton.names)))


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("s3://b/incoming/images/1.JPG", "1"),
        ('s3://b/incoming/it\'s "{1}" + 50%20 😀.png', "it_s_1_50_20"),
        ("s3://b/incoming/...", "image"),
        ("s3://b/incoming/cat.gif", "cat"),
    ],
)
def test_images_have_plain_names_of_their_own(reference, name):
    found = yolo_files.image_name(reference)
    assert found.startswith(f"{name}-") and found.isascii() and "/" not in found
    assert found != yolo_files.image_name(reference.replace("incoming", "incoming/2"))
    assert found.rpartition(".")[2] in ("jpg", "png")
    assert yolo_files.label_name(found) == found.rpartition(".")[0] + ".txt"
