"""What people changed of a pre-label, counted by comparing the two."""

import pytest
from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint
from labelloop.tasks.changes import compare, compare_boxes, compare_key_points

from tests.support import strategies

HEAD, HAND = Box("head", 10, 10, 40, 40, 0.9), Box("hand", 200, 10, 40, 40, 0.8)
NOSE, EYE = KeyPoint("nose", 1, 2, "visible", 0.9), KeyPoint("eye", 5, 6, "occluded", 0.9)
GONE = KeyPoint("eye", None, None, "outside")


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
        ((EYE, NOSE), {"untouched": 2}),
        ((KeyPoint("nose", 1, 3, "visible"), EYE), {"untouched": 1, "moved": 1}),
        ((NOSE, KeyPoint("eye", 5, 6, "visible")), {"untouched": 1, "visibility-changed": 1}),
        ((NOSE, KeyPoint("eye", 5, 7, "visible")), {"untouched": 1, "moved": 1, "visibility-changed": 1}),
        ((NOSE, GONE), {"untouched": 1, "deleted": 1}),
        ((NOSE,), {"untouched": 1, "deleted": 1}),
        ((NOSE, EYE, KeyPoint("ear", 1, 1, "visible")), {"untouched": 2, "added": 1}),
    ],
)
def test_changed_key_points_are_counted_by_what_changed(after, counts):
    adjustment = compare_key_points((NOSE, EYE, KeyPoint("ear", None, None, "outside")), after)
    assert adjustment == Adjustment("unadjusted" if counts == {"untouched": 2} else "adjusted", counts)


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


@given(strategies.key_points(), strategies.key_points())
def test_only_equal_key_points_are_unadjusted(before, after):
    def told(points):
        return [(point.label, point.x, point.y, point.visibility) for point in points]

    assert (compare_key_points(before, after).status == "unadjusted") == (told(before) == told(after))


def test_labels_of_two_kinds_are_not_compared():
    points = Annotation("s3://b/k", None, 9, 9, (), True, "", "", key_points=())
    assert compare(points, points).status == "unadjusted"
    with pytest.raises(InvalidInputError, match="one kind"):
        compare(annotation(), points)


def edges(box):
    return box.label, box.left, box.top, box.width, box.height
