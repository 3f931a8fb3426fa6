"""model.json: what must be known of a model before its weights are opened. Every field by type and range."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields, naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import PERSON, Skeleton, Vocabulary

FILE = "model.json"
MOST_BYTES = 1_000_000
MOST_CLASSES = 1000
LONGEST_NAME = 256  # characters
LONGEST_ARCHITECTURE = 100
IMAGE_SIZES = range(32, 4096 + 1, 32)


@dataclass(frozen=True)
class ModelDescription:
    """`weights_sha256` is over the tensors (weights.sha256). It and `architecture`, which says from whose weights a
    training can go on, are empty for a model that was trained elsewhere and does not tell. `skeleton`: of the people
    whose key points it sees, None for a model of boxes.
    """

    classes: tuple[str, ...]
    image_size: int
    engine: str
    architecture: str
    weights_sha256: str
    skeleton: Skeleton | None = None

    @classmethod
    def from_text(cls, text: str, context: str) -> "ModelDescription":
        """Raises InvalidInputError naming the field. Other fields are for people, and are not read."""
        record = fields.mapping(fields.parse_json(text, context), context, "(all)")
        return cls(
            classes=_classes(record, context),
            image_size=_image_size(record, context),
            engine=_matching(
                record, "engine", r"[A-Za-z_][A-Za-z0-9_]{0,63}", "an engine's name like detector", context
            ),
            architecture=_architecture(record, context),
            weights_sha256=""
            if record.get("weights-sha256") in (None, "")
            else _matching(record, "weights-sha256", r"[0-9a-f]{64}", "64 hexadecimal digits or absent", context),
            skeleton=_skeleton(record, context),
        )

    def to_json(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "image_size": self.image_size,
            "engine": self.engine,
            "architecture": self.architecture,
            "weights-sha256": self.weights_sha256,
            **({} if self.skeleton is None else {"skeleton": self.skeleton.to_json()}),
            **facts,
        }

    def fits(self, vocabulary: Vocabulary) -> bool:
        """Whether the model sees what a stack with this vocabulary marks."""
        if vocabulary.skeleton is not None:
            return self.skeleton is not None and self.skeleton.names == vocabulary.names and self.classes == (PERSON,)
        return self.skeleton is None and self.classes == vocabulary.names

    @property
    def sees(self) -> str:
        """For people."""
        if self.skeleton is not None:
            return f"the key points {naming.listed(self.skeleton.names)}"
        return f"the classes {naming.listed(self.classes)}"

    @property
    def short_name(self) -> str:
        """Names the model in predictions where nobody gave it a version."""
        return self.weights_sha256[:12] or "unnamed"


def _classes(record: Mapping[str, Any], context: str) -> tuple[str, ...]:
    given = fields.sequence(record, "classes", context)
    if not 1 <= len(given) <= MOST_CLASSES:
        raise fields.refuse(context, "classes", f"a list of 1 to {MOST_CLASSES} names", given)
    names = tuple(fields.text({"classes": name}, "classes", context) for name in given)
    for name in names:
        if not name.strip() or len(name) > LONGEST_NAME or re.search(r"[\x00-\x1f\x7f]", name):
            raise fields.refuse(context, "classes", f"names of 1 to {LONGEST_NAME} visible characters", name)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInputError(f"{context}: field 'classes' names {fields.shown(twice)} twice")
    return names


def _image_size(record: Mapping[str, Any], context: str) -> int:
    size = fields.integer(record, "image_size", context)
    if size not in IMAGE_SIZES:
        raise fields.refuse(context, "image_size", "a multiple of 32 from 32 to 4096", size)
    return size


def _architecture(record: Mapping[str, Any], context: str) -> str:
    name = fields.optional_text(record, "architecture", context) or ""
    if len(name) > LONGEST_ARCHITECTURE or not name.isprintable():
        raise fields.refuse(context, "architecture", f"at most {LONGEST_ARCHITECTURE} printable characters", name)
    return name


def _skeleton(record: Mapping[str, Any], context: str) -> Skeleton | None:
    if record.get("skeleton") is None:
        return None
    return Skeleton.from_json(fields.mapping(record["skeleton"], context, "skeleton"), f"{context}, field 'skeleton'")


def _matching(record: Mapping[str, Any], field: str, pattern: str, expected: str, context: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise fields.refuse(context, field, expected, value)
    return value
