"""What people answered in one labelling job: labels, rejected proposals, unusable answers, and what is unanswered.

Pure. Output lines are matched with the job's own input by source-ref: Ground Truth's order, missing, repeated or extra
lines change nothing, and an image about which lines differ has no label. Boxes and people are in canonical pixels.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labelloop.contracts import fields, marks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.manifests import Annotation, Failed, Labelled, read_labeled
from labelloop.people import supplied
from labelloop.people.answers import VERDICTS
from labelloop.people.consolidation_objects import NOBODY_ANSWERED

REASONS_KEPT = 5
# A failure-reason is Ground Truth's own; of those, this one is about answers that were there.
_CONSOLIDATION = re.compile("consolidat", re.IGNORECASE)


@dataclass(frozen=True)
class _Without:
    """Why an image has no label, and whether anybody answered."""

    why: str
    answered: bool


_LEFT = _Without("nobody looked at it", False)
_NOT_ACCEPTED = _Without("people rejected the proposal", True)


@dataclass(frozen=True)
class HumanLabel:
    """One image's label. `proposed` is the model's label that people were shown, None where nothing was shown;
    `workers` and `agreement` (0..1) say how it came about, None where the job does not tell.
    """

    annotation: Annotation
    job: str
    kind: str
    proposed: Annotation | None = None
    workers: int | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Collected:
    """`rejected` holds the images whose proposal people did not accept; `unusable` counts those that were answered in
    vain, `unanswered` those that nobody answered. `refused_answers` counts answers of single people that do not count,
    `strange_lines` those about other images. `problems` says why, the most frequent reasons first.
    `digest` is of the lines that were answered. `status` and `reason` are the job's own.
    """

    labels: Mapping[str, HumanLabel] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()
    unusable: int = 0
    unanswered: int = 0
    refused_answers: int = 0
    strange_lines: int = 0
    problems: tuple[str, ...] = ()
    digest: str = ""
    status: str = ""
    reason: str = ""


def collect(
    job: str,
    kind: str,
    attribute: str,
    asked: Iterable[str],
    answered: Iterable[str],
    classes: Sequence[str],
    ignored: Collection[str] = (),
    sizes: Mapping[str, Size] | None = None,
) -> Collected:
    """The answers of an ended job.

    `asked` and `answered` are the lines of the job's input and output manifest; images in `ignored` (honeypots) are
    neither labels nor unanswered. A line that breaks its contract costs its own image only, and so does an answer that
    does not fit its image: of another size than `sizes` tells, with a mark outside or of an unknown class.
    """
    inputs = {reference(line): line for line in asked}
    wanted = [ref for ref in inputs if ref not in ignored]
    said: defaultdict[str, list[HumanLabel | _Without]] = defaultdict(list)
    broken: list[str] = []  # nobody knows which image a line is about that names none
    refused: list[str] = []
    strange = 0
    hashed = hashlib.sha256()
    for line in answered:
        hashed.update(line.encode("utf-8") + b"\n")
        try:
            ref = reference(line)
        except InvalidInputError as error:
            broken.append(str(error))
            continue
        if ref not in inputs:
            strange += 1
        if ref not in inputs or ref in ignored:
            continue
        refused += _refused(line, attribute)
        try:
            read = _verdict if kind == "verify" else _label
            found = read(line, inputs[ref], job, kind, attribute, classes)
            if isinstance(found, HumanLabel):
                found = _fitting(found, (sizes or {}).get(ref), classes)
            said[ref].append(found)
        except InvalidInputError as error:
            said[ref].append(_Without(str(error), True))
    meant = {ref: _one(ref, said[ref]) for ref in wanted if ref in said}
    labels = {ref: label for ref, label in meant.items() if isinstance(label, HumanLabel)}
    told = {ref: without for ref, without in meant.items() if isinstance(without, _Without)}
    rejected = tuple(ref for ref, without in told.items() if without == _NOT_ACCEPTED)
    in_vain = [without for without in told.values() if without.answered and without != _NOT_ACCEPTED]
    open_images = len(wanted) - len(labels) - len(rejected) - len(in_vain)
    unusable = len(in_vain) + min(len(broken), open_images)
    return Collected(
        labels=labels,
        rejected=rejected,
        unusable=unusable,
        unanswered=len(wanted) - len(labels) - len(rejected) - unusable,
        refused_answers=len(refused),
        strange_lines=strange,
        problems=_problems(
            [without.why for without in told.values() if without not in (_LEFT, _NOT_ACCEPTED)],
            broken,
            refused,
            strange,
        ),
        digest=hashed.hexdigest(),
    )


def _one(ref: str, said: Sequence[HumanLabel | _Without]) -> HumanLabel | _Without:
    """What the lines about one image mean together, in whatever order they stand. Of labels that differ nothing tells
    which one people meant; a line that says nothing takes nothing from one that does.
    """
    if len(said) == 1:
        return said[0]
    labels = sorted((each for each in said if isinstance(each, HumanLabel)), key=repr)
    marks = [supplied.marked_in(label.annotation) for label in labels]
    if any(each != marks[0] for each in marks) or (labels and _NOT_ACCEPTED in said):
        return _Without(f"line of {ref}: other lines say something else about the image, so none of them counts", True)
    others = [each for each in said if isinstance(each, _Without)]
    return labels[0] if labels else max(others, key=lambda each: (each == _NOT_ACCEPTED, each.answered, each.why))


def _refused(line: str, attribute: str) -> list[str]:
    """Why answers of single people about an image do not count, as Consolidate notes it beside the label."""
    value = _record(line).get(attribute)
    listed = value.get("refused") if isinstance(value, dict) else None
    told = [each.get("reason") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [f"one answer does not count: {why}" for why in told if isinstance(why, str)]


def _problems(images: list[str], broken: list[str], refused: list[str], strange: int) -> tuple[str, ...]:
    """What went wrong, once for each kind of it, the most frequent first."""
    first: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for what, reasons in (("images", images), ("lines", broken), ("answers", refused)):
        for why in reasons:
            kind = (what, supplied.kind_of(why))
            first.setdefault(kind, why)
            counts[kind] += 1
    if strange:
        first["lines", ""] = "the job did not ask about the image"
        counts["lines", ""] = strange
    return tuple(
        first[kind] if count == 1 else f"{first[kind]} (and {count - 1} more {kind[0]} of this kind)"
        for kind, count in counts.most_common(REASONS_KEPT)
    )


def _fitting(label: HumanLabel, size: Size | None, names: Sequence[str]) -> HumanLabel:
    """The label with its marks inside the image. Raises InvalidInputError where it is not of this image, or a mark is
    outside or of another class than `names`.
    """
    found = label.annotation
    if size is None:
        return label
    if (found.width, found.height) != size:
        raise InvalidInputError(
            f"the answer is about an image of {found.width} x {found.height} pixels, but this one has {size[0]} x "
            f"{size[1]}: the page showed another image, or the same in another size"
        )
    used = sorted({name for mark in found.marks for name in marks.of(found.task).names(mark)})
    if strange := [name for name in used if name not in names]:
        raise fields.refuse("answer", "class", f"one of {', '.join(names)}", strange[0])
    return replace(label, annotation=supplied.fitted(found, size, names))


def proposal_of(line: str, classes: Sequence[str]) -> Annotation | None:
    """What an input line proposes; None where no model looked."""
    for task in marks.KNOWN:
        result = read_labeled(line, marks.proposals(task), classes)
        if isinstance(result, Labelled):
            return result.annotation
    return None


def reference(line: str) -> str:
    """The source-ref of a manifest line."""
    return fields.text(_record(line), "source-ref", "manifest line")


def _label(line: str, asked: str, job: str, kind: str, attribute: str, classes: Sequence[str]) -> HumanLabel | _Without:
    """The label, or why there is none."""
    result, value = read_labeled(line, attribute, classes), _record(line).get(attribute)
    if isinstance(result, Failed):
        return _failed(result.reason, value)
    if not isinstance(result, Labelled):
        return _LEFT
    proposal = proposal_of(asked, classes)
    how = _how(value)
    return HumanLabel(result.annotation, job, kind, proposal, *how)


def _verdict(
    line: str, asked: str, job: str, kind: str, attribute: str, classes: Sequence[str]
) -> HumanLabel | _Without:
    """The proposal as people accepted it, or why there is none."""
    record = _record(line)
    context = f"line of {reference(line)}"
    if record.get(attribute) is None:
        metadata = fields.mapping(record.get(f"{attribute}-metadata") or {}, context, f"{attribute}-metadata")
        return _failed(str(metadata["failure-reason"]), None) if "failure-reason" in metadata else _LEFT
    value = fields.mapping(record[attribute], context, attribute)
    if "error" in value:
        return _failed(str(value["error"]), value)
    if fields.choice(value, "verdict", context, VERDICTS) == "reject":
        return _NOT_ACCEPTED
    proposal = proposal_of(asked, classes)
    if proposal is None:
        raise InvalidInputError(f"{context}: people accepted it, but nothing was proposed")
    return HumanLabel(proposal, job, kind, proposal, *_how(value))


def _failed(why: str, value: object) -> _Without:
    """`value`: what Consolidate gave in the place of a label; None where Ground Truth says that labelling failed."""
    return _Without(why, why != NOBODY_ANSWERED if value is not None else bool(_CONSOLIDATION.search(why)))


def _how(value: Any) -> tuple[int | None, float | None]:
    """(workers, agreement) where the label tells."""
    given = fields.mapping(value, "label", "(the label)")
    return (
        fields.optional_integer(given, "workers", "label", minimum=1),
        fields.optional_number(given, "agreement", "label", 0, 1),
    )


def _record(line: str) -> dict[str, Any]:
    return fields.mapping(fields.parse_line(line, "manifest line"), "manifest line", "(the line)")
