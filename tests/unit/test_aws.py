"""What AWS refuses: which refusals may pass."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from labelloop.store import aws


def refused(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Op")


@pytest.mark.parametrize(
    "error",
    [
        refused("ThrottlingException"),
        refused("SlowDown", 503),
        refused("SomethingNew", 500),
        refused("ResourceLimitExceeded"),
        EndpointConnectionError(endpoint_url="https://example.com"),
        ReadTimeoutError(endpoint_url="https://example.com"),
    ],
    ids=repr,
)
def test_throttling_a_limit_the_network_and_a_fault_of_the_service_may_pass(error) -> None:
    assert aws.may_pass(error)


@pytest.mark.parametrize("error", [refused("AccessDenied", 403), refused("NoSuchKey", 404), ValueError("x")], ids=repr)
def test_everything_else_fails_again(error) -> None:
    assert not aws.may_pass(error)


def test_an_answer_without_code_or_message_is_read_as_empty() -> None:
    odd = ClientError({}, "Op")
    assert (aws.error_code(odd), aws.error_message(odd), aws.may_pass(odd)) == ("", "", False)
