"""An execution that ends in the middle, and one started anew, come to the same labels as one that nobody disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from forgetting import forget
from loop import Loop, Run

from tests.support.pictures import pictures


@dataclass(frozen=True)
class Result:
    """Byte for byte what a batch came to, and on the way the decisions and what each round was pinned to."""

    prefix: str
    manifest: bytes
    dataset: list[dict[str, object]]
    decisions: dict[int, bytes]
    pins: dict[int, bytes]


@pytest.fixture(scope="module")
def undisturbed(deployed: Loop) -> Iterator[Result]:
    drawn = pictures(36, seed="interrupted")
    run = deployed.label(deployed.well_mixed("interrupted", drawn), drawn)
    deployed.assert_sound(run)
    assert {"Infer Shards", "Request Labels", "Train Model", "Model Promoted"} <= run.all_states
    result = result_of(deployed, run)
    assert {line["boxes-metadata"]["human-annotated"] for line in result.dataset} == {"yes", "no"}  # type: ignore[index]
    forget(deployed)
    yield result


def test_the_same_pictures_and_answers_give_the_same_bytes_again(undisturbed: Result, loop: Loop) -> None:
    run = loop.wait(loop.start(undisturbed.prefix))
    loop.assert_sound(run)
    assert result_of(loop, run) == undisturbed


@pytest.mark.fault("D09", "D12")
def test_an_execution_aborted_while_people_label_is_continued_by_the_next(undisturbed: Result, loop: Loop) -> None:
    loop.faults(hold_labeling=True)
    arn = loop.start(undisturbed.prefix)
    loop.reach(arn, "Request Labels")
    restarted = abort_and_restart(loop, arn)
    loop.faults()
    run = loop.wait(restarted)

    loop.assert_sound(run)
    assert result_of(loop, run) == undisturbed
    asked = sum(job["objects"] for job in loop.control("GET", "state")["labeling_jobs"].values())
    assert asked == loop.summary(run.batch)["human"], "what people were asked already is not asked again"


@pytest.mark.fault("D12")
def test_an_execution_aborted_while_the_model_infers_is_continued_by_the_next(undisturbed: Result, loop: Loop) -> None:
    with loop.held("inference"):
        arn = loop.start(undisturbed.prefix)
        loop.reach(arn, "Infer Shards")
        restarted = abort_and_restart(loop, arn)
        loop.reach(restarted, "Infer Shards")
    run = loop.wait(restarted)
    loop.assert_sound(run)
    assert result_of(loop, run) == undisturbed


@pytest.mark.fault("D12")
def test_an_execution_aborted_while_a_model_trains_is_continued_by_the_next(undisturbed: Result, loop: Loop) -> None:
    with loop.held("training"):
        arn = loop.start(undisturbed.prefix)
        loop.reach(arn, "Train Challenger")
        restarted = abort_and_restart(loop, arn)
        loop.eventually(lambda: training_jobs(loop)[0] == "Stopped")
    run = loop.wait(restarted)

    loop.assert_sound(run)
    assert result_of(loop, run) == undisturbed
    assert set(training_jobs(loop)[1:]) == {"Completed"}


def test_a_failed_batch_says_why_in_the_ledger_and_frees_the_training_lock(loop: Loop) -> None:
    with loop.held("training"):
        prefix = loop.well_mixed("given up", pictures(24))
        loop.upload(prefix, pictures(24), marker={})
        arn = loop.started(prefix)
        run = loop.reach(arn, "Train Challenger")
        assert loop.ledger("lock#training")["owner"] == run.trainings[-1].arn
        loop.abort(arn)
        row = loop.until_ended(run.batch)
        assert row["status"] == "failed" and "ABORTED" in row["cause"]
        loop.eventually(lambda: loop.ledger("lock#training")["owner"] == "")
    loop.assert_no_map_child_failed(run)
    again = loop.wait(loop.start(prefix))
    loop.assert_sound(again)
    assert again.batch == run.batch and loop.summary(run.batch)["images"] == 24


def training_jobs(loop: Loop) -> list[str]:
    """Their statuses, oldest first."""
    return [job["status"] for job in loop.control("GET", "state")["training_jobs"].values()]


def abort_and_restart(loop: Loop, arn: str) -> str:
    """The new execution begins before or after the failure of the old one is on record: both must do."""
    loop.abort(arn)
    assert loop.status(arn) == "ABORTED"
    return loop.start(loop.run(arn).prefix)


def result_of(loop: Loop, run: Run) -> Result:
    rounds = loop.rounds(run.batch)
    return Result(
        prefix=run.prefix,
        manifest=loop.get(f"batches/{run.batch}/annotations.manifest"),
        dataset=loop.dataset(),
        decisions={number: loop.get(f"batches/{run.batch}/decisions/{number}.jsonl") for number in rounds},
        pins={number: loop.get(f"batches/{run.batch}/rounds/{number}.json") for number in rounds},
    )
