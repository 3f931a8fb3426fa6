"""A loop that has a perfect model from the start, without training one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from forgetting import forget
from loop import Loop, Run

from tests.support import scripted_model
from tests.support.pictures import CLASS

LEARNED = 1_000_000  # pictures: the scripted engine then draws every box exactly


@contextlib.contextmanager
def serving(loop: Loop) -> Iterator[Loop]:
    """The first batch adopts the model, which labels all that is not sampled. Nothing is trained."""
    with (
        loop.settings("RegisterBatch", STARTING_MODEL=given_model(loop)),
        loop.settings("BeginRound", "JudgeBatch", ACCEPT_POLICY="fixed", ACCEPT_THRESHOLD="0", HUMAN_BUDGET="100"),
        loop.settings("ReportBatch", ACCEPT_POLICY="fixed", ACCEPT_THRESHOLD="0"),
        loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"),
    ):
        yield loop
    forget(loop)


def given_model(loop: Loop, learned: int = LEARNED) -> str:
    """The URI of a model of the scripted engine, packed as the container packs it."""
    loop.put("given/model.tar.gz", scripted_model.archive(learned, CLASS))
    return f"s3://{loop.bucket}/given/model.tar.gz"


def archive(files: Mapping[str, str]) -> bytes:
    return scripted_model.packed({name: text.encode() for name, text in files.items()})


def physical_id(loop: Loop, logical_id: str) -> str:
    """The name that a resource of the template has in the deployed stack."""
    found = loop.client("cloudformation").describe_stack_resource(StackName="labelloop", LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def failed_children(loop: Loop, run: Run) -> list[dict[str, Any]]:
    return [child for child in loop.map_children(run.arn) if child["status"] != "SUCCEEDED"]


def callbacks(loop: Loop, kind: str) -> list[dict[str, str]]:
    """The rows of the callbacks table of one kind, as plain texts."""
    pages = loop.client("dynamodb").get_paginator("scan").paginate(TableName=loop.outputs["CallbacksTableName"])
    rows = [
        {name: next(iter(value.values())) for name, value in row.items()} for page in pages for row in page["Items"]
    ]
    return [row for row in rows if row["id"].startswith(f"{kind}#")]


@contextlib.contextmanager
def without(loop: Loop, role: str, action: str) -> Iterator[None]:
    """Every inline policy of the role lacks the action; afterwards they are as they were."""
    iam, name = loop.client("iam"), physical_id(loop, role)
    policies: dict[str, dict[str, Any]] = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    changed = {policy: _deny(document, action) for policy, document in policies.items()}
    assert changed != policies, f"no policy of {role} allows {action}"
    try:
        for policy, document in changed.items():
            if document["Statement"]:
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
            else:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
        yield
    finally:
        for policy, document in policies.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


def _deny(document: dict[str, Any], action: str) -> dict[str, Any]:
    statements = []
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        left = [each for each in actions if each != action]
        statements += [{**statement, "Action": left}] if left else []
    return {**document, "Statement": statements}
