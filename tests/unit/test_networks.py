"""Endpoints and training jobs in a network of one's own, where the stack is given one."""

import pytest
from made_up_stack import SETTINGS

GROUPS = "sg-0123456789abcdef0,sg-0123456789abcdef1"
SUBNETS = "subnet-0123456789abcdef0,subnet-0123456789abcdef1"
NETWORK = {"SecurityGroupIds": GROUPS.split(","), "Subnets": SUBNETS.split(",")}


@pytest.mark.fault("J05")
@pytest.mark.parametrize(("groups", "subnets", "sent"), [(GROUPS, SUBNETS, NETWORK), ("", "", None)])
def test_endpoints_and_training_jobs_run_in_the_network_that_the_stack_is_given(
    environment, fake_service, groups, subnets, sent
) -> None:
    from labelloop import endpoints, training
    from labelloop.settings import Settings

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
    from labelloop.settings import Settings

    now = Settings.from_environment({**SETTINGS, "VPC_SUBNETS": SUBNETS, "VPC_SECURITY_GROUPS": GROUPS})
    pinned = now.with_choices({**SETTINGS, "VPC_SUBNETS": "", "VPC_SECURITY_GROUPS": ""})
    assert getattr(pinned, "network", None) == {"VpcConfig": NETWORK}
