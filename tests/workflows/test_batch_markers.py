"""What a marker starts, how often, and for which objects. Batches of three pictures: people label them in one round."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from loop import Loop

from tests.support.pictures import pictures

DELIVERIES = 10


@pytest.mark.fault("A01")
def test_a_marker_delivered_ten_times_starts_one_effective_execution(loop: Loop) -> None:
    loop.upload("tenfold", pictures(3), marker={})
    with ThreadPoolExecutor(DELIVERIES) as pool:
        list(pool.map(lambda _: loop.start("tenfold"), range(DELIVERIES - 1)))
    loop.started("tenfold", DELIVERIES)
    runs = [loop.wait(arn) for arn in loop.executions("tenfold")]

    ends = sorted(run.states[-1] for run in runs)
    assert ends.count("Batch Labeled") == 1 and len(ends) == DELIVERIES
    assert set(ends) <= {"Batch Labeled", "Batch Already Owned", "Batch Already Labeled"}
    effective = next(run for run in runs if run.states[-1] == "Batch Labeled")
    loop.assert_sound(effective)
    assert loop.summary(effective.batch)["human"] == 3
    idle = [run for run in runs if run is not effective]
    assert all(run.status == "SUCCEEDED" and "Inspect Shards" not in run.states for run in idle)
    assert list(loop.control("GET", "state")["labeling_jobs"]) == [f"labelloop-{effective.batch}-r1a1"]


def test_a_marker_with_a_wrong_count_fails_with_a_sentence_and_a_corrected_one_works(loop: Loop) -> None:
    failed = loop.label("miscounted", pictures(3), {"count": 5})
    assert failed.status == "FAILED" and failed.states[-2:] == ("Record Failure", "Batch Failed")
    sentence = (
        "the marker announces 5 images, 3 are there: upload the rest, then put incoming/miscounted/_READY.json again"
    )
    assert sentence in failed.cause
    row = loop.ledger(f"batch#{failed.batch}")
    assert (row["status"], sentence in row["cause"]) == ("failed", True)
    assert loop.keys(f"batches/{failed.batch}/") == [f"batches/{failed.batch}/settings.json"]

    loop.mark("miscounted", {"count": 3})
    run = loop.wait("miscounted", number=2)
    loop.assert_sound(run)
    assert loop.summary(run.batch)["images"] == 3


@pytest.mark.fault("A07")
@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("ready", "expected an object or a list of names, found str"),
        ({"counts": 3}, "unknown field 'counts'; known are attribute, count, images, labels"),
        (["00000.png", "not-here.png"], "1 of 2 announced images are missing, first 'not-here.png'"),
    ],
)
def test_a_marker_that_says_nothing_sensible_fails_with_a_sentence(loop: Loop, marker: object, sentence: str) -> None:
    prefix = f"nonsense {len(sentence)}"
    run = loop.label(prefix, pictures(1), marker)
    assert run.status == "FAILED" and run.error == "InvalidInputError"
    assert sentence in json.loads(run.cause)["errorMessage"]
    assert not [key for key in loop.keys(f"batches/{run.batch}/") if not key.endswith("settings.json")]

    loop.mark(prefix, {})
    corrected = loop.wait(prefix, number=2)
    loop.assert_sound(corrected)
    assert loop.summary(corrected.batch)["images"] == 1


def test_a_marker_with_a_list_of_names_labels_these_objects_only(loop: Loop) -> None:
    drawn = pictures(4)
    run = loop.label("listed", drawn, [drawn[2].name, drawn[0].name])
    loop.assert_sound(run)
    assert [item["key"] for item in loop.inventory(run.batch)] == [f"incoming/listed/{drawn[n].name}" for n in (0, 2)]


@pytest.mark.fault("A08")
def test_a_new_marker_version_of_a_finished_batch_processes_only_new_objects(loop: Loop) -> None:
    first = loop.label("growing", pictures(3))
    loop.assert_sound(first)
    before = loop.get(f"batches/{first.batch}/annotations.manifest")
    replaced = pictures(1, seed="another picture under an old name")[0]
    second = loop.label("growing", [*pictures(2, first=3), replaced])

    loop.assert_sound(second)
    assert second.batch == loop.batch_id("growing", delivery=2) != first.batch
    new = ["00000.png", "00003.png", "00004.jpg"]
    assert [item["key"] for item in loop.inventory(second.batch)] == [f"incoming/growing/{name}" for name in new]
    assert loop.get(f"batches/{first.batch}/annotations.manifest") == before
    assert len(loop.dataset()) == 5


@pytest.mark.fault("A02")
def test_the_same_marker_version_of_a_finished_batch_changes_nothing(loop: Loop) -> None:
    first = loop.label("finished", pictures(3))
    loop.assert_sound(first)
    before = {key: loop.get(key) for key in (*loop.keys("batches/"), *loop.keys("datasets/"))}

    again = loop.wait(loop.start("finished"))
    assert again.status == "SUCCEEDED" and again.states[-1] == "Batch Already Labeled"
    assert {key: loop.get(key) for key in (*loop.keys("batches/"), *loop.keys("datasets/"))} == before
    loop.assert_conserved(first)


@pytest.mark.fault("A17")
def test_an_empty_prefix_is_reported_and_no_error(loop: Loop) -> None:
    run = loop.label("empty", [])
    loop.assert_sound(run)
    assert "Report Batch" in run.states and "Inspect Shards" not in run.states
    summary = loop.summary(run.batch)
    assert (summary["images"], summary["rounds"]) == (0, [])
    assert loop.keys(f"batches/{run.batch}/report.html")
