"""What people changed of a pre-label, counted by comparing the two."""

import pytest
from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop import tasks
from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.tasks.changes import compare_boxes, compare_people
from marked_people import person

from tests.support import strategies

HEAD, HAND = Box("head", 10, 10, 40, 40, 0.9), Box("hand", 200, 10, 40, 40, 0.8)
NOSE, EYE = (11, 12), (15, 16, "occluded")
FRAME = (10, 10, 40, 40)
OTHER = person(200, 10, 40, 40, (210, 20), derived=True)


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        ((HEAD, HAND), {"untouched": 2}),
        ((HAND, Box("head", 10, 10, 40, 40)), {"untouched": 2}),
        ((Box("head", 11, 10, 40, 40), HAND), {"untouched": 1, "moved": 1}),
        ((Box("hand", 10, 10, 40, 40), HAND), {"untouched": 1, "relabelled": 1}),
        ((Box("hand", 12, 10, 40, 40), HAND), {"untouched": 1, "moved": 1, "relabelled": 1}),
        ((HEAD,), {"untouched": 1, "deleted": 1}),
        ((), {"deleted": 2}),
        ((HEAD, HAND, HAND), {"untouched": 2, "added": 1}),
        ((HEAD, Box("hand", 400, 300, 40, 40)), {"untouched": 1, "added": 1, "deleted": 1}),
        ((Box("head", 12, 10, 40, 40), Box("head", 30, 10, 40, 40), HAND), {"untouched": 1, "moved": 1, "added": 1}),
    ],
)
def test_changed_boxes_are_counted_by_what_changed(after, counts):
    adjustment = compare_boxes((HEAD, HAND), after)
    assert adjustment == Adjustment("unadjusted" if counts == {"untouched": 2} else "adjusted", counts)


def test_a_label_is_changed_rather_than_the_neighbour_moved():
    """Two boxes side by side, one gets the other's class: it stays the same object."""
    left, right = Box("head", 0, 0, 40, 40), Box("hand", 20, 0, 40, 40)
    changed = compare_boxes((left, right), (Box("hand", 0, 0, 40, 40), right))
    assert changed.counts == {"untouched": 1, "relabelled": 1}


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        ([person(*FRAME, NOSE, EYE), OTHER], {"untouched": 4}),
        ([OTHER, person(*FRAME, NOSE, EYE, confidence=0.4)], {"untouched": 4}),
        ([person(*FRAME, (11, 13), EYE), OTHER], {"untouched": 3, "moved": 1}),
        ([person(*FRAME, NOSE, (15, 16)), OTHER], {"untouched": 3, "visibility-changed": 1}),
        ([person(*FRAME, NOSE, (15, 17)), OTHER], {"untouched": 3, "moved": 1, "visibility-changed": 1}),
        ([person(*FRAME, NOSE), OTHER], {"untouched": 3, "deleted": 1}),
        ([person(*FRAME, NOSE, EYE, (30, 30)), OTHER], {"untouched": 4, "added": 1}),
        ([person(10, 10, 40, 41, NOSE, EYE), OTHER], {"untouched": 3, "moved": 1}),
        ([person(9, 9, 30, 30, NOSE, EYE, derived=True), OTHER], {"untouched": 3, "moved": 1}),
        ([person(*FRAME, NOSE, EYE)], {"untouched": 3, "deleted": 1}),
        ([person(*FRAME, NOSE, EYE), OTHER, OTHER], {"untouched": 4, "added": 1}),
        ([], {"deleted": 4}),
        ([person(*FRAME, NOSE, EYE), person(205, 10, 40, 40, (210, 20), derived=True)], {"untouched": 4}),
    ],
)
def test_changed_people_are_counted_by_points_and_by_boxes_that_somebody_drew(after, counts):
    adjustment = compare_people([person(*FRAME, NOSE, EYE, confidence=0.9), OTHER], after)
    assert adjustment == Adjustment("unadjusted" if counts == {"untouched": 4} else "adjusted", counts)


@given(strategies.boxes(), strategies.boxes(), st.randoms())
def test_counts_of_boxes_add_up_in_any_order(before, after, shuffler):
    adjustment = compare_boxes(before, after)
    counts = adjustment.counts
    shuffled = shuffler.sample(before, len(before)), shuffler.sample(after, len(after))
    assert compare_boxes(*shuffled) == adjustment
    same = len(before) - counts.get("deleted", 0)
    assert same == len(after) - counts.get("added", 0) >= counts.get("untouched", 0)
    changes = counts.get("moved", 0), counts.get("relabelled", 0)
    assert max(changes) <= same - counts.get("untouched", 0) <= sum(changes)
    assert (adjustment.status == "unadjusted") == (sorted(map(edges, before)) == sorted(map(edges, after)))


@given(strategies.people(), strategies.people(), st.randoms())
def test_only_equal_people_are_unadjusted_in_any_order(before, after, shuffler):
    def told(people):
        return sorted(
            [(point.label, point.x, point.y, point.visibility) for point in person.points if point.x is not None]
            for person in people
        )

    assert compare_people(before, shuffler.sample(before, len(before))).status == "unadjusted"
    adjustment = compare_people(before, after)
    assert compare_people(shuffler.sample(before, len(before)), shuffler.sample(after, len(after))) == adjustment
    if adjustment.status == "unadjusted":
        assert told(before) == told(after)


def test_labels_of_two_kinds_are_not_compared():
    points = Annotation("s3://b/k", None, 9, 9, (), True, "", "", task="key-points")
    assert tasks.changes(points, points).status == "unadjusted"
    with pytest.raises(InvalidInputError, match="one kind"):
        tasks.changes(annotation(), points)


def edges(box):
    return box.label, box.left, box.top, box.width, box.height
