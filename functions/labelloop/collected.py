"""What people answered in one labelling job: labels, rejected proposals, and who was left unanswered.

Pure. Output lines are matched with the job's own input by source-ref: Ground Truth's order, missing, repeated or extra
lines change nothing. Boxes and key points are in canonical pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelloop import fields
from labelloop.answers import VERDICTS
from labelloop.augmented import PROPOSALS
from labelloop.errors import InvalidInputError
from labelloop.manifests import Annotation, Failed, Labelled, read_labeled

REASONS_KEPT = 5
_NOBODY = "nobody looked at it"
_REJECTED = "people rejected the proposal"


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
    """`rejected` holds the images whose proposal people did not accept; `problems` some reasons why others were left
    `unanswered`; `digest` is of the lines that were answered, to tell whether they are the same when they are merged.
    """

    labels: Mapping[str, HumanLabel] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()
    unanswered: int = 0
    problems: tuple[str, ...] = ()
    digest: str = ""


def collect(
    job: str,
    kind: str,
    attribute: str,
    asked: Iterable[str],
    answered: Iterable[str],
    classes: Sequence[str],
    ignored: Collection[str] = (),
) -> Collected:
    """The answers of an ended job.

    `asked` and `answered` are the lines of the job's input and output manifest; images in `ignored` (honeypots) are
    neither labels nor unanswered. A line that breaks its contract costs its own image only.
    """
    inputs = {reference(line): line for line in asked}
    wanted = [ref for ref in inputs if ref not in ignored]
    labels: dict[str, HumanLabel] = {}
    others: dict[str, str] = {}
    hashed = hashlib.sha256()
    for line in answered:
        hashed.update(line.encode("utf-8") + b"\n")
        try:
            ref = reference(line)
            if ref not in inputs or ref in ignored:
                continue
            read = _verdict if kind == "verify" else _label
            found = read(line, inputs[ref], job, kind, attribute, classes)
        except InvalidInputError as error:
            others[f"line {len(others)}"] = str(error)
            continue
        if isinstance(found, HumanLabel):
            labels[ref] = found
        else:
            others[ref] = found
    rejected = tuple(ref for ref in wanted if others.get(ref) == _REJECTED and ref not in labels)
    return Collected(
        labels=labels,
        rejected=rejected,
        unanswered=len(wanted) - len(labels) - len(rejected),
        problems=tuple(dict.fromkeys(why for why in others.values() if why not in (_REJECTED, _NOBODY)))[:REASONS_KEPT],
        digest=hashed.hexdigest(),
    )


def proposal_of(line: str, classes: Sequence[str]) -> Annotation | None:
    """What an input line proposes; None where no model looked."""
    result = read_labeled(line, PROPOSALS, classes)
    return result.annotation if isinstance(result, Labelled) else None


def reference(line: str) -> str:
    """The source-ref of a manifest line."""
    return fields.text(_record(line), "source-ref", "manifest line")


def _label(line: str, asked: str, job: str, kind: str, attribute: str, classes: Sequence[str]) -> HumanLabel | str:
    """The label, or why there is none."""
    result = read_labeled(line, attribute, classes)
    if not isinstance(result, Labelled):
        return result.reason if isinstance(result, Failed) else _NOBODY
    proposal = proposal_of(asked, classes)
    how = _how(_record(line).get(attribute))
    return HumanLabel(result.annotation, job, kind, proposal, *how)


def _verdict(line: str, asked: str, job: str, kind: str, attribute: str, classes: Sequence[str]) -> HumanLabel | str:
    """The proposal as people accepted it, or why there is none."""
    record = _record(line)
    context = f"line of {reference(line)}"
    if record.get(attribute) is None:
        metadata = fields.mapping(record.get(f"{attribute}-metadata") or {}, context, f"{attribute}-metadata")
        return str(metadata.get("failure-reason", _NOBODY))
    value = fields.mapping(record[attribute], context, attribute)
    if "error" in value:
        return str(value["error"])
    if fields.choice(value, "verdict", context, VERDICTS) == "reject":
        return _REJECTED
    proposal = proposal_of(asked, classes)
    if proposal is None:
        raise InvalidInputError(f"{context}: people accepted it, but nothing was proposed")
    return HumanLabel(proposal, job, kind, proposal, *_how(value))


def _how(value: Any) -> tuple[int | None, float | None]:
    """(workers, agreement) where the label tells."""
    given = fields.mapping(value, "label", "(the label)")
    return (
        fields.optional_integer(given, "workers", "label", minimum=1),
        fields.optional_number(given, "agreement", "label", 0, 1),
    )


def _record(line: str) -> dict[str, Any]:
    return fields.mapping(fields.parse_json(line, "manifest line"), "manifest line", "(the line)")
