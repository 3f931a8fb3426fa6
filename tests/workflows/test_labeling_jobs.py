"""The labelling jobs of a round: split, verified and then adjusted, with honeypots; and key points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from given_model import starting_model
from loop import Loop

from demo.annotators import worker_names
from tests.support.pictures import KEY_POINTS, Picture, pictures

EVERY_FUNCTION = (
    *("RegisterBatch", "ImportLabels", "BeginRound", "JudgeBatch", "RequestLabels", "CollectLabels"),
    *("MergeAnnotations", "ReportBatch", "PreAnnotate", "Consolidate"),
)
NAMES = ",".join(KEY_POINTS)


@pytest.fixture(autouse=True)
def no_training(loop: Loop) -> Iterator[None]:
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        yield


def test_more_images_than_a_job_may_hold_are_split_and_labelled_job_after_job(loop: Loop) -> None:
    with loop.settings("JudgeBatch", OBJECTS_PER_JOB="3"):
        run = loop.label("split", pictures(8))
    loop.assert_sound(run)
    assert loop.summary(run.batch)["human"] == 8 and loop.rounds(run.batch) == [1]
    assert [(job["kind"], job["objects"]) for job in loop.jobs(run.batch, 1)] == [("annotate", n) for n in (2, 3, 3)]
    labelling = ("Request Labels", "Collect Labels", "More Labels?")
    start = run.states.index("First Job") + 1
    assert run.states[start : start + 10] == (*labelling * 3, "Merge Annotations")
    asked = [line["source-ref"] for line in loop.asked(run.batch, 1)]
    assert sorted(set(asked)) == sorted(asked) and len(asked) == 8


def test_a_restart_takes_the_jobs_that_ended_as_they_are_and_waits_for_the_one_that_runs(loop: Loop) -> None:
    loop.faults(hold_labeling=True, answers_before_hold=4)  # all of the first job, four of five of the second
    with loop.settings("JudgeBatch", OBJECTS_PER_JOB="5"):
        loop.upload("interrupted", pictures(9), marker={})
        arn = loop.started("interrupted")
        loop.eventually(lambda: loop.run(arn).states.count("Request Labels") == 2 or None, 120)
        loop.reach(arn, "Request Labels")
        loop.abort(arn)
        restarted = loop.start("interrupted")
        loop.eventually(lambda: loop.run(restarted).states.count("Request Labels") == 2 or None, 120)
        loop.faults()
        run = loop.wait(restarted)
    loop.assert_sound(run)
    jobs = loop.control("GET", "state")["labeling_jobs"]
    assert [(job["status"], job["objects"]) for job in jobs.values()] == [("Completed", 4), ("Completed", 5)]
    assert loop.summary(run.batch)["human"] == 9 and loop.rounds(run.batch) == [1]


def test_sure_labels_are_verified_and_what_people_reject_is_adjusted_in_the_same_round(loop: Loop) -> None:
    """The model errs, and is the less sure the more it does: it is right, unsure, or a little too sure."""
    drawn = pictures(16, seed="verified")
    loop.control("PUT", "annotators", {"accept_quality": 0.9})
    model = starting_model(loop, learned=4)
    with (
        loop.settings("RegisterBatch", STARTING_MODEL=model),
        loop.settings("JudgeBatch", HUMAN_BUDGET="100", VERIFY_SCORE="0.8"),
    ):
        run = loop.label("verified", drawn)
    loop.assert_sound(run)
    assert loop.rounds(run.batch) == [1] and loop.summary(run.batch)["human"] == 16
    jobs = loop.jobs(run.batch, 1)
    assert [job["kind"] for job in jobs] == ["adjust", "verify", "adjust"]
    assert run.states.count("Request Labels") == 3
    verified, again = loop.lines(jobs[1]["manifest_uri"].split("/", 3)[3]), jobs[2]["objects"]
    assert 0 < again < len(verified)

    lines = {line["source-ref"]: line for line in loop.manifest(run.batch)}
    accepted = [line for line in lines.values() if line["provenance"]["job-kind"] == "verify"]
    assert len(accepted) == len(verified) - again
    proposed = {line["source-ref"]: line["proposed-boxes"]["annotations"] for line in verified}
    for line in accepted:
        assert line["boxes"]["annotations"] == proposed[line["source-ref"]]
        assert line["boxes-metadata"]["human-annotated"] == "yes"
        assert line["boxes-metadata"]["adjustment-status"] == "unadjusted"
    for line in lines.values():
        if line["provenance"]["job-kind"] == "adjust":
            assert edges(line) == truth_of(drawn, line)
    changed = [line["boxes-metadata"] for line in lines.values() if line["provenance"]["job-kind"] == "adjust"]
    assert {each["adjustment-status"] for each in changed} >= {"adjusted"}
    assert all(each["adjustments"]["moved"] for each in changed if each["adjustment-status"] == "adjusted")


@pytest.mark.fault("F22")
def test_a_bad_worker_is_found_by_honeypots_outvoted_and_reported(loop: Loop) -> None:
    """F22: a worker who draws at random."""
    older = pictures(24, seed="judge")
    with loop.settings("JudgeBatch", HUMAN_BUDGET="100"):
        loop.assert_sound(loop.label(loop.well_mixed("judge", older), older))
    judge = {line["source-ref"] for line in loop.dataset() if line["provenance"]["role"] == "judge"}
    assert len(judge) >= 3
    before = {line["source-ref"]: line for line in loop.dataset()}

    drawn = pictures(8, seed="watched")
    loop.control("PUT", "annotators", {"workers": {"2": "adversarial"}})
    with (
        loop.settings("JudgeBatch", HONEYPOT_RATE="0.5", OBJECTS_PER_JOB="6"),
        loop.settings("RequestLabels", WORKERS_PER_OBJECT="3"),
        loop.settings("CollectLabels", WORKERS_PER_OBJECT="3"),
    ):
        run = loop.label("watched", drawn)
    loop.assert_sound(run)
    jobs = loop.jobs(run.batch, 1)
    assert [(job["objects"], job["honeypots"]) for job in jobs] == [(4, 2), (4, 2)]
    asked = loop.asked(run.batch, 1)
    assert len([line for line in asked if line["source-ref"] in judge]) == 4
    assert len({frozenset(line) for line in asked}) == 1, "no line tells that it is a honeypot"
    assert loop.summary(run.batch)["human"] == len(loop.manifest(run.batch)) == 8
    for line in loop.manifest(run.batch):
        assert edges(line) == truth_of(drawn, line)
        assert line["provenance"]["workers"] == 3 and line["provenance"]["agreement"] < 1
    assert before.items() <= {line["source-ref"]: line for line in loop.dataset()}.items(), "judge is left alone"

    bad = worker_names(3)[2]
    workers = {row["worker"]: row for row in loop.summary(run.batch)["workers"]}
    assert {name: row["flagged"] for name, row in workers.items()} == {name: name == bad for name in worker_names(3)}
    assert all(row["honeypots"] == 4 and row["answers"] == 12 for row in workers.values())
    assert workers[bad]["agreement"] < 0.5 < workers[worker_names(3)[0]]["agreement"]
    page = loop.get(f"batches/{run.batch}/report.html").decode()
    assert bad in page and "below the bound" in page
    row = loop.ledger(f"worker#{bad}")
    assert (int(row["honeypots"]), len(row["jobs"])) == (4, 2)


def test_key_points_are_labelled_by_people_round_by_round_to_the_merged_manifest(loop: Loop) -> None:
    drawn = pictures(8, seed="points")
    changed = {"TASK": "key-points", "KEY_POINTS": NAMES, "HUMAN_BUDGET": "5", "RETRAIN_MINIMUM": "1000"}
    changed |= {"SAMPLE_MINIMUM": "1"}
    with loop.settings(*EVERY_FUNCTION, **changed):
        run = loop.label("points", drawn)
    loop.assert_sound(run)
    summary = loop.summary(run.batch)
    assert (summary["human"], summary["auto"], [row["human"] for row in summary["rounds"]]) == (8, 0, [5, 3])
    assert "Infer Shards" not in run.states and "Train Model" not in run.states
    for line in loop.manifest(run.batch):
        told = {point["name"]: point for point in known(drawn, line).key_points}
        names = line["key-points-metadata"]["class-map"]
        assert list(names.values()) == list(KEY_POINTS) and line["key-points-metadata"]["human-annotated"] == "yes"
        for point in line["key-points"]["annotations"]:
            there = told[names[str(point["class_id"])]]
            assert point["visibility"] == there["visibility"]
            if point["visibility"] != "outside":
                assert abs(point["x"] - there["x"]) <= 1 and abs(point["y"] - there["y"]) <= 1


def known(drawn: list[Picture], line: dict[str, Any]) -> Picture:
    return next(each for each in drawn if line["source-ref"].endswith("/" + each.name))


def edges(line: dict[str, Any]) -> list[tuple[int, ...]]:
    boxes = line["boxes"]["annotations"]
    return sorted(tuple(int(box[side]) for side in ("left", "top", "width", "height")) for box in boxes)


def truth_of(drawn: list[Picture], line: dict[str, Any]) -> list[tuple[int, ...]]:
    boxes = known(drawn, line).boxes
    return sorted(tuple(int(box[side]) for side in ("left", "top", "width", "height")) for box in boxes)
