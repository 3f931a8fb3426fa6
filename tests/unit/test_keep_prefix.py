"""Keep Prefix: a stack has the prefix it began with, and a change is refused in a sentence."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def keep(aws, cloudformation):
    """`keep(kind, prefix, before)`: what CloudFormation hears."""

    def run(kind: str, prefix: str, before: str = "") -> dict[str, Any]:
        from handling import Context

        assert (ROOT / "functions" / "keep_prefix.py").exists(), "nobody asks"
        import keep_prefix

        event = {"RequestType": kind, "StackId": "stack/labelloop/1", "RequestId": "r", "LogicalResourceId": "Prefix"}
        event |= {"ResponseURL": "https://x", "ResourceProperties": {"ResourcePrefix": prefix}}
        if before:
            event |= {"PhysicalResourceId": before, "OldResourceProperties": {"ResourcePrefix": "another"}}
        keep_prefix.handler(event, Context())
        return cloudformation[-1]

    return run


@pytest.mark.fault("J04")
def test_another_prefix_for_a_stack_that_has_one_is_refused_in_a_sentence(keep) -> None:
    told = keep("Update", "other", before="labelloop")
    assert told["Status"] == "FAILED"
    assert "cannot be changed from 'labelloop' to 'other'" in told["Reason"]
    assert "deploy with ResourcePrefix=labelloop" in told["Reason"] and "Nothing was changed" in told["Reason"]
    assert told["PhysicalResourceId"] == "labelloop", "it stays what it was"


@pytest.mark.fault("J04")
def test_the_rollback_of_a_refused_change_is_not_refused(keep) -> None:
    """CloudFormation sends the old value back; what it calls old is then what was refused."""
    assert keep("Update", "labelloop", before="labelloop")["Status"] == "SUCCESS"


def test_a_new_stack_has_the_prefix_it_asks_for(keep, fake_service) -> None:
    from fake_service import refused

    fake_service("cloudformation", describe_stack_resource=refused("ValidationError", "Resource does not exist"))
    told = keep("Create", "labelloop")
    assert (told["Status"], told["PhysicalResourceId"]) == ("SUCCESS", "labelloop")


@pytest.mark.fault("J04", "I01")
@pytest.mark.parametrize(("prefix", "status"), [("labelloop", "SUCCESS"), ("other", "FAILED")])
def test_a_stack_of_version_0_1_keeps_its_prefix_with_the_update_that_brings_the_question(
    keep, fake_service, prefix, status
) -> None:
    named = {"StackResourceDetail": {"PhysicalResourceId": "labelloop-RegisterBatch"}}
    asked = fake_service("cloudformation", describe_stack_resource=named)
    told = keep("Create", prefix)
    assert told["Status"] == status and ("from 'labelloop'" in told["Reason"]) == (status == "FAILED")
    (request,) = asked.requests_of("describe_stack_resource")
    assert request == {"StackName": "stack/labelloop/1", "LogicalResourceId": "RegisterBatchFunction"}


def test_who_cannot_find_out_refuses_and_a_deletion_is_never_refused(keep, fake_service, monkeypatch) -> None:
    import keep_prefix
    from fake_service import refused

    monkeypatch.setattr(keep_prefix, "SECONDS_FOR_A_NEW_ROLE", 0)
    fake_service("cloudformation", describe_stack_resource=refused("AccessDenied", "not authorized"))
    told = keep("Create", "labelloop")
    assert told["Status"] == "FAILED" and "not authorized" in told["Reason"]
    assert keep("Delete", "other", before="labelloop")["Status"] == "SUCCESS"


def test_a_role_that_was_just_made_has_a_while_until_cloudformation_knows_it(keep, fake_service, monkeypatch) -> None:
    import keep_prefix
    from fake_service import refused

    monkeypatch.setattr(keep_prefix, "SECONDS_BETWEEN_TRIES", 0)
    answers = [refused("AccessDenied"), {"StackResourceDetail": {"PhysicalResourceId": "labelloop-RegisterBatch"}}]

    def answer(**_):
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    fake_service("cloudformation", describe_stack_resource=answer)
    assert keep("Create", "labelloop")["Status"] == "SUCCESS" and answers == []
