"""The pieces of an augmented-manifest line: what is written is read back, and what is wrong is named by its field."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from labelloop.contracts import augmented, people_values
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box

from tests.support import strategies
from tests.support.strategies import CLASSES

BOX = Box("hand", 1.5, 2, 3, 4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)
blanks = st.text(" \t\r\n", max_size=3)


def metadata(marks, classes):
    confidences = [mark.confidence for mark in marks]
    return augmented.label_metadata(classes, confidences, True, "2026-11-20", "job")


@given(strategies.boxes().map(tuple))
def test_boxes_are_read_back_as_they_were_written(boxes):
    value = augmented.label_value(640, 480, boxes, CLASSES)
    assert augmented.image_size(value, "line") == {"width": 640, "height": 480, "depth": 3}
    assert augmented.read_boxes(json.loads(json.dumps(value)), metadata(boxes, CLASSES), (), "line") == boxes


def test_a_box_of_a_class_that_is_not_listed_is_not_written():
    with pytest.raises(InvalidInputError, match="box: field 'label' must be one of head, foot, but is 'hand'"):
        augmented.label_value(640, 480, [BOX], ("head", "foot"))


def test_a_class_name_is_that_of_the_metadata_then_of_the_value_then_of_the_list():
    value = augmented.label_value(640, 480, [BOX], ["hand"])
    maps = {"of the value": {"0": "of the value"}, "of the metadata": {"0": "of the metadata"}}
    for own, stated, expected in (
        ({}, {}, "of the list"),
        ({"class-map": maps["of the value"]}, {}, "of the value"),
        ({"class-map": maps["of the value"]}, {"class-map": maps["of the metadata"]}, "of the metadata"),
    ):
        (box,) = augmented.read_boxes({**value, **own}, stated, ["of the list"], "line")
        assert (box.label, box.confidence) == (expected, None)
    with pytest.raises(InvalidInputError, match=r"line.annotations\[0\]: field 'class_id' is '0'"):
        augmented.read_boxes(value, {}, (), "line")


@pytest.mark.parametrize("read", [augmented.read_boxes, people_values.read_people])
def test_more_marks_than_people_can_have_drawn_are_refused_before_they_are_read(read):
    with pytest.raises(InvalidInputError, match="'annotations' must be a list of at most 10,000"):
        read({"annotations": [None] * (augmented.MOST_MARKS + 1)}, {}, ["nose"], "line")


@pytest.mark.parametrize("human", [True, False])
def test_metadata_has_the_shape_of_ground_truth_and_no_empty_origin(human):
    told = augmented.label_metadata(["head"], [1.0, 0.25], human, "", "")
    assert json.dumps(told) == (
        '{"objects": [{"confidence": 1}, {"confidence": 0.25}], "class-map": {"0": "head"}, '
        f'"type": "groundtruth/object-detection", "human-annotated": "{"yes" if human else "no"}"}}'
    )
    whole = augmented.label_metadata([], [], human, "2026-11-20", "job", augmented.CUSTOM)
    assert (whole["creation-date"], whole["job-name"], whole["type"]) == ("2026-11-20", "job", "groundtruth/custom")


@given(st.dictionaries(st.text(), values, max_size=4), st.sets(st.text(max_size=2), max_size=2), blanks, blanks)
def test_other_attributes_are_kept_as_their_own_text_whatever_blanks_are_between_them(record, known, before, after):
    texts = {name: json.dumps(value) for name, value in record.items()}
    between = f"{before},{after}".join(f"{json.dumps(name)}{after}:{before}{text}" for name, text in texts.items())
    line = f"{before}{{{after}{between}{before}}}{after}"
    assert json.loads(line) == record
    assert augmented.raw_attributes(line, known) == {name: text for name, text in texts.items() if name not in known}


@pytest.mark.parametrize("listed", [None, [], [{"width": 1}, {"width": 2}], [7], {"width": 1}])
def test_a_label_has_exactly_one_image_size(listed):
    with pytest.raises(InvalidInputError, match="field 'image_size'"):
        augmented.image_size({"image_size": listed}, "line")


def test_either_spelling_of_a_name_is_read_and_the_first_counts():
    told = {"job-name": "a", "job_name": "b"}
    assert augmented.either(told, "job-name", "job_name", "line") == "a"
    assert augmented.either({"job_name": "b"}, "job-name", "job_name", "line") == "b"
    assert augmented.either({}, "job-name", "job_name", "line") == ""
    with pytest.raises(InvalidInputError, match="field 'job_name'"):
        augmented.either({"job_name": 7}, "job-name", "job_name", "line")


@given(st.text(st.characters(), max_size=5))
@example("half \ud800")
def test_a_name_is_written_so_that_every_file_can_hold_it(name):
    written = augmented.dump_name(name)
    assert json.loads(written) == name
    assert written.encode()
