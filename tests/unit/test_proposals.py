"""What people are shown of what the model saw: whole pixels in the image, the surest first, no more than fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import (
    read_labeled,
)
from labelloop.contracts.records import Box, dump_line
from labelloop.tasks.proposals import key_point_proposal_line, proposal_line
from marked_people import NAMES, person

from tests.support import strategies
from tests.support.strategies import CLASSES, KEY_POINTS

corners, sizes = st.floats(-50, 700), st.floats(0, 700)


seen_boxes = st.builds(
    Box, st.sampled_from([*CLASSES, "other"]), corners, corners, sizes, sizes, strategies.confidences
)


@given(st.lists(seen_boxes, max_size=8))
def test_proposals_are_whole_pixels_inside_the_image(boxes):
    record = proposal_line("s3://b/k", 640, 480, boxes, CLASSES, "v1", "s3://b/o")
    result = read_labeled(dump_line(record), "proposed-boxes")
    assert not result.annotation.human
    assert result.annotation.original_ref == "s3://b/o"
    assert len(result.annotation.boxes) + record["proposed-boxes-metadata"]["dropped"] == len(boxes)
    for box, raw in zip(result.annotation.boxes, record["proposed-boxes"]["annotations"], strict=True):
        assert all(isinstance(value, int) for value in raw.values())
        assert 0 <= box.left < box.left + box.width <= 640
        assert 0 <= box.top < box.top + box.height <= 480
    confidences = [box.confidence for box in result.annotation.boxes]
    assert confidences == sorted(confidences, reverse=True)


def test_no_model_and_nothing_seen_are_different_proposals():
    bare = {"source-ref": "s3://b/k", "image-size": {"width": 640, "height": 480}}
    assert proposal_line("s3://b/k", 640, 480, None, CLASSES, "") == bare
    assert proposal_line("s3://b/k", 640, 480, (), CLASSES, "v1")["proposed-boxes"]["annotations"] == []


@pytest.mark.parametrize("count", [250, 2000])
def test_proposals_keep_to_ground_truths_limits_and_to_the_surest_boxes(count):
    boxes = [Box("head", index % 600, index % 400, 10, 10, round(1 - index / 10_000, 4)) for index in range(count)]
    record = proposal_line("s3://b/k", 640, 480, boxes[::-1], CLASSES, "v1")
    lengths = [len(dump_line({"": value})) - 5 for value in record.values()]
    kept = [entry["confidence"] for entry in record["proposed-boxes-metadata"]["objects"]]
    dropped = record["proposed-boxes-metadata"]["dropped"]
    assert max(lengths) <= 20_000
    assert len(dump_line(record)) <= 100_000
    assert kept == [box.confidence for box in boxes[: count - dropped]]
    assert dropped == 0 if count == 250 else max(lengths) > 19_900


def test_a_class_list_that_fills_the_line_alone_is_refused():
    with pytest.raises(InvalidInputError, match="class-map"):
        proposal_line("s3://b/k", 640, 480, (), ["x" * 21_000], "v1")


@given(strategies.people(names=(*KEY_POINTS, "ear")), st.permutations(KEY_POINTS))
def test_proposed_people_are_whole_pixels_with_one_point_for_each_name_the_surest_first(people, names):
    record = key_point_proposal_line("s3://b/k", 315, 210, people, names, "m", "s3://b/o")
    label = read_labeled(dump_line(record), "proposed-key-points").annotation
    assert not label.human and label.original_ref == "s3://b/o"
    assert len(label.people) + record["proposed-key-points-metadata"]["dropped"] == len(people)
    confidences = [each.box.confidence for each in label.people]
    assert confidences == sorted(confidences, reverse=True)
    for shown in label.people:
        box = shown.box
        assert 0 <= box.left < box.left + box.width <= 315 and 0 <= box.top < box.top + box.height <= 210
        assert [point.label for point in shown.points] == list(names)
        for place in (place for point in shown.points for place in (point.x, point.y) if point.x is not None):
            assert place.is_integer()


def test_of_one_person_each_point_is_proposed_that_lies_in_the_image():
    seen = person(0, 0, 15, 10, (3.4, 4), (16, 4, "occluded"), None, confidence=0.5)
    record = key_point_proposal_line("s3://b/k", 15, 10, [seen], NAMES, "m")
    (shown,) = read_labeled(dump_line(record), "proposed-key-points").annotation.people
    assert [(point.x, point.visibility) for point in shown.points] == [
        (3, "visible"),
        (None, "outside"),
        (None, "outside"),
    ]
    assert (shown.box.width, shown.box.confidence) == (15, 0.5)


def test_proposed_people_keep_to_ground_truths_limits():
    crowd = [person(9 * n % 600, n, 20, 20, (9, 9), (9, 9), (9, 9), confidence=1 - n / 1000) for n in range(300)]
    record = key_point_proposal_line("s3://b/k", 640, 480, crowd[::-1], NAMES, "m")
    kept = [each["confidence"] for each in record["proposed-key-points"]["people"]]
    assert max(len(dump_line({"": value})) - 5 for value in record.values()) <= 20_000 and len(kept) > 50
    assert kept == [each.box.confidence for each in crowd[: len(kept)]]
    assert record["proposed-key-points-metadata"]["dropped"] == 300 - len(kept)


def test_no_model_proposes_no_key_points():
    bare = {"source-ref": "s3://b/k", "image-size": {"width": 9, "height": 9}}
    assert key_point_proposal_line("s3://b/k", 9, 9, None, KEY_POINTS, "") == bare
    with pytest.raises(InvalidInputError, match="class-map"):
        key_point_proposal_line("s3://b/k", 9, 9, (), ["x" * 21_000], "m")
