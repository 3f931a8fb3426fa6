"""The functions of train_model: plan, train, compare, calibrate, register, deploy, promote; and one lock around it."""

import hashlib
import io
import json
import re
import tarfile
from pathlib import Path

import boto3
import pytest
from annotation_lines import annotation, line, reference
from botocore.exceptions import ClientError
from fake_service import refused
from handling import MODEL, crown, execution, handle
from labelloop import callbacks, datasets, ledger, models, storage, training
from labelloop.errors import InvalidInputError, TransientError
from labelloop.ledger import LockLostError
from labelloop.settings import settings

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
REPOSITORY = Path(__file__).parents[2]
JOB = "labelloop-train-1-0123abcd"
WEIGHTS = {"classes": ["head", "bag"], "weights-sha256": "ab" * 32}


def label(gold: int = 2, train: int = 3, calibration: int = 2) -> str:
    """Publishes a dataset of human labels; its version."""
    counts = {"gold": gold, "train": train, "calibration": calibration}
    return datasets.publish(
        [line(f"{role} ü+{number}.jpg", role=role) for role, count in counts.items() for number in range(count)], {}
    )


def plan(owner: str, **given) -> dict:
    return handle("plan_training", input={"batch_id": "b", "round": 1, **given}, execution=owner)


def trainer(name: str) -> str:
    return execution(name, "TRAIN_MODEL_ARN")


def prediction(name: str, sure: float = 0.9, shift: float = 0.0) -> dict:
    """What a model saw in an image of `annotation_lines`: the true box, moved aside."""
    (box,) = annotation(name).boxes
    seen = {"class": "head", "left": box.left + shift, "top": box.top, "width": box.width, "height": box.height}
    given = {"source-ref": reference(name), "status": "ok", "width": 100, "height": 60, "model": "m"}
    return {**given, "boxes": [{**seen, "confidence": sure}]}


def results(metrics: object = None, **scores: list[dict]) -> dict:
    """Writes what a training job leaves; the places Compare With Champion gets. `scores`: challenger_gold=[...]."""
    files = {f"scores/{name.replace('_', '-')}.jsonl": lines(records) for name, records in scores.items()}
    files["metrics.json"] = json.dumps(metrics).encode() if not isinstance(metrics, bytes) else metrics
    places = {
        "output_uri": archive("output", {name: body for name, body in files.items() if body != b"null"}),
        "model_uri": archive("model", {"model.json": json.dumps(WEIGHTS).encode(), "weights.pt": b"w"}),
        "dataset_uri": storage.uri(f"training/{JOB}/dataset/"),
    }
    return {"job": JOB, **places}


