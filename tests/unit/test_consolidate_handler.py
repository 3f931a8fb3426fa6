"""The Consolidate function: what it reads, what it passes on, and what stops it (F19)."""

import json

import pytest
from answer_forms import BOXES, KEY_POINTS, VERDICTS, boxes, drawn, item, key_points, placed, verdict
from fake_service import refused
from handling import handle
from labelloop import ledger, storage
from labelloop.errors import InvalidInputError
from labelloop.storage import MissingObjectError, uri
from labelloop.workers import WorkerScore

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def consolidate(payload, attribute=BOXES, **event):
    place = storage.write("batches/b/labeling/1/payload.json", json.dumps(payload).encode())
    response = handle("consolidate", payload={"s3Uri": place}, labelAttributeName=attribute, **event)
    return [entry["consolidatedAnnotation"]["content"][attribute] for entry in response]


def test_workers_count_as_the_ledger_says(aws) -> None:
    payload = [item({"good": boxes(drawn()), "bad": boxes(drawn(left=300))})]
    assert len(consolidate(payload)[0]["annotations"]) == 2
    ledger.note_worker("job", WorkerScore("bad", 20, 0, 0, None, None, honeypots=20, honeypot_quality=0.03))
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

    monkeypatch.setattr(ledger, "worker_reliabilities", denied)
    with pytest.raises(PermissionError):
        consolidate([item([boxes()])])
