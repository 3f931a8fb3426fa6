"""Boxes that somebody drew: at the edge they are cut, outside they are refused; test_answers has whole forms."""

import pytest
from hypothesis import given
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box
from labelloop.tasks import answered_boxes

from tests.support import strategies
from tests.support.strategies import CLASSES, HEIGHT, WIDTH

SIZE = (WIDTH, HEIGHT)


def drawn(box: Box, **changed: object) -> dict[str, object]:
    sides = {side: getattr(box, side) for side in ("left", "top", "width", "height")}
    return {"label": box.label, **sides, **changed}


@given(strategies.boxes())
def test_boxes_inside_the_image_are_taken_as_they_were_drawn(boxes) -> None:
    inside = [box for box in boxes if box.left + box.width <= WIDTH and box.top + box.height <= HEIGHT]
    read = answered_boxes.boxes([drawn(box) for box in inside], SIZE, CLASSES)
    assert [drawn(box) for box in read] == [drawn(box) for box in inside]


def test_a_pixel_over_the_edge_is_cut_and_more_is_refused() -> None:
    box = Box(CLASSES[0], -1, 5, 20, 20)
    assert answered_boxes.boxes([drawn(box)], SIZE, CLASSES)[0].left == 0
    for wrong, field in (
        (drawn(box, left=-1.5), "left"),
        (drawn(box, label="x"), "label"),
        (drawn(box, width=0), "width"),
    ):
        with pytest.raises(InvalidInputError, match=rf"boundingBoxes\[0\]: field '{field}'"):
            answered_boxes.boxes([wrong], SIZE, CLASSES)