def lines(records: list[dict]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def archive(name: str, files: dict[str, bytes]) -> str:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return storage.write(f"training/{JOB}/output/{name}.tar.gz", body.getvalue())


def assembled() -> str:
    version = label()
    handle("assemble_dataset", job=JOB, dataset_version=version)
    return version


def gold(sure: float = 0.9, shift: float = 0.0) -> list[dict]:
    return [prediction(f"gold ü+{number}.jpg", sure, shift) for number in range(2)]


def calibration(sure: float = 0.9) -> list[dict]:
    return [prediction(f"calibration ü+{number}.jpg", sure) for number in range(2)]


def metrics(challenger: object = 0.9, champion: object = None) -> dict:
    return {"gold": {"challenger": {"map50": challenger}, "champion": {"map50": champion} if champion else None}}


# --- Plan Training


def test_a_training_is_planned_on_the_newest_labels() -> None:
    version = label()
    planned = plan(trainer("one"))
    assert (planned["status"], planned["dataset_version"], planned["champion"]) == ("train", version, "")
    assert planned["fence"] == 1 and planned["job"].startswith("labelloop-train-1-")
    assert plan(trainer("one-again"))["status"] == "busy"


def test_planning_twice_plans_the_same_job() -> None:
    label()
    owner = trainer("one")
    assert plan(owner) == plan(owner)


@pytest.mark.parametrize(("train", "gold"), [(1, 2), (3, 0)])
def test_without_enough_new_labels_or_gold_nothing_is_trained_and_the_lock_is_free(train, gold) -> None:
    label(gold=gold, train=train)
    assert plan(trainer("one"))["status"] == "not-worth"
    assert ledger.take_lock(trainer("two"), 60) is not None


def test_labels_that_have_been_judged_once_do_not_train_again() -> None:
    ledger.note_training(label(train=3), 3, "job")
    assert plan(trainer("one"))["status"] == "not-worth"


def test_a_given_model_is_adopted_only_while_there_is_no_champion() -> None:
    owner = trainer("one")
    adopting = plan(owner, model_uri="s3://data-bucket/given/model.tar.gz")
    assert adopting["status"] == "adopt" and adopting["job"]
    ledger.release_lock(owner)
    crown()
    assert plan(trainer("two"), model_uri="s3://data-bucket/given/model.tar.gz")["status"] == "not-worth"


def test_a_model_of_other_classes_is_not_adopted() -> None:
    uri = archive("given", {"model.json": json.dumps({**WEIGHTS, "classes": ["cat"]}).encode()})
    with pytest.raises(InvalidInputError, match="knows the classes"):
        handle("adopt_model", model_uri=uri, job=JOB)


def test_an_adopted_model_becomes_the_first_version_and_accepts_nothing_yet() -> None:
    uri = archive("given", {"model.json": json.dumps(WEIGHTS).encode()})
    adopted = handle("adopt_model", model_uri=uri, job=JOB)
    assert adopted["model_version"].startswith("v000001-")
    assert storage.read_json(storage.own_key(adopted["thresholds_uri"]))["accept"] is None


def documented_description() -> dict:
    """The model.json that containers/yolo/README.md asks for."""
    section = (REPOSITORY / "containers/yolo/README.md").read_text().split("## A model from elsewhere")[1]
    return json.loads(re.search(r"`({[^`]*})`", section)[1])


def adopted_content(model_uri: str) -> str:
    """What tells the version's content; its number counts the versions."""
    return str(handle("adopt_model", model_uri=model_uri, job=JOB)["model_version"]).partition("-")[2]


def test_a_model_is_adopted_with_the_description_that_the_readme_asks_for(change_setting) -> None:
    described = documented_description()
    change_setting("CLASSES", ",".join(described["classes"]))
    files = {"model.json": json.dumps(described).encode(), "weights.pt": b"weights"}
    adopted = adopted_content(archive("given", files))
    told = {**described, "weights-sha256": hashlib.sha256(b"weights").hexdigest()}
    assert adopted == adopted_content(archive("told", {"model.json": json.dumps(told).encode()}))
    assert adopted != adopted_content(archive("other", {**files, "weights.pt": b"others"}))


def test_a_model_without_weights_is_not_adopted() -> None:
    uri = archive("given", {"model.json": json.dumps({"classes": ["head", "bag"]}).encode()})
    with pytest.raises(InvalidInputError, match=r"holds no weights\.pt"):
        handle("adopt_model", model_uri=uri, job=JOB)


# --- Assemble Dataset, Train Challenger


def test_each_role_is_its_own_file_and_machine_labels_never_train() -> None:
    label()
    version = datasets.publish([line("auto.jpg", human=False)], {})
    answer = handle("assemble_dataset", job=JOB, dataset_version=version)
    assert (answer["train"], answer["calibration"], answer["gold"]) == (3, 2, 2)
    names = {role: storage.read_lines(f"training/{JOB}/dataset/{role}.jsonl") for role in ("train", "gold")}
    assert all(f"/{role} " in each["source-ref"] for role, records in names.items() for each in records)
    head, *images = json.loads(storage.read(f"training/{JOB}/images.manifest"))
    assert head == {"prefix": "s3://data-bucket/"}
    assert sorted(head["prefix"] + image for image in images) == sorted(
        record["source-ref"]
        for role in ("train", "calibration", "gold")
        for record in storage.read_lines(f"training/{JOB}/dataset/{role}.jsonl")
    )


def ask_for_training(token: str = "t1", champion: str = "") -> str:
    places = {"dataset_uri": "s3://data-bucket/d/", "images_uri": "s3://data-bucket/i"}
    more = {"task_token": token, "execution": trainer(f"asks-{token}"), "timeout_seconds": 600}
    return handle("train_challenger", job=JOB, champion=champion, **places, **more)["training_job"]


def test_a_training_job_is_created_once_however_often_it_is_asked_for(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    assert ask_for_training("t1", MODEL) == JOB
    assert callbacks.find("training", JOB).started
    sagemaker.answering(
        create_training_job=refused("ResourceInUse"), describe_training_job={"TrainingJobStatus": "InProgress"}
    )
    ask_for_training("t2", MODEL)
    assert callbacks.find("training", JOB).token == "t2" and states.requests_of("send_task_success") == []
    channels = sagemaker.requests_of("create_training_job")[0]["InputDataConfig"]
    champion = channels[2]["DataSource"]["S3DataSource"]["S3Uri"]
    assert champion == f"s3://data-bucket/models/{MODEL}/model.tar.gz"


def test_a_refused_training_job_leaves_nobody_waiting(states, fake_service) -> None:
    fake_service("sagemaker", create_training_job=refused("ValidationException", "instance type"))
    with pytest.raises(ClientError, match="instance type"):
        ask_for_training()
    assert list(callbacks.open_callbacks()) == []


def test_no_free_instance_is_asked_for_again(states, fake_service) -> None:
    fake_service("sagemaker", create_training_job=refused("ResourceLimitExceeded"))
    with pytest.raises(TransientError):
        ask_for_training()


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_failed_training_job_says_why(states, fake_service, status) -> None:
    sagemaker = fake_service("sagemaker")
    ask_for_training()
    sagemaker.answering(describe_training_job={"TrainingJobStatus": status, "FailureReason": "no GPU memory"})
    handle("complete_training", detail={"TrainingJobName": JOB})
    (told,) = states.requests_of("send_task_failure")
    assert told["error"] == "TrainingJobFailed" and "no GPU memory" in told["cause"]


def test_events_of_jobs_of_others_are_nothing_to_us(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    assert handle("complete_training", detail={"TrainingJobName": "theirs"}) == {"training_job": "theirs"}
    assert sagemaker.calls == []  # not even looked at


def test_a_training_that_ran_out_of_time_is_stopped(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    ask_for_training()
    sagemaker.answering(stop_training_job=refused("ValidationException", "has ended"))
    assert handle("stop_training", job=JOB) == {"training_job": JOB}
    assert list(callbacks.open_callbacks()) == []
    sagemaker.answering(stop_training_job=refused("AccessDeniedException"))
    with pytest.raises(ClientError, match="AccessDenied"):
        handle("stop_training", job=JOB)


# --- Compare With Champion, calibration


def test_the_first_model_is_better_than_none_when_it_is_good_enough() -> None:
    assembled()
    verdict = handle(
        "compare_with_champion", champion="", **results(metrics(), challenger_gold=gold(), challenger_calibration=[])
    )
    assert verdict["better"] and verdict["model_version"].startswith("v000001-")
    told = storage.read_json(storage.own_key(verdict["comparison_uri"]))
    assert told["challenger_map50"] == 1.0 and told["images"] == 2
    stored = storage.read_lines(f"training/{JOB}/scores/challenger-gold.jsonl")
    assert [each["source-ref"] for each in stored] == [each["source-ref"] for each in gold()]


def test_a_challenger_that_is_not_surely_better_does_not_win() -> None:
    assembled()
    given = results(metrics(0.9, 0.9), challenger_gold=gold(shift=2), champion_gold=gold())
    verdict = handle("compare_with_champion", champion=MODEL, **given)
    assert not verdict["better"] and "is not surely better" in verdict["reason"]


@pytest.mark.parametrize(
    "stated",
    [metrics(None), {}, {"gold": {}}, b'{"gold": {"challenger": {"map50": NaN}}}', metrics(1.5), {"gold": None}],
)
def test_a_missing_or_impossible_metric_fails_closed(stated) -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(stated, challenger_gold=gold()))
    assert not verdict["better"] and "no usable mAP50" in verdict["reason"]


def test_a_job_that_wrote_no_metrics_at_all_fails_closed() -> None:
    assembled()
    with pytest.raises(InvalidInputError, match=r"no metrics\.json"):
        handle("compare_with_champion", champion="", **results(None, challenger_gold=gold()))


def test_a_model_that_was_not_scored_on_every_gold_image_does_not_win() -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_gold=gold()[:1]))
    assert not verdict["better"] and "not scored on 1 of the 2 gold images" in verdict["reason"]


def test_versions_are_numbered_on_from_what_exists() -> None:
    assembled()
    storage.write("models/v000041-ffffffff/card.json", b"{}")
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_gold=gold()))
    assert verdict["model_version"].startswith("v000042-") and models.next_number() == 42


