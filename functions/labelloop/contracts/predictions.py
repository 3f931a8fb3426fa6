"""What a model says of an image, checked once, where it is read: whatever is wrong costs that prediction alone.

Pure. Boxes are left/top/width/height in canonical pixels. A box may reach over the edge of the image by a pixel, as
rounding makes it, and is cut there; anything else that does not fit the image, the classes or the model is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, Prediction

MOST_BOXES = 2_000
OUTSIDE_TOLERANCE_PIXELS = 1.0
# An endpoint keeps the limits that it was deployed with; inspection went by those of the batch.
OF_ITS_OWN_LIMITS = ("too-large", "too-many-pixels", "too-small")

Size = tuple[int, int]


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

    def add(self, lines: Iterable[str], sizes: Mapping[str, Size], classes: Sequence[str], model: str) -> None:
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
                prediction = check(Prediction.from_json(record), sizes[reference], classes, model)
                if prediction.reason in OF_ITS_OWN_LIMITS:
                    raise InvalidInputError(f"the endpoint has other limits than the batch: {prediction.reason}")
                self.usable[reference] = prediction
                self.refused.pop(reference, None)
            except InvalidInputError as error:
                self.refused[reference] = str(error)


def check(prediction: Prediction, size: Size, classes: Sequence[str], model: str = "") -> Prediction:
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
    if len(prediction.boxes) > MOST_BOXES:
        raise fields.refuse(context, "boxes", f"a list of at most {MOST_BOXES:,}", list(prediction.boxes))
    boxes = (inside(box, size, classes, f"{context}, boxes[{n}]") for n, box in enumerate(prediction.boxes))
    return replace(prediction, boxes=tuple(boxes))


def against_truths(
    predictions: Iterable[Prediction], truths: Iterable[Truth], classes: Sequence[str], model: str = ""
) -> list[Prediction]:
    """The predictions of these truths' images that fit them; others are left out, as if the model had not answered."""
    sizes = {truth.source_ref: (truth.width, truth.height) for truth in truths}
    fitting = []
    for prediction in predictions:
        try:
            if prediction.source_ref in sizes:
                fitting.append(check(prediction, sizes[prediction.source_ref], classes, model))
        except InvalidInputError:
            continue
    return fitting


def inside(box: Box, size: Size, classes: Sequence[str], context: str) -> Box:
    if box.label not in classes:
        raise fields.refuse(context, "class", "one of the stack's classes", box.label)
    left, width = _span(box.left, box.width, size[0], ("left", "width"), context)
    top, height = _span(box.top, box.height, size[1], ("top", "height"), context)
    return replace(box, left=left, top=top, width=width, height=height)


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
