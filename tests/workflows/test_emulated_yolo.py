"""The project's own container on the emulated SageMaker: a training job's model serves an endpoint."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from sagemaker_lab import Lab
from toys import ACCOUNT, Toys
from waiting import eventually

from local import stack

IMAGE = f"{ACCOUNT}.dkr.ecr.{stack.REGION}.amazonaws.com/any-stack-labelloop-yolo:latest"
PYTHON = Path(os.environ.get("LABELLOOP_CONTAINER_PYTHON") or stack.REPO_ROOT / ".venvs" / "yolo" / "bin" / "python")
SIDE = 96

pytestmark = pytest.mark.yolo


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    probe = [str(PYTHON), "-c", "import importlib.util as u; raise SystemExit(u.find_spec('ultralytics') is None)"]
    if not PYTHON.exists() or subprocess.run(probe, check=False).returncode:
        pytest.skip(f"{PYTHON} has no ultralytics: run make setup")
    with stack.running_server() as server:
        yield Lab(Toys(server))


def test_a_trained_model_is_deployed_and_labels_a_shard(lab: Lab) -> None:
    records = [labelled(lab, n) for n in range(6)]
    for role, lines in (("train", records[:4]), ("judge", records[4:])):
        lab.put(f"training/ds/{role}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    keys = [record["source-ref"].removeprefix(f"s3://{lab.bucket}/") for record in records]
    manifest = lab.put("training/images.manifest", json.dumps([{"prefix": f"s3://{lab.bucket}/"}, *keys]))
    request = lab.training_request(
        "yolo",
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "judge:mAP50", "Regex": "judge_mAP50=([0-9.]+)"}],
        },
        HyperParameters={"classes": '["head"]', "image-size": str(SIDE), "steps": "2", "batch-size": "4"},
        InputDataConfig=[
            channel("dataset", "S3Prefix", f"s3://{lab.bucket}/training/ds/"),
            channel("images", "ManifestFile", manifest),
        ],
        StoppingCondition={"MaxRuntimeInSeconds": 300},
        EnableNetworkIsolation=True,
    )
    lab.sagemaker.create_training_job(**request)
    job = lab.trained("yolo", seconds=180)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert [metric["MetricName"] for metric in job["FinalMetricDataList"]] == ["judge:mAP50"]

    container = {
        "Image": IMAGE,
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
        "Environment": {"MODEL_VERSION": "v000001-00000000", "IMAGE_SIZE": str(SIDE)},
    }
    lab.sagemaker.create_model(ModelName="yolo", PrimaryContainer=container, ExecutionRoleArn=lab.role)
    lab.config("yolo", "yolo")
    lab.sagemaker.create_endpoint(EndpointName="yolo", EndpointConfigName="yolo")
    endpoint = lab.settled("yolo", seconds=120)
    assert endpoint["EndpointStatus"] == "InService", endpoint.get("FailureReason")

    bad = lab.put("incoming/not an image.jpg", b"text")
    uris = [records[0]["source-ref"], bad, records[1]["source-ref"]]
    call = lab.invoke(
        "yolo", "".join(json.dumps({"source-ref": uri}) + "\n" for uri in uris), ContentType="application/jsonlines"
    )
    eventually(lambda: lab.exists(call["OutputLocation"]) or lab.exists(call["FailureLocation"]), 60)
    assert lab.exists(call["OutputLocation"]), lab.get(call["FailureLocation"])
    predictions = [json.loads(line) for line in lab.get(call["OutputLocation"]).decode().splitlines()]
    assert [prediction["source-ref"] for prediction in predictions] == uris
    assert [prediction["status"] for prediction in predictions] == ["ok", "rejected", "ok"]
    assert predictions[0]["model"] == "v000001-00000000"


def channel(name: str, kind: str, uri: str) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}


def labelled(lab: Lab, number: int) -> dict[str, Any]:
    """Store a picture of one bright disc on noise; returns its annotation manifest line."""
    left, top = random.Random(number).randint(0, SIDE - 40), random.Random(-number).randint(0, SIDE - 40)
    image = Image.effect_noise((SIDE, SIDE), 30).convert("RGB")
    ImageDraw.Draw(image).ellipse((left, top, left + 40, top + 40), fill=(230, 170, 130))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {
        "source-ref": lab.put(f"incoming/b 1/é+%20 {number}.png", buffer.getvalue()),
        "boxes": {
            "image_size": [{"width": SIDE, "height": SIDE, "depth": 3}],
            "annotations": [{"class_id": 0, "left": left, "top": top, "width": 40, "height": 40}],
        },
        "boxes-metadata": {
            "objects": [{"confidence": 0}],
            "class-map": {"0": "head"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2026-11-20T10:00:00",
            "job-name": "j",
        },
    }
