"""What the two networks say together: who is whom, and which points are in the picture. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import paths  # noqa: F401  first: makes labelloop importable
from labelloop.contracts.records import SeenPerson
from labelloop.tasks.quality import match_boxes
from labelloop.tasks.visibility import SAME_PERSON_IOU


def joined(main: Sequence[SeenPerson], additional: Sequence[SeenPerson]) -> list[SeenPerson]:
    """The people of the main network, in their order, whose points have what the additional one says of the same
    person as additional confidence: 0 of every point where it does not see the person.

    The same are people of one class whose boxes overlap by one half or more, the nearest first, each once.
    """
    partners = {
        ours: additional[theirs]
        for overlap, ours, theirs in match_boxes([each.box for each in main], [each.box for each in additional])
        if overlap >= SAME_PERSON_IOU
    }
    return [_told(person, partners.get(place)) for place, person in enumerate(main)]


def within_view(person: SeenPerson, width: int, height: int) -> SeenPerson:
    """With no confidence in points that the main network places beyond the picture's border, where they were cut off:
    it says itself that they are not in it. Of drawn scenes 12 of 20 points outside the view were placed so, and 3 of
    640 others; its confidence alone told none of them (docs/decisions.md, 2026-11-28).
    """
    points = (
        point if 0 < point.x < width and 0 < point.y < height else replace(point, main=0.0) for point in person.points
    )
    return replace(person, points=tuple(points))


def is_alone(person: SeenPerson) -> bool:
    """Whether the additional network does not see the person whom the main one sees."""
    return not any(point.additional for point in person.points)


def _told(person: SeenPerson, partner: SeenPerson | None) -> SeenPerson:
    if partner is None:
        return replace(person, points=tuple(replace(point, additional=0.0) for point in person.points))
    points = zip(person.points, partner.points, strict=True)
    return replace(person, points=tuple(replace(point, additional=other.main) for point, other in points))
