"""What a model says of an image, checked once, where it is read: whatever is wrong costs that prediction alone.

Pure. Boxes are left/top/width/height in canonical pixels. A box may reach over the edge of the image by a pixel, as
rounding makes it, and is cut there; a point that lies so near outside is moved to the edge. Anything else that does not
fit the image, the vocabulary or the model is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from labelloop.contracts import fields, marks
from labelloop.contracts.augmented import BOXES, KEY_POINTS
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.records import STATUSES, Box, SeenPerson
from labelloop.contracts.skeletons import Vocabulary

MOST_MARKS = 2_000
# An endpoint keeps the limits that it was deployed with; inspection went by those of the batch.
OF_ITS_OWN_LIMITS = ("too-large", "too-many-pixels", "too-small")


@dataclass(frozen=True)
class Prediction:
    """What the model saw in one image, or why the container refused the image (then there is no size and no mark).

    `marks` are those that a model of the task sees.
    """

    source_ref: str
    status: str
    width: int | None
    height: int | None
    model: str
    marks: tuple[Any, ...] = ()
    reason: str | None = None
    task: str = BOXES

    @property
    def boxes(self) -> tuple[Box, ...]:
        """None of a model that sees other things."""
        return tuple(mark for mark in self.marks if isinstance(mark, Box))

    @property
    def people(self) -> tuple[SeenPerson, ...] | None:
        """None of a model that sees other things."""
        return self.marks if self.task == KEY_POINTS else None

    def to_json(self) -> dict[str, Any]:
        if self.status == "rejected":
            return {"source-ref": self.source_ref, "status": "rejected", "reason": self.reason, "model": self.model}
        return {
            "source-ref": self.source_ref,
            "status": self.status,
            "width": self.width,
            "height": self.height,
            "model": self.model,
            marks.of(self.task).seen: [mark.to_json() for mark in self.marks],
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Prediction:
        """Raises InvalidInputError naming the image and the field."""
        source_ref = fields.text(record, "source-ref", "prediction")
        context = f"prediction of {source_ref}"
        status = fields.choice(record, "status", context, STATUSES)
        model = fields.text(record, "model", context)
        if status == "rejected":
            return Prediction(source_ref, status, None, None, model, (), fields.text(record, "reason", context))
        width, height = (fields.integer(record, side, context, minimum=1) for side in ("width", "height"))
        kind = marks.of_prediction(record)
        listed = enumerate(fields.sequence(record, kind.seen, context))
        seen = tuple(kind.predicted(mark, f"{context}, {kind.seen}[{number}]") for number, mark in listed)
        return Prediction(source_ref, status, width, height, model, seen, task=kind.task)


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
    """The prediction, its marks cut at the edges of the image of this (width, height).

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
    kind = marks.of(vocabulary.task)
    if prediction.task != kind.task:
        raise InvalidInputError(f"{context}: field '{kind.seen}' is missing, which is what models of this stack see")
    if len(prediction.marks) > MOST_MARKS:
        raise fields.refuse(context, kind.seen, f"a list of at most {MOST_MARKS:,}", list(prediction.marks))
    fitting = (
        kind.checked(mark, size, vocabulary, f"{context}, {kind.seen}[{number}]")
        for number, mark in enumerate(prediction.marks)
    )
    return replace(prediction, marks=tuple(fitting))


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
