"""Which key points a person has: names, left and right, bones, how far placings scatter, and the box round them.

The parameter KeyPoints gives a skeleton: the name of a preset, a JSON document, or names alone, separated by commas.
A sigma is COCO's: of how far careful people's placings of a point scatter, as a share of the root of the person's area
(cocodataset.org/#keypoints-eval). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_names import check_names
from labelloop.contracts.records import OCCLUDED

# What boxes of people are called where nothing else is said.
PERSON = "person"
# The two corners of a person's box stand among the points in people's answers, and a number tells whose a point is.
CORNERS = TOP_LEFT, BOTTOM_RIGHT = ("top-left", "bottom-right")
NUMBER = "#"
BOX = "box"  # what pages call a person's box, among the names of points
USUAL_SIGMA = 0.1
USUAL_BOX_FACTOR = 1.25
LARGEST_BOX_FACTOR = 10.0
SMALLEST_SIGMA = 1e-4
_SIDES = (("left-", "right-"), ("left_", "right_"), ("left ", "right "))
_FIELDS = ("names", "pairs", "bones", "sigmas", "box_factor")
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Skeleton:
    """`pairs`: (left, right) of the points that a mirror exchanges; `bones`: the points that a line joins on the page;
    `sigmas`: one for each name. `box_factor`: the side of the square round a person of whom nobody drew the box, in
    longer extents of the person's points.
    """

    names: tuple[str, ...]
    pairs: Pairs
    bones: Pairs
    sigmas: tuple[float, ...]
    box_factor: float = USUAL_BOX_FACTOR

    def sigma(self, name: str) -> float:
        return self.sigmas[self.names.index(name)] if name in self.names else USUAL_SIGMA

    @property
    def mirrored(self) -> list[int]:
        """For each point the place of the one that stands where it is in the mirrored picture."""
        others = {name: other for pair in self.pairs for name, other in (pair, pair[::-1])}
        return [self.names.index(others.get(name, name)) for name in self.names]

    def to_json(self) -> dict[str, Any]:
        """The document that `from_json` reads and the parameter KeyPoints takes."""
        lists = {name: [list(each) for each in getattr(self, name)] for name in ("pairs", "bones")}
        return {"names": list(self.names), **lists, "sigmas": list(self.sigmas), "box_factor": self.box_factor}

    @staticmethod
    def from_json(record: Mapping[str, Any], context: str = "skeleton") -> Skeleton:
        """Of `names` all else may be left out: then left and right are told by the names. Raises InvalidInputError."""
        if unknown := sorted(record.keys() - set(_FIELDS)):
            raise InvalidInputError(f"{context}: field {fields.shown(unknown[0])} is none of {', '.join(_FIELDS)}")
        listed = fields.sequence(record, "names", context)
        names = tuple(fields.text({"names": name}, "names", context) for name in listed)
        _refuse_names(names, context)
        sigmas = (USUAL_SIGMA,) * len(names)
        if record.get("sigmas") is not None:
            given = enumerate(fields.sequence(record, "sigmas", context))
            sigmas = tuple(_share({f"sigmas[{n}]": each}, f"sigmas[{n}]", context) for n, each in given)
        if len(sigmas) != len(names):
            raise InvalidInputError(
                f"{context}: field 'sigmas' has {len(sigmas)} numbers, and must have one for each of {len(names)} names"
            )
        factor = fields.optional_number(record, "box_factor", context, 1, LARGEST_BOX_FACTOR)
        pairs = told_pairs(names) if record.get("pairs") is None else _pairs(record, "pairs", names, context)
        check_names([name for pair in pairs for name in pair], f"{context}, field 'pairs',")
        return Skeleton(
            names,
            pairs,
            () if record.get("bones") is None else _pairs(record, "bones", names, context),
            sigmas,
            USUAL_BOX_FACTOR if factor is None else factor,
        )


@dataclass(frozen=True)
class Vocabulary:
    """What a stack marks in images: the marks of `task`, of these names. `skeleton`: of people's points."""

    task: str
    names: tuple[str, ...]
    skeleton: Skeleton | None = None


def skeleton(text: str, context: str = "parameter KeyPoints") -> Skeleton:
    """Of a preset's name, a JSON document, or names separated by commas. Raises InvalidInputError naming the field."""
    stripped = text.strip()
    preset = stripped.strip(", ").casefold()
    if preset in PRESETS:
        return PRESETS[preset]
    if stripped.startswith(("{", "[", '"')):
        return Skeleton.from_json(fields.mapping(fields.parse_json(stripped, context), context, "(all)"), context)
    return named(tuple(part.strip() for part in text.split(",") if part.strip()), context)


