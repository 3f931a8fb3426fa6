"""The command line on the made-up stack: its outputs, models and datasets in its bucket, and a way to run a command."""

import io
import json
from typing import Any

from fake_service import refused
from labelloop.contracts.label_rules import LabelRule
from labelloop.engines import model_archives, models
from labelloop.store import aws, datasets, immutable, storage
from labelloop.store.settings_documents import body_of, key_of
from made_up_models import TENSORS, model, packed, safetensors, tensors_sha256
from made_up_stack import BUCKET, CALLBACKS, LEDGER, SETTINGS
from typer.testing import CliRunner

from cli.app import app

OUTPUTS = {
    "DataBucketName": BUCKET,
    "CallbacksTableName": CALLBACKS,
    "LedgerTableName": LEDGER,
    "LabelBatchArn": SETTINGS["LABEL_BATCH_ARN"],
    "TrainModelArn": SETTINGS["TRAIN_MODEL_ARN"],
    "NotificationTopicArn": SETTINGS["NOTIFICATION_TOPIC"],
}


def deploy(fake_service, **endpoints: str) -> None:
    """The stack `labelloop`; `endpoints` by the version's number, e.g. v1="InService"."""
    body = body_of(SETTINGS)
    storage.write(key_of(body), body)
    outputs = {**OUTPUTS, "SettingsSha256": key_of(body).removeprefix("settings/").removesuffix(".json")}
    listed = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
    fake_service("cloudformation", describe_stacks={"Stacks": [{"StackName": "labelloop", "Outputs": listed}]})
    serve(fake_service, **endpoints)


def serve(fake_service, **endpoints: str) -> None:
    def state_of(name: str) -> str:
        return endpoints.get(f"v{int(name.split('-v')[1][:6])}", "")

    def describe(EndpointName: str) -> dict[str, Any]:
        if not state_of(EndpointName):
            raise refused("ValidationException", f'Could not find endpoint "{EndpointName}".')
        return {"EndpointName": EndpointName, "EndpointStatus": state_of(EndpointName)}

    def listing(**_: Any) -> dict[str, Any]:
        names = [f"labelloop-{version}" for version in models.versions()]
        return {"Endpoints": [{"EndpointName": name} for name in names if state_of(name)]}

    fake_service("sagemaker", describe_endpoint=describe, list_endpoints=listing)


def register(number: int, *fitted_on: str, **changes: Any) -> str:
    """A model as Register Model leaves it, with thresholds for these dataset versions; its version."""
    tensors = {**TENSORS, "model.0.count": ("I64", (), number.to_bytes(8, "little"))}
    told = {"weights-sha256": tensors_sha256(tensors), **changes}
    archive = packed(model(safetensors(tensors), **told))
    version = models.version(number, model_archives.describe(model_archives.read(io.BytesIO(archive), "x"), "x"))
    immutable.create(f"models/{version}/model.tar.gz", archive)
    immutable.create_json(
        f"models/{version}/card.json", {"version": version, "dataset": f"v00000{number}-0", "job": "j"}
    )
    for place, dataset in enumerate(fitted_on, start=1):
        thresholds = {"model": version, "dataset": dataset, "target": 0.8, "accept": place / 10, "images": 9}
        thresholds["label_rule"] = LabelRule(0.25).to_json()
        immutable.create_json(models.thresholds_key(version, dataset), thresholds)
    return version


def champion(version: str, previous: str = "") -> dict[str, Any]:
    value = {
        "version": version,
        "endpoint": f"labelloop-{version}",
        "thresholds_uri": storage.uri(f"models/{version}/thresholds/none.json"),
        "dataset": "",
        "previous": previous,
    }
    assert storage.flip_pointer(models.CHAMPION, value, storage.read_pointer(models.CHAMPION))
    return value


def publish(*names: str) -> str:
    return datasets.publish([line(name) for name in names], {})


def line(name: str, role: str = "train") -> str:
    metadata = {
        "human-annotated": "yes",
        "creation-date": "2026-01-01T00:00:00",
        "type": "groundtruth/object-detection",
    }
    box = {"image_size": [{"width": 9, "height": 9, "depth": 3}], "annotations": []}
    provenance = {"role": role, "sha256": name}
    return json.dumps(
        {"source-ref": storage.uri(name), "boxes": box, "boxes-metadata": metadata, "provenance": provenance}
    )


def run(*arguments: str, answer: str = "") -> Any:
    return CliRunner().invoke(app, list(arguments), input=answer, env={"COLUMNS": "220"})


def notice_subjects() -> list[str]:
    """What people were told, by the notes in the callbacks table."""
    rows = aws.table(CALLBACKS).scan()["Items"]
    return sorted(row["id"] for row in rows if row["id"].startswith("notice#"))