def calibrate(version: str, dataset: str) -> dict:
    given = {"job": JOB, "model_version": version, "dataset_version": dataset}
    return handle("calibrate_thresholds", **given, dataset_uri=storage.uri(f"training/{JOB}/dataset/"))


def test_a_threshold_is_fitted_once_per_model_and_dataset() -> None:
    version = assembled()
    storage.write_lines(f"training/{JOB}/scores/challenger-calibration.jsonl", calibration(0.7))
    first = calibrate(MODEL, version)
    assert first["threshold"] == 0.7
    storage.write_lines(f"training/{JOB}/scores/challenger-calibration.jsonl", calibration(0.9))
    assert calibrate(MODEL, version) == first


def test_without_scores_nothing_may_be_accepted() -> None:
    assert calibrate(MODEL, assembled())["threshold"] is None


def recalibrate(owner: str, fence: int, dataset: str, champion: str = MODEL) -> dict:
    given = {"job": JOB, "champion": champion, "dataset_version": dataset, "train": 3, "fence": fence}
    return handle("recalibrate_champion", execution=owner, dataset_uri=storage.uri(f"training/{JOB}/dataset/"), **given)


def test_the_champion_that_won_is_recalibrated_and_the_lock_is_free() -> None:
    version, owner = assembled(), trainer("one")
    crown()
    storage.write_lines(f"training/{JOB}/scores/champion-calibration.jsonl", calibration(0.6))
    recalibrate(owner, ledger.take_lock(owner, 60), version)
    now = models.champion().value
    assert now["version"] == MODEL and now["thresholds_uri"].endswith(f"{version}.json")
    assert storage.read_json(storage.own_key(now["thresholds_uri"]))["accept"] == 0.6
    assert ledger.labels_at_last_training() == 3 and ledger.take_lock(trainer("two"), 60) == 2


