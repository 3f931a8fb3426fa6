"""Model versions in SageMaker's model registry. Contracts: CreateModelPackageGroup, CreateModelPackage (SageMaker)."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts.settings import settings
from labelloop.store import aws, storage


def register(version: str, card: Mapping[str, Any]) -> str:
    """The ARN of this version's package in the group `<prefix>-models`; a repeat finds the first by its token."""
    sagemaker, group = aws.client("sagemaker"), f"{settings().resource_prefix}-models"
    model_uri, metrics_uri = (storage.uri(f"models/{version}/{file}") for file in ("model.tar.gz", "metrics.json"))
    try:
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if aws.error_code(error) not in ("ValidationException", "ResourceNotFound"):
            raise
        sagemaker.create_model_package_group(
            ModelPackageGroupName=group, ModelPackageGroupDescription="Champions of this labelloop stack"
        )
    answer = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=version,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [
                {"Image": card["image"], "ModelDataUrl": model_uri, "Environment": {"MODEL_VERSION": version}}
            ],
            "SupportedContentTypes": ["application/jsonlines", "image/jpeg", "image/png"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_uri}}},
        CustomerMetadataProperties={name: card[name] for name in ("parent", "dataset", "job") if card[name]},
        ClientToken=f"labelloop-{version}",
    )
    return str(answer["ModelPackageArn"])
