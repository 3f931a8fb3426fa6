"""People with key points, as labels and answers hold them."""

from labelloop.contracts.records import Box, KeyPoint, Person

NAMES = ("nose", "left eye", "right eye")


def point(name, x=None, y=None, visibility="visible", confidence=None):
    return KeyPoint(name, x, y, "outside" if x is None and visibility == "visible" else visibility, confidence)


def person(left, top, width, height, *points, derived=False, area=None, confidence=None):
    """`points` stand in the order of NAMES: (x, y), (x, y, visibility), or None for outside."""
    placed = [point(name, *(given or ())) for name, given in zip(NAMES, (*points, None, None, None), strict=False)]
    return Person(Box("person", left, top, width, height, confidence), tuple(placed), derived, area)
