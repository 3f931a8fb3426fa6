"""Marks at the edge: a pixel of rounding is cut, anything further outside is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import in_image
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, KeyPoint

SIZE = (64, 48)
places = st.floats(-100, 200, allow_nan=False)
extents = st.floats(0, 200, allow_nan=False)


@given(places, places, extents, extents)
def test_what_is_left_of_a_box_lies_in_the_image_and_in_the_box(left, top, width, height) -> None:
    box = Box("head", left, top, width, height)
    part = in_image.visible_part(box, SIZE)
    try:
        cut = in_image.inside(box, SIZE, ["head"], "box")
    except InvalidInputError:
        cut = None
    for found in filter(None, (part, cut)):
        assert found.left >= 0 and found.top >= 0
        assert found.left + found.width <= 64 + 1e-9 and found.top + found.height <= 48 + 1e-9
        assert found.left >= left and found.width <= width


def test_a_box_over_the_edge_by_more_than_a_pixel_is_refused() -> None:
    assert in_image.inside(Box("head", -1, 0, 65, 48), SIZE, ["head"], "box") == Box("head", 0, 0, 64, 48)
    with pytest.raises(InvalidInputError, match=r"box 3: field 'left' must be inside the image"):
        in_image.inside(Box("head", -1.5, 0, 9, 9), SIZE, ["head"], "box 3")
    with pytest.raises(InvalidInputError, match=r"box 3: field 'class'"):
        in_image.inside(Box("bag", 0, 0, 9, 9), SIZE, ["head"], "box 3")
    with pytest.raises(InvalidInputError, match=r"box 3: field 'width' must be at least a pixel"):
        in_image.large_enough(Box("head", 0, 0, 0.9, 9), "box 3")


@given(places, places, st.floats(0.01, 0.99))
def test_a_thin_box_grows_to_a_pixel_within_the_image(left, top, thin) -> None:
    inside = Box("head", min(max(left, 0), 63), min(max(top, 0), 47), thin, thin)
    grown = in_image.grown(inside, SIZE)
    assert grown.width == grown.height == 1
    assert 0 <= grown.left <= 63 and 0 <= grown.top <= 47


def test_a_point_is_moved_to_the_edge_or_refused() -> None:
    assert in_image.placed(KeyPoint("nose", -0.5, 48.5, "visible"), SIZE, "p") == KeyPoint("nose", 0, 48, "visible")
    nowhere = KeyPoint("nose", None, None, "outside")
    assert in_image.placed(nowhere, SIZE, "p") is nowhere
    with pytest.raises(InvalidInputError, match="p: field 'y' must be inside the image, which ends at 48"):
        in_image.placed(KeyPoint("nose", 3, 50, "visible"), SIZE, "p")
