"""Promote Model: an endpoint is scaled, then serves as the champion, if its training still holds the lock."""

import boto3
import pytest
from botocore.exceptions import ClientError
from fake_service import refused
from handling import MODEL, THRESHOLDS, crown, handle
from labelloop.contracts.errors import TransientError
from labelloop.contracts.settings import settings
from labelloop.engines import models
from labelloop.store import immutable, storage, training_lock
from labelloop.store.training_lock import LockLostError
from training_files import JOB, label, recalibrate, trainer

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture
def scaling(fake_service):
    fake_service("cloudwatch")
    return fake_service("application-autoscaling", put_scaling_policy={"PolicyARN": "arn:policy"})


def promote(owner: str, fence: int, version: str = MODEL) -> dict:
    given = {"model_version": version, "endpoint": f"labelloop-{version}", "thresholds_uri": storage.uri(THRESHOLDS)}
    more = {"dataset_version": "v000001-aaaaaaaa", "job": JOB, "train": 3, "fence": fence}
    return handle("promote_model", execution=owner, **given, **more)


def test_a_new_endpoint_is_scaled_before_it_serves(fake_service, scaling) -> None:
    owner = trainer("one")
    fake_service("sns")
    promote(owner, training_lock.take(owner, 60))
    (target,) = scaling.requests_of("register_scalable_target")
    assert target["MaxCapacity"] == settings().max_instances and target["ResourceId"].startswith(
        f"endpoint/labelloop-{MODEL}/"
    )


def test_people_are_told_at_once_what_the_new_model_can_promise(fake_service, scaling) -> None:
    owner, sns = trainer("one"), fake_service("sns")
    immutable.create_json(THRESHOLDS, {"outlook": "Nothing is accepted: the target is out of reach."})
    promote(owner, training_lock.take(owner, 60))
    (message,) = sns.requests_of("publish")
    assert message["Message"].endswith(
        "Trained on dataset v000001-aaaaaaaa. Nothing is accepted: the target is out of reach."
    )


def test_an_endpoint_that_cannot_be_scaled_does_not_serve(scaling) -> None:
    """It would keep an instance for ever; the failure lane removes it."""
    owner = trainer("one")
    fence = training_lock.take(owner, 60)
    scaling.answering(put_scaling_policy=refused("AccessDeniedException"))
    with pytest.raises(ClientError, match="AccessDenied"):
        promote(owner, fence)
    assert models.champion() is None and training_lock.take(trainer("two"), 60) is None


def test_what_version_0_1_asked_of_scale_endpoint_is_answered_and_nothing_else_is_done(scaling) -> None:
    assert handle("promote_model", job=JOB, endpoint="labelloop-v1") == {"endpoint": "labelloop-v1"}
    assert len(scaling.requests_of("register_scalable_target")) == 1 and models.champion() is None


def test_promotion_flips_the_pointer_once_frees_the_lock_and_tells_people(fake_service, scaling) -> None:
    notices, owner = fake_service("sns"), trainer("one")
    fence = training_lock.take(owner, 60)
    assert promote(owner, fence) == promote(owner, fence) == {"champion": MODEL}
    assert models.champion().value["previous"] == "" and len(notices.requests_of("publish")) == 1
    assert training_lock.labels_at_last_training() == 3 and training_lock.take(trainer("two"), 60) == 2


def test_an_execution_whose_lock_was_taken_over_promotes_nothing(scaling) -> None:
    slow, other = trainer("slow"), trainer("other")
    fence = training_lock.take(slow, 60)
    boto3.client("stepfunctions").stop_execution(executionArn=slow)
    training_lock.take(other, 60)
    crown("v000009-ffffffff")
    with pytest.raises(LockLostError, match="publishes nothing"):
        promote(slow, fence)
    with pytest.raises(LockLostError):
        recalibrate(slow, fence, label(), champion="v000009-ffffffff")
    assert models.champion().value["version"] == "v000009-ffffffff"
    assert training_lock.take(trainer("third"), 60) is None  # the other still holds it


def test_a_pointer_that_moved_between_reading_and_flipping_is_decided_again(scaling, monkeypatch) -> None:
    owner = trainer("one")
    fence = training_lock.take(owner, 60)
    monkeypatch.setattr(storage, "flip_pointer", lambda *_: False)
    with pytest.raises(TransientError, match="moved meanwhile"):
        promote(owner, fence)
