"""Endpoints and training jobs in a network of one's own, where the stack is given one."""

from pathlib import Path

import pytest
from made_up_stack import SETTINGS
from ministack.services.cloudformation import engine

from lint.cloudformation import transformed_template
from lint.project import Project

TEMPLATE = transformed_template(Project(Path(__file__).resolve().parents[2]))

GROUPS = "sg-0123456789abcdef0,sg-0123456789abcdef1"
SUBNETS = "subnet-0123456789abcdef0,subnet-0123456789abcdef1"
NETWORK = {"SecurityGroupIds": GROUPS.split(","), "Subnets": SUBNETS.split(",")}


@pytest.mark.fault("J05")
@pytest.mark.parametrize(("groups", "subnets", "sent"), [(GROUPS, SUBNETS, NETWORK), ("", "", None)])
def test_endpoints_and_training_jobs_run_in_the_network_that_the_stack_is_given(
    environment, fake_service, groups, subnets, sent
) -> None:
    from labelloop.contracts.settings import Settings
    from labelloop.engines import endpoints, training

    sagemaker = fake_service("sagemaker")
    settings = Settings.from_environment({**SETTINGS, "VPC_SUBNETS": subnets, "VPC_SECURITY_GROUPS": groups})
    endpoints.create("labelloop-v000001-0123abcd", "v000001-0123abcd", "image", settings)
    (model,) = sagemaker.requests_of("create_model")
    assert model.get("VpcConfig") == sent
    job = training.job_request(job="j", dataset_uri="d", images_uri="i", champion_uri="", image="i", settings=settings)
    assert job.get("VpcConfig") == sent and job["EnableNetworkIsolation"] is True


@pytest.mark.fault("J05")
def test_what_runs_moves_into_the_network_that_is_deployed_now(environment) -> None:
    """Where things are is the deployed truth: a batch that began without a network keeps nothing out of it."""
    from labelloop.contracts.settings import Settings

    now = Settings.from_environment({**SETTINGS, "VPC_SUBNETS": SUBNETS, "VPC_SECURITY_GROUPS": GROUPS})
    pinned = now.with_choices({**SETTINGS, "VPC_SUBNETS": "", "VPC_SECURITY_GROUPS": ""})
    assert getattr(pinned, "network", None) == {"VpcConfig": NETWORK}


@pytest.mark.fault("J05")
@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, False),
        ({"VpcSubnets": SUBNETS, "VpcSecurityGroups": GROUPS}, False),
        ({"VpcSubnets": SUBNETS}, True),
        ({"VpcSecurityGroups": GROUPS}, True),
    ],
)
def test_half_a_network_is_refused_before_anything_is_deployed(given: dict[str, str], refused: bool) -> None:
    """By the embedded CloudFormation, from the template that is deployed."""
    said = ""
    try:
        parameters = engine._resolve_parameters(TEMPLATE, [{"Key": key, "Value": given[key]} for key in given])
        engine._evaluate_rules(TEMPLATE, parameters, engine._evaluate_conditions(TEMPLATE, parameters))
    except ValueError as error:
        said = str(error)
    assert (("Give both, or none" in said) if refused else said == "") and "VpcSubnets" in TEMPLATE["Parameters"]


@pytest.mark.fault("J05")
@pytest.mark.parametrize(
    ("named", "origins"), [("", []), ("https://labels.example.com", ["https://labels.example.com"]), ("*", ["*"])]
)
def test_pictures_are_read_by_ground_truths_pages_and_by_those_that_are_named(named: str, origins: list[str]) -> None:
    given = [{"Key": "WorkerOrigins", "Value": named}] if named else []
    parameters = engine._resolve_parameters(TEMPLATE, given)
    conditions = engine._evaluate_conditions(TEMPLATE, parameters)
    rules = TEMPLATE["Resources"]["DataBucket"]["Properties"]["CorsConfiguration"]
    (rule,) = engine._resolve_refs(rules, {}, parameters, conditions, {}, "labelloop", "id")["CorsRules"]
    assert rule["AllowedOrigins"] == ["https://*.sagemaker.aws", *origins]
