"""What a model says of an image, checked once, where it is read: whatever is wrong costs that prediction alone.

Pure. Boxes are left/top/width/height in canonical pixels. A box may reach over the edge of the image by a pixel, as
rounding makes it, and is cut there; a point that lies so near outside is moved to the edge. Anything else that does not
fit the image, the vocabulary or the model is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, Prediction, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import PERSON, Skeleton, Vocabulary

MOST_MARKS = 2_000
OUTSIDE_TOLERANCE_PIXELS = 1.0
# An endpoint keeps the limits that it was deployed with; inspection went by those of the batch.
OF_ITS_OWN_LIMITS = ("too-large", "too-many-pixels", "too-small")

Size = tuple[int, int]
Mark = TypeVar("Mark", Box, SeenPerson)


class Truth(Protocol):
    """Anything that says what is in an image of which size: an Annotation, for example."""

    @property
    def source_ref(self) -> str: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


@dataclass
class Seen:
    """What came back for the images of a batch: usable predictions, why others are not, and how many lines were about
    nothing that was asked for. `refused` never names an image that has a usable prediction.
    """

    usable: dict[str, Prediction] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    strange_lines: int = 0

    def add(self, lines: Iterable[str], sizes: Mapping[str, Size], vocabulary: Vocabulary, model: str) -> None:
        """Takes in one answer of the endpoint, whose images have these (width, height). The first usable prediction of
        an image counts, so a request that was repeated changes nothing; one answer that has an image twice is refused.
        """
        read = [_read(line) for line in lines]
        often = Counter(reference for reference, _ in read)
        for reference, record in read:
            if reference not in sizes:
                self.strange_lines += 1
                continue
            if reference in self.usable:
                continue
            try:
                if often[reference] > 1:
                    raise InvalidInputError("the image occurs more than once in one answer")
                prediction = check(Prediction.from_json(record), sizes[reference], vocabulary, model)
                if prediction.reason in OF_ITS_OWN_LIMITS:
                    raise InvalidInputError(f"the endpoint has other limits than the batch: {prediction.reason}")
                self.usable[reference] = prediction
                self.refused.pop(reference, None)
            except InvalidInputError as error:
                self.refused[reference] = str(error)


def check(prediction: Prediction, size: Size, vocabulary: Vocabulary, model: str = "") -> Prediction:
    """The prediction, boxes cut at the edges of the image of this (width, height).

    `model`: who must have made it; empty accepts any. Raises InvalidInputError naming the field.
    """
    context = f"prediction of {prediction.source_ref}"
    if model and prediction.model != model:
        raise fields.refuse(context, "model", f"{model}, which was asked", prediction.model)
    if prediction.status != "ok":
        return prediction
    if (prediction.width, prediction.height) != size:
        found = f"{prediction.width} x {prediction.height}"
        raise fields.refuse(context, "width, height", f"{size[0]} x {size[1]}, the size of the upright image", found)
    if isinstance(vocabulary, Skeleton):
        people = _listed(prediction.people, "people", context)
        inner = (_person(each, size, vocabulary, f"{context}, people[{n}]") for n, each in enumerate(people))
        return replace(prediction, people=tuple(inner))
    listed = _listed(prediction.boxes if prediction.people is None else None, "boxes", context)
    boxes = (inside(box, size, vocabulary, f"{context}, boxes[{n}]") for n, box in enumerate(listed))
    return replace(prediction, boxes=tuple(boxes))


def against_truths(
    predictions: Iterable[Prediction], truths: Iterable[Truth], vocabulary: Vocabulary, model: str = ""
) -> list[Prediction]:
    """The predictions of these truths' images that fit them; others are left out, as if the model had not answered."""
    sizes = {truth.source_ref: (truth.width, truth.height) for truth in truths}
    fitting = []
    for prediction in predictions:
        try:
            if prediction.source_ref in sizes:
                fitting.append(check(prediction, sizes[prediction.source_ref], vocabulary, model))
        except InvalidInputError:
            continue
    return fitting


def inside(box: Box, size: Size, classes: Sequence[str], context: str) -> Box:
    if box.label not in classes:
        raise fields.refuse(context, "class", "one of the stack's classes", box.label)
    left, width = _span(box.left, box.width, size[0], ("left", "width"), context)
    top, height = _span(box.top, box.height, size[1], ("top", "height"), context)
    return replace(box, left=left, top=top, width=width, height=height)


def _listed(marks: Sequence[Mark] | None, name: str, context: str) -> Sequence[Mark]:
    if marks is None:
        raise InvalidInputError(f"{context}: field '{name}' is missing, which is what models of this stack see")
    if len(marks) > MOST_MARKS:
        raise fields.refuse(context, name, f"a list of at most {MOST_MARKS:,}", list(marks))
    return marks


def _person(person: SeenPerson, size: Size, skeleton: Skeleton, context: str) -> SeenPerson:
    if [point.label for point in person.points] != list(skeleton.names):
        expected = f"{', '.join(skeleton.names)}, in this order"
        raise fields.refuse(context, "points", expected, [point.label for point in person.points])
    points = (_placed(point, size, f"{context}, point '{point.label}'") for point in person.points)
    return replace(person, box=inside(person.box, size, (PERSON,), context), points=tuple(points))


def _placed(point: SeenPoint, size: Size, context: str) -> SeenPoint:
    for axis, place, limit in zip("xy", (point.x, point.y), size, strict=True):
        if not -OUTSIDE_TOLERANCE_PIXELS <= place <= limit + OUTSIDE_TOLERANCE_PIXELS:
            raise fields.refuse(context, axis, f"inside the image, which ends at {limit}", place)
    return replace(point, x=min(max(point.x, 0.0), size[0]), y=min(max(point.y, 0.0), size[1]))


def _span(start: float, extent: float, limit: int, names: tuple[str, str], context: str) -> tuple[float, float]:
    """(start, extent) of a box along one axis, inside 0..limit."""
    end = start + extent
    if start < -OUTSIDE_TOLERANCE_PIXELS:
        raise fields.refuse(context, names[0], "inside the image", start)
    if end > limit + OUTSIDE_TOLERANCE_PIXELS:
        raise fields.refuse(context, names[1], f"a box inside the image, which ends at {limit}", end)
    inside = (max(start, 0.0), min(end, float(limit)))
    if inside[1] <= inside[0]:
        raise fields.refuse(context, names[1], "greater than 0 inside the image", extent)
    return (start, extent) if inside == (start, end) else (inside[0], inside[1] - inside[0])


def reference_of(line: str) -> str:
    """The source-ref of a line; empty where there is none to be read."""
    return _read(line)[0]


def _read(line: str) -> tuple[str, dict[str, Any]]:
    """(source-ref, record) of a line; the reference is empty where there is none to be read."""
    try:
        record = fields.parse_line(line, "prediction")
    except InvalidInputError:
        return "", {}
    reference = record.get("source-ref") if isinstance(record, dict) else None
    return (reference, record) if isinstance(reference, str) else ("", {})
