"""Hypothesis strategies for the domain's records."""

from dataclasses import dataclass

from hypothesis import strategies as st
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, KeyPoint, Person

CLASSES = ("head", "hand", "bottle")
WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class Seen:
    """The truth of one image."""

    source_ref: str
    marks: tuple[Box, ...]
    task: str = "boxes"


# Coarse coordinates, so that equal overlaps and identical boxes, where ties are, turn up often.
_grid = st.integers(0, 12).map(lambda step: step * 30.0)
_sizes = st.integers(1, 4).map(lambda step: step * 30.0)
confidences = st.integers(0, 100).map(lambda percent: percent / 100)
labels = st.sampled_from(CLASSES)


def boxes(confidence=confidences, max_size=6):
    box = st.builds(Box, labels, _grid, _grid, _sizes, _sizes, confidence)
    return st.lists(box, max_size=max_size)


@st.composite
def predictions(draw, source_ref="s3://bucket/image.png"):
    listed = sorted(draw(boxes()), key=lambda box: -box.confidence)
    return Prediction(source_ref, "ok", WIDTH, HEIGHT, "v000001-abcd1234", tuple(listed))


KEY_POINTS = ("nose", "left eye", "right eye")
_coordinates = st.integers(0, 40).map(lambda step: step / 2)


@st.composite
def key_points(draw, names=KEY_POINTS, confidence=confidences):
    """One key point for each name, as every label has them."""
    return tuple(draw(_key_point(name, confidence)) for name in names)


def people(names=KEY_POINTS, confidence=confidences, max_size=6):
    person = st.builds(
        Person,
        st.builds(Box, st.just("person"), _grid, _grid, _sizes, _sizes, confidence),
        key_points(names, confidence),
        st.booleans(),
        st.none() | st.integers(1, 9_000).map(float),
    )
    return st.lists(person, max_size=max_size).map(tuple)


def _key_point(name, confidence):
    placed = st.builds(
        KeyPoint, st.just(name), _coordinates, _coordinates, st.sampled_from(["visible", "occluded"]), confidence
    )
    return placed | st.builds(KeyPoint, st.just(name), st.none(), st.none(), st.just("outside"), confidence)
