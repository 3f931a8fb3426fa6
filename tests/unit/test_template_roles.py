"""What the roles of template.yaml may do: exactly what their work needs, for this stack and this account only."""

import json
import re

import pytest
from template_documents import DEPLOYED, RESOURCES, TEMPLATE, of_type

from lint.permissions import allow_statements
from lint.project import listed

BATCH = "batches/*"
# Exactly the keys that a function writes; acting.py has every test that runs a handler keep to them.
WRITES = {
    "InferenceRole": {f"{BATCH}/predictions/*", "batches/inference-failures/*"},
    "TrainingRole": {"training/*/output/*", "training/*/profiler-output/*"},
    "LabelingRole": {f"{BATCH}/labeling/*"},
    "RegisterBatchFunction": {
        *(f"{BATCH}/{each}" for each in ("settings.json", "inventory.jsonl", "estimate.json", "shards/inspect*")),
        *(f"{BATCH}/{each}" for each in ("beside.json", "side-files.jsonl")),
    },
    "InspectImagesFunction": {f"{BATCH}/inspected/*", "canonical/*"},
    "ImportLabelsFunction": {f"{BATCH}/labeling/0/*", f"{BATCH}/decisions/0.jsonl"},
    "BeginRoundFunction": {
        *(f"{BATCH}/rounds/{each}" for each in ("*.json", "*-copies.jsonl", "*-uninspected.jsonl")),
        *(f"{BATCH}/inspected/moved-*", f"{BATCH}/shards/infer-*", "canonical/*"),
    },
    "FindMissingPredictionsFunction": {
        *(f"{BATCH}/{each}" for each in ("rounds/*-inference.json", "shards/single-*", "shards/control-*")),
    },
    "JudgeBatchFunction": {
        *(f"{BATCH}/{each}" for each in ("decisions/*.jsonl", "rounds/*-own-verdicts.json")),
        *(f"{BATCH}/labeling/{each}" for each in ("*/jobs/*.json", "*/honeypots.jsonl", "*.manifest")),
    },
    "RequestLabelsFunction": {f"{BATCH}/labeling/*/label-categories-*.json", "worker_ui/*", "labeling-jobs/*"},
    "PlanTrainingFunction": {"training/*/settings.json"},
    "StoreSettingsFunction": {"settings/*"},
    "ImageBuildRole": {"images/current"},
    "CollectLabelsFunction": {
        *(
            f"{BATCH}/labeling/{each}"
            for each in ("*/jobs/*.json", "*.manifest", "*/answers/*.jsonl", "*/workers/*.json")
        ),
    },
    "MergeAnnotationsFunction": {
        *(f"{BATCH}/{each}" for each in ("annotations/*.manifest", "rounds/*-changed.jsonl", "rounds/*-audit.json")),
        "datasets/*",
    },
    "ReportBatchFunction": {f"{BATCH}/{each}" for each in ("annotations.manifest", "summary.json", "report.html")},
    "AdoptModelFunction": {"training/*/comparison.json", "models/*/thresholds/*"},
    "AssembleDatasetFunction": {
        *(f"training/*/{each}" for each in ("dataset/*", "images.manifest", "left-out.jsonl")),
        "training-images/*",
    },
    "TrainChallengerFunction": {"base-weights/*"},
    "CompareWithChampionFunction": {"training/*/scores/*", "training/*/comparison.json"},
    "FitThresholdsFunction": {"models/*/thresholds/*", "models/champion"},
    "RegisterModelFunction": {f"models/*/{each}" for each in ("model.*", "metrics.json", "card.json")},
    "PromoteModelFunction": {"models/champion"},
    "UploaderPolicy": {"incoming/*"},
}
# What a role may do beyond reading and writing objects: exactly the calls that its function makes.
CALLS = {
    "RequestInferenceFunction": {"dynamodb": {"GetItem", "PutItem", "UpdateItem"}},
    "DeployModelFunction": {
        "dynamodb": {"GetItem", "PutItem", "UpdateItem", "DeleteItem"},
        "sagemaker": {"CreateModel", "CreateEndpointConfig", "CreateEndpoint", "DescribeEndpoint", "AddTags"},
    },
    "TrainChallengerFunction": {
        "s3": {"GetObject", "PutObject", "ListBucket", "ListBucketVersions"},
        "dynamodb": {"GetItem", "PutItem", "UpdateItem", "DeleteItem"},
    },
    "RecordFailureFunction": {
        "dynamodb": {"GetItem", "UpdateItem", "Query"},
        "sagemaker": {"StopTrainingJob", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"},
    },
    "ReportBatchFunction": {"dynamodb": {"GetItem", "BatchGetItem", "UpdateItem"}},
    "RegisterModelFunction": {
        "dynamodb": {"PutItem"},
        "sagemaker": {"CreateModelPackageGroup", "DescribeModelPackageGroup", "CreateModelPackage", "AddTags"},
    },
}


def test_permissions_name_exact_resources() -> None:
    """The gate asks for a comment beside each `*`; here is the whole list, so that it only grows on purpose."""
    whole = sorted(
        action
        for _, statement in allow_statements(TEMPLATE)
        if "*" in listed(statement["Resource"])
        for action in set(listed(statement["Action"]))
    )
    assert set(whole) == {
        "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken",
        "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
        "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
        "sagemaker:ListEndpoints", "sagemaker:ListLabelingJobs", "sagemaker:ListTrainingJobs",
    }  # fmt: skip


def test_sagemaker_permissions_end_at_the_prefix_of_the_stack() -> None:
    for name, statement in allow_statements(TEMPLATE):
        actions = listed(statement["Action"])
        if any(action.startswith("sagemaker:") for action in actions) and statement["Resource"] != "*":
            for resource in listed(statement["Resource"]):
                own = resource["Fn::Sub"].endswith("/${Prefix}-*")
                assert own or (actions == ["sagemaker:DescribeEndpointConfig"] and name == "PromoteModelFunction"), name


def test_nobody_deletes_objects_or_rows_that_hold_data() -> None:
    """Rows of the callbacks table may go: an outside call that was refused takes back its row. Sessions may end."""
    deleting = {
        (action, json.dumps(statement["Resource"]))
        for _, statement in allow_statements(TEMPLATE)
        for action in listed(statement["Action"])
        if action.startswith(("s3:Delete", "dynamodb:Delete", "ecr:Delete", "dynamodb:BatchWrite"))
    }
    tables = [json.dumps({"Fn::GetAtt": [name, "Arn"]}) for name in ("CallbacksTable", "PortalTable")]
    assert deleting == {("dynamodb:DeleteItem", table) for table in tables}


def test_every_role_writes_where_its_own_work_lies_and_nobody_where_users_put_their_images() -> None:
    written: dict[str, set[str]] = {}
    for name, statement in allow_statements(TEMPLATE):
        if "s3:PutObject" in listed(statement["Action"]):
            keys = {resource["Fn::Sub"] for resource in listed(statement["Resource"])}
            written.setdefault(name, set()).update(key.removeprefix("${DataBucket.Arn}/") for key in keys)
    assert written == WRITES


@pytest.mark.fault("I07")
@pytest.mark.parametrize(("name", "service"), [(name, service) for name in CALLS for service in CALLS[name]])
def test_a_role_allows_the_calls_of_its_function_and_no_other(name: str, service: str) -> None:
    actions = {
        action
        for owner, statement in allow_statements(TEMPLATE)
        for action in listed(statement["Action"])
        if owner == name
    }
    assert {action.partition(":")[2] for action in actions if action.startswith(f"{service}:")} == CALLS[name][service]


def test_judge_batch_may_invoke_the_own_function_that_is_given_and_nothing_without_one() -> None:
    policy = RESOURCES["JudgeFunctionPolicy"]
    assert (policy["Condition"], policy["Properties"]["Roles"]) == (
        "HasJudgeFunction",
        [{"Ref": "JudgeBatchFunctionRole"}],
    )
    assert TEMPLATE["Conditions"]["HasJudgeFunction"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "JudgeFunctionArn"}, ""]}]
    }
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", {"Ref": "JudgeFunctionArn"})
    invoking = {name for name, each in allow_statements(TEMPLATE) if "lambda:InvokeFunction" in listed(each["Action"])}
    assert "JudgeBatchFunction" not in invoking
    pattern = TEMPLATE["Parameters"]["JudgeFunctionArn"]["AllowedPattern"]
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:mine"
    assert all(re.fullmatch(pattern, each) for each in ("", arn, f"{arn}:live", arn.replace("aws", "aws-us-gov", 1)))
    assert not any(
        re.fullmatch(pattern, each) for each in ("mine", f"{arn}:*", arn.replace("mine", "*"), f"{arn}:live:x")
    )


