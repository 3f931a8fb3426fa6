"""Judge Batch: per image still open, accept the machine's label, ask a person, reject, or defer."""

from typing import Any

from labelloop import batches, immutable, jobs, judgement, storage
from labelloop.batches import Files, Image
from labelloop.judgement import Candidate, Policy
from labelloop.naming import JOB_KINDS
from labelloop.observability import count, entry, logger
from labelloop.proposals import proposal_line
from labelloop.records import Decision, Prediction
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    knobs, files, number = settings(), Files(event["batch_id"]), int(event["round"])
    pinned = immutable.read_json(files.round(number))
    everything = batches.images(files.batch_id)
    before = batches.outcomes(files.batch_id, everything, number - 1)
    open_images = {
        image.source_ref: image for image in everything if image.readable and before[image.source_ref] == "deferred"
    }
    predictions = batches.predictions(files.batch_id, pinned["predictions_round"]) if pinned["model"] else {}
    decided = judgement.judge(
        [_candidate(image, predictions) for image in open_images.values()],
        _policy(pinned),
        knobs.human_budget,
        number,
        knobs.keep_confidence,
    )
    lines = immutable.create_lines(files.decisions(number), [decision.to_json() for decision in decided])
    decisions = [Decision.from_json(line) for line in lines]
    asked = [decision for decision in decisions if decision.decision == "human"]
    planned = jobs.plan(files, number, _by_kind(asked, open_images, predictions), pinned["model"])
    counts = {
        name: sum(decision.decision == name for decision in decisions)
        for name in ("auto", "human", "rejected", "deferred")
    }
    count("AutoAccepted", counts["auto"])
    count("SentToHuman", counts["human"])
    logger.info("batch judged", round=number, extra=counts)
    return {**counts, "jobs": planned}


def _policy(pinned: dict[str, Any]) -> Policy | None:
    """None without a model. A model whose thresholds were never calibrated accepts nothing under target-quality."""
    knobs = settings()
    if not pinned["model"]:
        return None
    if knobs.accept_policy == "fixed":
        return Policy("fixed", knobs.accept_threshold, f"fixed/{knobs.accept_threshold}@{pinned['model']}")
    thresholds = immutable.read_json(storage.own_key(pinned["thresholds_uri"]))
    return Policy(
        "target-quality",
        thresholds["accept"],
        f"target-quality/{thresholds['target']}@{pinned['model']}/{thresholds['dataset']}",
    )


def _candidate(image: Image, predictions: dict[str, Prediction]) -> Candidate:
    item = image.item
    return Candidate(
        image.source_ref, item.draw, item.sampled, item.inclusion_probability, predictions.get(image.source_ref)
    )


def _by_kind(
    asked: list[Decision], open_images: dict[str, Image], predictions: dict[str, Prediction]
) -> dict[str, list[dict[str, Any]]]:
    """Labelling-job input lines by the kind of job they go into."""
    lines: dict[str, list[dict[str, Any]]] = {kind: [] for kind in JOB_KINDS}
    for decision in asked:
        prediction = predictions.get(decision.source_ref)
        kind = judgement.job_kind(prediction, decision.score, settings().verify_score)
        lines[kind].append(_line(open_images[decision.source_ref], prediction))
    return lines


def _line(image: Image, prediction: Prediction | None) -> dict[str, Any]:
    """A labelling-job input line; what the model saw is proposed under another attribute than the answer's."""
    knobs, inspection = settings(), image.inspection
    assert inspection is not None and inspection.width is not None and inspection.height is not None  # readable
    seen = prediction is not None and prediction.status == "ok"
    return proposal_line(
        image.source_ref,
        inspection.width,
        inspection.height,
        judgement.label_boxes(prediction, knobs.keep_confidence) if prediction and seen else None,
        knobs.classes,
        prediction.model if prediction else "",
        inspection.original_ref,
    )