def test_without_a_champion_a_failed_first_model_only_frees_the_lock() -> None:
    version, owner = assembled(), trainer("one")
    recalibrate(owner, ledger.take_lock(owner, 60), version, champion="")
    assert models.champion() is None and ledger.labels_at_last_training() == 3


# --- Register, Deploy, Scale, Promote


def register(fake_service, version: str = MODEL, **answers) -> tuple:
    sagemaker = fake_service("sagemaker", create_model_package={"ModelPackageArn": "arn:package"}, **answers)
    given = {
        "model_uri": archive("model", {"model.json": b"{}"}),
        "comparison_uri": storage.write_json(f"training/{JOB}/comparison.json", {"reason": "better"}),
        "thresholds_uri": storage.uri("t.json"),
    }
    more = {"job": JOB, "model_version": version, "champion": "", "dataset_version": "v000001-aaaaaaaa"}
    return handle("register_model", **more, **given), sagemaker


def test_a_version_is_stored_with_metrics_and_card_and_registered_once(fake_service) -> None:
    first, sagemaker = register(fake_service, describe_model_package_group=refused("ValidationException", "not exist"))
    assert first == {"model_package": "arn:package"}
    assert len(sagemaker.requests_of("create_model_package_group")) == 1
    before = {key: storage.read(key) for key in storage.keys(f"models/{MODEL}/")}
    assert set(before) == {f"models/{MODEL}/{name}" for name in ("model.tar.gz", "metrics.json", "card.json")}
    sagemaker.answering(describe_model_package_group={})
    assert register(fake_service)[0] == first
    assert {key: storage.read(key) for key in storage.keys(f"models/{MODEL}/")} == before
    tokens = {request["ClientToken"] for request in sagemaker.requests_of("create_model_package")}
    assert tokens == {f"labelloop-{MODEL}"}


def test_a_registry_that_may_not_be_read_is_no_missing_group(fake_service) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        register(fake_service, describe_model_package_group=refused("AccessDeniedException"))


