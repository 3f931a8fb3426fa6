"""What template.yaml promises: data outlives the stack, no event is lost, every parameter is explained and used."""

import json
import re
import tomllib
from dataclasses import fields
from typing import Any

import pytest
from labelloop.contracts import advanced
from labelloop.contracts.settings import Settings
from labelloop.pictures.pixels import Limits
from template_documents import DEPLOYED, PROJECT, RESOURCES, ROOT, TEMPLATE, of_type

from lint.project import FUNCTION, STATE_MACHINE, listed

ENVIRONMENT = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
DOCUMENT = TEMPLATE["Resources"].get("SettingsDocument", {}).get("Properties", {}).get("Settings", {})
PLATFORM_NAMES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "LOG_LEVEL"}
STATEFUL = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::ECR::Repository"}


def test_the_longest_settings_fit_where_they_are_kept() -> None:
    """CloudFormation allows 4,096 bytes for a parameter, Lambda for all variables of a function together."""
    for name in ("Classes", "KeyPoints", "LabelingInstructions", "TrainingRecipeOverrides", "AdvancedSettings"):
        assert TEMPLATE["Parameters"][name]["MaxLength"] <= 4096
    assert set(ENVIRONMENT) == PLATFORM_NAMES | {"DATA_BUCKET", "SETTINGS_SHA256"}


