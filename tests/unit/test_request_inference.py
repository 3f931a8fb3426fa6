"""Request Inference: a token is remembered, then a shard is queued, once for each retry."""

import json
from pathlib import Path

import boto3
import pytest
from fake_service import refused
from labelloop.contracts.errors import TransientError
from labelloop.store import callbacks, storage
from made_up_stack import BUCKET, CALLBACKS
from outside_work import FAILURE, OUTPUT, ask_for_inference, hear, heard, notice

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def test_a_shard_is_queued_after_its_token_is_remembered(states, runtime) -> None:
    def remembered(**request):
        assert callbacks.find("inference", request["InferenceId"]).token == "t1"
        return {"OutputLocation": storage.uri(OUTPUT), "FailureLocation": storage.uri(FAILURE)}

    runtime.answering(invoke_endpoint_async=remembered)
    inference_id = ask_for_inference()
    (request,) = runtime.requests_of("invoke_endpoint_async")
    assert request["InferenceId"] == inference_id and request["EndpointName"] == "labelloop-v1"
    assert callbacks.find("inference", inference_id).details["output_uri"] == storage.uri(OUTPUT)
    assert heard(states) == []


@pytest.mark.fault("C18")
@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailable", "InternalFailure"])
def test_a_throttled_request_is_made_again_under_the_same_id_and_queued_once(states, runtime, code) -> None:
    accepted = {"OutputLocation": storage.uri(OUTPUT), "FailureLocation": storage.uri(FAILURE)}
    runtime.answering(invoke_endpoint_async=refused(code))
    for _ in range(2):
        with pytest.raises(TransientError):
            ask_for_inference()
    runtime.answering(invoke_endpoint_async=accepted)
    assert ask_for_inference() == ask_for_inference()
    asked = [request["InferenceId"] for request in runtime.requests_of("invoke_endpoint_async")]
    assert len(asked) == 3 and len(set(asked)) == 1, "two refused, one accepted"
    machine = json.loads((Path(__file__).resolve().parents[2] / "statemachines/label_batch.asl.json").read_text())
    state = machine["States"]["Infer Shards"]["ItemProcessor"]["States"]["Request Inference"]
    (rung,) = [each for each in state["Retry"] if "TransientError" in each["ErrorEquals"]]
    assert rung["JitterStrategy"] == "FULL" and rung["BackoffRate"] > 1 and rung["MaxAttempts"] >= 1


@pytest.mark.fault("C20")
def test_each_retry_is_a_request_of_its_own(states, runtime) -> None:
    first = ask_for_inference()
    storage.write(FAILURE, b"the model broke")
    assert hear(notice(first, "Failed")) == []
    ask_for_inference("t2", retry=1)
    ids = [request["InferenceId"] for request in runtime.requests_of("invoke_endpoint_async")]
    assert len(set(ids)) == 2


def test_rows_are_written_where_the_template_says(states, runtime) -> None:
    ask_for_inference()
    scanned = boto3.client("dynamodb").scan(TableName=CALLBACKS)["Items"]
    assert {name for row in scanned for name in row} == {
        *("id", "token", "status", "open", "created", "deadline", "execution", "details", "schema")
    }
    assert f"s3://{BUCKET}/" in scanned[0]["details"]["S"]
