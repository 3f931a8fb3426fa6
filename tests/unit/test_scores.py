"""Who worked on a job, and how well: read from worker responses, noted once, and told in report, summary and notice."""

import html
from typing import Any

import boto3
import people
import pytest
from handling import handle, write_otherwise
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from labelling_rounds import end, judge_dataset, judged, lines_of, people_at_work, pinned, respond
from labelloop.contracts.layout import Files
from labelloop.contracts.records import Box
from labelloop.contracts.settings import settings
from labelloop.people import jobs, scores, worker_rows
from labelloop.people.workers import LEAST_RELIABILITY, UNKNOWN_RELIABILITY, History, WorkerScore
from labelloop.store import ledger, storage

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture(autouse=True)
def ground_truth(aws, fake_service, change_setting):
    return people_at_work(fake_service, change_setting)


# --- what came of a job


def test_a_job_in_which_nobody_answered_says_so_in_the_report(change_setting) -> None:
    """F03: Completed, but TotalLabeled is 0."""
    batch = judged(2)
    end(batch, 1, lambda line: None)
    handle("merge_annotations", batch_id=batch, round=1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    (job,) = storage.read_json(f"batches/{batch}/summary.json")["jobs"]
    assert (job["status"], job["unanswered"], job["reason"]) == ("Completed", 2, scores.NOBODY)
    assert scores.NOBODY in storage.read(f"batches/{batch}/report.html").decode()


@pytest.mark.fault("K03")
def test_answers_under_other_names_of_the_images_are_not_told_as_nobody_labelled() -> None:
    batch = judged(2)
    end(batch, 1, lambda line: {**people.boxes(), "source-ref": line["source-ref"].replace("s3://", "https://")})
    handle("merge_annotations", batch_id=batch, round=1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    (job,) = storage.read_json(f"batches/{batch}/summary.json")["jobs"]
    assert job["reason"] == "people answered about images that this job did not ask about"
    page = html.unescape(storage.read(f"batches/{batch}/report.html").decode())
    assert scores.NOBODY not in page and "2 answers are about images that their job did not ask about" in page


@pytest.mark.fault("K03")
def test_a_job_of_answers_in_vain_does_not_say_that_nobody_labelled() -> None:
    batch = judged(2)
    end(batch, 1, lambda line: people.boxes(size=(640, 480)))
    handle("merge_annotations", batch_id=batch, round=1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    (job,) = storage.read_json(f"batches/{batch}/summary.json")["jobs"]
    assert (job["labelled"], job["unanswered"], job["reason"]) == (
        *(0, 0),
        "people answered, but no answer can be used",
    )


# --- workers


def test_workers_are_scored_once_for_each_job_and_a_bad_one_is_flagged(change_setting) -> None:
    """F22: a worker who draws at random is found by honeypots, reported, and counts least."""
    change_setting("HONEYPOT_RATE", "0.5")
    change_setting("WORKERS_PER_OBJECT", "2")
    judge_dataset()
    batch = judged(6)
    (job,) = pinned(batch)
    truth = {ref: list(pot.marks) for ref, pot in jobs.honeypots_of(Files(batch), 1, job.name).items()}
    drawn = {line["source-ref"]: truth.get(line["source-ref"], list(people.DRAWN)) for line in lines_of(job)}
    respond(batch, job, {"good": drawn, "bad": {ref: [Box("bag", 40, 30, 4, 4)] for ref in drawn}})
    for _ in range(2):
        end(batch, 1, lambda line: people.boxes())
    row = boto3.resource("dynamodb").Table(settings().ledger_table).get_item(Key={"id": "worker#good"})["Item"]
    assert (row["answers"], row["honeypots"], row["jobs"]) == (9, 3, {job.name})
    told = worker_rows.reliabilities(["good", "bad", "stranger"])
    assert set(told) == {"good", "bad"} and told["bad"] == LEAST_RELIABILITY
    assert UNKNOWN_RELIABILITY < told["good"] <= 1

    handle("merge_annotations", batch_id=batch, round=1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    bad, good = storage.read_json(f"batches/{batch}/summary.json")["workers"]
    assert (bad["worker"], bad["flagged"], bad["honeypot_quality"], bad["agreement"]) == ("bad", True, 0.0, 0.0)
    assert (good["flagged"], good["honeypot_quality"], good["agreement"], good["seconds"]) == (False, 1.0, 1.0, 7.5)
    page = storage.read(f"batches/{batch}/report.html").decode()
    assert "below the bound" in page and "Who labelled" in page


def test_a_share_of_the_images_is_labelled_by_two_whose_agreement_is_told(change_setting, ground_truth) -> None:
    change_setting("DOUBLE_LABEL_RATE", "0.3")
    batch = judged(6)
    once, twice = pinned(batch)
    assert [(job.kind, job.objects, job.workers) for job in (once, twice)] == [("annotate", 4, 0), ("annotate", 2, 2)]
    assert '"workers"' not in storage.read(Files(batch).job(1, 1)).decode()
    whole, half = Box("head", 10, 10, 20, 20), Box("head", 10, 10, 20, 10)
    for job in (once, twice):
        refs = [line["source-ref"] for line in lines_of(job)]
        said = {"one": {ref: [whole] for ref in refs}}
        respond(batch, job, said | ({"other": {ref: [half] for ref in refs}} if job.workers else {}))
    for index in (1, 2):
        end(batch, index, lambda line: people.boxes())
    handle("merge_annotations", batch_id=batch, round=1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    summary = storage.read_json(f"batches/{batch}/summary.json")
    assert summary["people_agreement"] == {"images": 2, "quality": 0.5}
    assert [job.get("double-labelled") for job in summary["jobs"]] == [None, 2]
    assert "agree with one another at 0.50" in storage.read(f"batches/{batch}/report.html").decode()
    (one, other) = summary["workers"]
    assert one["agreement"] is not None and other["answers"] == 2, "two who labelled one image are compared with it"


def test_who_cannot_judge_anything_is_told_in_summary_and_report_and_flagged(change_setting) -> None:
    change_setting("HONEYPOT_RATE", "0.5")
    judge_dataset()
    batch = judged(8)
    (job,) = pinned(batch)
    refs = [line["source-ref"] for line in lines_of(job)]
    truth = {ref: list(pot.marks) for ref, pot in jobs.honeypots_of(Files(batch), 1, job.name).items()}
    good = {ref: truth.get(ref, list(people.DRAWN)) for ref in refs}
    good[refs[0]] = [Box("tail", 1, 2, 3, 4)]
    respond(batch, job, {"blind": dict.fromkeys(refs), "good": good})
    end(batch, 1, lambda line: people.boxes())
    handle("merge_annotations", batch_id=batch, round=1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    blind, other = storage.read_json(f"batches/{batch}/summary.json")["workers"]
    assert (len(truth), blind["answers"], blind["cannot_judge"], blind["refused"]) == (4, 12, 12, 0)
    assert (blind["honeypots"], blind["honeypot_quality"], blind["flagged"]) == (4, 0.0, True)
    assert (other["answers"], other["cannot_judge"], other["refused"]) == (12, 0, 1)
    page = storage.read(f"batches/{batch}/report.html").decode()
    assert "<th>cannot judge</th>" in page and "<td>blind</td><td>12</td><td>0</td><td>12</td>" in page
    assert "<th>refused</th>" in page and "<td>good</td><td>12</td><td>1</td><td>0</td>" in page


def test_the_notice_names_who_is_below_the_bound(fake_service) -> None:
    notices = fake_service("sns")
    batch = judged(1)
    job = pinned(batch)[0]
    score = WorkerScore("bad", 4, 0, 0, None, None, 4, 0.1)
    end(batch, 1, lambda line: people.boxes())
    record = storage.read_json(Files(batch).workers(1, job.name))
    write_otherwise(Files(batch).workers(1, job.name), [{**record, "workers": [score.to_json()]}])
    worker_rows.note(job.name, score)
    handle("merge_annotations", batch_id=batch, round=1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    assert "Below WorkerMinimumQuality on honeypots: bad." in notices.requests_of("publish")[-1]["Message"]


def test_a_worker_response_that_is_none_costs_only_its_own_scores() -> None:
    batch = judged(2)
    (job,) = pinned(batch)
    respond(batch, job, {"one": {line["source-ref"]: list(people.DRAWN) for line in lines_of(job)}})
    folder = f"{Files(batch).labeling(1)}/{job.name}/annotations/worker-response/iteration-2"
    for place, body in {"0/a.json": b"not json", "1/b.json": b"[]", "77/c.json": b"{}", "x/d.json": b"{}"}.items():
        storage.write(f"{folder}/{place}", body)
    end(batch, 1, lambda line: people.boxes())
    (score,) = storage.read_json(Files(batch).workers(1, job.name))["workers"]
    assert (score["worker"], score["answers"]) == ("one", 2)


def test_a_job_is_noted_once_and_its_scores_count_once() -> None:
    batch = judged(2)
    (job,) = pinned(batch)
    respond(batch, job, {"one": {line["source-ref"]: list(people.DRAWN) for line in lines_of(job)}})
    end(batch, 1, lambda line: people.boxes())
    files = Files(batch)
    first = storage.read_json(files.workers(1, job.name))
    respond(batch, job, {"another": {line["source-ref"]: [] for line in lines_of(job)}})
    end(batch, 1, lambda line: people.boxes())
    assert storage.read_json(files.workers(1, job.name)) == first
    assert [score["worker"] for score in first["workers"]] == ["one"] and first["kind"] == "annotate"
    row = boto3.resource("dynamodb").Table(settings().ledger_table).get_item(Key={"id": "worker#one"})["Item"]
    assert row["answers"] == 2


def test_a_batch_tells_the_jobs_that_ended_in_the_order_of_their_rounds(change_setting) -> None:
    change_setting("OBJECTS_PER_JOB", "2")
    batch = judged(3)
    end(batch, 1, lambda line: people.boxes())
    files = Files(batch)
    assert [record["job"] for record in scores.of_batch(files, [1, 2])] == [pinned(batch)[0].name]
    end(batch, 2, lambda line: None)
    found = scores.of_batch(files, [1, 2])
    assert [record["job"] for record in found] == [job.name for job in pinned(batch)]
    assert [record["labelled"] + record["unanswered"] for record in found] == [job.objects for job in pinned(batch)]
    assert scores.of_batch(files, []) == []


# --- over the jobs of a batch


def score(worker: str, answers: int = 1, **more: Any) -> dict[str, Any]:
    given = {"refused": 0, "cannot_judge": 0, "seconds": None, "agreement": None, "honeypots": 0, **more}
    return WorkerScore(worker, answers, **{"honeypot_quality": None, **given}).to_json()


def test_figures_of_a_worker_are_means_over_answers_and_the_time_is_the_median_of_the_jobs() -> None:
    records = [
        {"workers": [score("a", 1, seconds=4.0, agreement=1.0, honeypots=1, honeypot_quality=1.0)]},
        {"workers": [score("b", 7), score("a", 3, refused=1, seconds=8.0, agreement=0.5)]},
        {"workers": [score("a", 4, cannot_judge=2, seconds=90.0, honeypots=3, honeypot_quality=-1.0)]},
    ]
    a, b = scores.by_worker(records, {"a": History(100, 0.9)})
    assert a == {
        "worker": "a", "answers": 8, "refused": 1, "cannot_judge": 2, "seconds": 8.0, "agreement": 0.625,
        "honeypots": 4, "honeypot_quality": -0.5, "flagged": False,
    }  # fmt: skip
    assert (b["answers"], b["seconds"], b["agreement"], b["honeypot_quality"]) == (7, None, None, None)
    assert not b["flagged"], "nobody is flagged before the first honeypot"
    assert scores.by_worker(records, {"a": History(100, -0.5)})[0]["flagged"], "by all honeypots ever seen"


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), unique_by=lambda one: one[0])))
@settings_of_hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_worker_has_one_row_and_no_answer_is_lost(worked) -> None:
    records = [{"workers": [score(worker, answers) for worker, answers in job]} for job in worked]
    rows = scores.by_worker(records, {})
    names = [row["worker"] for row in rows]
    assert names == sorted({worker for job in worked for worker, _ in job})
    assert sum(row["answers"] for row in rows) == sum(answers for job in worked for _, answers in job)