def test_only_what_reads_models_may_read_them() -> None:
    readers = {
        name
        for name, statement in allow_statements(TEMPLATE)
        if "s3:GetObject" in listed(statement["Action"]) and '/models/*"' in json.dumps(statement["Resource"])
    }
    assert not readers & {"FindMissingPredictionsFunction", "MergeAnnotationsFunction", "RequestInferenceFunction"}


@pytest.mark.fault("J05")
def test_nobody_reads_the_whole_bucket_and_nobody_writes_any_file_of_a_batch_or_a_training() -> None:
    whole = {"*", "batches/*", "batches/*/*", "training/*", "training/*/*", "models/*"}
    for name, statement in allow_statements(TEMPLATE):
        resources = [each.get("Fn::Sub", "") for each in listed(statement["Resource"]) if isinstance(each, dict)]
        keys = {each.partition("/")[2] for each in resources if each.startswith("${DataBucket.Arn}/")}
        if "s3:GetObject" in listed(statement["Action"]):
            assert "*" not in keys, f"{name} reads every object"
        if "s3:PutObject" in listed(statement["Action"]):
            assert not keys & whole, f"{name} writes {sorted(keys & whole)}"


@pytest.mark.fault("J05")
def test_whoever_uploads_may_put_below_incoming_and_nothing_else() -> None:
    policy = RESOURCES.get("UploaderPolicy", {"Properties": {"PolicyDocument": {"Statement": []}}})["Properties"]
    allowed = {
        (action, json.dumps(each["Resource"]))
        for each in policy["PolicyDocument"]["Statement"]
        for action in listed(each["Action"])
        if each["Effect"] == "Allow"
    }
    below = json.dumps({"Fn::Sub": "${DataBucket.Arn}/incoming/*"})
    assert allowed == {
        (f"s3:{each}", below) for each in ("PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")
    }
    assert TEMPLATE["Outputs"]["UploaderPolicyArn"]["Value"] == {"Ref": "UploaderPolicy"}


