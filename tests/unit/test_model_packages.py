"""A version in the model registry: its group is made once, and a repeated request finds the first package."""

import pytest
from botocore.exceptions import ClientError
from fake_service import refused
from labelloop.engines import model_packages

VERSION = "v000003-0123abcd"
CARD = {"image": "an-image", "parent": "", "dataset": "d000001-1", "job": "a-job"}
NO_GROUP = refused("ValidationException", "ModelPackageGroup does not exist")


def registry(fake_service, **answers):
    return fake_service("sagemaker", create_model_package={"ModelPackageArn": "arn:package"}, **answers)


def test_a_package_names_archive_metrics_and_where_the_model_came_from(fake_service) -> None:
    sagemaker = registry(fake_service)
    assert model_packages.register(VERSION, CARD) == "arn:package"
    (request,) = sagemaker.requests_of("create_model_package")
    (container,) = request["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == f"s3://data-bucket/models/{VERSION}/model.tar.gz"
    statistics = request["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert statistics["S3Uri"] == f"s3://data-bucket/models/{VERSION}/metrics.json"
    # A property without a value is one that SageMaker refuses.
    assert request["CustomerMetadataProperties"] == {"dataset": "d000001-1", "job": "a-job"}
    assert request["ClientToken"] == f"labelloop-{VERSION}"


def test_the_group_is_made_where_there_is_none(fake_service) -> None:
    sagemaker = registry(fake_service, describe_model_package_group=NO_GROUP)
    model_packages.register(VERSION, CARD)
    (made,) = sagemaker.requests_of("create_model_package_group")
    (package,) = sagemaker.requests_of("create_model_package")
    assert made["ModelPackageGroupName"] == package["ModelPackageGroupName"] == "labelloop-models"


def test_a_registry_that_may_not_be_read_is_not_taken_for_empty(fake_service) -> None:
    sagemaker = registry(fake_service, describe_model_package_group=refused("AccessDeniedException"))
    with pytest.raises(ClientError):
        model_packages.register(VERSION, CARD)
    assert not sagemaker.requests_of("create_model_package_group")
