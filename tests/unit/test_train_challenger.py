"""Train Challenger: a training job is created once, with the recipe it was planned with."""

import pytest
from botocore.exceptions import ClientError
from fake_service import refused
from handling import MODEL, execution, handle
from labelloop.contracts.errors import TransientError
from labelloop.store import callbacks, immutable
from made_up_stack import SETTINGS
from outside_work import ask_for_training
from training_files import JOB

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


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


def test_a_training_keeps_the_recipe_it_was_planned_with(change_setting, states, fake_service) -> None:
    from labelloop.store import settings_documents

    sagemaker = fake_service("sagemaker")
    settings_documents.pin_training("labelloop-train-1-0123abcd")
    change_setting("TRAINING_STEPS", "9")
    change_setting("TRAINING_ROLE_ARN", "arn:aws:iam::123456789012:role/replaced")
    given = {"job": "labelloop-train-1-0123abcd", "champion": "", "dataset_uri": "s3://b/d/", "images_uri": "s3://b/i"}
    waits = {"task_token": "t", "execution": execution("t", "TRAIN_MODEL_ARN"), "timeout_seconds": 600}
    handle("train_challenger", **given, **waits)
    (request,) = sagemaker.requests_of("create_training_job")
    assert request["HyperParameters"]["steps"] == SETTINGS["TRAINING_STEPS"]
    assert request["RoleArn"].endswith("role/replaced"), "where things are is always the deployed truth"


@pytest.mark.parametrize(
    ("waits", "bound"),
    [
        (14400 + 1800, 14400),
        (7200 + 1800, 7200),  # the batch was begun with less: the state would stop a longer job, after it was paid for
        (1800 + 86400, 14400),  # and with more
        (600, 60),  # a waiting state of version 0.1 knows no time around the training
    ],
)
def test_a_job_never_outlives_the_state_that_waits_for_it(change_setting, states, fake_service, waits, bound) -> None:
    """The state waits by what the batch has pinned, the training is planned with what is deployed by then."""
    change_setting("TRAINING_TIMEOUT_SECONDS", "14400")
    sagemaker = fake_service("sagemaker")
    given = {"job": "labelloop-train-1-0123abcd", "champion": "", "dataset_uri": "s3://b/d/", "images_uri": "s3://b/i"}
    run = execution("t", "TRAIN_MODEL_ARN")
    handle("train_challenger", **given, task_token="t", execution=run, timeout_seconds=waits)
    (request,) = sagemaker.requests_of("create_training_job")
    assert request["StoppingCondition"]["MaxRuntimeInSeconds"] == bound
