"""What a deployed function imports: its layers go before what the runtime brings."""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loop import Loop

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = "labelloop-RequestInference"
PROBE = """
import request_inference, boto3, botocore
from labelloop.store import aws

def handler(event, context):
    operation = aws.client("sagemaker-runtime").meta.service_model.operation_model("InvokeEndpointAsync")
    return {
        "versions": {"boto3": boto3.__version__, "botocore": botocore.__version__},
        "files": [boto3.__file__, botocore.__file__],
        "fields": sorted(operation.input_shape.members),
    }
"""


def test_request_inference_calls_sagemaker_with_the_boto3_of_its_layer(loop: Loop) -> None:
    """Its own built code, role, variables and layers, with one module more that tells what it has imported."""
    with probe(loop, layers=True) as told:
        found = told
    with probe(loop, layers=False) as told:
        without = told
    pinned = dict(
        line.split("==") for line in (ROOT / "layers/sdk/requirements.txt").read_text().split() if "==" in line
    )
    assert found["versions"] == {name: pinned[name] for name in ("boto3", "botocore")} != without["versions"]
    assert not set(found["files"]) & set(without["files"])
    assert sent() <= set(found["fields"])


def sent() -> set[str]:
    """The fields that Request Inference sends."""
    tree = ast.parse((ROOT / "functions/labelloop/engines/yolo.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (call,) = [each for each in calls if getattr(each.func, "attr", "") == "invoke_endpoint_async"]
    return {str(keyword.arg) for keyword in call.keywords}


def built(loop: Loop) -> bytes:
    """The code of the functions, where sam put it."""
    template = loop.client("cloudformation").get_template(StackName="labelloop", TemplateStage="Original")
    found = re.search(r"CodeUri\W+s3://([^/\s]+)/([0-9a-f.]+\w*)", str(template["TemplateBody"]))
    assert found, "sam uploads the code"
    return bytes(loop.client("s3").get_object(Bucket=found[1], Key=found[2])["Body"].read())


@contextmanager
def probe(loop: Loop, layers: bool) -> Iterator[dict[str, Any]]:
    functions = loop.client("lambda")
    told = functions.get_function(FunctionName=FUNCTION)
    settings = told["Configuration"]
    archive = io.BytesIO(built(loop))
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("probe.py", PROBE)
    name = f"probe-{'with' if layers else 'without'}-layers"
    functions.create_function(
        FunctionName=name,
        Code={"ZipFile": archive.getvalue()},
        Handler="probe.handler",
        Layers=[layer["Arn"] for layer in settings.get("Layers", ())] if layers else [],
        Environment={"Variables": settings["Environment"]["Variables"]},
        **{key: settings[key] for key in ("Role", "Runtime", "Architectures", "Timeout", "MemorySize")},
    )
    try:
        answer = functions.invoke(FunctionName=name, Payload=b"{}")
        body = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, body
        yield body
    finally:
        functions.delete_function(FunctionName=name)