@pytest.mark.parametrize("name", [name for name, body in RESOURCES.items() if body["Type"] in STATEFUL])
def test_what_holds_data_outlives_the_stack(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == RESOURCES[name]["UpdateReplacePolicy"] == "Retain"
    # A name of its own would keep a stack from being created again beside what it left.
    assert not {"BucketName", "TableName", "RepositoryName"} & set(RESOURCES[name].get("Properties", {}))


def test_every_kind_that_holds_data_is_known() -> None:
    without_data = {
        "AWS::Serverless::Function", "AWS::Serverless::StateMachine", "AWS::IAM::Role", "AWS::S3::BucketPolicy",
        "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SNS::Subscription", "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy", "AWS::Serverless::LayerVersion", "AWS::CloudWatch::Alarm",
        "AWS::CodeBuild::Project", "AWS::Logs::LogGroup", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy",
        "Custom::CleanUp", "Custom::Prefix", "Custom::SettingsDocument", "Custom::StopExecutions",
        "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route", "AWS::Lambda::Permission", "AWS::Cognito::UserPoolClient",
        "AWS::Cognito::UserPoolDomain", "AWS::Cognito::UserPoolGroup",
        "AWS::Cognito::UserPool",  # people who are invited again; what they did names them by id, in the bucket
    }  # fmt: skip
    assert {body["Type"] for body in RESOURCES.values()} == STATEFUL | without_data


def test_no_rule_expires_data() -> None:
    rules = RESOURCES["DataBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule["Prefix"] for rule in rules if "AbortIncompleteMultipartUpload" not in rule]
    assert expiring == ["training-images/"], "copies, which are made again"
    assert [set(rule) for rule in rules if rule.get("Prefix") not in expiring] == [
        {"Id", "Status", "AbortIncompleteMultipartUpload"}
    ]


STORES = {
    "DataBucket": "AWS::S3::Bucket",
    "LedgerTable": "AWS::DynamoDB::Table",
    "CallbacksTable": "AWS::DynamoDB::Table",
    "Repository": "AWS::ECR::Repository",
    "PortalTable": "AWS::DynamoDB::Table",
}


@pytest.mark.fault("I03")
def test_what_holds_data_has_the_logical_ids_and_keys_of_version_0_1() -> None:
    """Another logical id or another key would make CloudFormation create an empty one beside what holds the data."""
    assert {name: body["Type"] for name, body in RESOURCES.items() if body["Type"] in STATEFUL} == STORES
    for name, table in of_type("AWS::DynamoDB::Table").items():
        if name == "PortalTable":  # no version before it had one
            continue
        assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
        assert {"AttributeName": "id", "AttributeType": "S"} in table["AttributeDefinitions"]


@pytest.mark.fault("I05")
def test_nobody_outside_the_account_reaches_what_is_stored() -> None:
    """No ACL, no public policy, and nobody foreign is allowed anything: a policy's Allow names a service or nobody."""
    for bucket in of_type("AWS::S3::Bucket").values():
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        blocked = bucket["PublicAccessBlockConfiguration"]
        assert blocked == dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
        )
    documents = [
        properties[kind]
        for body in DEPLOYED.values()
        for properties in [body.get("Properties", {})]
        for kind in ("PolicyDocument", "AssumeRolePolicyDocument", "RepositoryPolicyText", "ResourcePolicy")
        if kind in properties
    ]
    allowed = [
        statement
        for document in documents
        for statement in document["Statement"]
        if statement["Effect"] == "Allow" and "Principal" in statement
    ]
    assert len(documents) > 10 and all(set(each["Principal"]) == {"Service"} for each in allowed)
    permissions = of_type("AWS::Lambda::Permission").values()
    assert all(str(each["Principal"]).endswith(".amazonaws.com") for each in permissions)


@pytest.mark.fault("I05")
@pytest.mark.parametrize(
    ("policy_type", "target_type", "targets_key"),
    [
        ("AWS::S3::BucketPolicy", "AWS::S3::Bucket", "Bucket"),
        ("AWS::SNS::TopicPolicy", "AWS::SNS::Topic", "Topics"),
        ("AWS::SQS::QueuePolicy", "AWS::SQS::Queue", "Queues"),
    ],
)
def test_nothing_is_reached_without_tls(policy_type: str, target_type: str, targets_key: str) -> None:
    guarded = set()
    for policy in of_type(policy_type).values():
        denied = [
            statement
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        ]
        assert len(denied) == 1 and denied[0]["Principal"] == "*"
        guarded |= {target["Ref"] for target in listed(policy[targets_key])}
    assert guarded == set(of_type(target_type))


def test_every_queue_is_encrypted_and_ends_in_a_dead_letter_queue() -> None:
    queues = of_type("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    polled = of_type("AWS::Lambda::EventSourceMapping")
    for mapping in polled.values():
        queue = queues[mapping["EventSourceArn"]["Fn::GetAtt"][0]]
        timeout = of_type("AWS::Lambda::Function")[mapping["FunctionName"]["Ref"]]["Timeout"]
        assert queue["VisibilityTimeout"] >= 6 * timeout
        assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] in queues
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert len(polled) == 1


def test_every_event_that_is_not_delivered_or_not_handled_is_kept() -> None:
    kept = {"Fn::GetAtt": ["EventDeadLetters", "Arn"]}
    handled = {
        config["FunctionName"]["Ref"]
        for config in of_type("AWS::Lambda::EventInvokeConfig").values()
        if config["DestinationConfig"]["OnFailure"]["Destination"] == kept
    }
    targets = [target for rule in of_type("AWS::Events::Rule").values() for target in rule["Targets"]]
    targets += [schedule["Target"] for schedule in of_type("AWS::Scheduler::Schedule").values()]
    assert len(targets) == 6
    for target in targets:
        assert target["DeadLetterConfig"]["Arn"] == kept and target["RetryPolicy"]
        function = target["Arn"].get("Fn::GetAtt", [""])[0]
        assert not function or function in handled


@pytest.mark.fault("C10")
def test_only_the_two_topics_of_the_endpoint_may_announce_inference() -> None:
    """A forged notice does not reach the queue: whoever is not one of both topics has no permission to send."""
    (policy,) = [
        each for each in of_type("AWS::SQS::QueuePolicy").values() if "InferenceNotices" in str(each["Queues"])
    ]
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    topics = [{"Ref": "InferenceSuccessTopic"}, {"Ref": "InferenceErrorTopic"}]
    assert [each["Condition"] for each in allowed] == [{"ArnEquals": {"aws:SourceArn": topics}}]
    assert [each["Principal"] for each in allowed] == [{"Service": "sns.amazonaws.com"}]
    for topic in topics:
        (of_topic,) = [each for each in of_type("AWS::SNS::TopicPolicy").values() if topic in each["Topics"]]
        assert [each["Effect"] for each in of_topic["PolicyDocument"]["Statement"]] == ["Deny"], (
            "nobody is allowed by the topic itself; the endpoint's role is, by its own policy"
        )


def test_rules_may_fill_the_dead_letter_queue_under_the_names_they_have() -> None:
    statement = DEPLOYED["EventDeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(":rule/${Prefix}-*")
    for rule in of_type("AWS::Events::Rule").values():
        assert rule["Name"]["Fn::Sub"].startswith("${Prefix}-")


@pytest.mark.fault("A19", "A20")
def test_the_marker_and_only_the_marker_starts_a_batch() -> None:
    rule = DEPLOYED["LabelBatchStateMachineMarkerUploaded"]["Properties"]
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [{"Ref": "DataBucket"}]},
            "object": {"key": [{"wildcard": "incoming/*/_READY.json"}]},
        },
    }
    assert rule["Targets"][0]["InputPath"] == "$.detail"


def test_all_functions_share_one_log_group_and_every_group_forgets() -> None:
    """Of the stack, not of its prefix: Keep Prefix writes to it before it is known whether the prefix may stay."""
    groups = of_type("AWS::Logs::LogGroup")
    assert set(groups) == {"FunctionLogs", "LabelBatchLogs", "TrainModelLogs", "ImageBuildLogs", "PortalLogs"}
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())
    assert groups["FunctionLogs"]["LogGroupName"] == {"Fn::Sub": "/labelloop/${AWS::StackName}"}


