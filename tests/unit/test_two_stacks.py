"""Two stacks in one account: neither may touch what the other has, nor hear of it, however alike their names are."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from labelloop.contracts import naming

from lint.cloudformation import transformed_template
from lint.project import Project, listed

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT)
RESOURCES: dict[str, dict[str, Any]] = transformed_template(PROJECT)["Resources"]
PREFIX = PROJECT.template["Parameters"]["ResourcePrefix"]
PAIRS = [
    ("labelloop", "labelloop-prod"),
    ("labelloop", "labelloopprod"),
    ("labelloop", "labelloop-v000001"),
    ("labelloop", "labelloop-train-1"),
    ("labelloop", "labelloop-"),
    ("labelloop", "labelloop1"),
    ("loop", "labelloop"),
    ("ab", "abc"),
    ("ab", "ab-c"),
    ("la", "la0"),
]
ACCOUNT = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}
# What a pattern may say of every stack: what has no name of ours (the comment in the template says why).
SHARED = (
    "arn:aws:ecr:us-east-1:123456789012:repository/*",
    "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/*",
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/*",  # its description, for scaling
    "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs*",
    "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/LabelingJobs*",
)


def rendered(value: Any, prefix: str, stack: str) -> Any:
    """As CloudFormation fills it in; what it names itself becomes a name that holds the stack's id."""
    values = {**ACCOUNT, "ResourcePrefix": prefix, "Prefix": prefix, "AWS::StackName": stack}
    if isinstance(value, list):
        return [rendered(each, prefix, stack) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"] if isinstance(value["Fn::Sub"], str) else value["Fn::Sub"][0]
        return re.sub(r"\$\{([^}]+)\}", lambda found: values.get(found[1], f"<{stack} {found[1]}>"), text)
    if set(value) == {"Ref"}:
        return values.get(value["Ref"], f"<{stack} {value['Ref']}>")
    if set(value) == {"Fn::GetAtt"}:
        return f"<{stack} {value['Fn::GetAtt'][0]}>"
    return {name: rendered(each, prefix, stack) for name, each in value.items()}


def patterns(prefix: str, stack: str) -> set[str]:
    """Every resource that a role of the stack may do something with."""

    def statements(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield from listed(value.get("Statement", []))
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from statements(inner)

    allowed = [each for each in statements(RESOURCES) if each["Effect"] == "Allow" and "Resource" in each]
    found = {rendered(one, prefix, stack) for each in allowed for one in listed(each["Resource"])}
    for each in allowed:
        for condition in each.get("Condition", {}).get("ArnLike", {}).values():
            found |= set(listed(rendered(condition, prefix, stack)))
    return found - {"*"} - set(SHARED)


def names(prefix: str, stack: str) -> set[str]:
    """ARNs of what a stack has and of what its workflows make."""

    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:us-east-1:123456789012:{resource}"

    kinds = {
        "AWS::Lambda::Function": ("lambda:function:", "FunctionName"),
        "AWS::Events::Rule": ("events:rule/", "Name"),
        "AWS::Scheduler::Schedule": ("scheduler:schedule/default/", "Name"),
        "AWS::CodeBuild::Project": ("codebuild:project/", "Name"),
        "AWS::StepFunctions::StateMachine": ("states:stateMachine:", "StateMachineName"),
        "AWS::Logs::LogGroup": ("logs:log-group:", "LogGroupName"),
    }
    found = {arn("cloudformation", f"stack/{stack}/0123abcd")}
    for body in RESOURCES.values():
        kind, key = kinds.get(body["Type"], ("", ""))
        name = rendered(body.get("Properties", {}).get(key), prefix, stack)
        if kind and name:
            found.add(arn(*f"{kind}{name}".split(":", 1)))
            if "states:" in kind:
                for rest in (":run", "/InferShards:run", ":run:child"):
                    found.add(arn("states", f"execution:{name}{rest}"))
                found.add(arn("states", f"stateMachine:{name}/InferShards"))
    endpoint = naming.endpoint(prefix, "v000001-0123abcd")
    training = naming.training_job(prefix, "v000002-0123abcd", 3)
    labelling = naming.labeling_job(prefix, "week-1-0123abcd", 1, "annotate", 1)
    long = naming.labeling_job(prefix, "a-very-long-name-of-a-folder-0123abcd-12", 12, "annotate", 10)
    for kind in ("endpoint", "endpoint-config", "model"):
        found.add(arn("sagemaker", f"{kind}/{endpoint}"))
    for name in (labelling, long):
        found |= {arn("sagemaker", f"labeling-job/{name}")}
        found |= {arn("logs", f"log-group:/aws/sagemaker/LabelingJobs:log-stream:{name}/1")}
    found |= {
        arn("sagemaker", f"training-job/{training}"),
        arn("sagemaker", f"model-package-group/{prefix}-models"),
        arn("sagemaker", f"model-package/{prefix}-models/1"),
        arn("cloudwatch", f"alarm:{endpoint}-wake"),
        arn("cloudwatch", f"alarm:TargetTracking-endpoint/{endpoint}/variant/AllTraffic-AlarmHigh-0"),
        arn("logs", f"log-group:/aws/sagemaker/Endpoints/{endpoint}:log-stream:AllTraffic/i-0"),
        arn("logs", f"log-group:/aws/sagemaker/TrainingJobs:log-stream:{training}/algo-1"),
    }
    return found


def allowed_pairs() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(prefix, stack) of two stacks that can be deployed beside each other, both ways."""
    for one, other in PAIRS:
        if all(re.fullmatch(PREFIX["AllowedPattern"], prefix) for prefix in (one, other)):
            yield (one, one), (other, other)
            yield (other, other), (one, one)
    # Names of stacks may have hyphens, and go into the names of machines.
    for stack in ("labelloop-prod", "labelloop-LabelBatch", "labelloop-LabelBatch-LabelBatch"):
        yield ("one", "labelloop"), ("two", stack)
        yield ("two", stack), ("one", "labelloop")


@pytest.mark.fault("J04")
def test_no_role_of_a_stack_may_touch_what_another_stack_has() -> None:
    for own, other in allowed_pairs():
        for pattern in patterns(*own):
            reached = [name for name in names(*other) if fnmatchcase(name, pattern)]
            assert not reached, f"the stack {own} may use {reached[0]} of the stack {other}: {pattern}"


def test_every_role_reaches_what_its_own_stack_has() -> None:
    """The test above would pass as well if it filled in nonsense."""
    own = ("labelloop", "labelloop")
    reached = {name for name in names(*own) if any(fnmatchcase(name, pattern) for pattern in patterns(*own))}
    kinds = {re.sub(r"^arn:aws:|:us-east-1:\d+", "", name).split("/")[0] for name in reached}
    assert {"sagemaker:training-job", "sagemaker:endpoint", "sagemaker:labeling-job", "events:rule"} <= kinds
    assert {"logs:log-group:", "cloudformation:stack", "scheduler:schedule"} <= kinds
    assert any(kind.startswith("cloudwatch:alarm") for kind in kinds)


@pytest.mark.fault("J04")
def test_no_rule_of_a_stack_hears_of_what_another_stack_does() -> None:
    rules = [body["Properties"]["EventPattern"] for body in RESOURCES.values() if body["Type"] == "AWS::Events::Rule"]
    for own, other in allowed_pairs():
        for rule in rules:
            pattern = rendered(rule, *own)
            for name in names(*other):
                event = {"resources": [name], "detail": {"stateMachineArn": name, "bucket": {"name": "of another"}}}
                assert not hears(pattern, event), f"the stack {own} hears of {name}: {json.dumps(pattern)}"
        assert len(rules) == 5


def hears(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """By the fields that say whose the event is; every rule must ask one of them."""
    asked = [
        (pattern.get("resources"), event["resources"][0]),
        (pattern["detail"].get("stateMachineArn") if "detail" in pattern else None, event["detail"]["stateMachineArn"]),
        (pattern.get("detail", {}).get("bucket", {}).get("name"), event["detail"]["bucket"]["name"]),
    ]
    told = [(wanted, value) for wanted, value in asked if wanted]
    return all(any(_fits(each, value) for each in wanted) for wanted, value in told)


def _fits(wanted: Any, value: str) -> bool:
    return value.startswith(wanted["prefix"]) if isinstance(wanted, dict) else value == wanted


@pytest.mark.fault("J04")
def test_a_prefix_has_no_hyphen_and_the_refusal_says_why() -> None:
    for prefix in ("labelloop-prod", "a-b", "ab-", "-ab", "a_b", "Ab", "a", "1ab", "a" * 16, "äb", "ab "):
        assert not re.fullmatch(PREFIX["AllowedPattern"], prefix), prefix
    for prefix in ("labelloop", "labelloopprod", "ab", "a" * 15, "a1"):
        assert re.fullmatch(PREFIX["AllowedPattern"], prefix), prefix
    assert "hyphen" in PREFIX["ConstraintDescription"]


@pytest.mark.fault("J04")
def test_all_that_has_a_name_waits_until_the_prefix_is_known_to_be_the_same() -> None:
    """What referred to the parameter would be changed, or replaced, before the change is refused."""
    named = [
        name
        for name, body in RESOURCES.items()
        if name != "Prefix" and re.search(r"\{ResourcePrefix\}|\"Ref\": \"ResourcePrefix\"", json.dumps(body))
    ]
    assert named == []
    first = RESOURCES.get("Prefix", {"Type": "none, and the change is not refused"})
    assert first["Type"] == "Custom::Prefix"
    waiting = {"Prefix"}
    for name in ("KeepPrefixFunction", "KeepPrefixFunctionRole", "FunctionLogs"):
        text = json.dumps(RESOURCES[name])
        assert not any(f'"{each}"' in text or f"${{{each}" in text for each in waiting), "it would wait for itself"
