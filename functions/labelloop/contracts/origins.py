"""What the provenance of a label says: its role, and where the label of a copy comes from, which is an image with the
same bytes. As people correct that, the copy follows. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.marks import own_attribute

SAME_AS = "same-as"
TRAIN, JUDGE = "train", "judge"
JUDGES_OF_0_1 = ("calibration", "gold")


def role(name: str) -> str:
    """The role that is recorded so: version 0.1 had two for images that judge."""
    return JUDGE if name in JUDGES_OF_0_1 else name


def counts(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record that counts labels by role (a card, the state of a training), with the roles of today."""
    older = {name: record[name] for name in JUDGES_OF_0_1 if name in record}
    kept = {name: value for name, value in record.items() if name not in older}
    return kept if JUDGE in record or not older else {**kept, JUDGE: sum(older.values())}


def role_of(provenance: Mapping[str, Any]) -> str:
    """train | judge for a human label, otherwise empty: what the machine said itself never trains it."""
    return role(str(provenance.get("role", "")))


def origin(label: Annotation) -> dict[str, Any]:
    """What the provenance of a copy says about the label it got: of the image that people, or the model, looked at."""
    known = label.provenance
    told = {"source-ref": label.source_ref, "batch": known.get("batch"), "round": known.get("round")}
    return dict(known[SAME_AS]) if SAME_AS in known else {name: each for name, each in told.items() if each is not None}


def inherited(label: Annotation) -> dict[str, Any]:
    """What of the provenance of a label is true of its copies, too, and where they have it from."""
    roles = {"role": role_of(label.provenance)} if "role" in label.provenance else {}
    model = {"model": label.provenance["model"]} if "model" in label.provenance else {}
    return {**roles, **model, SAME_AS: origin(label)}


def followed(lines: Mapping[str, str]) -> dict[str, str]:
    """The manifest lines by source-ref, with the label that the image a copy names has by now, if it has the copy's
    bytes still. What people said of them gives way to people only.
    """
    found = dict(lines)
    for reference, line in lines.items():
        of = json.loads(line).get("provenance", {}).get(SAME_AS) if SAME_AS in line else None
        original = lines.get(of.get("source-ref", "")) if of else None
        with suppress(InvalidInputError):  # a line of another version stays as it is
            if original is not None and of != origin(Annotation.from_line(original)):
                found[reference] = _corrected(line, original)
    return found


def _corrected(line: str, original: str) -> str:
    """The copy's line with the original's label, or as it is where that is not a better one of the same picture."""
    copy, label = Annotation.from_line(line), Annotation.from_line(original)
    pictures = {(each.provenance.get("sha256"), each.width, each.height) for each in (copy, label)}
    if SAME_AS in label.provenance or len(pictures) > 1 or (copy.human and not label.human):
        return line
    own = {name: value for name, value in copy.provenance.items() if name not in ("role", "model")}
    record = json.loads(original)
    offered = record[f"{own_attribute(record)}-metadata"].get("class-map", {})
    corrected = replace(
        copy,
        marks=label.marks,
        task=label.task,
        human=label.human,
        job_name=label.job_name,
        provenance={**own, **inherited(label)},
    )
    return corrected.to_line([offered[number] for number in sorted(offered, key=int)])