def deploy(token: str = "t1") -> dict:
    given = {"task_token": token, "execution": trainer(f"deploys-{token}"), "timeout_seconds": 600}
    return handle("deploy_model", model_version=MODEL, **given)


def test_an_endpoint_answers_when_it_is_in_service(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker", describe_endpoint={"EndpointStatus": "Creating"})
    name = deploy()["endpoint"]
    assert states.calls == [] and callbacks.find("deployment", name).started
    handle("complete_deployment", detail={"EndpointName": name})
    assert states.calls == []
    sagemaker.answering(describe_endpoint={"EndpointStatus": "InService"})
    for _ in range(3):
        handle("complete_deployment", detail={"EndpointName": name})
    assert [request["taskToken"] for request in states.requests_of("send_task_success")] == ["t1"]


def test_an_endpoint_that_is_in_service_already_answers_at_once(states, fake_service) -> None:
    fake_service("sagemaker", describe_endpoint={"EndpointStatus": "InService"})
    deploy("t1")
    deploy("t2")
    assert [request["taskToken"] for request in states.requests_of("send_task_success")] == ["t1", "t2"]


def test_an_endpoint_that_fails_says_why(states, fake_service) -> None:
    fake_service("sagemaker", describe_endpoint={"EndpointStatus": "Failed", "FailureReason": "no image"})
    deploy()
    (told,) = states.requests_of("send_task_failure")
    assert told["error"] == "DeploymentFailed" and "no image" in told["cause"]


def test_a_new_endpoint_is_scaled(fake_service) -> None:
    scaling = fake_service("application-autoscaling", put_scaling_policy={"PolicyARN": "arn:policy"})
    fake_service("cloudwatch")
    handle("scale_endpoint", endpoint="labelloop-v1")
    assert scaling.requests_of("register_scalable_target")[0]["MaxCapacity"] == settings().max_instances


def promote(owner: str, fence: int, version: str = MODEL) -> dict:
    given = {"model_version": version, "endpoint": f"labelloop-{version}", "thresholds_uri": "s3://data-bucket/t"}
    more = {"dataset_version": "v000001-aaaaaaaa", "job": JOB, "train": 3, "fence": fence}
    return handle("promote_model", execution=owner, **given, **more)


def test_promotion_flips_the_pointer_once_frees_the_lock_and_tells_people(fake_service) -> None:
    notices, owner = fake_service("sns"), trainer("one")
    fence = ledger.take_lock(owner, 60)
    assert promote(owner, fence) == promote(owner, fence) == {"champion": MODEL}
    assert models.champion().value["previous"] == "" and len(notices.requests_of("publish")) == 1
    assert ledger.labels_at_last_training() == 3 and ledger.take_lock(trainer("two"), 60) == 2


def test_an_execution_whose_lock_was_taken_over_promotes_nothing(fake_service) -> None:
    slow, other = trainer("slow"), trainer("other")
    fence = ledger.take_lock(slow, 60)
    boto3.client("stepfunctions").stop_execution(executionArn=slow)
    ledger.take_lock(other, 60)
    crown("v000009-ffffffff")
    with pytest.raises(LockLostError, match="publishes nothing"):
        promote(slow, fence)
    with pytest.raises(LockLostError):
        recalibrate(slow, fence, label(), champion="v000009-ffffffff")
    assert models.champion().value["version"] == "v000009-ffffffff"
    assert ledger.take_lock(trainer("third"), 60) is None  # the other still holds it


def test_a_pointer_that_moved_between_reading_and_flipping_is_decided_again(fake_service, monkeypatch) -> None:
    owner = trainer("one")
    fence = ledger.take_lock(owner, 60)
    monkeypatch.setattr(storage, "flip_pointer", lambda *_: False)
    with pytest.raises(TransientError, match="moved meanwhile"):
        promote(owner, fence)


def test_the_truths_of_a_job_are_those_it_was_given() -> None:
    assembled()
    truths = training.read_truths(storage.uri(f"training/{JOB}/dataset/"), "gold")
    assert [truth.source_ref for truth in truths] == [reference(f"gold ü+{number}.jpg") for number in range(2)]
