"""Moves a small batch through its rounds, handler by handler."""

import people
from handling import handle
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import storage


def refs(batch_id: str) -> list[str]:
    return [image.source_ref for image in batches.images(batch_id)]


def run_round(batch_id: str, number: int, answered: int | None = None) -> dict:
    """Begin, judge, people answer (all of those asked, or the first few), collect, merge."""
    handle("begin_round", batch_id=batch_id, round=number)
    handle("judge_batch", batch_id=batch_id, round=number)
    decisions = batches.round_decisions(batch_id, number)
    asked = [decision.source_ref for decision in decisions if decision.decision == "human"][:answered]
    people.answer_round(batch_id, number, lambda line: people.boxes() if line["source-ref"] in asked else None)
    return merge(batch_id, number)


def collect(batch_id: str, number: int) -> None:
    """What people answered in every job of the round is taken in."""
    for index, _ in enumerate(jobs.of_round(Files(batch_id), number), start=1):
        handle("collect_labels", batch_id=batch_id, round=number, job=index)


def merge(batch_id: str, number: int) -> dict:
    collect(batch_id, number)
    return handle("merge_annotations", batch_id=batch_id, round=number)


def asked_in(batch_id: str, number: int) -> list[dict]:
    """The input lines of the round's jobs."""
    found = jobs.of_round(Files(batch_id), number)
    return [line for job in found for line in storage.read_lines(storage.own_key(job.manifest_uri))]


def inspect_shards(state: dict, start: int, stop: int | None = None) -> None:
    for item in storage.read_lines(state["batch"]["inspect_key"])[start:stop]:
        handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
