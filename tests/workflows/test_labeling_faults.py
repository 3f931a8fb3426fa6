"""Labelling jobs that do not answer everything: what was answered is kept, the rest is asked again or reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from loop import Loop, Run

from tests.support.pictures import pictures

COUNT = 8


@pytest.fixture(autouse=True)
def no_training(loop: Loop) -> Iterator[None]:
    """A model would label what people left out."""
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        yield


@pytest.mark.fault("F01")
def test_a_labelling_job_that_failed_is_reported_and_a_resumed_batch_asks_again(loop: Loop) -> None:
    """F01: the images go back into the queue; the reason is shown."""
    loop.faults(fail_labeling=["Failed"])
    run = loop.label("failed job", pictures(COUNT))
    loop.assert_sound(run)
    assert loop.summary(run.batch)["deferred"] == COUNT and rounds(loop, run) == [(COUNT, 0)]
    assert run.output["labels"]["status"] == "Failed"
    (job,) = loop.summary(run.batch)["jobs"]
    assert job["reason"] == "ClientError: injected fault" and job["reason"] in page(loop, run)

    resumed = loop.wait(loop.start("failed job", resume=True))
    loop.assert_sound(resumed)
    assert loop.summary(run.batch)["human"] == COUNT


@pytest.mark.fault("F02")
def test_what_a_stopped_labelling_job_had_answered_is_kept_and_the_rest_is_asked_again(loop: Loop) -> None:
    """F02: a manager stopped it."""
    loop.faults(fail_labeling=["Stopped"])
    run = loop.label("stopped job", pictures(COUNT))
    loop.assert_sound(run)
    assert rounds(loop, run) == [(COUNT, COUNT // 2), (COUNT // 2, COUNT // 2)]
    assert_asked_again(loop, run)


@pytest.mark.fault("F04", "F05")
def test_objects_that_failed_in_a_completed_labelling_job_are_asked_again(loop: Loop) -> None:
    """F04, F12: FailedNonRetryableError above 0."""
    loop.faults(fail_labeling=[{"objects": 3}, {"objects": 1}])
    run = loop.label("failed objects", pictures(COUNT))
    loop.assert_sound(run)
    assert rounds(loop, run) == [(COUNT, COUNT - 3), (3, 2), (1, 1)]
    assert_asked_again(loop, run)


def test_an_object_that_nobody_can_label_is_reported_as_deferred(loop: Loop) -> None:
    """F05: nobody knows the truth about it, so every annotator declines, and its task expires."""
    loop.upload("unknown", pictures(COUNT))
    loop.put("incoming/unknown/stranger.png", pictures(1, seed="stranger")[0].body)
    loop.mark("unknown", {})
    run = loop.wait("unknown")
    loop.assert_sound(run)
    summary = loop.summary(run.batch)
    assert (summary["human"], summary["deferred"]) == (COUNT, 1)
    assert loop.outcomes(run.batch)["incoming/unknown/stranger.png"] == ["deferred"]


@pytest.mark.fault("F03", "F24")
def test_a_completed_job_that_labelled_nothing_says_so_and_a_resumed_batch_asks_again(loop: Loop) -> None:
    """F03, F24: the pre-annotation function fails for every object, with a reason, and nobody is shown anything."""
    with loop.settings_of("PreAnnotate", DATA_BUCKET="another-bucket"):
        run = loop.label("no task", pictures(COUNT))
    loop.assert_sound(run)
    assert rounds(loop, run) == [(COUNT, 0)] and loop.summary(run.batch)["deferred"] == COUNT
    (job,) = loop.summary(run.batch)["jobs"]
    assert (job["status"], job["reason"]) == ("Completed", "nobody labelled within the window")
    assert job["reason"] in page(loop, run)
    assert "The pre-annotation function failed" in job["problems"][0]

    resumed = loop.wait(loop.start("no task", resume=True))
    loop.assert_sound(resumed)
    assert loop.summary(run.batch)["human"] == COUNT


@pytest.mark.fault("F07")
def test_the_limit_of_labelling_jobs_is_waited_for(loop: Loop) -> None:
    """F07: a state of the machine says what it waits for."""
    loop.faults(refuse_labeling=["ResourceLimitExceeded"])
    run = loop.label("limited", pictures(COUNT))
    loop.assert_sound(run)
    start = run.states.index("Request Labels")
    assert run.states[start : start + 3] == ("Request Labels", "Wait For Labeling Quota", "Request Labels")
    assert rounds(loop, run) == [(COUNT, COUNT)] and len(loop.control("GET", "state")["labeling_jobs"]) == 1


def test_a_request_that_failed_halfway_is_made_again_and_makes_no_second_job(loop: Loop) -> None:
    """F08: ThrottlingException is retried by the state; the job's name makes the request idempotent."""
    loop.faults(refuse_labeling=["ThrottlingException"] * 6)  # boto3 itself tries five times
    run = loop.label("throttled", pictures(COUNT))
    loop.assert_sound(run)
    assert run.states.count("Request Labels") == 1 and len(loop.control("GET", "state")["labeling_jobs"]) == 1


@pytest.mark.fault("F09", "F10")
def test_a_lost_event_is_made_up_for_by_the_reconciler_and_a_repeated_one_changes_nothing(loop: Loop) -> None:
    """F09, F10"""
    loop.faults(drop_events=["SageMaker Ground Truth Labeling Job State Change"])
    loop.upload("unheard", pictures(COUNT), marker={})
    arn = loop.started("unheard")
    loop.reach(arn, "Request Labels")
    loop.eventually(lambda: [job["status"] for job in labeling_jobs(loop)] == ["Completed"], 60)
    assert loop.run(arn).states[-1] == "Request Labels"
    assert loop.invoke("Reconcile")["answered"] == 1
    run = loop.wait(arn)
    loop.assert_sound(run)
    (name,) = loop.control("GET", "state")["labeling_jobs"]
    before = loop.dataset()
    for _ in range(3):
        job = f"arn:aws:sagemaker:us-east-1:000000000000:labeling-job/{name}"
        event = {"detail-type": "SageMaker Ground Truth Labeling Job State Change", "resources": [job]}
        assert loop.invoke("CompleteWork", event) == {"labeling": name}
    assert loop.status(arn) == "SUCCEEDED" and loop.dataset() == before


@pytest.mark.fault("D06", "D08")
def test_a_labelling_job_out_of_time_is_stopped_and_its_answers_are_kept(loop: Loop) -> None:
    """F06: long before Ground Truth would let it expire after 30 days."""
    loop.faults(hold_labeling=True, answers_before_hold=5)  # of each job: enough for the second
    # Both jobs have it, and neither may need as long for its answers, whatever runs beside it.
    with loop.settings("RegisterBatch", LABELING_TIMEOUT_SECONDS="20"):
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


def labeling_jobs(loop: Loop) -> list[dict[str, Any]]:
    return list(loop.control("GET", "state")["labeling_jobs"].values())


def page(loop: Loop, run: Run) -> str:
    return loop.get(f"batches/{run.batch}/report.html").decode()


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
