"""Labels as SVG over a picture: boxes; of people also bones, and points that are solid where visible, hollow where
occluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import Pairs

POINT_SHARE, CROSS_SHARE = 0.018, 0.012
"""Radius of a point and half a cross, as shares of the picture's longer side."""


def labelled(mark: Box | Person, outcome: str, size: tuple[int, int], bones: Pairs) -> str:
    """Of a label of this outcome (auto, human); `size` is the picture's width and height."""
    if isinstance(mark, Box):
        return _label_box(mark, outcome)
    return _label_box(mark.box, outcome) + _points(mark, outcome, size, bones)


def true_boxes(marks: Sequence[Box | Person]) -> str:
    """Of the known truth, dashed, to lie over the label."""
    return "".join(_rect(mark if isinstance(mark, Box) else mark.box, "truth") for mark in marks)


def true_points(marks: Sequence[Box | Person], size: tuple[int, int]) -> str:
    """Of the known truth, a cross on each that has a place, to lie under the label: what is right covers it."""
    points = [point for mark in marks if isinstance(mark, Person) for point in mark.points]
    return "".join(_cross(point, CROSS_SHARE * max(size)) for point in points)


def _label_box(box: Box, outcome: str) -> str:
    return f"{_rect(box, 'halo')}{_rect(box, f'box-{outcome}')}"


def _points(person: Person, outcome: str, size: tuple[int, int], bones: Pairs) -> str:
    placed = {point.label: point for point in person.points if point.x is not None}
    lines = "".join(
        _line(placed[one], placed[other], f"bone-{outcome}")
        for one, other in bones
        if one in placed and other in placed
    )
    return lines + "".join(_circle(point, outcome, POINT_SHARE * max(size)) for point in placed.values())


def _rect(box: Box, css: str) -> str:
    place = f"x='{box.left:.1f}' y='{box.top:.1f}' width='{box.width:.1f}' height='{box.height:.1f}'"
    return f"<rect class='{css}' {place}><title>{escape(box.label)}</title></rect>"


def _line(one: KeyPoint, other: KeyPoint, css: str) -> str:
    return f"<path class='{css}' d='M{one.x:.1f} {one.y:.1f}L{other.x:.1f} {other.y:.1f}'/>"


def _circle(point: KeyPoint, outcome: str, radius: float) -> str:
    said = "solid" if point.visibility == "visible" else "hollow"
    title = f"<title>{escape(point.label)}: {point.visibility}</title>"
    return f"<circle class='{said}-{outcome}' cx='{point.x:.1f}' cy='{point.y:.1f}' r='{radius:.1f}'>{title}</circle>"


def _cross(point: KeyPoint, arm: float) -> str:
    if point.x is None or point.y is None:
        return ""
    left, right, top, bottom = point.x - arm, point.x + arm, point.y - arm, point.y + arm
    strokes = f"M{left:.1f} {top:.1f}L{right:.1f} {bottom:.1f}M{left:.1f} {bottom:.1f}L{right:.1f} {top:.1f}"
    return f"<path class='cross' d='{strokes}'/>"
