"""A person labels in the portal, simulated annotators do the rest: one loop, one layout, one merged manifest."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from loop import Loop, Run
from PIL import Image
from portal_person import Person

from portal.server.desk import PERSON
from tests.support.pictures import pictures

COUNT, SHARE = 6, 3


@pytest.fixture(autouse=True)
def person_labels(loop: Loop) -> Iterator[None]:
    """No model: it would label what people left out."""
    loop.control("PUT", "people", {"person": True, "share": SHARE})
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        yield
    loop.control("PUT", "people", {})


def test_a_person_s_answers_end_in_ground_truth_s_layout_and_in_the_merged_manifest(loop: Loop) -> None:
    assert (loop.server.state_dir / "server.json").stat().st_mode & 0o077 == 0, "it holds the key that makes links"
    person, job = begin(loop, "by hand")
    described = job_of(loop, job)
    assert (described["total"], described["done"], described["kind"]) == (SHARE, 0, "annotate")
    answers: dict[str, Any] = {}
    while task := person.next(job):
        page = person.get(f"/tasks/{task}").body.decode()
        assert "<crowd-bounding-box" in page and 'src="/static/crowd.js"' in page and 'src="/images/' in page
        number = len(answers)
        answers[task] = boxes(("head", number, 2, 10 + number, 8), **size_of(person, task))
        assert person.submit(task, answers[task], seconds=0.25).status == 200
        loop.eventually(lambda: labelled(loop, job) == COUNT - SHARE + len(answers), 60)
    run = loop.wait("by hand")
    loop.assert_sound(run)
    assert loop.summary(run.batch)["human"] == COUNT

    given = [each for each in responses(loop, run) if each["workerId"] == PERSON]
    assert sorted(json.dumps(each["answerContent"]) for each in given) == sorted(map(json.dumps, answers.values()))
    assert all(0 < each["timeSpentInSeconds"] <= 0.25 for each in given)
    assert all(each["acceptanceTime"] < each["submissionTime"] for each in given)
    (manifest,) = [key for key in loop.keys(f"batches/{run.batch}/labeling/") if key.endswith("output/output.manifest")]
    assert len(loop.lines(manifest)) == COUNT
    merged = [
        [(box["left"], box["top"], box["width"], box["height"]) for box in line["boxes"]["annotations"]]
        for line in loop.manifest(run.batch)
        if line["boxes-metadata"]["human-annotated"] == "yes"
    ]
    for number in range(SHARE):
        assert [(number, 2, 10 + number, 8)] in merged
    assert loop.control("GET", "state")["desk"][job]["answered"] == SHARE


def test_a_double_submit_is_one_answer_and_handing_over_ends_the_job(loop: Loop) -> None:
    with loop.settings("RequestLabels", WORKERS_PER_OBJECT="3"):
        person, job = begin(loop, "handed over")
        task = person.next(job)
        assert task
        answer = boxes(("head", 1, 1, 5, 5), **size_of(person, task))
        first = person.submit(task, answer, "draft")
        again = person.submit(task, answer, "draft")
        assert (first.status, again.status, first.json) == (200, 200, again.json)
        conflict = person.submit(task, boxes(**size_of(person, task)), "another draft")
        assert conflict.status == 409 and conflict.json["answer"] == answer
        assert person.post(f"/api/jobs/{job}/hand-over").json == {"handed_over": SHARE - 1}
        run = loop.wait("handed over")
    loop.assert_sound(run)
    assert loop.summary(run.batch)["human"] == COUNT
    found = responses(loop, run)
    assert len(found) == 3 * COUNT
    assert [each["workerId"] for each in found].count(PERSON) == 1


def test_a_job_that_is_stopped_meanwhile_withdraws_its_tasks_and_keeps_what_was_answered(loop: Loop) -> None:
    person, job = begin(loop, "stopped meanwhile")
    first = person.next(job)
    assert first
    following = person.submit(first, boxes(("head", 1, 1, 5, 5), **size_of(person, first))).json["next"]
    size = size_of(person, following)
    loop.eventually(lambda: labelled(loop, job) == COUNT - SHARE + 1, 60)
    loop.client("sagemaker").stop_labeling_job(LabelingJobName=job)
    loop.control("PUT", "people", {})  # of the next job; before the stop it would hand this one over
    loop.eventually(lambda: job_of(loop, job)["status"] != "open", 60)
    refused = person.submit(following, boxes(**size))
    assert refused.status == 410 and refused.json["message"]
    assert person.get(f"/tasks/{following}").status == 410
    run = loop.wait("stopped meanwhile")
    loop.assert_sound(run)
    assert [(row["asked"], row["human"]) for row in loop.summary(run.batch)["rounds"]] == [
        (COUNT, COUNT - SHARE + 1),
        (SHARE - 1, SHARE - 1),
    ]


def begin(loop: Loop, prefix: str) -> tuple[Person, str]:
    """A batch whose first job waits for the person."""
    person = Person(loop.server)
    loop.upload(prefix, pictures(COUNT), marker={})
    (job,) = loop.eventually(person.jobs, 120)
    return person, str(job["job"])


def job_of(loop: Loop, name: str) -> dict[str, Any]:
    listed = Person(loop.server).get("/api/jobs").json["jobs"]
    return next(job for job in listed if job["job"] == name)


def labelled(loop: Loop, job: str) -> int:
    return int(loop.client("sagemaker").describe_labeling_job(LabelingJobName=job)["LabelCounters"]["HumanLabeled"])


def size_of(person: Person, task: str) -> dict[str, int]:
    address = person.post(f"/api/tasks/{task}/renew").json["image"]
    width, height = Image.open(io.BytesIO(person.get(address).body)).size
    return {"width": width, "height": height}


def responses(loop: Loop, run: Run) -> list[dict[str, Any]]:
    """Every entry of every worker-response file."""
    keys = [key for key in loop.keys(f"batches/{run.batch}/labeling/") if "/worker-response/iteration-" in key]
    return [entry for key in keys for entry in loop.json(key)["answers"]]


def boxes(*drawn: tuple[str, int, int, int, int], width: int, height: int) -> dict[str, Any]:
    names = ("label", "left", "top", "width", "height")
    result = {
        "boundingBoxes": [dict(zip(names, box, strict=True)) for box in drawn],
        "inputImageProperties": {"height": height, "width": width},
    }
    return {"annotatedResult": result, "cannot-judge": {"cannot-judge": False}, "note": ""}
