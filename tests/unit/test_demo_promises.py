"""What the demo tells of promise, people's agreement and the second training, in the batch's own words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from demo import promises
from demo.progress import Training

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
FIRST = Training("arn:1", "SUCCEEDED", 1, "Model Promoted", "v1", True, "the first model", 50, 60, NOON)


def row(number=2, auto=0, model="v1", **more):
    return {"round": number, "auto": auto, "model_version": model, **more}


def said(number, promise, missing=""):
    return {"round": number, "promise": promise, "missing": missing, "attainable": [[0.6, 0.4]]}


def told(rows, trainings=(FIRST,), **more):
    return promises.told({"rounds": rows, **more}, trainings, 0.6)


def test_the_promise_is_that_of_the_rounds_that_accepted_each_sentence_once():
    rows = [row(1, model=""), row(2, 9), row(3, 0), row(4, 3)]
    found = told(rows, promises=[said(2, "A."), said(3, "Nothing more."), said(4, "A.")])
    assert (found["promise"], found["why_nothing"], found["target"]) == ("A.", "", 0.6)
    assert found["attainable"] == [[0.6, 0.4]]


def test_where_nothing_was_accepted_the_last_model_says_why_and_what_is_missing():
    found = told([row(1, model=""), row(2)], promises=[said(2, "Nothing is accepted.", "More help.")])
    assert (found["promise"], found["why_nothing"]) == ("", "Nothing is accepted. More help.")
    assert (
        told([row(1, model="")], (replace(FIRST, reason="too bad"),))["why_nothing"]
        == "No model was good enough to serve."
    )
    for none in ((), (replace(FIRST, status="RUNNING"),)):
        said_then = told([row(1, model="")], none)["why_nothing"]
        assert said_then == "People labelled every image before there was a model."
    assert told([], ())["why_nothing"] == "No round was needed."


def test_looks_at_accepted_labels_are_counted_over_rounds():
    found = told([row(2, 5, audited=20, corrected=3), row(3, 0, audited=4, corrected=4, contradicted=True)])
    assert (found["audited"], found["corrected"], found["contradicted"]) == (24, 7, True)
    assert told([row()])["people_agreement"] is None
    assert told([row()], people_agreement={"images": 9, "quality": 0.9})["people_agreement"] == 0.9


SECOND = Training("arn:2", "SUCCEEDED", 2, "Model Promoted", "v2", True, "better.", 50, 120, NOON)


@pytest.mark.parametrize(
    ("said", "trainings", "trained", "why"),
    [
        ("", (FIRST, SECOND), True, "better"),
        ("no second model was trained", (FIRST,), False, "no second model was trained"),
        ("", (FIRST,), False, "no image was left for a better model"),
        ("", (FIRST, Training("arn:2", "RUNNING", 2, train=120)), False, "no image was left for a better model"),
        ("", (Training("arn:0", "SUCCEEDED", 0, "Champion Kept"), FIRST), False, "no image was left for"),
    ],
    ids=["trained", "skipped", "not needed", "for the next batch", "an adopted model is none"],
)
def test_a_second_training_is_told_with_its_reason(said, trainings, trained, why):
    found = told([row()], trainings, second_training=said)["second_training"]
    assert found["trained"] == trained and found["why"].startswith(why)
