"""Which boxes are a label is settled when the round begins: KeepConfidence may change, what was judged does not."""

import boto3
import people
import pytest
from batch_rounds import merge, refs
from handling import THRESHOLDS, crown, handle, mark, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from made_up_stack import BUCKET

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


@pytest.fixture
def judged(change_setting) -> str:
    """A batch of six whose round accepted three labels of confidence 0.6, restarted with KeepConfidence 0.7."""
    settings = {"KEEP_CONFIDENCE": "0.3", "ACCEPT_POLICY": "fixed", "ACCEPT_THRESHOLD": "0.3"}
    shares = {"SAMPLE_RATE": "0.5", "JUDGE_IMAGES": "100", "HUMAN_BUDGET": "3"}
    for name, value in {**settings, **shares}.items():
        change_setting(name, value)
    upload(6)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.6))
    handle("begin_round", batch_id=batch, round=1)
    assert handle("judge_batch", batch_id=batch, round=1)["auto"] == 3
    people.answer_round(batch, 1)
    boto3.client("stepfunctions").stop_execution(executionArn=ledger.owner_of(batch))
    change_setting("KEEP_CONFIDENCE", "0.7")
    registered(trigger, "two")
    return str(batch)


def test_what_was_accepted_is_shipped_with_the_boxes_it_was_accepted_with(judged) -> None:
    merge(judged, 1)
    shipped = [label for label in batches.round_annotations(judged, 1) if not label.human]
    assert [len(label.boxes) for label in shipped] == [1, 1, 1], "not: nothing is here"


def test_the_audit_looks_at_the_labels_that_were_accepted(judged) -> None:
    merge(judged, 1)
    handle("report_batch", batch_id=judged, execution=ledger.owner_of(judged))
    (row,) = storage.read_json(f"{Files(judged).root}/summary.json")["audit"]
    assert row["auto_labels"] == 3 and row["images"] > 0 and row["mean_iou"] > 0


def test_a_threshold_holds_for_the_boxes_it_was_fitted_with(change_setting) -> None:
    for name, value in {"KEEP_CONFIDENCE": "0.7", "ACCEPT_POLICY": "target-quality", "SAMPLE_MINIMUM": "1"}.items():
        change_setting(name, value)
    upload(6)
    batch = registered()["batch"]["id"]
    crown()
    known = storage.read_json(THRESHOLDS)
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=THRESHOLDS).delete()
    storage.write_json(THRESHOLDS, {**known, "keep_confidence": 0.3})
    predict(batch, 1, dict.fromkeys(refs(batch), 0.6))
    handle("begin_round", batch_id=batch, round=1)
    assert handle("judge_batch", batch_id=batch, round=1)["auto"] > 0
    people.answer_round(batch, 1)
    merge(batch, 1)
    assert all(label.boxes for label in batches.round_annotations(batch, 1))
