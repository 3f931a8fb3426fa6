"""An execution that version 0.1.0 began and that waits for people, while the stack is deployed anew, ends on today's
functions: they answer its token, take its payloads, and read what 0.1.0 had written.

tests/support/label_batch-0.1.0.asl.json is its definition without comments, one state per line.
"""

from __future__ import annotations

import json

import pytest
from definitions import defined, of_0_1
from loop import Loop
from served import callbacks

from tests.support.pictures import pictures

COUNT = 24
NOT_WRITTEN = ("settings.json", "estimate.json", "-inference.json")
NOT_IN_ROWS = {"ledger": ("open", "since", "schema"), "callbacks": ("schema",)}


@pytest.mark.fault("D15", "I17")
def test_an_execution_that_waits_for_people_since_0_1_ends_on_the_functions_of_today(loop: Loop) -> None:
    drawn = pictures(COUNT, seed="since 0.1")
    prefix = loop.well_mixed("since 0.1", drawn)
    loop.faults(hold_labeling=True)
    with defined(loop, "label_batch", of_0_1(loop, "label_batch")):
        loop.upload(prefix, drawn, marker={})
        arn = loop.started(prefix)
        run = loop.reach(arn, "Request Labels")
        loop.eventually(lambda: any("started" in row["details"] for row in callbacks(loop, "labeling")), 60)
    as_0_1_left_it(loop, run.batch)
    loop.faults()
    run = loop.wait(arn)

    loop.assert_sound(run)
    entered = [event.get("stateEnteredEventDetails", {}).get("input", "") for event in loop.history(arn)]
    assert not any("infer_until" in given for given in entered), "it ended by the definition it began with"
    assert {"Collect Labels", "Train Model", "Infer Shards", "Find Missing Predictions"} <= set(run.states)
    assert run.trainings[0].states[-1] == "Model Promoted"
    summary = loop.summary(run.batch)
    assert summary["deferred"] == 0 and summary["rounds"][-1]["model_version"]
    first = summary["rounds"][0]
    assert first["asked"] == first["human"] > 0, "what people were asked by 0.1.0 is taken"
    assert len(loop.dataset()) == COUNT


def as_0_1_left_it(loop: Loop, batch: str) -> None:
    """The batch without what 0.1.0 did not write: pinned settings, hashes, schema versions, the index of open work."""
    (job,) = loop.jobs(batch, 1)
    for key in [*loop.keys(f"batches/{batch}/"), f"labeling-jobs/{job['job']}.json"]:
        body = loop.get(key)
        loop.client("s3").delete_objects(Bucket=loop.bucket, Delete={"Objects": versions(loop, key)})
        if not key.endswith(NOT_WRITTEN) and not key.startswith("labeling-jobs/"):
            loop.put(key, without_schema(key, body))
    rows = {"ledger": f"batch#{batch}", "callbacks": f"labeling#{job['job']}"}
    for table, row in rows.items():
        names = {f"#{number}": name for number, name in enumerate(NOT_IN_ROWS[table])}
        loop.client("dynamodb").update_item(
            TableName=loop.outputs[f"{table.title()}TableName"],
            Key={"id": {"S": row}},
            UpdateExpression=f"REMOVE {', '.join(names)}",
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeNames=names,
        )


def without_schema(key: str, body: bytes) -> bytes:
    if not key.endswith(".json"):
        return body
    return json.dumps({name: value for name, value in json.loads(body).items() if name != "schema"}).encode()


def versions(loop: Loop, key: str) -> list[dict[str, str]]:
    found = loop.client("s3").list_object_versions(Bucket=loop.bucket, Prefix=key)["Versions"]
    return [{"Key": key, "VersionId": each["VersionId"]} for each in found if each["Key"] == key]
