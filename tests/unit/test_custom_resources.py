"""What CloudFormation is told by a custom resource, and when a Delete means that the stack goes."""

import json
import urllib.request

import pytest
from fake_service import refused
from labelloop.store import custom_resources

DELETE = {
    "RequestType": "Delete",
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/labelloop/1",
    "RequestId": "r1",
    "LogicalResourceId": "CleanUp",
    "PhysicalResourceId": "made-before",
    "ResponseURL": "https://example.com/answer",
}


@pytest.mark.parametrize(
    ("status", "goes"),
    [
        ("DELETE_IN_PROGRESS", True),
        ("ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("UPDATE_ROLLBACK_IN_PROGRESS", False),
        ("IMPORT_ROLLBACK_IN_PROGRESS", False),
    ],
)
def test_a_stack_goes_where_it_is_deleted_or_never_came_to_be_and_not_in_an_update(aws, fake_service, status, goes):
    fake_service("cloudformation", describe_stacks={"Stacks": [{"StackStatus": status}]})
    assert custom_resources.stack_goes(DELETE) is goes
    assert not custom_resources.stack_goes({**DELETE, "RequestType": "Update"})


def test_a_stack_that_cannot_be_asked_goes_because_its_deletion_would_hang(aws, fake_service) -> None:
    fake_service("cloudformation", describe_stacks=refused("ValidationError", "does not exist"))
    assert custom_resources.stack_goes(DELETE)


@pytest.mark.parametrize(("refusal", "status"), [("", "SUCCESS"), ("ü" * 5000, "FAILED"), ("half \ud800", "FAILED")])
def test_the_answer_is_put_without_a_content_type_and_fits_whatever_the_reason(monkeypatch, refusal, status) -> None:
    sent: list[urllib.request.Request] = []

    class Answered:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: sent.append(request) or Answered())
    custom_resources.answer(DELETE, "new", refusal, {"Key": "value"})
    (request,) = sent
    told = json.loads(request.data)
    assert (request.method, request.full_url, request.headers["Content-type"]) == ("PUT", DELETE["ResponseURL"], "")
    assert (told["Status"], told["PhysicalResourceId"], told["Data"]) == (status, "made-before", {"Key": "value"})
    assert len(request.data) <= 4096 and refusal.replace("\ud800", "?").startswith(told["Reason"])
