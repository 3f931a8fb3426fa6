"""People look at a sample of the accepted labels before these are published; a promise that they contradict falls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from labelloop.contracts.label_rules import LabelRule
from loop import Loop, Run, running_loop
from served import given_model
from small_rounds import ADVANCED

from tests.support.pictures import pictures

COUNT = 40
AUDITED = 10


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    advanced = {**ADVANCED, "AuditMinimum": AUDITED, "DoubleLabelRate": 0.25}
    given = {"AcceptPolicy": "fixed", "AcceptThreshold": "0", "HumanBudget": "100", "AuditRate": "0.02"}
    parameters = {**given, "RetrainMinimum": "1000", "AdvancedSettings": json.dumps(advanced)}
    with (
        running_loop(tmp_path_factory.mktemp("audited"), parameters) as loop,
        loop.settings("RegisterBatch", STARTING_MODEL=given_model(loop)),
    ):
        yield loop


def drawn(loop: Loop, run: Run) -> set[str]:
    return {each["source-ref"] for each in loop.decisions(run.batch, 1) if each.get("audit")}


def labels(loop: Loop, run: Run) -> dict[str, dict[str, Any]]:
    return {line["source-ref"]: line for line in loop.manifest(run.batch)}


def test_what_people_leave_stays_the_machines_and_two_of_them_agree(audited: Loop) -> None:
    run = audited.label("left", pictures(COUNT, seed="left"))
    audited.assert_sound(run)
    assert audited.rounds(run.batch) == [1] and len(drawn(audited, run)) == AUDITED
    asked = {line["source-ref"] for line in audited.asked(run.batch, 1)}
    assert drawn(audited, run) < asked and len(asked) == len(audited.asked(run.batch, 1))
    found = labels(audited, run)
    for reference in drawn(audited, run):
        assert found[reference]["boxes-metadata"]["human-annotated"] == "no"
        assert found[reference]["provenance"]["audit"]["verdict"] == "confirmed"
    jobs = audited.jobs(run.batch, 1)
    assert {job.get("workers", 1) for job in jobs} == {1, 2}
    summary = audited.summary(run.batch)
    row = summary["rounds"][0]
    assert (row["audited"], row["corrected"], row["contradicted"]) == (AUDITED, 0, False)
    twice = sum(job["objects"] for job in jobs if job.get("workers") == 2)
    assert summary["people_agreement"] == {"images": twice, "quality": 1.0}
    assert "people agree with one another at 1.00" in summary["audit"][0]["sentence"]
    assert summary["auto"] == COUNT - len(asked) + AUDITED


def test_a_correction_is_the_label_of_people_and_trains(audited: Loop) -> None:
    audited.control("PUT", "annotators", {"jitter_px": 2})
    run = audited.label("corrected", pictures(COUNT, seed="corrected"))
    audited.control("PUT", "annotators", {})
    audited.assert_sound(run)
    found = labels(audited, run)
    corrected = {ref for ref in drawn(audited, run) if found[ref]["boxes-metadata"]["human-annotated"] == "yes"}
    assert corrected and all(found[ref]["provenance"]["role"] == "train" for ref in corrected)
    summary = audited.summary(run.batch)
    assert summary["rounds"][0]["corrected"] == len(corrected)
    (row,) = summary["audit"]
    assert row["low"] <= row["mean_iou"] < 1 and not row["contradicted"], "this policy promises nothing"


def test_a_round_whose_labels_miss_the_target_accepts_nothing_and_all_its_images_come_to_people(audited: Loop) -> None:
    """People see what the model does not: to them its labels are about half as good as the target."""
    fitted = {"policy": "target-quality", "target": 0.9, "accept": 0.0, "images": 30, "accepted": 30, "mean_quality": 1}
    _promise(audited, fitted)
    audited.control("PUT", "annotators", {"jitter_px": 12})
    with audited.settings(
        "BeginRound", "JudgeBatch", "MergeAnnotations", "ReportBatch", ACCEPT_POLICY="target-quality"
    ):
        run = audited.label("contradicted", pictures(COUNT, seed="contradicted"))
    audited.control("PUT", "annotators", {})
    audited.assert_sound(run)
    summary = audited.summary(run.batch)
    assert audited.rounds(run.batch) == [1, 2]
    assert (summary["auto"], summary["human"], summary["deferred"]) == (0, COUNT, 0)
    assert [row["contradicted"] for row in summary["rounds"]] == [True, False]
    assert summary["rounds"][0]["deferred"] > 0
    again = audited.decisions(run.batch, 2)
    assert {each["decision"] for each in again} == {"human"}
    assert all("audit-contradicted" in each["reasons"] for each in again)
    assert "contradicted: nothing of this round was accepted" in summary["audit"][0]["sentence"]
    assert "contradicts the promise" in audited.get(f"batches/{run.batch}/report.html").decode()


def _promise(loop: Loop, fitted: dict[str, Any]) -> None:
    """The champion's thresholds promise this, as a training would have fitted them."""
    champion = loop.champion()
    assert champion is not None
    key = f"models/{champion['version']}/thresholds/promised.json"
    record = {"model": champion["version"], "dataset": "none", "label_rule": LabelRule(0.25).to_json(), **fitted}
    loop.put(key, json.dumps({**record, "scored": [[0.5 + number / 100, 1.0] for number in range(30)]}).encode())
    changed = {**champion, "thresholds_uri": f"s3://{loop.bucket}/{key}"}
    loop.put("models/champion", json.dumps(changed).encode())