@pytest.mark.parametrize("name", PROJECT.resources(FUNCTION))
def test_every_function_writes_json_to_it_and_is_traced(name: str) -> None:
    title = name.removesuffix("Function")
    # The first function of all has no name: it says whether the names may stay.
    first = name == "KeepPrefixFunction"
    function = of_type("AWS::Lambda::Function")[name]
    assert function["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": "FunctionLogs"}}
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function.get("FunctionName") == (None if first else {"Fn::Sub": f"${{Prefix}}-{title}"})


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_every_parameter_is_explained_and_bounded(name: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    assert len(parameter["Description"]) >= 20 and "Default" in parameter
    if "AllowedValues" in parameter:
        assert parameter["Default"] in parameter["AllowedValues"]
    elif parameter["Type"] == "Number":
        assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]
    else:
        assert parameter["Type"] == "String" and parameter["ConstraintDescription"]
        assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"])


def test_a_person_who_deploys_meets_at_most_50_parameters() -> None:
    assert len(TEMPLATE["Parameters"]) <= 50


def test_every_parameter_is_used_and_stands_in_one_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    body = PROJECT.text.partition("\nConditions:")[2]
    assert [name for name in grouped if not re.search(rf"(!Ref |\$\{{){name}\b", body)] == []


@pytest.mark.fault("F06")
def test_a_labelling_job_is_stopped_by_us_before_ground_truth_lets_it_expire() -> None:
    """F06: after 30 days."""
    assert TEMPLATE["Parameters"]["LabelingTimeoutSeconds"]["MaxValue"] == 25 * 24 * 3600


def test_the_document_is_exactly_what_settings_read() -> None:
    given = {advanced.RECIPE, advanced.RECIPE_OVERRIDES, advanced.ADVANCED}
    assert set(DOCUMENT) == {field.name.upper() for field in fields(Settings)} - set(advanced.DEFAULTS) | given
    own = {name for name, body in PROJECT.resources(FUNCTION).items() if "Environment" in body["Properties"]}
    # Two are asked before there is a document; the portal's addresses and tables are no settings of a batch.
    assert own == {"StoreSettingsFunction", "KeepPrefixFunction", "ServePortalFunction"}


def test_the_defaults_are_settings() -> None:
    values = {name: _default(value) for name, value in DOCUMENT.items()}
    settings = Settings.from_environment(advanced.completed(values))
    assert (settings.target_mean_iou, settings.shard_size, settings.human_budget) == (0.7, 128, 200)
    assert settings.sample_minimum >= 2 * settings.judge_images and settings.accept_policy == "certified"
    assert settings.starting_model == settings.work_team_arn == ""


def _default(value: Any) -> str:
    if isinstance(value, dict) and value.get("Ref") in TEMPLATE["Parameters"]:
        return str(TEMPLATE["Parameters"][value["Ref"]]["Default"])
    return value if isinstance(value, str) else "x" * 170


@pytest.mark.parametrize("figure", ["default", "most"])
def test_the_largest_images_that_are_allowed_can_be_inspected_at_once(figure: str) -> None:
    """Out of memory, a shard dies with all its images."""
    import inspect_images

    memory = RESOURCES["InspectImagesFunction"]["Properties"]["MemorySize"]
    limits = Limits(
        *(int(getattr(advanced.LIMITS[name], figure)) for name in ("MAX_IMAGE_BYTES", "MAX_IMAGE_PIXELS")), min_side=1
    )
    decodes = inspect_images.concurrent_decodes(memory, limits)
    pixels = decodes * limits.max_pixels * inspect_images.BYTES_PER_PIXEL
    read = inspect_images.CONCURRENT_READS * limits.max_bytes
    assert pixels + read + inspect_images.BYTES_OF_THE_RUNTIME <= memory * 2**20
    assert inspect_images.BYTES_PER_PIXEL * 50_000_000 == 1_000_000_000, "the description of MaxImagePixels says 1 GB"


@pytest.mark.fault("J05")
def test_pages_elsewhere_may_not_read_pictures_unless_they_are_named() -> None:
    rule, portal = RESOURCES["DataBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    own = {
        "AllowedHeaders": [],
        "AllowedMethods": ["GET"],
        "AllowedOrigins": [{"Fn::GetAtt": ["PortalApi", "ApiEndpoint"]}],
    }
    assert portal == {"Fn::If": ["PortalWanted", own, {"Ref": "AWS::NoValue"}]}
    assert (rule["AllowedMethods"], rule["AllowedHeaders"]) == (["GET"], [])
    assert rule["AllowedOrigins"] != ["*"], "any page that has a signed address could read the picture"
    condition, with_others, ground_truth = rule["AllowedOrigins"]["Fn::If"]
    assert condition == "HasWorkerOrigins" and ground_truth == ["https://*.sagemaker.aws"]
    assert with_others == {"Fn::Split": [",", {"Fn::Sub": "https://*.sagemaker.aws,${WorkerOrigins}"}]}
    pattern = TEMPLATE["Parameters"]["WorkerOrigins"]["AllowedPattern"]
    for good in ("", "*", "https://labels.example.com", "http://localhost:8080,https://a.b"):
        assert re.fullmatch(pattern, good), good
    for bad in ("labels.example.com", "https://a/b", "https://a b", ",", "https://a,", "javascript:x"):
        assert not re.fullmatch(pattern, bad), bad


