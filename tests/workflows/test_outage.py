"""The champion's endpoint dies in the middle of a batch: the round ends soon, nothing is lost, a resume finishes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loop import Loop
from served import serving

from tests.support.pictures import pictures

COUNT = 10  # two requests


@pytest.fixture(scope="module")
def loop(deployed: Loop) -> Iterator[Loop]:
    with serving(deployed) as served, served.settings("RegisterBatch", SAMPLE_RATE="0", SAMPLE_MINIMUM="0"):
        yield served
        served.faults()


@pytest.mark.fault("C04", "C17", "E01")
def test_an_endpoint_that_dies_midway_ends_the_round_soon_and_a_resume_labels_the_rest(loop: Loop) -> None:
    with loop.settings("RequestInference", INFERENCE_CONCURRENCY="1"):
        loop.faults(outage=True, healthy_invocations=1)
        run = loop.label("dies midway", pictures(COUNT, seed="dies"))  # within the deadline, far below the timeouts
    assert run.status == "SUCCEEDED", run.cause
    loop.assert_conserved(run)
    summary = loop.summary(run.batch)
    assert summary["human"] == 0 and summary["auto"] + summary["deferred"] == COUNT
    assert 0 < summary["auto"] < COUNT, "some were answered, the others wait"
    assert "Request Labels" not in run.states, "nobody is asked instead"
    first, *others = summary["rounds"]
    assert f"no prediction for {summary['deferred']} of {COUNT} images" in first["outage"]
    assert len(others) <= 1, "a round in vain is the last one"
    reasons = {tuple(each["reasons"]) for each in loop.decisions(run.batch, 1) if each["decision"] == "deferred"}
    assert reasons == {("inference-gave-nothing",)}

    loop.faults()
    resumed = loop.wait(loop.start("dies midway", resume=True))
    loop.assert_sound(resumed)
    summary = loop.summary(run.batch)
    assert (summary["auto"], summary["deferred"]) == (COUNT, 0)
    assert summary["rounds"][-1]["inferred"] == COUNT - first["auto"], "only what was missing"


@pytest.mark.fault("C17")
def test_an_endpoint_that_is_gone_is_told_at_once(loop: Loop) -> None:
    champion = loop.champion()
    assert champion is not None
    loop.client("sagemaker").delete_endpoint(EndpointName=champion["endpoint"])
    run = loop.label("endpoint gone", pictures(6, seed="gone"))
    loop.assert_sound(run)
    assert "Infer Shards" not in run.states and loop.summary(run.batch)["deferred"] == 6
    assert "does not exist" in loop.summary(run.batch)["rounds"][0]["outage"]
