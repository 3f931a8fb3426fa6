"""The Consolidate function: what it reads, what it passes on, and what stops it (F19)."""

import json

import pytest
from answer_forms import BOXES, KEY_POINTS, VERDICTS, boxes, drawn, item, key_points, placed, size, verdict
from batch_rounds import asked_in
from fake_service import refused
from handling import handle, registered, upload
from labelloop.contracts.errors import InvalidInputError
from labelloop.people import worker_rows
from labelloop.people.workers import WorkerScore
from labelloop.store import ledger, storage
from labelloop.store.storage import MissingObjectError, uri

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def consolidate(payload, attribute=BOXES, **event):
    place = storage.write("batches/b/labeling/1/payload.json", json.dumps(payload).encode())
    response = handle("consolidate", payload={"s3Uri": place}, labelAttributeName=attribute, **event)
    return [entry["consolidatedAnnotation"]["content"][attribute] for entry in response]


def test_workers_count_as_the_ledger_says(aws) -> None:
    payload = [item({"good": boxes(drawn()), "bad": boxes(drawn(left=300))})]
    assert len(consolidate(payload)[0]["annotations"]) == 2
    worker_rows.note("job", WorkerScore("bad", 20, 0, 0, None, None, honeypots=20, honeypot_quality=0.03))
    (kept,) = consolidate(payload)[0]["annotations"]
    assert kept["left"] == 10


def test_the_name_of_the_label_tells_the_task(aws) -> None:
    forms = {BOXES: boxes(drawn("bag")), KEY_POINTS: key_points(placed("left eye")), VERDICTS: verdict()}
    some, points, vote = (
        consolidate([item([form, *(forms[other] for other in forms if other != attribute)])], attribute)[0]
        for attribute, form in forms.items()
    )
    assert all([entry["worker"] for entry in each["refused"]] == ["b", "c"] for each in (some, points, vote))
    assert some["class-map"] == {"0": "head", "1": "bag"} and some["annotations"][0]["class_id"] == 1
    assert [entry["visibility"] for entry in points["annotations"]] == ["outside", "visible", "outside"]
    assert vote["verdict"] == "accept"


def test_a_jobs_own_categories_win_over_the_stacks(aws) -> None:
    payload = [item([boxes(drawn("tail"))])]
    assert "error" in consolidate(payload, labelCategories=None)[0]
    assert consolidate(payload, labelCategories=["tail"])[0]["class-map"] == {"0": "tail"}


def test_an_answer_in_another_object_is_fetched_and_refused_where_it_is_no_text_or_not_ours(aws) -> None:
    storage.write("batches/b/labeling/1/answers/good.json", json.dumps(boxes(drawn())).encode())
    storage.write("batches/b/labeling/1/answers/odd.json", b"\xff\xfe")
    places = (
        uri("batches/b/labeling/1/answers/good.json"),
        uri("batches/b/labeling/1/answers/odd.json"),
        "s3://another/answer.json",
    )
    annotations = [{"workerId": str(n), "annotationData": {"s3Uri": place}} for n, place in enumerate(places)]
    (value,) = consolidate([{"datasetObjectId": "0", "annotations": annotations}])
    assert value["workers"] == 1 and [entry["worker"] for entry in value["refused"]] == ["1", "2"]


@pytest.mark.fault("F19")
def test_f19_a_payload_that_is_not_there_raises(aws) -> None:
    with pytest.raises(MissingObjectError, match=r"payload\.json"):
        handle("consolidate", payload={"s3Uri": uri("batches/b/labeling/1/payload.json")}, labelAttributeName=BOXES)


def test_f19_an_answer_that_is_not_there_raises(aws) -> None:
    annotation = {"workerId": "a", "annotationData": {"s3Uri": uri("batches/b/labeling/1/answers/gone.json")}}
    with pytest.raises(MissingObjectError, match=r"gone\.json"):
        consolidate([{"datasetObjectId": "0", "annotations": [annotation]}])


def test_f19_a_payload_that_is_forbidden_raises(fake_service) -> None:
    fake_service("s3", get_object=refused("AccessDenied"))
    with pytest.raises(Exception, match="AccessDenied"):
        handle("consolidate", payload={"s3Uri": uri("batches/b/labeling/1/payload.json")}, labelAttributeName=BOXES)


@pytest.mark.parametrize("content", [b"{}", b'{"a"', b"\xff"])
def test_f19_a_payload_that_is_no_list_of_objects_raises(aws, content) -> None:
    place = storage.write("batches/b/labeling/1/payload.json", content)
    with pytest.raises((InvalidInputError, ValueError)):
        handle("consolidate", payload={"s3Uri": place}, labelAttributeName=BOXES)


def test_f19_a_ledger_that_cannot_be_read_raises(aws, monkeypatch) -> None:
    def denied(workers):
        raise PermissionError("the ledger")

    monkeypatch.setattr(worker_rows, "reliabilities", denied)
    with pytest.raises(PermissionError):
        consolidate([item([boxes()])])


@pytest.mark.fault("K03")
@pytest.mark.parametrize("wrong", [(32, 24), (640, 480), (48, 64)])
def test_the_size_of_the_image_decides_which_answers_count_however_many_state_another(
    ended_labeling_jobs, wrong
) -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    given = {"batch_id": batch, "round": 1, "job": 1, "execution": ledger.owner_of(batch), "timeout_seconds": 600}
    job = handle("request_labels", **given, task_token="t")["labeling_job"]
    right, other = (boxes(drawn("head", left, 2, 9, 9), image=size(*of)) for left, of in ((1, (64, 48)), (3, wrong)))
    payload = [
        {**item(answers, str(number)), "dataObject": {"s3Uri": line["source-ref"]}}
        for number, (line, answers) in enumerate(
            zip(asked_in(batch, 1), ([other, other, right], [other, boxes(image=size(1, 1))]), strict=True)
        )
    ]
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:labeling-job/{job}"
    kept, none = consolidate(payload, labelingJobArn=arn)
    assert kept["image_size"] == [{"width": 64, "height": 48, "depth": 3}] and kept["annotations"][0]["left"] == 1
    assert [entry["worker"] for entry in kept["refused"]] == ["a", "b"]
    assert all("the image has 64 x 48" in entry["reason"] for entry in kept["refused"])
    assert "no usable answer among 2" in none["error"] and "the image has 64 x 48" in none["error"]


def test_of_a_job_whose_input_tells_no_sizes_most_answers_decide(aws) -> None:
    from labelloop.store import settings_documents

    payload = [item([boxes(drawn()), boxes(drawn()), boxes(drawn(), image=size(32, 24))])]
    assert consolidate(payload, labelingJobArn="an/earlier-one")[0]["workers"] == 2
    lines = storage.write_lines("batches/b/labeling/1/j.manifest", [{"source-ref": "s3://b/k"}])
    settings_documents.note_labeling_job("j", "b", lines)
    assert consolidate(payload, labelingJobArn="labeling-job/j")[0]["workers"] == 2
