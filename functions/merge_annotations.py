"""Merge Annotations: a round's human and machine labels become part of a new immutable dataset version."""

from typing import Any

from labelloop.batch import auditing, batches, forecasts, merging, rounds
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.store import datasets, immutable, ledger, training_lock
from labelloop.store.observability import count, entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    knobs, files, number = settings(), Files(event["batch_id"]), int(event["round"])
    ledger.check_owner(files.batch_id, event.get("execution", ""))
    everything = batches.images(files.batch_id, number)
    before = batches.outcomes(files.batch_id, everything, number - 1)
    open_before = sum(outcome == "deferred" for outcome in before.values())
    added = immutable.find_text_lines(files.round_annotations(number)) or immutable.create_text_lines(
        files.round_annotations(number), merging.lines(files, number, everything)
    )
    counts = batches.check_conservation(files.batch_id, everything, number)
    auditing.tell(files, number)
    version = (
        datasets.publish(added, {"batch": files.batch_id, "round": number}) if added else datasets.current_version()
    )
    done = ledger.rounds_done(files.batch_id)
    # A resumed batch gets as many rounds again. Labels that were supplied are imported again, and say nothing.
    progress = counts["deferred"] < open_before or number == 0
    another = counts["deferred"] > 0 and progress and number < done + knobs.max_rounds
    # What could accept nothing more in this batch is trained after it, for the next.
    due = _time_to_retrain(version) and (not another or rounds.may_accept(files, number))
    why_not = forecasts.why_no_second_training(files, len(everything), counts["auto"]) if due else ""
    retrain = due and not why_not
    count("ImagesDeferred", counts["deferred"])
    logger.info(
        "annotations merged",
        round=number,
        dataset=version,
        retrain=retrain,
        why_not=why_not,
        another_round=another,
        extra=counts,
    )
    return {
        **counts,
        "dataset_version": version,
        "retrain": retrain,
        "why_no_training": why_not,
        "another_round": another,
        "next_round": max(number, done) + 1,
    }


def _time_to_retrain(version: str) -> bool:
    if not version:
        return False
    card = immutable.read_json(f"datasets/{version}/card.json")
    return bool(card["train"] - training_lock.labels_at_last_training() >= settings().retrain_minimum)
