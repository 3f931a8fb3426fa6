"""Register Model: a version is stored with its metrics and card, and registered once."""

import pytest
from botocore.exceptions import ClientError
from fake_service import refused
from handling import handle
from labelloop.contracts import naming
from labelloop.store import storage
from made_up_models import model, tensors_sha256
from training_files import JOB, archive

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


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
