"""Deploy Model: an endpoint is made, and answers when it serves."""

import pytest
from outside_work import ask_for_deployment

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_an_endpoint_that_is_in_service_already_answers_at_once(states, fake_service) -> None:
    fake_service("sagemaker", describe_endpoint={"EndpointStatus": "InService"})
    ask_for_deployment("t1")
    ask_for_deployment("t2")
    assert [request["taskToken"] for request in states.requests_of("send_task_success")] == ["t1", "t2"]


def test_an_endpoint_that_fails_says_why(states, fake_service) -> None:
    fake_service("sagemaker", describe_endpoint={"EndpointStatus": "Failed", "FailureReason": "no image"})
    ask_for_deployment()
    (told,) = states.requests_of("send_task_failure")
    assert told["error"] == "DeploymentFailed" and "no image" in told["cause"]
