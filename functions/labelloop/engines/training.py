"""A training job's request and results. Contracts: CreateTrainingJob (SageMaker API reference),
containers/yolo/README.md.
"""

import io
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labelloop.contracts import fields, naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.origins import JUDGE, JUDGES_OF_0_1
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import parse_lines
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import PERSON, Vocabulary
from labelloop.engines import archives, model_archives
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.store import aws, immutable, storage
from labelloop.store.callbacks import Outcome
from labelloop.store.observability import logger
from labelloop.store.storage import MissingObjectError

MOST_METRICS_BYTES = 50_000_000
MOST_FILES_BYTES = 200_000_000
MOST_ARCHIVE_BYTES = 550_000_000  # of model.tar.gz: the most that its weights may have, which do not shrink much
_NOTHING_TO_STOP = ("ValidationException", "ResourceNotFound")  # it has ended, or there is none
LONGEST_HYPERPARAMETER = 2500  # characters; CreateTrainingJob, HyperParameters
METRICS = [
    {"Name": "judge:mAP50", "Regex": "judge_mAP50=([0-9.]+)"},
    {"Name": "judge:mAP50-95", "Regex": "judge_mAP50_95=([0-9.]+)"},
    {"Name": "judge:OKS-mAP50", "Regex": "judge_oks_mAP50=([0-9.]+)"},
    {"Name": "judge:OKS-mAP50-95", "Regex": "judge_oks_mAP50_95=([0-9.]+)"},
]


@dataclass(frozen=True)
class Scores:
    """What a training job measured: predictions on the judge images, of both models, and its metrics file."""

    metrics: dict[str, Any]
    predictions: dict[str, list[Prediction]]

    def of(self, model: str) -> list[Prediction]:
        """Of `challenger` or `champion`. Empty where the job scored none."""
        return [each for name in _names(model, self.predictions) for each in self.predictions[name]]

    def map50(self, model: str) -> float | None:
        """What the job itself says of `challenger` or `champion`; None where it says nothing of use."""
        figures = self.metrics.get(JUDGE) or self.metrics.get("gold")  # as version 0.1 called it
        reported: float | None = ((figures or {}).get(model) or {}).get("map50")
        return reported


def folder(job: str) -> str:
    return f"training/{job}"


def job_request(
    *,
    job: str,
    dataset_uri: str,
    images_uri: str,
    champion_uri: str,
    image: str,
    settings: Settings,
    base_uri: str = "",
) -> dict[str, Any]:
    """The CreateTrainingJob request. The container has no network: all it reads comes through its channels."""
    channels = [_channel("dataset", dataset_uri, "S3Prefix"), _channel("images", images_uri, "ManifestFile")]
    if champion_uri:
        channels.append(_channel("champion", champion_uri, "S3Prefix"))
    if base_uri:
        channels.append(_channel("base", base_uri, "S3Prefix"))
    return {
        "TrainingJobName": job,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": METRICS,
        },
        "RoleArn": settings.training_role_arn,
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": storage.uri("training")},
        "ResourceConfig": {"InstanceType": settings.training_instance_type, "InstanceCount": 1, "VolumeSizeInGB": 100},
        "StoppingCondition": {"MaxRuntimeInSeconds": settings.training_timeout_seconds},
        "EnableNetworkIsolation": True,
        **settings.network,
        "HyperParameters": {
            **_vocabulary(settings.vocabulary),
            "instance-type": settings.training_instance_type,
            "image-size": str(settings.image_size),
            "steps": str(settings.training_steps),
            "warm-steps": str(settings.warm_steps),
            "batch-size": str(settings.training_batch_size),
            "learning-rate": str(settings.learning_rate),
            "seed": str(settings.seed),
            "base-model": settings.base_model,
            "width": str(settings.model_width),
            "base-steps": str(settings.base_steps),
            "base-learning-rate": str(settings.base_learning_rate),
            "start": settings.start,
        },
    }


def _vocabulary(vocabulary: Vocabulary) -> dict[str, str]:
    if vocabulary.skeleton is not None:
        points = json.dumps(vocabulary.skeleton.to_json(), ensure_ascii=False)
        return {"classes": json.dumps([PERSON]), **_in_parts("key-points", points)}
    return _in_parts("classes", json.dumps(list(vocabulary.names)))


def _in_parts(name: str, value: str) -> dict[str, str]:
    """A hyperparameter, cut into `<name>`, `<name>-2`... where it is longer than SageMaker allows."""
    cut = [value[start : start + LONGEST_HYPERPARAMETER] for start in range(0, len(value), LONGEST_HYPERPARAMETER)]
    return {name if number == 1 else f"{name}-{number}": part for number, part in enumerate(cut, start=1)}


