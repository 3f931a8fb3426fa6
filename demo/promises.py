"""What the loop promised about the labels that it accepted, and what it found out itself. Pure.

Everything here is what the batch's own summary.json and the trainings say, in their own words: the demo adds the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demo.progress import Training

Rows = Sequence[Mapping[str, Any]]


def told(batch: Mapping[str, Any], trainings: Sequence[Training], target: float) -> dict[str, Any]:
    """The fields of the demo's summary about promise, estimate, people's agreement and the second training."""
    rows, promises = batch["rounds"], batch.get("promises", ())
    agreeing = batch.get("people_agreement")
    return {
        "target": target,
        "promise": promise(rows, promises),
        "why_nothing": "" if any(row["auto"] for row in rows) else why_nothing(rows, promises, trainings),
        "attainable": promises[-1]["attainable"] if promises else [],
        "audited": sum(row.get("audited", 0) for row in rows),
        "corrected": sum(row.get("corrected", 0) for row in rows),
        "contradicted": any(row.get("contradicted") for row in rows),
        "people_agreement": agreeing["quality"] if agreeing else None,
        "second_training": second_training(batch, trainings),
    }


def promise(rows: Rows, promises: Rows) -> str:
    """Of the rounds that accepted labels, once for each sentence; empty where nothing was accepted."""
    accepting = {row["round"] for row in rows if row["auto"]}
    return " ".join(dict.fromkeys(each["promise"] for each in promises if each["round"] in accepting))


def why_nothing(rows: Rows, promises: Rows, trainings: Sequence[Training]) -> str:
    """What the last round with a model says, and what it would take; without a model, why there was none."""
    if promises:
        return f"{promises[-1]['promise']} {promises[-1]['missing']}".strip()
    if any(training.train and training.status != "RUNNING" for training in trainings):
        return "No model was good enough to serve."
    return "People labelled every image before there was a model." if rows else "No round was needed."


def second_training(batch: Mapping[str, Any], trainings: Sequence[Training]) -> dict[str, Any]:
    """Whether the batch waited for a second model, and why or why not. What no batch waits for does not count."""
    later = [training for training in trainings if training.train][1:]
    if later and later[0].status != "RUNNING":
        return {"trained": True, "why": later[0].reason.rstrip(".")}
    why = batch.get("second_training") or "no image was left for a better model"
    return {"trained": False, "why": why}
