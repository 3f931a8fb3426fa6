"""Compare With Champion, Fit Thresholds, Register, Deploy, Scale and Promote: what becomes of a trained model."""

import boto3
import pytest
from annotation_lines import reference
from botocore.exceptions import ClientError
from fake_service import refused
from handling import MODEL, THRESHOLDS, crown, handle, handle_event
from labelloop.contracts import naming
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.store import callbacks, immutable, storage, training_lock
from labelloop.store.training_lock import LockLostError
from made_up_models import model, tensors_sha256
from outside_work import ENDPOINT, changed
from training_files import JOB, archive, assembled, judge, label, metrics, results, trainer

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


# --- Compare With Champion, thresholds


def test_the_first_model_is_better_than_none_when_it_is_good_enough() -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_judge=judge()))
    assert verdict["better"] and verdict["model_version"].startswith("v000001-")
    told = storage.read_json(storage.own_key(verdict["comparison_uri"]))
    assert told["challenger_map50"] == 1.0 and told["images"] == 2
    stored = storage.read_lines(f"training/{JOB}/scores/challenger-judge.jsonl")
    assert [each["source-ref"] for each in stored] == [each["source-ref"] for each in judge()]


def test_a_challenger_that_is_not_surely_better_does_not_win() -> None:
    assembled()
    given = results(metrics(0.9, 0.9), challenger_judge=judge(shift=2), champion_judge=judge())
    verdict = handle("compare_with_champion", champion=MODEL, **given)
    assert not verdict["better"] and "is not shown to be better" in verdict["reason"]


@pytest.mark.parametrize(
    "stated",
    [metrics(None), {}, {"judge": {}}, b'{"judge": {"challenger": {"map50": NaN}}}', metrics(1.5), {"judge": None}],
)
def test_a_missing_or_impossible_metric_fails_closed(stated) -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(stated, challenger_judge=judge()))
    assert not verdict["better"] and "no usable mAP50" in verdict["reason"]


def test_a_job_that_wrote_no_metrics_at_all_fails_closed() -> None:
    assembled()
    with pytest.raises(InvalidInputError, match=r"no metrics\.json"):
        handle("compare_with_champion", champion="", **results(None, challenger_judge=judge()))


def test_a_model_that_was_not_scored_on_every_judge_image_does_not_win() -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_judge=judge()[:1]))
    assert not verdict["better"] and "not scored on 1 of the 2 judge images" in verdict["reason"]


def test_versions_are_numbered_on_from_what_exists() -> None:
    assembled()
    storage.write("models/v000041-ffffffff/card.json", b"{}")
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_judge=judge()))
    assert verdict["model_version"].startswith("v000042-") and models.next_number() == 42


def calibrate(version: str, dataset: str) -> dict:
    given = {"job": JOB, "model_version": version, "dataset_version": dataset}
    return handle("fit_thresholds", **given, dataset_uri=storage.uri(f"training/{JOB}/dataset/"))


