"""Merge Annotations: a round's human and machine labels become part of a new immutable dataset version."""

from typing import Any

from labelloop import batches, datasets, judgement, ledger, naming, sampling, storage
from labelloop.batches import Files, Image
from labelloop.errors import InvalidInputError
from labelloop.labeling import ANSWER_ATTRIBUTE
from labelloop.manifests import Annotation, Labelled, read_labeled
from labelloop.observability import count, entry, logger
from labelloop.records import Decision
from labelloop.sampling import Shares
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    knobs, files, number = settings(), Files(event["batch_id"]), int(event["round"])
    everything = batches.images(files.batch_id)
    before = batches.outcomes(files.batch_id, everything, number - 1)
    open_before = sum(outcome == "deferred" for outcome in before.values())
    added = storage.find_text_lines(files.round_annotations(number)) or storage.create_text_lines(
        files.round_annotations(number), _annotations(files, number, everything, event["output_uri"])
    )
    counts = batches.check_conservation(files.batch_id, everything, number)
    version = (
        datasets.publish(added, {"batch": files.batch_id, "round": number}) if added else datasets.current().version
    )
    retrain = _time_to_retrain(version)
    done = ledger.rounds_done(files.batch_id)
    # A resumed batch gets as many rounds again. Labels that were supplied are imported again, and say nothing.
    progress = counts["deferred"] < open_before or number == 0
    another = counts["deferred"] > 0 and progress and number < done + knobs.max_rounds
    count("ImagesDeferred", counts["deferred"])
    logger.info(
        "annotations merged", round=number, dataset=version, retrain=retrain, another_round=another, extra=counts
    )
    return {
        **counts,
        "dataset_version": version,
        "retrain": retrain,
        "another_round": another,
        "next_round": max(number, done) + 1,
    }


def _annotations(files: Files, number: int, everything: list[Image], output_uri: str) -> list[str]:
    """The manifest lines the round adds, in source-ref order. An image that was asked about and not answered stays
    open.
    """
    knobs = settings()
    by_ref = {image.source_ref: image for image in everything}
    decisions = [Decision.from_json(record) for record in storage.find_lines(files.decisions(number)) or ()]
    decided = {decision.source_ref: decision for decision in decisions}
    answers = _human_labels(output_uri, {ref for ref, decision in decided.items() if decision.decision == "human"})
    roles = ledger.fix_roles({_sha256(by_ref[ref]): _role(by_ref[ref]) for ref in answers})
    started = ledger.batch(files.batch_id)["started"]
    pinned = storage.find_json(files.round(number)) or {"model": "", "predictions_round": 0}
    predictions = batches.predictions(files.batch_id, pinned["predictions_round"]) if pinned["model"] else {}

    annotations = []
    for ref, decision in decided.items():
        image = by_ref[ref]
        assert (
            image.inspection is not None and image.inspection.width is not None and image.inspection.height is not None
        )
        provenance = {
            "batch": files.batch_id,
            "round": number,
            "sha256": image.inspection.sha256,
            "sampled": image.item.sampled,
            "inclusion-probability": image.item.inclusion_probability,
            "policy": decision.policy,
            "score": decision.score,
            "model": pinned["model"],
        }
        if ref in answers:
            label = answers[ref]
            if (label.width, label.height) != (image.inspection.width, image.inspection.height):
                logger.warning(
                    "a label was drawn on an image of another size and is asked again",
                    source_ref=ref,
                    labelled=[label.width, label.height],
                )
                continue
            boxes, human, job = label.boxes, True, naming.labeling_job(knobs.resource_prefix, files.batch_id, number)
            provenance["role"] = roles[_sha256(image)]
        elif decision.decision == "auto":
            boxes, human, job = (
                judgement.label_boxes(predictions[ref], knobs.keep_confidence),
                False,
                f"{files.batch_id}-r{number}",
            )
        else:
            continue
        annotations.append(
            Annotation(
                ref,
                image.inspection.original_ref,
                image.inspection.width,
                image.inspection.height,
                boxes,
                human,
                started,
                job,
                provenance,
            )
        )
    return [
        annotation.to_line(knobs.classes)
        for annotation in sorted(annotations, key=lambda annotation: annotation.source_ref)
    ]


def _human_labels(output_uri: str, asked: set[str]) -> dict[str, Annotation]:
    """The answers in a labelling job's output manifest; failed and unlabelled objects are left out, and counted."""
    if not output_uri:
        return {}
    answers, unanswered = {}, 0
    for line in storage.find_text_lines(storage.own_key(output_uri)):
        try:
            result = read_labeled(line, ANSWER_ATTRIBUTE, settings().classes)
        except InvalidInputError as error:
            logger.warning("an output line breaks its contract; its image is asked again", reason=str(error))
            unanswered += 1
            continue
        if isinstance(result, Labelled) and result.annotation.source_ref in asked:
            answers[result.annotation.source_ref] = result.annotation
        else:
            unanswered += 1
    if unanswered:
        count("LabelsUnanswered", unanswered)
        logger.warning("people left objects unlabelled; they are asked again or reported", unanswered=unanswered)
    return answers


def _time_to_retrain(version: str) -> bool:
    if not version:
        return False
    card = storage.read_json(f"datasets/{version}/card.json")
    return bool(card["train"] - ledger.labels_at_last_training() >= settings().retrain_minimum)


def _role(image: Image) -> str:
    knobs = settings()
    shares = Shares(knobs.train_share, knobs.calibration_share, knobs.gold_share)
    return sampling.role_of(_sha256(image), image.item.sampled, shares, knobs.seed)


def _sha256(image: Image) -> str:
    assert image.inspection is not None and image.inspection.sha256 is not None  # readable
    return image.inspection.sha256
