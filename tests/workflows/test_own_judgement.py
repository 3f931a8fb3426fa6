"""A user's own judgement function: a Lambda function beside the stack that Judge Batch may invoke, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from loop import Loop, running_loop
from served import given_model, without
from small_rounds import ADVANCED
from toys import ACCOUNT, Toys

from local import stack
from tests.support.pictures import pictures

COUNT = 24
ARN = f"arn:aws:lambda:{stack.REGION}:{ACCOUNT}:function:own-judge"
CODE = """
ANSWERS = ("accept", "ask", "defer")


def handler(event, context):
    answers = []
    for number, image in enumerate(sorted(event["images"], key=lambda image: image["source-ref"])):
        if number % 4 < 3:  # every fourth is forgotten
            answers.append({"source-ref": image["source-ref"], "answer": ANSWERS[number % 4], "reason": "a test"})
    return {"version": event["version"], "answers": answers}
"""
REASONS = {
    "own-judge-accepted: a test": "auto",
    "own-judge-asked: a test": "human",
    "own-judge-deferred: a test": "deferred",
    "own-judge-missing": "human",
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    given = {"JudgeFunctionArn": ARN, "AcceptPolicy": "fixed", "AcceptThreshold": "1", "HumanBudget": "100"}
    with running_loop(tmp_path_factory.mktemp("own"), {**given, "RetrainMinimum": "1000", "MaxRounds": "1"}) as loop:
        Toys(loop.server).function(CODE, statements=[], name="own-judge")
        with loop.settings("RegisterBatch", STARTING_MODEL=given_model(loop)):
            yield loop


def test_its_answers_are_decided_and_the_random_sample_stays_with_people(own: Loop) -> None:
    run = own.label("judged", pictures(COUNT, seed="judged"))
    own.assert_sound(run)
    sampled = {f"s3://{own.bucket}/{item['key']}" for item in own.inventory(run.batch) if item["sampled"]}
    decisions = own.decisions(run.batch, 1)
    offered = [each for each in decisions if each["source-ref"] not in sampled]
    assert len(sampled) >= int(ADVANCED["SampleMinimum"]) and len(offered) >= len(REASONS)
    assert {each["decision"] for each in decisions if each["source-ref"] in sampled} == {"human"}
    assert {each["reasons"][0]: each["decision"] for each in offered} == REASONS
    assert all(each["policy"].startswith("own-judge/own-judge, fixed/1.0@") for each in offered)
    summary = own.summary(run.batch)
    accepted = sum(each["decision"] == "auto" for each in offered)
    assert (summary["auto"], summary["human"] > len(sampled), summary["deferred"] > 0) == (accepted, True, True)
    assert f"judged {len(offered)} images" in own.get(f"batches/{run.batch}/report.html").decode()
    pinned = own.json(f"batches/{run.batch}/rounds/1-own-verdicts.json")
    assert pinned["function"] == ARN and set(pinned["answers"]) == {each["source-ref"] for each in offered}


def test_a_function_that_judge_batch_may_not_invoke_has_people_look(own: Loop) -> None:
    with without(own, "JudgeBatchFunctionRole", "lambda:InvokeFunction"):
        run = own.label("denied", pictures(COUNT, seed="denied judge"))
    own.assert_sound(run)
    assert own.summary(run.batch)["human"] == COUNT
    reasons = {reason for each in own.decisions(run.batch, 1) for reason in each["reasons"]}
    assert reasons == {"random-sample", "own-judge-denied"}


def test_its_role_may_invoke_that_function_and_no_other(own: Loop) -> None:
    iam = own.client("iam")
    resources = own.client("cloudformation").describe_stack_resources(StackName="labelloop")["StackResources"]
    (role,) = (
        each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == "JudgeBatchFunctionRole"
    )

    def allowed() -> list[str]:
        policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"] for each in policies]
        statements = [statement for document in documents for statement in document["Statement"]]
        return [str(each["Resource"]) for each in statements if "lambda:InvokeFunction" in json.dumps(each["Action"])]

    assert allowed() == [ARN]
