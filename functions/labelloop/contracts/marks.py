"""The kinds of marks that labels consist of, one for each task: how they are written, read, kept and checked.

Pure. A kind is looked up by the task that marks it; everybody else passes marks on as they are. Canonical pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from labelloop.contracts import fields, in_image, people_values
from labelloop.contracts.augmented import BOXES, CUSTOM, KEY_POINTS, OBJECT_DETECTION, label_value, read_boxes
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import UNLABELLED, Box, KeyPoint, Person, SeenPerson, sure_box
from labelloop.contracts.skeletons import PERSON, Vocabulary


class Mark(Protocol):
    """One thing that is marked in an image, frozen and hashable: a box, a person."""

    @property
    def label(self) -> str: ...


class Kind(Protocol):
    """`task` marks it, and is the attribute of this project's manifests that holds it. `listed_in`: the setting that
    lists its names; `type`: of its label metadata; `seen`: the field of a prediction that holds what a model saw of it.
    """

    task: str
    listed_in: str
    type: str
    seen: str

    def value(self, width: int, height: int, marks: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
        """The label value of an image of this size. Raises InvalidInputError for a name that is not in `names`."""
        ...

    def confidences(self, marks: Sequence[Any]) -> list[float | None]:
        """One for each annotation of the label value."""
        ...

    def holds(self, value: Any, attribute: str) -> bool:
        """Whether this is a label value of the kind."""
        ...

    def read(
        self, value: Mapping[str, Any], metadata: Mapping[str, Any], names: Sequence[str], context: str
    ) -> tuple[Any, ...]:
        """The marks of a label value. Raises InvalidInputError naming the field."""
        ...

    def kept(self, mark: Any) -> dict[str, Any]:
        """What a honeypot keeps of the mark."""
        ...

    def of_kept(self, records: Sequence[Mapping[str, Any]], size: Size) -> tuple[Any, ...]:
        """The marks of an image of this size from what `kept`, or `exact`, made of them."""
        ...

    def sure(self, mark: Any, confidence: Callable[[], float | None]) -> Any:
        """The mark with other confidences."""
        ...

    def names(self, mark: Any) -> set[str]:
        """The names that the stack must know to show it."""
        ...

    def renamed(self, mark: Any, name_of: Callable[[str], str]) -> Any:
        """The mark with other names."""
        ...

    def whole(self, mark: Any, names: Sequence[str]) -> Any:
        """The mark of somebody else's label with all that one of a stack with these names has."""
        ...

    def inside(self, mark: Any, size: Size, names: Sequence[str], number: int) -> Any:
        """The mark within the image; up to a pixel over the edge is cut. `number`: its place, for the error. Raises
        InvalidInputError naming the field.
        """
        ...

    def visible(self, mark: Any, size: Size) -> Any | None:
        """What is in the image of a mark that `inside` refuses; None where that is nothing."""
        ...

    def predicted(self, record: object, context: str) -> Any:
        """What a model saw, from one entry of a prediction. Raises InvalidInputError naming the field."""
        ...

    def checked(self, seen: Any, size: Size, vocabulary: Vocabulary, context: str) -> Any:
        """The same within the image. Raises InvalidInputError for what does not fit image or vocabulary."""
        ...


class Boxes:
    task = BOXES
    listed_in = "classes"
    type = OBJECT_DETECTION
    seen = "boxes"

    def value(self, width: int, height: int, marks: Sequence[Box], names: Sequence[str]) -> dict[str, Any]:
        return label_value(width, height, marks, names)

    def confidences(self, marks: Sequence[Box]) -> list[float | None]:
        return [box.confidence for box in marks]

    def holds(self, value: Any, attribute: str) -> bool:
        """Ground Truth's own format: what no other kind holds."""
        return True

    def read(
        self, value: Mapping[str, Any], metadata: Mapping[str, Any], names: Sequence[str], context: str
    ) -> tuple[Box, ...]:
        return read_boxes(value, metadata, names, context)

    def kept(self, mark: Box) -> dict[str, Any]:
        """As a Prediction has it."""
        return mark.to_json()

    def of_kept(self, records: Sequence[Mapping[str, Any]], size: Size) -> tuple[Box, ...]:
        return tuple(Box.from_json(record) if "class" in record else Box(**record) for record in records)

    def sure(self, mark: Box, confidence: Callable[[], float | None]) -> Box:
        return replace(mark, confidence=confidence())

    def names(self, mark: Box) -> set[str]:
        """Its class."""
        return {mark.label}

    def renamed(self, mark: Box, name_of: Callable[[str], str]) -> Box:
        return replace(mark, label=name_of(mark.label))

    def whole(self, mark: Box, names: Sequence[str]) -> Box:
        return mark

    def inside(self, mark: Box, size: Size, names: Sequence[str], number: int) -> Box:
        return in_image.large_enough(in_image.inside(mark, size, names, f"box {number}"), f"box {number}")

    def visible(self, mark: Box, size: Size) -> Box | None:
        return in_image.visible_part(mark, size)

    def predicted(self, record: object, context: str) -> Box:
        return sure_box(record, context)

    def checked(self, seen: Box, size: Size, vocabulary: Vocabulary, context: str) -> Box:
        return in_image.inside(seen, size, vocabulary.names, context)


