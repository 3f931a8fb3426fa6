"""The datasets and the results that the functions of train_model work on."""

import hashlib
import json

import boto3
from annotation_lines import annotation, line, reference
from handling import MODEL, execution, handle, picture
from labelloop.contracts.manifests import Annotation
from labelloop.store import datasets, storage
from made_up_models import model, packed
from made_up_stack import BUCKET

JOB = "labelloop-train-1-0123abcd"


def label(judge: int = 2, train: int = 3) -> str:
    """Publishes a dataset of human labels, whose images are there; its version."""
    counts = {"judge": judge, "train": train}
    names = {f"{role} ü+{number}.jpg": role for role, count in counts.items() for number in range(count)}
    for name in names:
        storage.write(storage.own_key(reference(name)), b"picture")
    return datasets.publish([line(name, role=role) for name, role in names.items()], {})


def trainer(name: str) -> str:
    return execution(name, "TRAIN_MODEL_ARN")


def prediction(name: str, sure: float = 0.9, shift: float = 0.0) -> dict:
    """What a model saw in an image of `annotation_lines`: the true box, moved aside."""
    (box,) = annotation(name).boxes
    seen = {"class": "head", "left": box.left + shift, "top": box.top, "width": box.width, "height": box.height}
    given = {"source-ref": reference(name), "status": "ok", "width": 100, "height": 60, "model": "m"}
    return {**given, "boxes": [{**seen, "confidence": sure}]}


def results(metrics: object = None, **scores: list[dict]) -> dict:
    """Writes what a training job leaves; the places Compare With Champion gets. `scores`: challenger_judge=[...]."""
    files = {f"scores/{name.replace('_', '-')}.jsonl": lines(records) for name, records in scores.items()}
    files["metrics.json"] = json.dumps(metrics).encode() if not isinstance(metrics, bytes) else metrics
    places = {
        "output_uri": archive("output", {name: body for name, body in files.items() if body != b"null"}),
        "model_uri": archive("model", model()),
        "dataset_uri": storage.uri(f"training/{JOB}/dataset/"),
    }
    return {"job": JOB, **places}


def lines(records: list[dict]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def archive(name: str, files: dict[str, bytes]) -> str:
    return storage.write(f"training/{JOB}/output/{name}.tar.gz", packed(files))


def assembled() -> str:
    version = label()
    handle("assemble_dataset", job=JOB, dataset_version=version)
    return version


def judge(sure: float = 0.9, shift: float = 0.0) -> list[dict]:
    return [prediction(f"judge ü+{number}.jpg", sure, shift) for number in range(2)]


def metrics(challenger: object = 0.9, champion: object = None) -> dict:
    return {"judge": {"challenger": {"map50": challenger}, "champion": {"map50": champion} if champion else None}}


def recalibrate(owner: str, fence: int, dataset: str, champion: str = MODEL) -> dict:
    given = {"job": JOB, "champion": champion, "dataset_version": dataset, "train": 3, "fence": fence}
    return handle("fit_thresholds", execution=owner, dataset_uri=storage.uri(f"training/{JOB}/dataset/"), **given)


def published(*keys: str) -> str:
    """A dataset version of human labels of pictures under these keys, in all roles by turns."""
    lines = []
    for number, name in enumerate(keys):
        body = picture(number % 250)
        version = boto3.client("s3").put_object(Bucket=BUCKET, Key=name, Body=body)["VersionId"]
        told = {
            "role": ("train", "judge")[number % 2],
            "sha256": hashlib.sha256(body).hexdigest(),
            "version-id": version,
        }
        lines.append(Annotation(storage.uri(name), None, 64, 48, (), True, "", "job", told).to_line(("head", "bag")))
    return datasets.publish(lines, {})


def forget_job() -> None:
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix="training/").delete()
