"""Who owns what, in one table: deliveries of a prefix, and batches (docs/architecture.md, "Ledger table"). The rows
of the training lock are in training_lock.py, those of roles in roles.py, those of people in worker_rows.py.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts.errors import InvalidInputError, NotTheOwnerError, TransientError
from labelloop.contracts.records import SCHEMA, check_schema
from labelloop.contracts.settings import settings
from labelloop.store import aws

INDEXED = "index#open"
QUEUE = "queue#batches"
MOST_ROWS_AT_ONCE = 100  # BatchGetItem
READS_BEFORE_GIVING_UP = 8
PAGES_AT_ONCE = 25  # of a scan, up to 1 MB each: some seconds
# Step Functions may not know an execution yet that has just begun to work.
UNKNOWN_FOR_SECONDS = 300
_RUNNING = "RUNNING"
_FINISHED = "finished"
_SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Claim:
    """`status`: owned | already-owned | already-finished | superseded. `attempt` counts the executions that owned the
    batch; `successor` is the batch that took over the images of a superseded one.
    """

    status: str
    attempt: int
    successor: str = ""


def delivery_number(bucket: str, prefix: str, marker_version: str) -> int:
    """1 for the first marker version of a prefix, 2 for the next; always the same number for the same version."""
    key = {"id": f"source#{bucket}/{prefix}"}
    try:
        row = table().update_item(
            Key=key,
            UpdateExpression="SET markers = list_append(if_not_exists(markers, :none), :version)",
            ConditionExpression="NOT contains(markers, :plain)",
            ExpressionAttributeValues={":none": [], ":version": [marker_version], ":plain": marker_version},
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as error:
        only_condition(error)
        row = table().get_item(Key=key, ConsistentRead=True)["Item"]
    return int(row["markers"].index(marker_version)) + 1


def claim_batch(batch_id: str, execution: str, resume: bool) -> Claim:
    """Makes the execution the batch's owner, taking over from an owner that no longer works on it."""
    key, now = {"id": f"batch#{batch_id}"}, int(time.time())
    row = table().get_item(Key=key, ConsistentRead=True).get("Item")
    if row is None:
        begun = {"owner": execution, "attempt": 1, "status": "running", "open": "yes", "since": now}
        try:
            table().put_item(
                Item={**key, **begun, "schema": SCHEMA},
                ConditionExpression="attribute_not_exists(id)",
            )
            return Claim("owned", 1)
        except ClientError as error:
            only_condition(error)
            row = table().get_item(Key=key, ConsistentRead=True)["Item"]
    if row["status"] == _SUPERSEDED:
        return Claim(_SUPERSEDED, int(row["attempt"]), row["successor"])
    if row["owner"] == execution:
        return Claim("owned", int(row["attempt"]))
    if row["status"] == _FINISHED and not resume:
        return Claim("already-finished", int(row["attempt"]))
    if row["status"] != _FINISHED and _owner_works(row):
        return Claim("already-owned", int(row["attempt"]))
    try:
        taken = table().update_item(
            Key=key,
            UpdateExpression="SET #o = :new, attempt = attempt + :one, #s = :running, #open = :yes, since = :now",
            ConditionExpression="#o = :old AND attempt = :attempt AND #s <> :superseded",
            ExpressionAttributeNames={"#o": "owner", "#s": "status", "#open": "open"},
            ExpressionAttributeValues={
                ":yes": "yes",
                ":now": now,
                ":superseded": _SUPERSEDED,
                ":new": execution,
                ":old": row["owner"],
                ":one": 1,
                ":running": "running",
                ":attempt": row["attempt"],
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as error:
        only_condition(error)
        return Claim("already-owned", int(row["attempt"]))
    return Claim("owned", int(taken["attempt"]))


def batch(batch_id: str) -> dict[str, Any]:
    """The row of a registered batch with its facts: bucket, prefix, marker_version, started."""
    row = table().get_item(Key={"id": f"batch#{batch_id}"}, ConsistentRead=True).get("Item")
    if row is None:
        raise InvalidInputError(f"batch {batch_id} is not in the ledger: Register Batch has not run for it")
    check_schema(row, f"the ledger's row of batch {batch_id}")
    return {**row, **json.loads(row.get("facts", "{}"))}


def owner_of(batch_id: str) -> str:
    row = table().get_item(Key={"id": f"batch#{batch_id}"}, ConsistentRead=True).get("Item")
    return str(row["owner"]) if row else ""


def check_owner(batch_id: str, execution: str) -> None:
    """Raises NotTheOwnerError for an execution that was redriven after its batch had been taken over: two that work on
    the same images ask people twice, and take each other's answers. `execution` is empty in states of version 0.1.
    """
    row = table().get_item(Key={"id": f"batch#{batch_id}"}, ConsistentRead=True).get("Item")
    if not execution or row is None:
        return
    if row["status"] == _SUPERSEDED:
        raise NotTheOwnerError(
            f"batch {batch_id} was given up; batch {row['successor']} has its images: follow that one"
        )
    if row["owner"] != execution:
        raise NotTheOwnerError(f"batch {batch_id} was taken over by {row['owner']} meanwhile: follow that execution")


def is_superseded(batch_id: str) -> bool:
    row = table().get_item(Key={"id": f"batch#{batch_id}"}, ConsistentRead=True).get("Item")
    return row is not None and row["status"] == _SUPERSEDED


def standing(batch_id: str) -> str:
    """at-work | finished | superseded | given-up: the execution that owned it ended without finishing it; or unknown:
    it was never registered.
    """
    row = table().get_item(Key={"id": f"batch#{batch_id}"}, ConsistentRead=True).get("Item")
    if row is None:
        return "unknown"
    if row["status"] in (_FINISHED, _SUPERSEDED):
        return str(row["status"])
    return "at-work" if _owner_works(row) else "given-up"


def queue_up(batch_id: str) -> int:
    """The batch's place in the queue of those that are registered, drawn once: whoever draws later has a higher one."""
    if place := place_in_queue(batch_id):
        return place
    drawn = table().update_item(
        Key={"id": QUEUE},
        UpdateExpression="ADD drawn :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )["Attributes"]["drawn"]
    row = table().update_item(
        Key={"id": f"batch#{batch_id}"},
        UpdateExpression="SET place = if_not_exists(place, :drawn)",
        ExpressionAttributeValues={":drawn": drawn},
        ReturnValues="ALL_NEW",
    )
    return int(row["Attributes"]["place"])


def place_in_queue(batch_id: str) -> int:
    """0 for a batch that is claimed and has not drawn its place yet: it may come before everybody."""
    row = table().get_item(Key={"id": f"batch#{batch_id}"}, ConsistentRead=True).get("Item") or {}
    return int(row.get("place", 0))


def supersede(batch_id: str, successor: str) -> bool:
    """Marks a batch that was given up as taken over by a later one. False: it is at work again, or was finished."""
    key = {"id": f"batch#{batch_id}"}
    row = table().get_item(Key=key, ConsistentRead=True)["Item"]
    if row["status"] == _SUPERSEDED:
        return bool(row["successor"] == successor)
    if row["status"] == _FINISHED or _owner_works(row):
        return False
    try:
        table().update_item(
            Key=key,
            UpdateExpression="SET #s = :superseded, successor = :successor REMOVE #open",
            ConditionExpression="#o = :owner AND attempt = :attempt AND #s = :seen",
            ExpressionAttributeNames={"#o": "owner", "#s": "status", "#open": "open"},
            ExpressionAttributeValues={
                ":superseded": _SUPERSEDED,
                ":successor": successor,
                ":owner": row["owner"],
                ":attempt": row["attempt"],
                ":seen": row["status"],
            },
        )
    except ClientError as error:
        only_condition(error)
        return False
    return True


def running_batches() -> list[tuple[str, str, int]]:
    """(batch id, owner, since when) of every batch that is marked running, by the index of what is open."""
    request: dict[str, Any] = {
        "IndexName": "open-index",
        "KeyConditionExpression": "#open = :yes",
        "ExpressionAttributeNames": {"#open": "open"},
        "ExpressionAttributeValues": {":yes": "yes"},
    }
    found = []
    while True:
        page = table().query(**request)
        found += [(row["id"].removeprefix("batch#"), row["owner"], int(row.get("since", 0))) for row in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return found
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def index_older_batches() -> int:
    """Puts the running batches that version 0.1 registered into the index of what is open; how many there were.

    Once for a table: it reads some pages each time it is called, and remembers how far it came.
    """
    seen = table().get_item(Key={"id": INDEXED}, ConsistentRead=True).get("Item") or {}
    if seen.get("done"):
        return 0
    request: dict[str, Any] = {
        "FilterExpression": "begins_with(id, :batch) AND #s = :running AND attribute_not_exists(#open)",
        "ProjectionExpression": "id",
        "ExpressionAttributeNames": {"#s": "status", "#open": "open"},
        "ExpressionAttributeValues": {":batch": "batch#", ":running": "running"},
    }
    found = 0
    for _ in range(PAGES_AT_ONCE):
        after = {"ExclusiveStartKey": {"id": seen["after"]}} if "after" in seen else {}
        page = table().scan(**request, **after)
        found += sum(_open(row["id"]) for row in page["Items"])
        seen = {"after": page["LastEvaluatedKey"]["id"]} if "LastEvaluatedKey" in page else {"done": True}
        table().put_item(Item={"id": INDEXED, **seen})
        if "done" in seen:
            break
    return found


def _open(row_id: str) -> bool:
    try:
        table().update_item(
            Key={"id": row_id},
            UpdateExpression="SET #open = :yes, since = if_not_exists(since, :now)",
            ConditionExpression="#s = :running",
            ExpressionAttributeNames={"#s": "status", "#open": "open"},
            ExpressionAttributeValues={":yes": "yes", ":running": "running", ":now": int(time.time())},
        )
    except ClientError as error:
        only_condition(error)  # it ended meanwhile
        return False
    return True


def note_batch(batch_id: str, facts: Mapping[str, Any]) -> None:
    """Keeps what later steps of the same batch need (marker date, bucket, prefix...)."""
    table().update_item(
        Key={"id": f"batch#{batch_id}"},
        UpdateExpression="SET facts = :f",
        ExpressionAttributeValues={":f": json.dumps(dict(facts), ensure_ascii=False)},
    )


def end_batch(
    batch_id: str, execution: str, status: str, cause: str = "", rounds_done: int | None = None, redrives: int = 0
) -> bool:
    """Marks a batch finished or failed, if the execution owns it. False: somebody else does, or its end is on record.

    An execution that failed and was redriven may finish its batch, or fail again: `redrives` counts how often it was.
    rounds_done: the last round that was reported; a finished batch that is resumed goes on behind it.
    """
    update = "SET #s = :status, cause = :cause, ended = :now, redrives = :redrives"
    values: dict[str, Any] = {
        ":status": status,
        ":cause": cause[:4000],
        ":now": int(time.time()),
        ":execution": execution,
        ":running": "running",
        ":failed": "failed",
        ":redrives": redrives,
    }
    again = "(#s = :failed AND redrives < :redrives)" if status == "failed" else "#s = :failed"
    if rounds_done is not None:
        update, values = f"{update}, rounds_done = :done", {**values, ":done": rounds_done}
    try:
        table().update_item(
            Key={"id": f"batch#{batch_id}"},
            UpdateExpression=f"{update} REMOVE #open",
            ConditionExpression=f"#o = :execution AND (#s = :running OR {again})",
            ExpressionAttributeNames={"#s": "status", "#o": "owner", "#open": "open"},
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        only_condition(error)
        return False
    return True


def rounds_done(batch_id: str) -> int:
    """How many rounds of a batch were reported before it was resumed; 0 for one that was never finished."""
    return int(batch(batch_id).get("rounds_done", 0))


def index_version(kind: str, version: str, card: Mapping[str, Any]) -> None:
    """An index row for people and queries; the pointer object in S3 is the truth."""
    table().put_item(Item={"id": f"{kind}#{version}", "card": json.dumps(dict(card), ensure_ascii=False)})


def is_alive(execution: str, since: int) -> bool:
    """Whether the execution, which was at work at the time `since`, runs, also after a redrive; or may run: Step
    Functions learns of a new execution with a delay.
    """
    status = execution_status(execution)
    return status == _RUNNING or (status == "GONE" and time.time() < since + UNKNOWN_FOR_SECONDS)


def redrives(execution: str) -> int:
    """How often the execution was redriven."""
    return int(_described(execution).get("redriveCount", 0))


def execution_status(execution: str) -> str:
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED; or GONE for one that Step Functions no longer knows."""
    return str(_described(execution)["status"])


def _described(execution: str) -> Mapping[str, Any]:
    try:
        described: Mapping[str, Any] = aws.client("stepfunctions").describe_execution(executionArn=execution)
    except ClientError as error:
        if aws.error_code(error) in ("ExecutionDoesNotExist", "InvalidArn"):
            return {"status": "GONE"}
        raise
    return described


def batches_of(bucket: str, prefix: str) -> Iterable[int]:
    """The delivery numbers a prefix has had."""
    row = table().get_item(Key={"id": f"source#{bucket}/{prefix}"}, ConsistentRead=True).get("Item") or {"markers": []}
    return range(1, len(row["markers"]) + 1)


def _owner_works(row: Mapping[str, Any]) -> bool:
    """Whether the owner of a batch that is not finished still works on it. One whose failure is on record does when it
    was redriven since; before that it only ends.
    """
    if row["status"] == "running":
        return is_alive(row["owner"], int(row.get("since", 0)))
    return execution_status(row["owner"]) == _RUNNING and redrives(row["owner"]) > int(row.get("redrives", 0))


def rows(ids: Iterable[str], *attributes: str) -> dict[str, dict[str, Any]]:
    """Id -> these attributes of the row; rows that are not there are left out."""
    wanted, name = sorted(set(ids)), settings().ledger_table
    names = {f"#{number}": attribute for number, attribute in enumerate(("id", *attributes))}
    found = {}
    for start in range(0, len(wanted), MOST_ROWS_AT_ONCE):
        keys = [{"id": each} for each in wanted[start : start + MOST_ROWS_AT_ONCE]]
        for _ in range(READS_BEFORE_GIVING_UP):
            request = {
                "Keys": keys,
                "ProjectionExpression": ", ".join(names),
                "ExpressionAttributeNames": names,
                "ConsistentRead": True,
            }
            answer = table().meta.client.batch_get_item(RequestItems={name: request})
            found.update({str(row["id"]): row for row in answer["Responses"].get(name, ())})
            keys = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
            if not keys:
                break
        else:
            raise TransientError(f"{len(keys)} rows could not be read from the ledger")
    return found


def table() -> Any:
    return aws.table(settings().ledger_table)


def only_condition(error: ClientError) -> None:
    if aws.error_code(error) != "ConditionalCheckFailedException":
        raise error