class People:
    task = KEY_POINTS
    listed_in = "key_points"
    type = CUSTOM
    seen = "people"

    def value(self, width: int, height: int, marks: Sequence[Person], names: Sequence[str]) -> dict[str, Any]:
        return people_values.people_value(width, height, marks, names)

    def confidences(self, marks: Sequence[Person]) -> list[float | None]:
        return [point.confidence for person in marks for point in person.points]

    def holds(self, value: Any, attribute: str) -> bool:
        """A value of earlier versions that lists nothing says it by the name of its attribute only."""
        if isinstance(value, dict) and isinstance(value.get(people_values.PEOPLE), list):
            return True
        listed = value.get("annotations") if isinstance(value, dict) else None
        if not isinstance(listed, list):
            return False
        first = listed[0] if listed else None
        return (isinstance(first, dict) and "visibility" in first) or (not listed and attribute.endswith(self.task))

    def read(
        self, value: Mapping[str, Any], metadata: Mapping[str, Any], names: Sequence[str], context: str
    ) -> tuple[Person, ...]:
        return people_values.read_people(value, metadata, names, context)

    def kept(self, mark: Person) -> dict[str, Any]:
        return exact(mark)

    def of_kept(self, records: Sequence[Mapping[str, Any]], size: Size) -> tuple[Person, ...]:
        """Earlier versions kept the points of one person."""
        if records and "visibility" in records[0]:
            return one_person([KeyPoint(**record) for record in records], size)
        return tuple(
            Person(
                Box(**record["box"]),
                tuple(KeyPoint(**point) for point in record["points"]),
                record["derived"],
                record["area"],
            )
            for record in records
        )

    def sure(self, mark: Person, confidence: Callable[[], float | None]) -> Person:
        """The box and each point have one of their own."""
        points = tuple(replace(point, confidence=confidence()) for point in mark.points)
        return replace(mark, box=replace(mark.box, confidence=confidence()), points=points)

    def names(self, mark: Person) -> set[str]:
        """Those of the points."""
        return {point.label for point in mark.points}

    def renamed(self, mark: Person, name_of: Callable[[str], str]) -> Person:
        return replace(mark, points=tuple(replace(point, label=name_of(point.label)) for point in mark.points))

    def whole(self, mark: Person, names: Sequence[str]) -> Person:
        """One point for each of `names`, in their order: where the line lacks one, nobody labelled it."""
        known = {point.label: point for point in mark.points}
        return replace(mark, points=tuple(known.get(name, KeyPoint(name, None, None, UNLABELLED)) for name in names))

    def inside(self, mark: Person, size: Size, names: Sequence[str], number: int) -> Person:
        """With a box of a pixel at least: somebody far away is somebody, and the picture is not whole without."""
        points = tuple(in_image.placed(point, size, f"point {place}") for place, point in enumerate(mark.points))
        box = in_image.inside(replace(mark.box, label=PERSON), size, (PERSON,), f"person {number}")
        return replace(mark, box=in_image.grown(box, size), points=points)

    def visible(self, mark: Person, size: Size) -> None:
        """Half of somebody is not the label of anybody."""

    def predicted(self, record: object, context: str) -> SeenPerson:
        return SeenPerson.from_json(record, context)

    def checked(self, seen: SeenPerson, size: Size, vocabulary: Vocabulary, context: str) -> SeenPerson:
        if [point.label for point in seen.points] != list(vocabulary.names):
            expected = f"{', '.join(vocabulary.names)}, in this order"
            raise fields.refuse(context, "points", expected, [point.label for point in seen.points])
        points = (in_image.placed(point, size, f"{context}, point '{point.label}'") for point in seen.points)
        box = in_image.inside(seen.box, size, (PERSON,), context)
        return replace(seen, box=box, points=tuple(points))


KNOWN: dict[str, Kind] = {kind.task: kind for kind in (Boxes(), People())}
USUAL = KNOWN[BOXES]


def of(name: str) -> Kind:
    """What this task marks. Raises InvalidInputError for one that this version of the stack does not know."""
    if name not in KNOWN:
        raise InvalidInputError(f"task '{name}' is none of {', '.join(KNOWN)}: a newer version of the stack wrote it")
    return KNOWN[name]


def of_value(value: Any, attribute: str) -> Kind:
    """The kind of a label value under this attribute."""
    return next((kind for kind in KNOWN.values() if kind is not USUAL and kind.holds(value, attribute)), USUAL)


def of_prediction(record: Mapping[str, Any]) -> Kind:
    """The kind that this prediction is of; the usual one where it tells none."""
    return next((kind for kind in KNOWN.values() if kind is not USUAL and kind.seen in record), USUAL)


def own_attribute(record: Mapping[str, Any]) -> str:
    """Under which of this project's names a line of its own files holds its label."""
    return next((name for name in KNOWN if name in record), USUAL.task)


def proposals(task: str) -> str:
    """The attribute of a labelling job's input that holds what people correct."""
    return f"proposed-{task}"


def label_attribute(record: Mapping[str, Any], context: str) -> str | None:
    """The one label attribute of a line from elsewhere; None where the line has no label at all."""
    names = label_attributes(record)
    if len(names) > 1:
        raise InvalidInputError(f"{context}: several attributes hold labels ({', '.join(names)}); name the one to read")
    return names[0] if names else None


def label_attributes(record: Mapping[str, Any]) -> list[str]:
    """The attributes of a line that hold labels; where none does, those whose labelling failed."""
    described = {
        key.removesuffix("-metadata"): value
        for key, value in record.items()
        if key.endswith("-metadata") and isinstance(value, dict)
    }
    for task in KNOWN:
        described.pop(proposals(task), None)
    names = [
        name
        for name, metadata in described.items()
        if any(kind.type == metadata.get("type") and kind.holds(record.get(name), name) for kind in KNOWN.values())
    ]
    return names or [name for name, metadata in described.items() if "failure-reason" in metadata]


def exact(mark: Any) -> dict[str, Any]:
    """All that the mark has, unrounded."""
    return asdict(mark)
