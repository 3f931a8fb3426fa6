"""Plan Training, Adopt Model, Assemble Dataset and Train Challenger; and one lock around them."""

import json
import re
from pathlib import Path

import pytest
from annotation_lines import line
from botocore.exceptions import ClientError, EndpointConnectionError
from fake_service import refused
from handling import MODEL, crown, handle, handle_event
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.store import callbacks, datasets, immutable, storage, training_lock
from labelloop.work import failures
from made_up_models import detector_checkpoint, model, safetensors
from outside_work import TRAINING, changed
from training_files import (
    JOB,
    archive,
    label,
    trainer,
)

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
REPOSITORY = Path(__file__).parents[2]


def plan(owner: str, **given) -> dict:
    return handle("plan_training", input={"batch_id": "b", "round": 1, **given}, execution=owner)


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


@pytest.mark.fault("H01")
@pytest.mark.parametrize(("train", "judge"), [(1, 2), (3, 0)])
def test_without_enough_new_labels_or_judges_nothing_is_trained_and_the_lock_is_free(train, judge) -> None:
    label(judge=judge, train=train)
    assert plan(trainer("one"))["status"] == "not-worth"
    assert training_lock.take(trainer("two"), 60) is not None


def test_labels_that_have_been_judged_once_do_not_train_again() -> None:
    training_lock.note_training(label(train=3), 3, "job")
    assert plan(trainer("one"))["status"] == "not-worth"


def test_a_given_model_is_adopted_only_while_there_is_no_champion() -> None:
    owner = trainer("one")
    adopting = plan(owner, model_uri="s3://data-bucket/given/model.tar.gz")
    assert adopting["status"] == "adopt" and adopting["job"]
    training_lock.release(owner)
    crown()
    assert plan(trainer("two"), model_uri="s3://data-bucket/given/model.tar.gz")["status"] == "not-worth"


def test_a_model_of_other_classes_is_not_adopted() -> None:
    uri = archive("given", model(classes=["cat"]))
    with pytest.raises(InvalidInputError, match="knows the classes"):
        handle("adopt_model", model_uri=uri, job=JOB)


def test_an_adopted_model_becomes_the_first_version_and_accepts_nothing_yet() -> None:
    uri = archive("given", model())
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
    weights = detector_checkpoint(names=tuple(described["classes"]))
    adopted = adopted_content(archive("given", {"model.json": json.dumps(described).encode(), "weights.pt": weights}))
    assert adopted == adopted_content(archive("told", model(**described)))
    others = {"weight": ("F16", (1,), b"\0\0")}
    untold = {**described, "weights-sha256": None}
    assert adopted != adopted_content(archive("other", model(safetensors(others), **untold)))


def test_a_model_without_weights_is_not_adopted() -> None:
    uri = archive("given", {"model.json": model()["model.json"]})
    with pytest.raises(InvalidInputError, match=r"lacks weights\.safetensors and architecture\.yaml"):
        handle("adopt_model", model_uri=uri, job=JOB)


# --- Assemble Dataset, Train Challenger


def test_each_role_is_its_own_file_and_machine_labels_never_train() -> None:
    label()
    version = datasets.publish([line("auto.jpg", human=False)], {})
    answer = handle("assemble_dataset", job=JOB, dataset_version=version)
    assert (answer["train"], answer["judge"]) == (3, 2)
    names = {role: storage.read_lines(f"training/{JOB}/dataset/{role}.jsonl") for role in ("train", "judge")}
    assert all(f"/{role} " in each["source-ref"] for role, records in names.items() for each in records)
    head, *images = json.loads(storage.read(f"training/{JOB}/images.manifest"))
    assert head == {"prefix": "s3://data-bucket/"}
    assert sorted(head["prefix"] + image for image in images) == sorted(
        record["training-ref"]
        for role in ("train", "judge")
        for record in storage.read_lines(f"training/{JOB}/dataset/{role}.jsonl")
    )


def ask_for_training(token: str = "t1", champion: str = "", owner: str = "") -> str:
    places = {"dataset_uri": "s3://data-bucket/d/", "images_uri": "s3://data-bucket/i"}
    more = {"task_token": token, "execution": owner or trainer(f"asks-{token}"), "timeout_seconds": 600}
    return handle("train_challenger", job=JOB, champion=champion, **places, **more)["training_job"]


def test_a_training_job_is_created_once_however_often_it_is_asked_for(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    immutable.create(f"models/{MODEL}/model.tar.gz", b"archive")
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
    handle_event("complete_work", changed(TRAINING, JOB))
    (told,) = states.requests_of("send_task_failure")
    assert told["error"] == "TrainingJobFailed" and "no GPU memory" in told["cause"]


def test_events_of_jobs_of_others_are_nothing_to_us(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    assert handle_event("complete_work", changed(TRAINING, "theirs")) == {"training": "theirs"}
    assert sagemaker.calls == []  # not even looked at


def fail_training(owner: str, error: str = "States.Timeout") -> None:
    handle("record_failure", execution=owner, error={"Error": error, "Cause": ""}, state={})


@pytest.mark.parametrize("error", ["States.Timeout", "States.HeartbeatTimeout", "States.Runtime"])
def test_a_training_that_ran_out_of_time_is_stopped(states, fake_service, error) -> None:
    sagemaker = fake_service("sagemaker")
    owner = trainer("slow")
    ask_for_training(owner=owner)
    fail_training(owner, error)
    assert sagemaker.requests_of("stop_training_job") == [{"TrainingJobName": JOB}]
    assert list(callbacks.open_callbacks()) == []


def test_a_training_that_ended_meanwhile_needs_no_stopping(states, fake_service) -> None:
    fake_service("sagemaker", stop_training_job=refused("ValidationException", "has ended"))
    owner = trainer("slow")
    ask_for_training(owner=owner)
    fail_training(owner)
    assert list(callbacks.open_callbacks()) == []


@pytest.mark.parametrize("trouble", [refused("ThrottlingException"), EndpointConnectionError(endpoint_url="https://x")])
def test_a_training_that_cannot_be_stopped_yet_is_stopped_by_the_reconciler(states, fake_service, trouble) -> None:
    """Neither the lock nor the news waits for it: the next passes of the reconciler find the execution ended."""
    sagemaker = fake_service("sagemaker", stop_training_job=trouble)
    owner = trainer("slow")
    ask_for_training(owner=owner)
    training_lock.take(owner, 600)
    fail_training(owner)
    assert training_lock.owner() == ""
    (left,) = callbacks.open_callbacks()
    failures.close_expired(left)
    assert [callback.external_id for callback in callbacks.open_callbacks()] == [JOB]
    sagemaker.answering(stop_training_job={})
    failures.record(owner, "", "the execution ended FAILED")
    assert len(sagemaker.requests_of("stop_training_job")) == 3 and list(callbacks.open_callbacks()) == []
