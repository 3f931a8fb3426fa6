"""Task tokens that wait for the outside world: remembered before the outside call, answered exactly once.

Table row: see docs/architecture.md, "Callbacks table". The first outcome recorded wins; whoever records it, or finds
it recorded but not delivered, delivers it. TaskTimedOut, TaskDoesNotExist and InvalidToken end a delivery: nobody waits
on that token any more.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.contracts.records import SCHEMA, check_schema
from labelloop.contracts.settings import settings
from labelloop.store import aws
from labelloop.store.observability import count, logger

KEPT_AFTER_DELIVERY_SECONDS = 30 * 24 * 3600
_NOBODY_WAITS = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


@dataclass(frozen=True)
class Outcome:
    """What the outside work came to: an output for SendTaskSuccess, or error and cause for SendTaskFailure."""

    ok: bool
    output: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    cause: str = ""

    def to_json(self) -> str:
        body = (
            {"ok": True, "output": dict(self.output)}
            if self.ok
            else {"ok": False, "error": self.error, "cause": self.cause}
        )
        return json.dumps(body, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> "Outcome":
        body = json.loads(text)
        return Outcome(body["ok"], body.get("output", {}), body.get("error", ""), body.get("cause", ""))


@dataclass(frozen=True)
class Callback:
    id: str
    token: str
    status: str
    created: int
    deadline: int
    execution: str
    details: Mapping[str, Any]
    outcome: Outcome | None

    @property
    def kind(self) -> str:
        return self.id.partition("#")[0]

    @property
    def external_id(self) -> str:
        return self.id.partition("#")[2]

    @property
    def age_seconds(self) -> float:
        return time.time() - self.created

    @property
    def started(self) -> bool:
        """Whether the outside call is known to have been made."""
        return bool(self.details.get("started"))


def remember(kind: str, external_id: str, token: str, execution: str, timeout_seconds: int, **details: str) -> Callback:
    """Opens the row, or gives an open row the newest token. Call before the outside call.

    `details`: what is known of the work before it starts. The answer's `outcome` is set when the work succeeded earlier
    (then deliver it at once, `started` says nothing more); a recorded failure is forgotten, because whoever asks again
    wants another attempt.
    """
    now = int(time.time())
    row = {
        "id": f"{kind}#{external_id}",
        "token": token,
        "status": "waiting",
        "open": "yes",
        "created": now,
        "deadline": now + timeout_seconds,
        "execution": execution,
        "details": json.dumps(details),
        "schema": SCHEMA,
    }
    try:
        _table().put_item(Item=row, ConditionExpression="attribute_not_exists(id)")
        return _from_row(row)
    except ClientError as error:
        _only_condition(error)
    known = find(kind, external_id)
    if known is None or (known.outcome is not None and not known.outcome.ok):
        _table().put_item(Item=row)
        return _from_row(row)
    answer = _table().update_item(
        Key={"id": row["id"]},
        UpdateExpression="SET #t = :t, execution = :x, deadline = :d",
        ExpressionAttributeNames={"#t": "token"},
        ExpressionAttributeValues={":t": token, ":x": execution, ":d": row["deadline"]},
        ReturnValues="ALL_NEW",
    )
    return _from_row(answer["Attributes"])


def mark_started(callback: Callback, **details: str) -> None:
    """Notes that the outside call was made, and where its results will be."""
    _table().update_item(
        Key={"id": callback.id},
        UpdateExpression="SET details = :d",
        ExpressionAttributeValues={":d": json.dumps({**callback.details, **details, "started": True})},
    )


def forget(callback: Callback) -> None:
    """Takes back a row whose outside call was refused, so that nobody waits for it."""
    _table().delete_item(Key={"id": callback.id})


def find(kind: str, external_id: str) -> Callback | None:
    row = _table().get_item(Key={"id": f"{kind}#{external_id}"}, ConsistentRead=True).get("Item")
    return _from_row(row) if row else None


def answer(callback: Callback, outcome: Outcome) -> None:
    """Records the outcome unless one was recorded before, then delivers what is recorded."""
    deliver(record(callback, outcome))


def record(callback: Callback, outcome: Outcome) -> Callback:
    try:
        answered = _table().update_item(
            Key={"id": callback.id},
            UpdateExpression="SET outcome = :o, #s = :recorded",
            ConditionExpression="#s = :waiting",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":o": outcome.to_json(), ":recorded": "recorded", ":waiting": "waiting"},
            ReturnValues="ALL_NEW",
        )
        return _from_row(answered["Attributes"])
    except ClientError as error:
        _only_condition(error)
    known = find(callback.kind, callback.external_id)
    if known is None:
        raise TransientError(f"callback {callback.id} vanished while it was answered")
    return known


def deliver(callback: Callback, again: bool = False) -> None:
    """Sends a recorded outcome to the waiting state and marks the row delivered. A second delivery changes nothing,
    unless a new state asks `again` for what an earlier one was told."""
    if callback.outcome is None or (callback.status == "delivered" and not again):
        return
    _send(callback.token, callback.outcome)
    _table().update_item(
        Key={"id": callback.id},
        UpdateExpression="SET #s = :delivered, expires = :e REMOVE #o",
        ConditionExpression="attribute_exists(id)",
        ExpressionAttributeNames={"#s": "status", "#o": "open"},
        ExpressionAttributeValues={":delivered": "delivered", ":e": int(time.time()) + KEPT_AFTER_DELIVERY_SECONDS},
    )


def _send(token: str, outcome: Outcome) -> None:
    states = aws.client("stepfunctions")
    try:
        if outcome.ok:
            states.send_task_success(taskToken=token, output=json.dumps(dict(outcome.output), ensure_ascii=False))
        else:
            states.send_task_failure(taskToken=token, error=outcome.error[:256], cause=outcome.cause[:32768])
    except ClientError as error:
        if aws.error_code(error) == "InvalidOutput":
            _tell_failure(states, token, "InvalidOutput", f"Step Functions refused the output: {error}")
            return
        if aws.error_code(error) not in _NOBODY_WAITS:
            raise
        count("LateCallback")
        logger.info("nobody waits on this token any more", reason=aws.error_code(error))


def _tell_failure(states: Any, token: str, error: str, cause: str) -> None:
    """The state that waits hears why it gets no output, instead of waiting until its time is over."""
    count("OutputRefused")
    logger.error("Step Functions refused an output", cause=cause)
    try:
        states.send_task_failure(taskToken=token, error=error, cause=cause[:32768])
    except ClientError as refused:
        if aws.error_code(refused) not in _NOBODY_WAITS:
            raise


def open_callbacks() -> list[Callback]:
    """Every row that is not delivered, oldest first; one that a newer version wrote is left to that version."""
    return open_and_strange()[0]


def open_and_strange() -> tuple[list[Callback], list[str]]:
    """The rows that are not delivered, oldest first, and why others cannot be read: a newer version wrote them."""
    known, strange = [], []
    for row in _open_rows():
        try:
            known.append(_from_row(row))
        except InvalidInputError as error:
            strange.append(str(error))
    return known, strange


def _open_rows() -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {
        "IndexName": "open-index",
        "KeyConditionExpression": "#o = :yes",
        "ExpressionAttributeNames": {"#o": "open"},
        "ExpressionAttributeValues": {":yes": "yes"},
    }
    while True:
        page = _table().query(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _table() -> Any:
    return aws.table(settings().callbacks_table)


def _from_row(row: Mapping[str, Any]) -> Callback:
    check_schema(row, f"callback {row['id']}")
    outcome = Outcome.from_json(row["outcome"]) if "outcome" in row else None
    return Callback(
        id=row["id"],
        token=row["token"],
        status=row["status"],
        created=int(row["created"]),
        deadline=int(row["deadline"]),
        execution=row["execution"],
        details=json.loads(row["details"]),
        outcome=outcome,
    )


def _only_condition(error: ClientError) -> None:
    if aws.error_code(error) != "ConditionalCheckFailedException":
        raise error