@pytest.mark.fault("J05")
def test_a_training_job_with_a_network_may_not_be_created() -> None:
    conditions = [
        statement.get("Condition")
        for name, statement in allow_statements(TEMPLATE)
        if "sagemaker:CreateTrainingJob" in listed(statement["Action"])
    ]
    assert conditions == [{"Bool": {"sagemaker:NetworkIsolation": "true"}}]


@pytest.mark.fault("J05")
def test_whatever_a_service_assumes_or_sends_is_for_this_account() -> None:
    """Roles of ours, and of functions; what a service sends to us comes from what is ours."""
    for name, body in DEPLOYED.items():
        properties = body.get("Properties", {})
        made_by_sam = re.search(r"(StateMachine|Schedule|MarkerUploaded)Role$", name)
        for kind in ("AssumeRolePolicyDocument", "PolicyDocument"):
            for statement in properties.get(kind, {}).get("Statement", []):
                if statement["Effect"] == "Allow" and "Principal" in statement and not made_by_sam:
                    assert re.search("aws:Source(Account|Arn)", json.dumps(statement.get("Condition", {}))), name
    for name, permission in of_type("AWS::Lambda::Permission").items():
        assert "SourceArn" in permission or "SourceAccount" in permission, name


@pytest.mark.parametrize(
    ("name", "operator"),
    [("InferenceRole", "StringEquals"), ("TrainingRole", "StringEquals"), ("LabelingRole", "StringEqualsIfExists")],
)
def test_sagemaker_assumes_its_roles_for_this_account_only(name: str, operator: str) -> None:
    """SageMaker's guide promises the source of training and inference, and says nothing of Ground Truth's: a role that
    demands it there might never be assumed, and no job would ever begin ("Cross-service confused deputy prevention").
    """
    (statement,) = RESOURCES[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Condition"][operator] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    named = statement["Condition"].get("ArnLikeIfExists", {"aws:SourceArn": {"Fn::Sub": ""}})["aws:SourceArn"][
        "Fn::Sub"
    ]
    assert named == "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:*"


def test_scaling_has_what_aws_asks_for_as_a_minimum() -> None:
    """Application Auto Scaling user guide: what registering a SageMaker variant needs of the caller."""
    allowed = {
        action: json.dumps(statement["Resource"])
        for name, statement in allow_statements(TEMPLATE)
        if name == "PromoteModelFunction"
        for action in listed(statement["Action"])
    }
    wanted = {"DescribeEndpoint", "DescribeEndpointConfig", "UpdateEndpointWeightsAndCapacities"}
    assert {f"sagemaker:{action}" for action in wanted} <= set(allowed)
    assert "endpoint-config/*" in allowed["sagemaker:DescribeEndpointConfig"], "its name can be a UUID"
    assert {f"cloudwatch:{action}Alarms" for action in ("Describe", "Delete")} <= set(allowed)


@pytest.mark.parametrize("name", ["ReconcileFunction", "RecordFailureFunction", "CleanUpFunction"])
def test_what_takes_scaling_away_may_see_and_delete_its_alarms(name: str) -> None:
    """Application Auto Scaling does both in the caller's name."""
    actions = {
        action for owner, each in allow_statements(TEMPLATE) if owner == name for action in listed(each["Action"])
    }
    assert {"cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"} <= actions


def test_a_model_is_registered_with_what_the_registry_reads_in_the_callers_name() -> None:
    """AWS's own policy for the model registry (AmazonSageMakerModelRegistryFullAccess): it looks at the image."""
    allowed = {
        action: json.dumps(each["Resource"])
        for owner, each in allow_statements(TEMPLATE)
        if owner == "RegisterModelFunction"
        for action in listed(each["Action"])
    }
    assert ":repository/*" in allowed.get("ecr:BatchGetImage", "") and "ecr:DescribeImages" in allowed