@pytest.mark.fault("J05")
def test_accesses_can_be_logged_and_a_tag_of_the_image_never_moves() -> None:
    """checkov's CKV_AWS_18 and CKV_AWS_51. A log bucket of one's own choice, because its data must not log itself."""
    logging = RESOURCES["DataBucket"]["Properties"].get("LoggingConfiguration", {"Fn::If": ["", {}, {}]})["Fn::If"]
    assert logging[0] == "HasAccessLogBucket" and logging[1]["DestinationBucketName"] == {"Ref": "AccessLogBucket"}
    assert RESOURCES["Repository"]["Properties"].get("ImageTagMutability") == "IMMUTABLE"
    skipped = (ROOT / "lint" / "checkov.yaml").read_text()
    assert "CKV_AWS_18 " not in skipped and "CKV_AWS_51" not in skipped


@pytest.mark.fault("J05")
def test_a_network_is_given_whole_or_not_at_all() -> None:
    (rule,) = TEMPLATE.get("Rules", {"none": {"Assertions": []}}).values()
    assert rule["Assertions"], "one of both would be found out by SageMaker, at the first deployment of a model"
    (assertion,) = rule["Assertions"]
    assert "Give both, or none" in assertion["AssertDescription"]
    both = TEMPLATE["Parameters"]
    assert re.fullmatch(both["VpcSubnets"]["AllowedPattern"], "subnet-0123456789abcdef0,subnet-01234567")
    assert re.fullmatch(both["VpcSecurityGroups"]["AllowedPattern"], "sg-0123456789abcdef0")
    for bad in (
        "subnet-",
        "subnet-0123456789abcdef0,",
        "sg-0123456789abcdef0",
        "subnet-0123456789abcdef0, subnet-01234567",
    ):
        assert not re.fullmatch(both["VpcSubnets"]["AllowedPattern"], bad), bad
    policy = RESOURCES["NetworkPolicy"]
    assert policy["Condition"] == "HasVpc", "without a network of one's own nobody needs it"
    assert policy["Properties"]["Roles"] == [{"Ref": "InferenceRole"}, {"Ref": "TrainingRole"}]


def test_every_alarm_tells_somebody_and_says_what_to_do() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) == 10
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [{"Ref": "NotificationTopic"}] and len(alarm["AlarmDescription"]) > 30
    watched = json.dumps(alarms)
    assert all(f'"{queue}", "QueueName"' in watched for queue in ("InferenceDeadLetters", "EventDeadLetters"))


def test_the_machines_go_before_the_clean_up_that_takes_away_what_they_made() -> None:
    assert all(body["DependsOn"] == "CleanUp" for body in PROJECT.resources(STATE_MACHINE).values())
    for name in ("CleanUp", "StopExecutions"):
        function = RESOURCES[f"{name}Function"]["Properties"]
        assert RESOURCES[name]["Properties"]["ServiceTimeout"] > function["Timeout"]


@pytest.mark.fault("I02")
def test_what_the_machines_run_ends_before_the_machines_go() -> None:
    """What depends on a resource is deleted before it; a machine with a waiting execution would never be gone."""
    first = [body for body in RESOURCES.values() if body["Type"].startswith("Custom::") and "DependsOn" in body]
    machines = set(PROJECT.resources(STATE_MACHINE))
    assert [set(listed(body["DependsOn"])) for body in first] == [machines]


def test_every_name_that_deploys_has_its_own_prefix() -> None:
    """Two stacks with one prefix would share endpoints, and the clean-up of one would take the other's."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert set(config) == {"version", "default", "dev", "prod", "local"}
    prefixes = []
    for name in ("default", "dev", "prod"):
        given = config[name]["deploy"]["parameters"].get("parameter_overrides", "")
        found = re.search(r"ResourcePrefix=(\S+)", given)
        prefixes.append(found[1] if found else TEMPLATE["Parameters"]["ResourcePrefix"]["Default"])
    pattern = TEMPLATE["Parameters"]["ResourcePrefix"]["AllowedPattern"]
    assert len(set(prefixes)) == 3 and all(re.fullmatch(pattern, prefix) for prefix in prefixes)