def test_a_threshold_is_fitted_once_per_model_and_dataset(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    version = assembled()
    storage.write_lines(f"training/{JOB}/scores/challenger-judge.jsonl", judge(0.7))
    first = calibrate(MODEL, version)
    assert first["threshold"] == 0.7
    storage.write_lines(f"training/{JOB}/scores/challenger-judge.jsonl", judge(0.9))
    assert calibrate(MODEL, version) == first


def test_without_scores_nothing_may_be_accepted_and_it_is_said(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    told = calibrate(MODEL, assembled())
    assert told["threshold"] is None and told["outlook"].startswith("Nothing is accepted: 0 judge images")


def recalibrate(owner: str, fence: int, dataset: str, champion: str = MODEL) -> dict:
    given = {"job": JOB, "champion": champion, "dataset_version": dataset, "train": 3, "fence": fence}
    return handle("fit_thresholds", execution=owner, dataset_uri=storage.uri(f"training/{JOB}/dataset/"), **given)


def test_the_champion_that_won_is_recalibrated_and_the_lock_is_free(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    version, owner = assembled(), trainer("one")
    crown()
    storage.write_lines(f"training/{JOB}/scores/champion-judge.jsonl", judge(0.6))
    recalibrate(owner, training_lock.take(owner, 60), version)
    now = models.champion().value
    assert now["version"] == MODEL and now["thresholds_uri"].endswith(f"{version}.json")
    assert storage.read_json(storage.own_key(now["thresholds_uri"]))["accept"] == 0.6
    assert training_lock.labels_at_last_training() == 3 and training_lock.take(trainer("two"), 60) == 2


def test_without_a_champion_a_failed_first_model_only_frees_the_lock() -> None:
    version, owner = assembled(), trainer("one")
    recalibrate(owner, training_lock.take(owner, 60), version, champion="")
    assert models.champion() is None and training_lock.labels_at_last_training() == 3


# --- Register, Deploy, Scale, Promote


COMPARISON = {"reason": "better", "metrics": {"train": {"start": "base"}}}
GIVEN = f"v000001-{naming.digest(tensors_sha256())}"


def register(fake_service, version: str = GIVEN, **answers) -> tuple:
    sagemaker = fake_service("sagemaker", create_model_package={"ModelPackageArn": "arn:package"}, **answers)
    given = {
        "model_uri": archive("model", model()),
        "comparison_uri": storage.write_json(f"training/{JOB}/comparison.json", COMPARISON),
        "thresholds_uri": storage.uri("t.json"),
    }
    more = {"job": JOB, "model_version": version, "champion": "", "dataset_version": "v000001-aaaaaaaa"}
    return handle("register_model", **more, **given), sagemaker


def test_the_card_says_what_the_model_was_trained_from(fake_service) -> None:
    register(fake_service)
    assert storage.read_json(f"models/{GIVEN}/card.json")["start"] == "base"


def test_a_version_is_stored_with_metrics_and_card_and_registered_once(fake_service) -> None:
    first, sagemaker = register(fake_service, describe_model_package_group=refused("ValidationException", "not exist"))
    assert first == {"model_package": "arn:package"}
    assert len(sagemaker.requests_of("create_model_package_group")) == 1
    before = {key: storage.read(key) for key in storage.keys(f"models/{GIVEN}/")}
    assert set(before) == {f"models/{GIVEN}/{name}" for name in ("model.tar.gz", "metrics.json", "card.json")}
    sagemaker.answering(describe_model_package_group={})
    assert register(fake_service)[0] == first
    assert {key: storage.read(key) for key in storage.keys(f"models/{GIVEN}/")} == before
    tokens = {request["ClientToken"] for request in sagemaker.requests_of("create_model_package")}
    assert tokens == {f"labelloop-{GIVEN}"}


def test_a_registry_that_may_not_be_read_is_no_missing_group(fake_service) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        register(fake_service, describe_model_package_group=refused("AccessDeniedException"))


def deploy(token: str = "t1") -> dict:
    immutable.create(f"models/{MODEL}/model.tar.gz", b"archive")
    given = {"task_token": token, "execution": trainer(f"deploys-{token}"), "timeout_seconds": 600}
    return handle("deploy_model", model_version=MODEL, **given)


def test_an_endpoint_answers_when_it_is_in_service(states, fake_service) -> None:
    sagemaker = fake_service("sagemaker", describe_endpoint={"EndpointStatus": "Creating"})
    name = deploy()["endpoint"]
    assert states.calls == [] and callbacks.find("deployment", name).started
    handle_event("complete_work", changed(ENDPOINT, name))
    assert states.calls == []
    sagemaker.answering(describe_endpoint={"EndpointStatus": "InService"})
    for _ in range(3):
        handle_event("complete_work", changed(ENDPOINT, name))
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


def test_the_truths_of_a_job_are_those_it_was_given() -> None:
    assembled()
    truths = training.read_truths(storage.uri(f"training/{JOB}/dataset/"))
    assert [truth.source_ref for truth in truths] == [reference(f"judge ü+{number}.jpg") for number in range(2)]
