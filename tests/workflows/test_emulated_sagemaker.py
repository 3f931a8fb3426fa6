"""The emulated SageMaker: requests and permissions, models and their registry."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sagemaker_lab import IMAGE, Lab, allow, archive, refusal, running_lab
from toys import ACCOUNT

from local import stack


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab() as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(lab: Lab) -> Iterator[None]:
    yield
    lab.undo_faults()


def test_illegal_values_are_refused_in_the_words_of_aws(lab: Lab) -> None:
    code, message = refusal(lab.sagemaker.create_training_job, **lab.training_request("a_b"))
    assert code == "ValidationException"
    assert message.startswith(
        "1 validation error detected: Value 'a_b' at 'trainingJobName' failed to satisfy constraint"
    )
    assert "Member must satisfy regular expression pattern" in message
    request = lab.labeling_request("limits", NumberOfHumanWorkersPerDataObject=99)
    code, message = refusal(lab.sagemaker.create_labeling_job, **request)
    assert "Member must have value less than or equal to 9" in message
    algorithm = {"TrainingImage": IMAGE, "TrainingInputMode": "Teleport"}
    request = lab.training_request("enum", AlgorithmSpecification=algorithm)
    assert (
        "Member must satisfy enum value set: [Pipe, File, FastFile]"
        in refusal(lab.sagemaker.create_training_job, **request)[1]
    )
    code, message = refusal(
        lab.runtime.invoke_endpoint_async, EndpointName="e", InputLocation="s3://b/k", InferenceId="x" * 65
    )
    assert (code, "less than or equal to 64" in message) == ("ValidationError", True)


def test_what_is_not_implemented_is_refused_by_name(lab: Lab) -> None:
    code, message = refusal(lab.sagemaker.list_apps)
    assert (code, "ListApps" in message) == ("NotImplementedException", True)
    code, message = refusal(
        lab.sagemaker.create_training_job,
        **lab.training_request("profiled", ProfilerConfig={"DisableProfiler": True}),
    )
    assert (code, "ProfilerConfig" in message) == ("NotImplementedException", True)
    code, message = refusal(lab.scaling.describe_scaling_policies, ServiceNamespace="sagemaker")
    assert (code, "DescribeScalingPolicies" in message) == ("NotImplementedException", True)


def test_every_call_needs_its_permission_and_a_passed_role_that_trusts_sagemaker(lab: Lab) -> None:
    describes = lab.user(allow("sagemaker:DescribeTrainingJob", resource="arn:aws:sagemaker:*:*:training-job/mine-*"))
    assert refusal(describes.describe_training_job, TrainingJobName="mine-1")[0] == "ValidationException"
    code, message = refusal(describes.describe_training_job, TrainingJobName="other")
    assert code == "AccessDeniedException"
    assert "sagemaker:DescribeTrainingJob" in message and "training-job/other" in message

    request = lab.training_request("passed")
    code, message = refusal(lab.user(allow("sagemaker:*")).create_training_job, **request)
    assert (code, "iam:PassRole" in message and lab.role in message) == ("AccessDeniedException", True)
    to_lambda = {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}
    wrong = lab.user(allow("sagemaker:*"), allow("iam:PassRole", **to_lambda))
    assert refusal(wrong.create_training_job, **request)[0] == "AccessDeniedException"

    distrustful = lab.toys.role("lambda", [allow("s3:*")])
    for role in (distrustful, f"arn:aws:iam::{ACCOUNT}:role/nobody"):
        code, message = refusal(lab.sagemaker.create_training_job, **{**request, "RoleArn": role})
        assert (code, message.startswith(f"Could not assume role {role}.")) == ("ValidationException", True)

    tagged = {**request, "Tags": [{"Key": "k", "Value": "v"}]}
    untagged = lab.user(allow("sagemaker:CreateTrainingJob", "iam:PassRole"))
    assert "sagemaker:AddTags" in refusal(untagged.create_training_job, **tagged)[1]


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("list_training_jobs", "TrainingJobSummaries"),
        ("list_labeling_jobs", "LabelingJobSummaryList"),
        ("list_endpoints", "Endpoints"),
        ("list_endpoint_configs", "EndpointConfigs"),
    ],
)
def test_every_list_needs_its_permission_and_has_its_filters(lab: Lab, operation: str, member: str) -> None:
    listed = getattr(lab.sagemaker, operation)(NameContains="no-such-name", SortBy="Name", SortOrder="Ascending")
    assert listed[member] == []
    assert refusal(getattr(lab.user(allow("sagemaker:Create*")), operation))[0] == "AccessDeniedException"


def test_the_control_interface_says_what_is_wrong(lab: Lab) -> None:
    for name, document in (("faults", {"typo": 1}), ("annotators", {"miss_rate": 2}), ("truth", []), ("nothing", {})):
        with pytest.raises(stack.ControlRefused, match=f"refused PUT {name}: .*message"):
            lab.control("PUT", name, document)


def test_models_and_configurations(lab: Lab) -> None:
    name = lab.config("plain", lab.model("plain"))
    assert "Cannot create already existing model" in refusal(lab.model, name=name)[1]
    assert "Cannot create already existing endpoint configuration" in refusal(lab.config, name=name, model=name)[1]
    listed = lab.sagemaker.list_endpoint_configs(NameContains="plain")["EndpointConfigs"]
    assert [each["EndpointConfigName"] for each in listed] == ["plain"]
    for _ in range(2):
        lab.config(f"paged-{uuid.uuid4().hex[:6]}", name)
    pages = lab.sagemaker.get_paginator("list_endpoint_configs").paginate(
        NameContains="paged-", PaginationConfig={"PageSize": 1}
    )
    assert [len(page["EndpointConfigs"]) for page in pages] == [1, 1]
    lab.sagemaker.delete_endpoint_config(EndpointConfigName=name)
    lab.sagemaker.delete_model(ModelName=name)
    code, message = refusal(lab.sagemaker.delete_model, ModelName=name)
    assert (code, message.startswith('Could not find model "arn:aws:sagemaker:')) == ("ValidationException", True)
    assert (
        "Could not find endpoint configuration"
        in refusal(lab.sagemaker.delete_endpoint_config, EndpointConfigName=name)[1]
    )
    assert name not in lab.control("GET", "state")["models"]
    missing = {"Image": IMAGE, "ModelDataUrl": f"s3://{lab.bucket}/no/model.tar.gz"}
    code, message = refusal(
        lab.sagemaker.create_model, ModelName="m", PrimaryContainer=missing, ExecutionRoleArn=lab.role
    )
    assert "Could not find model data at" in message


def test_model_packages_are_versioned_and_one_that_is_asked_for_again_is_the_first(lab: Lab) -> None:
    lab.sagemaker.create_model_package_group(ModelPackageGroupName="Heads")
    assert "already exists" in refusal(lab.sagemaker.create_model_package_group, ModelPackageGroupName="Heads")[1]
    assert lab.sagemaker.describe_model_package_group(ModelPackageGroupName="Heads")["ModelPackageGroupArn"]
    url = lab.put("models/packaged/model.tar.gz", archive({"weights.txt": "packaged"}))
    specification = {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": url}],
        "SupportedContentTypes": ["image/jpeg"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    arns = [
        lab.sagemaker.create_model_package(
            ModelPackageGroupName="Heads", InferenceSpecification=specification, ClientToken=token
        )["ModelPackageArn"]
        for token in ("t1", "t2", "t2")
    ]
    assert [arn.rsplit(":", 1)[1] for arn in arns] == [
        "model-package/heads/1",
        "model-package/heads/2",
        "model-package/heads/2",
    ]
    statuses = lab.control("GET", "state")["model_packages"]
    assert {arn: statuses[arn] for arn in arns} == dict.fromkeys(arns, "PendingManualApproval")
    assert "does not exist" in refusal(lab.sagemaker.describe_model_package_group, ModelPackageGroupName="Tails")[1]
