"""Judge Batch: per image still open, accept the machine's label, ask a person, reject, or defer."""

from collections.abc import Mapping
from typing import Any

from labelloop import tasks
from labelloop.batch import auditing, batches, copies, judge_function, pinned_bytes, rounds
from labelloop.batch.batches import Image
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.naming import JOB_KINDS
from labelloop.contracts.predictions import Prediction, Seen
from labelloop.contracts.records import DECISIONS, Decision
from labelloop.contracts.settings import settings
from labelloop.people import jobs
from labelloop.store import immutable, ledger, storage
from labelloop.store.observability import count, entry, logger
from labelloop.trust import judgement
from labelloop.trust.judgement import Candidate


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files, number = Files(event["batch_id"]), int(event["round"])
    ledger.check_owner(files.batch_id, event.get("execution", ""))
    pinned = immutable.read_json(files.round(number))
    everything = batches.images(files.batch_id, number)
    before = batches.outcomes(files.batch_id, everything, number - 1)
    open_images = {
        image.source_ref: image for image in everything if image.readable and before[image.source_ref] == "deferred"
    }
    seen = batches.seen(files.batch_id, pinned["model"], number, everything)
    decided = _decide(files, number, pinned, open_images, seen)
    lines = immutable.find_lines(files.decisions(number)) or immutable.create_lines(
        files.decisions(number), [decision.to_json() for decision in decided]
    )
    decisions = [Decision.from_json(line) for line in lines]
    asked = [decision for decision in decisions if copies.asks_people(decision)]
    by_kind = _by_kind(asked, open_images, seen.usable, rounds.label_rule(pinned))
    planned = jobs.plan(files, number, by_kind, pinned["model"])
    counts = {name: sum(decision.decision == name for decision in decisions) for name in DECISIONS}
    count("AutoAccepted", counts["auto"])
    count("SentToHuman", len(asked))
    count("AuditsRequested", sum(decision.audit for decision in decisions))
    count("PredictionsRefused", len(seen.refused))
    if seen.refused and not seen.usable:
        count("InferenceGaveNothing")
        logger.error("no answer of the model could be used", first=next(iter(seen.refused.values())))
    logger.info("batch judged", round=number, extra=counts)
    return {**counts, "jobs": planned}


def _decide(
    files: Files, number: int, pinned: Mapping[str, Any], open_images: Mapping[str, Image], seen: Seen
) -> list[Decision]:
    """What becomes of each open image, in the order of their references: judged, or the same as becomes of the image
    whose bytes it has.
    """
    moved = {image.source_ref for image in pinned_bytes.changed(list(open_images.values()))}
    outage = (storage.find_json(files.inference(number)) or {}).get("outage", "") if pinned["model"] else ""
    known = copies.among(copies.of_round(files, number), open_images.values())
    candidates = [
        _candidate(image, seen, bool(outage), reference in moved)
        for reference, image in open_images.items()
        if image.item.key not in known
    ]
    rule, label_rule = rounds.rule(pinned), rounds.label_rule(pinned)
    rule, contradicted = auditing.standing(files, number, pinned["model"], rule)
    if not contradicted:
        candidates = judge_function.with_verdicts(files, number, candidates, rule, label_rule)
    judged = judgement.judge(candidates, rule, settings().human_budget, number, label_rule)
    judged = auditing.explained(judged) if contradicted else auditing.draw(files, number, judged, open_images)
    return copies.decide(judged, known, open_images, moved, number)


def _candidate(image: Image, seen: Seen, outage: bool, changed: bool) -> Candidate:
    item, reference = image.item, image.source_ref
    prediction, refused = seen.usable.get(reference), seen.refused.get(reference, "")
    waits = outage and prediction is None and not refused
    if changed:
        prediction, refused, waits = None, "", True
    return Candidate(
        reference, item.draw, item.sampled, item.inclusion_probability, prediction, refused, waits, changed
    )


def _by_kind(
    asked: list[Decision], open_images: dict[str, Image], predictions: dict[str, Prediction], label_rule: LabelRule
) -> dict[str, list[dict[str, Any]]]:
    """Labelling-job input lines by the kind of job they go into."""
    lines: dict[str, list[dict[str, Any]]] = {kind: [] for kind in JOB_KINDS}
    for decision in asked:
        prediction = predictions.get(decision.source_ref)
        kind = judgement.job_kind(prediction, decision.score, settings().verify_score)
        lines[kind].append(_line(open_images[decision.source_ref], prediction, label_rule))
    return lines


def _line(image: Image, prediction: Prediction | None, label_rule: LabelRule) -> dict[str, Any]:
    """A labelling-job input line; what the model saw is proposed under another attribute than the answer's."""
    knobs, inspection = settings(), image.inspection
    assert inspection is not None and inspection.width is not None and inspection.height is not None  # readable
    seen = prediction is not None and prediction.status == "ok"
    return tasks.of(knobs.task).propose(
        image.source_ref,
        inspection.width,
        inspection.height,
        judgement.machine_label(prediction, label_rule) if prediction and seen else None,
        knobs.label_names,
        prediction.model if prediction else "",
        inspection.original_ref,
    )
