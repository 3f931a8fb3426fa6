"""What waits for days carries the version of its form; what an older version wrote is read, a newer one is refused."""

import ast
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.session import get_session
from handling import handle, registered, upload
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import callbacks, ledger, storage
from made_up_stack import CALLBACKS, LEDGER
from outside_work import EXECUTION, heard

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def schema_of_row(table: str, row: str) -> int:
    return int(boto3.resource("dynamodb").Table(table).get_item(Key={"id": row})["Item"].get("schema", 0))


def set_schema(table: str, row: str, schema: int | None) -> None:
    given = {"Key": {"id": row}, "ExpressionAttributeNames": {"#s": "schema"}}
    if schema is None:
        boto3.resource("dynamodb").Table(table).update_item(**given, UpdateExpression="REMOVE #s")
    else:
        values = {":s": schema}
        boto3.resource("dynamodb").Table(table).update_item(
            **given, UpdateExpression="SET #s = :s", ExpressionAttributeValues=values
        )


@pytest.mark.fault("D15")
def test_a_token_row_of_version_0_1_is_answered_and_one_of_a_newer_version_is_refused(states) -> None:
    callbacks.remember("labeling", "job", "token", EXECUTION, 600)
    assert schema_of_row(CALLBACKS, "labeling#job") == 1
    set_schema(CALLBACKS, "labeling#job", None)
    assert callbacks.find("labeling", "job").token == "token"
    set_schema(CALLBACKS, "labeling#job", 2)
    with pytest.raises(Exception, match=r"newer version of the stack.*start an execution with the same input"):
        callbacks.find("labeling", "job")


@pytest.mark.fault("D15")
def test_a_row_that_a_newer_version_left_keeps_nobody_else_waiting(states, sagemaker) -> None:
    """The stack was rolled back while something waited: the guarantee must hold for all the rest."""
    sagemaker.answering(list_endpoints={"Endpoints": []})
    for name in ("a", "of tomorrow", "z"):
        callbacks.remember("training", name, name, EXECUTION, 600)
    set_schema(CALLBACKS, "training#of tomorrow", 2)
    for name in ("a", "z"):
        callbacks.record(callbacks.find("training", name), callbacks.Outcome(True, {"model_uri": "m"}))
    with pytest.raises(Exception, match="1 waits cannot be read"):
        handle("reconcile")
    assert heard(states) == [("send_task_success", name) for name in "az"]
    assert schema_of_row(CALLBACKS, "training#of tomorrow") == 2, "that version will read it again"


@pytest.mark.fault("D15")
def test_batches_and_their_jobs_say_their_schema(aws) -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    assert schema_of_row(LEDGER, f"batch#{batch}") == 1
    set_schema(LEDGER, f"batch#{batch}", None)
    assert ledger.batch(batch)["status"] == "running"
    set_schema(LEDGER, f"batch#{batch}", 2)
    with pytest.raises(Exception, match="newer version of the stack"):
        ledger.batch(batch)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    record = storage.read_json(Files(batch).job(1, 1))
    assert record["schema"] == 1 and jobs.find(Files(batch), 1, 1).name == record["job"]


def test_request_inference_brings_a_boto3_that_knows_every_field_it_sends() -> None:
    tree = ast.parse((ROOT / "functions" / "labelloop" / "engines" / "yolo.py").read_text())
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "invoke_endpoint_async"
    ]
    sent = {keyword.arg for keyword in call.keywords}
    known = get_session().get_service_model("sagemaker-runtime").operation_model("InvokeEndpointAsync")
    assert sent <= set(known.input_shape.members)

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    layers = template["Resources"]["RequestInferenceFunction"]["Properties"].get("Layers")
    assert layers == ["SdkLayer"], "the runtime's own may be older"
    pinned = (ROOT / template["Resources"]["SdkLayer"]["Properties"]["ContentUri"] / "requirements.txt").read_text()
    assert "boto3==1.44.5" in pinned.split(), "at least what these tests know the fields from"
