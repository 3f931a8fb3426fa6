"""Labelling jobs that do not answer everything: what was answered is kept, the rest is asked again or reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loop import Loop, Run

from tests.support.pictures import pictures

COUNT = 8


@pytest.fixture(autouse=True)
def no_training(loop: Loop) -> Iterator[None]:
    """A model would label what people left out."""
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        yield


def test_a_labelling_job_that_failed_is_reported_and_a_resumed_batch_asks_again(loop: Loop) -> None:
    loop.faults(fail_labeling=["Failed"])
    run = loop.label("failed job", pictures(COUNT))
    loop.assert_sound(run)
    assert loop.summary(run.batch)["deferred"] == COUNT and rounds(loop, run) == [(COUNT, 0)]
    assert run.output["labels"]["status"] == "Failed"

    resumed = loop.wait(loop.start("failed job", resume=True))
    loop.assert_sound(resumed)
    assert loop.summary(run.batch)["human"] == COUNT


def test_what_a_stopped_labelling_job_had_answered_is_kept_and_the_rest_is_asked_again(loop: Loop) -> None:
    loop.faults(fail_labeling=["Stopped"])
    run = loop.label("stopped job", pictures(COUNT))
    loop.assert_sound(run)
    assert rounds(loop, run) == [(COUNT, COUNT // 2), (COUNT // 2, COUNT // 2)]
    assert_asked_again(loop, run)


def test_objects_that_failed_in_a_completed_labelling_job_are_asked_again(loop: Loop) -> None:
    loop.faults(fail_labeling=[{"objects": 3}, {"objects": 1}])
    run = loop.label("failed objects", pictures(COUNT))
    loop.assert_sound(run)
    assert rounds(loop, run) == [(COUNT, COUNT - 3), (3, 2), (1, 1)]
    assert_asked_again(loop, run)


def test_an_object_that_nobody_can_label_is_reported_as_deferred(loop: Loop) -> None:
    """Nobody knows the truth about it, so every annotator declines."""
    loop.upload("unknown", pictures(COUNT))
    loop.put("incoming/unknown/stranger.png", pictures(1, seed="stranger")[0].body)
    loop.mark("unknown", {})
    run = loop.wait("unknown")
    loop.assert_sound(run)
    summary = loop.summary(run.batch)
    assert (summary["human"], summary["deferred"]) == (COUNT, 1)
    assert loop.outcomes(run.batch)["incoming/unknown/stranger.png"] == ["deferred"]


def test_a_labelling_job_out_of_time_is_stopped_and_its_answers_are_kept(loop: Loop) -> None:
    loop.faults(hold_labeling=True, answers_before_hold=5)  # of each job: enough for the second
    with loop.settings("RegisterBatch", LABELING_TIMEOUT_SECONDS="4"):
        loop.upload("too slow", pictures(COUNT), marker={})
        run = loop.wait("too slow")
    loop.assert_sound(run)
    assert rounds(loop, run) == [(COUNT, 5), (COUNT - 5, COUNT - 5)]
    jobs = loop.control("GET", "state")["labeling_jobs"]
    assert [job["status"] for job in jobs.values()] == ["Stopped", "Completed"]
    assert run.states.count("Stop Labeling") == 1
    assert_asked_again(loop, run)


def test_several_noisy_annotators_still_give_one_label_for_each_image(loop: Loop) -> None:
    loop.control("PUT", "annotators", {"jitter_px": 1.0, "miss_rate": 0.1, "phantom_rate": 0.1, "seed": 7})
    with loop.settings("RequestLabels", WORKERS_PER_OBJECT="5"):
        run = loop.label("noisy", pictures(COUNT))
    loop.assert_sound(run)
    found = {
        line["source-ref"].rpartition("/")[2]: len(line["boxes"]["annotations"]) for line in loop.manifest(run.batch)
    }
    assert found == {each.name: len(each.boxes) for each in pictures(COUNT)}


def rounds(loop: Loop, run: Run) -> list[tuple[int, int]]:
    """(asked, answered by people) in each round"""
    return [(row["asked"], row["human"]) for row in loop.summary(run.batch)["rounds"]]


def assert_asked_again(loop: Loop, run: Run) -> None:
    """Every round asks about exactly what the rounds before left unanswered, and in the end nothing is open."""
    open_images = {decision["source-ref"] for decision in loop.decisions(run.batch, 1)}
    for number in loop.rounds(run.batch):
        asked = {each["source-ref"] for each in loop.decisions(run.batch, number) if each["decision"] == "human"}
        assert asked == open_images
        open_images -= {line["source-ref"] for line in loop.lines(f"batches/{run.batch}/annotations/{number}.manifest")}
    assert not open_images