def named(names: Sequence[str], context: str = "skeleton") -> Skeleton:
    """Of names alone. Raises InvalidInputError."""
    return Skeleton.from_json({"names": list(names)}, context)


def told_pairs(names: Sequence[str]) -> Pairs:
    """Left and right of the names that say it at their beginning: left-eye and right-eye, left_eye and right_eye."""
    others = [
        (name, right + name.removeprefix(left)) for name in names for left, right in _SIDES if name.startswith(left)
    ]
    return tuple((name, other) for name, other in others if other in names)


def _pairs(record: Mapping[str, Any], field: str, names: Sequence[str], context: str) -> Pairs:
    found = []
    for number, pair in enumerate(fields.sequence(record, field, context)):
        if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
            raise fields.refuse(context, f"{field}[{number}]", "a list of two different names", pair)
        found.append(tuple(fields.choice({field: name}, field, context, tuple(names)) for name in pair))
    return tuple((one, other) for one, other in found)


def _share(record: Mapping[str, Any], field: str, context: str) -> float:
    sigma = fields.number(record, field, context, 0, 1)
    if sigma < SMALLEST_SIGMA:
        raise fields.refuse(context, field, f"at least {SMALLEST_SIGMA}", sigma)
    return sigma


def _refuse_names(names: Sequence[str], context: str) -> None:
    """People's answers with such names could not be read."""
    if not names:
        raise InvalidInputError(f"{context}: field 'names' is empty: expected at least one name")
    for name in names:
        if not name.strip() or name != name.strip():
            raise fields.refuse(context, "names", "names that are not empty and have no blanks around them", name)
        if NUMBER in name or name.endswith(OCCLUDED) or name in (*CORNERS, BOX):
            raise InvalidInputError(
                f"{context} has '{name}', but in answers '{OCCLUDED.strip()}' at the end calls a point hidden, "
                f"'{NUMBER}' tells whose it is, '{BOX}' is a person's box, and {' and '.join(CORNERS)} its corners: "
                "choose another name and deploy again"
            )
    check_names(names, context)


def _preset(text: str) -> Skeleton:
    return Skeleton.from_json(json.loads(text))


_HEAD_BONES = """["left_eye", "right_eye"], ["nose", "left_eye"], ["nose", "right_eye"],
    ["left_eye", "left_ear"], ["right_eye", "right_ear"]"""
_ARM_BONES = """["left_shoulder", "right_shoulder"], ["left_shoulder", "left_elbow"], ["left_elbow", "left_wrist"],
    ["right_shoulder", "right_elbow"], ["right_elbow", "right_wrist"],
    ["left_shoulder", "left_hip"], ["right_shoulder", "right_hip"], ["left_hip", "right_hip"]"""

PRESETS = {
    # Names, order, bones and sigmas of COCO's key points, the latter as pycocotools has them.
    "coco-17": _preset(
        f"""{{"names": ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
        "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
        "left_ankle", "right_ankle"],
        "sigmas": [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087,
        0.087, 0.089, 0.089],
        "bones": [{_HEAD_BONES}, ["left_ear", "left_shoulder"], ["right_ear", "right_shoulder"], {_ARM_BONES},
        ["left_hip", "left_knee"], ["left_knee", "left_ankle"], ["right_hip", "right_knee"],
        ["right_knee", "right_ankle"]]}}"""
    ),
    "in-cabin": _preset(
        f"""{{"names": ["left_eye", "right_eye", "left_ear", "right_ear", "nose", "mouth", "neck", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
        "left_ankle", "right_ankle"],
        "sigmas": [0.025, 0.025, 0.035, 0.035, 0.026, 0.035, 0.079, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107,
        0.107, 0.089, 0.089],
        "bones": [{_HEAD_BONES}, ["nose", "mouth"], ["mouth", "neck"], ["neck", "left_shoulder"],
        ["neck", "right_shoulder"], {_ARM_BONES}, ["left_hip", "left_ankle"], ["right_hip", "right_ankle"]]}}"""
    ),
    # On drawn heads a square of 1.5 has the area of the true box, in the median of 100.
    "head": _preset(
        f"""{{"names": ["nose", "left_eye", "right_eye", "left_ear", "right_ear"], "bones": [{_HEAD_BONES}],
        "box_factor": 1.5}}"""
    ),
}