def read_scores(output_uri: str) -> Scores:
    """The scores inside a job's output.tar.gz; a metric that is not a finite number counts as missing.

    Raises InvalidInputError when the job wrote none.
    """
    metrics: dict[str, Any] | None = None
    predictions: dict[str, list[Prediction]] = {}
    packed = io.BytesIO(storage.read(storage.own_key(output_uri), most=MOST_ARCHIVE_BYTES))
    for name, body in archives.files(packed, output_uri, lambda _: MOST_METRICS_BYTES, MOST_FILES_BYTES).items():
        if name == "metrics.json":
            metrics = _metrics(body, f"{output_uri}: {name}")
        elif name.endswith(".jsonl"):
            records = parse_lines(_text(body, f"{output_uri}: {name}"), f"{output_uri}:{name}")
            predictions[name.rpartition("/")[2].removesuffix(".jsonl")] = [
                Prediction.from_json(record) for record in records
            ]
    if metrics is None:
        raise InvalidInputError(f"{output_uri} holds no metrics.json: the training container broke its contract")
    return Scores(metrics, predictions)


def read_model(model_uri: str) -> tuple[bytes, ModelDescription]:
    """A model.tar.gz and what its model.json says; the hash is that of the weights, computed here.

    Raises InvalidInputError where the archive is not whole, a field is wrong, or model.json has another hash.
    """
    body = storage.read(storage.own_key(model_uri), most=MOST_ARCHIVE_BYTES)
    return body, model_archives.describe(model_archives.read(io.BytesIO(body), model_uri), model_uri)


def read_truths(dataset_uri: str) -> list[Annotation]:
    """The human labels a job judges its models by."""
    place = storage.own_key(dataset_uri).rstrip("/")
    try:
        lines = immutable.read_text_lines(f"{place}/{JUDGE}.jsonl")
    except MissingObjectError:  # version 0.1 gave the job its dataset
        older = [f"{place}/{name}.jsonl" for name in JUDGES_OF_0_1]
        if not all(map(storage.exists, older)):
            raise
        lines = [line for key in older for line in immutable.read_text_lines(key)]
    return [Annotation.from_line(line) for line in lines]


def stored_scores(job: str, model: str) -> list[Prediction]:
    """What `challenger` or `champion` saw in the judge images of a job whose scores were stored; nothing otherwise."""
    found = [storage.find_lines(f"{folder(job)}/scores/{model}-{images}.jsonl") for images in (JUDGE, *JUDGES_OF_0_1)]
    return [Prediction.from_json(record) for records in found for record in records or ()]


def _names(model: str, known: Container[str]) -> list[str]:
    return [name for name in (f"{model}-{images}" for images in (JUDGE, *JUDGES_OF_0_1)) if name in known]


def _metrics(body: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(_text(body, where), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{where} is not JSON ({error}): the training container broke its contract") from error
    if not isinstance(value, dict):
        raise InvalidInputError(f"{where} must be a JSON object, but is {fields.shown(value)}")
    return value


def _text(body: bytes, where: str) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{where} is not UTF-8 ({error}): the training container broke its contract") from error


def _channel(name: str, uri: str, kind: str) -> dict[str, Any]:
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def create(request: Mapping[str, Any]) -> bool:
    """Creates the job. False: it exists, an earlier attempt made it."""
    try:
        aws.client("sagemaker").create_training_job(**request)
    except ClientError as error:
        if aws.error_code(error) != "ResourceInUse":
            raise
        return False
    return True


def stop(job: str) -> bool:
    """Asks the job to stop. False: it cannot be stopped now, ask again later."""
    try:
        aws.client("sagemaker").stop_training_job(TrainingJobName=job)
    except (ClientError, BotoCoreError) as error:
        if aws.may_pass(error):
            logger.warning("the training job could not be stopped yet", job=job, reason=str(error))
            return False
        nothing_ran = isinstance(error, ClientError) and aws.error_code(error) in _NOTHING_TO_STOP
        told = logger.info if nothing_ran else logger.warning
        told("the training job was not stopped", job=job, reason=str(error))
    return True


def ended(job: str) -> Outcome | None:
    """How the job ended; None while it goes on."""
    described = aws.client("sagemaker").describe_training_job(TrainingJobName=job)
    status = described["TrainingJobStatus"]
    if status == "Completed":
        model_uri = described["ModelArtifacts"]["S3ModelArtifacts"]
        output_uri = model_uri.removesuffix("model.tar.gz") + "output.tar.gz"
        return Outcome(True, {"model_uri": model_uri, "output_uri": output_uri})
    if status in ("Failed", "Stopped"):
        reason = described.get("FailureReason", "no reason given")
        if described.get("SecondaryStatus") == "MaxRuntimeExceeded":
            reason = "it ran longer than TrainingTimeoutSeconds; raise it in AdvancedSettings, or train fewer steps"
        return Outcome(False, error="TrainingJobFailed", cause=f"training job {job} is {status}: {reason}")
    return None


def running(prefix: str) -> list[str]:
    """Jobs of this stack that go on."""
    listing = aws.client("sagemaker").get_paginator("list_training_jobs")
    return [
        job["TrainingJobName"]
        for page in listing.paginate(NameContains=prefix, StatusEquals="InProgress")
        for job in page["TrainingJobSummaries"]
        if naming.is_training_job(prefix, job["TrainingJobName"])
    ]
