"""build/demo/summary.json: every figure of the demo, from what the loop wrote and from the truth it never saw. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.skeletons import Skeleton

from demo import evaluate, people_figures, promises
from demo.annotators import Truth
from demo.costs import Prices, Work, price
from demo.follow import FailedPart
from demo.people_figures import Unseen
from demo.progress import Training

MIB_DIGITS, SECOND_DIGITS, QUALITY_DIGITS, DOLLAR_DIGITS = 0, 1, 4, 2


@dataclass(frozen=True)
class Outcome:
    """What the loop left behind. `batch` is the batch's own summary.json, `labels` its merged manifest; `judge` counts
    the judge images of the final dataset, `scores` is mAP50 on them per model version; `promoted` the versions that
    served, in order. `unseen`: of key points what the last model says where none trained.
    """

    execution: str
    status: str
    uploaded: tuple[str, ...]
    batch: Mapping[str, Any]
    labels: tuple[Annotation, ...]
    trainings: tuple[Training, ...]
    promoted: tuple[str, ...]
    judge: int
    scores: Mapping[str, float | None]
    failed_parts: tuple[FailedPart, ...]
    unseen: Unseen | None = None


@dataclass(frozen=True)
class Run:
    """What the demo measured and was told about itself. target: the stack's TargetMeanIou; by_hand: what the person at
    this machine was asked and did; notes: what was mended or left out of people's own truth; skeleton: of people with
    key points, None where boxes are labelled.
    """

    source: str
    target: float
    workers: int
    cores: int
    seconds: Mapping[str, float]
    first_labels_seconds: float | None
    wall_seconds: float
    peak_memory_mib: float
    files: Mapping[str, str]
    by_hand: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()
    skeleton: Skeleton | None = None

    @property
    def task(self) -> str:
        return "boxes" if self.skeleton is None else "key-points"


def build(outcome: Outcome, truth: Truth, prices: Prices, run: Run) -> dict[str, Any]:
    """The documented fields first, then what the report shows besides. Raises ConservationError (I1)."""
    batch = outcome.batch
    counts = evaluate.count_outcomes(
        outcome.uploaded, outcome.labels, batch["rejected_reasons"], int(batch["deferred"])
    )
    judged = evaluate.judge(outcome.labels, truth)
    auto = [image for image in judged if not image.label.human]
    human = [image for image in judged if image.label.human]
    cost = price(_work(batch, counts, outcome, run.workers), prices)
    readable = len(outcome.uploaded) - counts["rejected"]
    return {
        "images": len(outcome.uploaded),
        **counts,
        "sampled": batch["sampled"],
        "rounds": [_round(row, outcome.scores) for row in batch["rounds"]],
        "models_promoted": len(outcome.promoted),
        "auto_mean_iou": _rounded(None if run.skeleton else evaluate.mean_quality(auto)),
        "auto_share": round(counts["auto"] / readable, QUALITY_DIGITS) if readable else 0.0,
        "cost": round(cost.total, DOLLAR_DIGITS),
        "cost_all_human": round(cost.all_human, DOLLAR_DIGITS),
        "saving": round(cost.saving, QUALITY_DIGITS),
        "label_batch": {"arn": outcome.execution, "status": outcome.status},
        "train_model": [{"arn": training.arn, "status": training.status} for training in outcome.trainings],
        "wall_seconds": round(run.wall_seconds, SECOND_DIGITS),
        "peak_memory_mib": round(run.peak_memory_mib),
        "task": run.task,
        "accepted_quality": _rounded(evaluate.mean_quality(auto)),
        **_of_people(outcome.unseen, run.skeleton),
        "first_labels_seconds": None if run.first_labels_seconds is None else round(run.first_labels_seconds, 1),
        "seconds": {name: round(value, SECOND_DIGITS) for name, value in run.seconds.items()},
        "batch": batch["batch"],
        "source": run.source,
        "truth_notes": list(run.notes),
        "classes": list(run.skeleton.names if run.skeleton else truth.classes),
        "cores": run.cores,
        **promises.told(batch, outcome.trainings, run.target),
        "human_quality": _rounded(evaluate.mean_quality(human)),
        "auto_quality_histogram": evaluate.histogram(auto),
        "judge_images": outcome.judge,
        "by_hand": None if run.by_hand is None else dict(run.by_hand),
        "models": [_model(training, outcome) for training in outcome.trainings if training.model in outcome.scores],
        "trainings": [_training(training) for training in outcome.trainings],
        "audit": _audit(batch["audit"], auto),
        "cost_parts": [{"what": what, "how": how, "amount": round(amount, 4)} for what, how, amount in cost.parts],
        "rejected_reasons": batch["rejected_reasons"],
        "failed_parts": [asdict(part) for part in outcome.failed_parts],
        "problems": problems(outcome, counts),
        "files": dict(run.files),
    }


def _of_people(unseen: Unseen | None, skeleton: Skeleton | None) -> dict[str, Any]:
    """None of these fields for boxes."""
    if skeleton is None:
        return {}
    found = people_figures.figures(unseen, skeleton)
    rounded = {name: _rounded(found[name]) for name in people_figures.FIELDS}
    return {**found, **rounded, "bones": [list(bone) for bone in skeleton.bones]}


def problems(outcome: Outcome, counts: Mapping[str, int]) -> list[str]:
    """What a person must know before trusting the figures."""
    found = []
    if outcome.status != "SUCCEEDED":
        found.append(f"The execution of label_batch ended {outcome.status}.")
    if counts["deferred"]:
        found.append(f"{counts['deferred']} images are deferred: the rounds ended before anybody labelled them.")
    reported = {name: outcome.batch[name] for name in counts}
    if reported != dict(counts):
        found.append(f"The batch's own report says {reported}; counted from its manifest it is {dict(counts)}.")
    return found


def _work(batch: Mapping[str, Any], counts: Mapping[str, int], outcome: Outcome, workers: int) -> Work:
    inferring = [row for row in batch["rounds"] if row["inferred"]]
    drawing = [job for job in batch["jobs"] if job["kind"] != "verify"]
    verdicts = [job for job in batch["jobs"] if job["kind"] == "verify"]
    copies = batch.get("copies", {})
    return Work(
        labelled=counts["human"] + counts["auto"] - copies.get("human", 0),
        drawn=sum(job["labelled"] + job.get("unusable", 0) for job in drawing),
        twice=sum(job.get("double-labelled", 0) for job in drawing) if workers == 1 else 0,
        verdicts=sum(job["labelled"] + job["rejected"] + job.get("unusable", 0) for job in verdicts),
        auto=counts["auto"],
        workers=workers,
        inferred=sum(row["inferred"] for row in inferring),
        inference_rounds=len(inferring),
        trainings=sum(training.train > 0 or training.status == "RUNNING" for training in outcome.trainings),
    )


def _round(row: Mapping[str, Any], scores: Mapping[str, float | None]) -> dict[str, Any]:
    model = row["model_version"] or None
    return {
        "round": row["round"],
        "model_version": model,
        "auto": row["auto"],
        "human": row["human"],
        "deferred": row["deferred"],
        "judge_map50": _rounded(scores.get(model)) if model else None,
        "rejected": row["rejected"],
    }


def _model(training: Training, outcome: Outcome) -> dict[str, Any]:
    return {
        "version": training.model,
        "judge_map50": _rounded(outcome.scores[training.model]),
        "train_images": training.train,
        "promoted": training.model in outcome.promoted,
    }


def _training(training: Training) -> dict[str, Any]:
    if training.promoted:
        said = f"{training.model} promoted. {training.reason}"
    elif training.status == "RUNNING":
        said = "training for the next batch goes on; the batch did not wait for it"
    elif training.better is False:
        said = f"{training.model} not promoted. {training.reason}"
    else:
        said = f"no new model: the execution ended in {training.state} ({training.status})"
    return {"round": training.round, "status": training.status, "said": said}


def _audit(estimates: Sequence[Mapping[str, Any]], auto: Sequence[evaluate.Judged]) -> list[dict[str, Any]]:
    """The loop's estimates, each beside what the truth says about the labels it is of: those that a model gave, in one
    round and by one rule where it names them.
    """
    return [
        {**estimate, "known_quality": _rounded(evaluate.mean_quality([one for one in auto if _is_of(one, estimate)]))}
        for estimate in estimates
    ]


def _is_of(image: evaluate.Judged, estimate: Mapping[str, Any]) -> bool:
    origin = image.label.provenance
    return all(origin.get(name) == estimate[name] for name in ("model", "policy", "round") if name in estimate)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, QUALITY_DIGITS)
