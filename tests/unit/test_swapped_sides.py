from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import KeyPoint
from labelloop.tasks.swapped_sides import exchanged, righted

from tests.support import strategies

PARTNERS = {"left eye": "right eye", "right eye": "left eye"}
RIGHT_WAY = (
    KeyPoint("nose", 50.0, 60.0, "visible"),
    KeyPoint("left eye", 80.0, 40.0, "visible"),
    KeyPoint("right eye", 20.0, 40.0, "occluded"),
)
SWAPPED = exchanged(RIGHT_WAY, PARTNERS)


def moved(points, pixels):
    return tuple(replace(point, x=point.x + pixels) for point in points)


def test_who_exchanged_left_and_right_is_turned_round_with_the_visibility() -> None:
    assert [(point.label, point.x, point.visibility) for point in SWAPPED] == [
        ("nose", 50, "visible"), ("left eye", 20, "occluded"), ("right eye", 80, "visible"),
    ]  # fmt: skip
    placed = {"a": RIGHT_WAY, "b": moved(SWAPPED, 3), "c": moved(RIGHT_WAY, 2)}
    assert righted(placed) == {**placed, "b": moved(RIGHT_WAY, 3)}


def test_of_two_nobody_is_turned_round_and_neither_is_a_majority() -> None:
    assert righted({"a": RIGHT_WAY, "b": SWAPPED}) == {"a": RIGHT_WAY, "b": SWAPPED}
    assert righted({"a": SWAPPED, "b": SWAPPED, "c": SWAPPED})["a"] == SWAPPED
    assert righted({"a": RIGHT_WAY, "b": SWAPPED, "c": SWAPPED})["a"] == SWAPPED, "two of three are believed"


def test_one_point_off_or_outside_is_no_swap() -> None:
    off = (RIGHT_WAY[0], replace(RIGHT_WAY[1], x=22.0), RIGHT_WAY[2])
    outside = (RIGHT_WAY[0], *(replace(point, x=None, y=None, visibility="outside") for point in RIGHT_WAY[1:]))
    for points in (off, outside):
        placed = {"a": points, "b": RIGHT_WAY, "c": RIGHT_WAY}
        assert righted(placed) == placed


@given(st.dictionaries(st.sampled_from("abcd"), strategies.key_points(confidence=st.none()), min_size=1))
def test_everybody_keeps_the_own_points_or_has_them_exchanged(placed) -> None:
    found = righted(placed)
    assert list(found) == list(placed)
    for worker, points in found.items():
        assert points in (placed[worker], exchanged(placed[worker], PARTNERS))
    assert {worker: found[worker] for worker in sorted(found)} == righted(dict(sorted(placed.items())))
