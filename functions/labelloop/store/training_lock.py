"""One execution trains at a time: the training lock, and what the last training knew, in two rows of the ledger
(docs/architecture.md, "Ledger table").
"""

import time
from typing import Any

from botocore.exceptions import ClientError

from labelloop.store import ledger

TRAINING_LOCK = "lock#training"
LAST_TRAINING = "training#last"


class LockLostError(Exception):
    """The training lock was taken over while this execution still worked: its result must not be published."""


def take(execution: str, lease_seconds: int) -> int | None:
    """The fencing number of the lock, or None while a running execution holds it."""
    now = int(time.time())
    row = {"owner": "", "fence": 0, "lease_until": 0, **_row()}
    if row["owner"] == execution:
        return int(row["fence"])
    if row["owner"] and int(row["lease_until"]) > now and ledger.is_alive(row["owner"], int(row.get("since", 0))):
        return None
    fence = int(row["fence"]) + 1
    taken = {"owner": execution, "fence": fence, "lease_until": now + lease_seconds, "since": now}
    try:
        ledger.table().put_item(
            Item={"id": TRAINING_LOCK, **taken},
            ConditionExpression="attribute_not_exists(id) OR fence = :seen AND #o = :owner",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":seen": int(row["fence"]), ":owner": row["owner"]},
        )
    except ClientError as error:
        ledger.only_condition(error)
        return None
    return fence


def owner() -> str:
    """The execution that took the lock and has not released it; it may have died since. Empty: nobody."""
    return str(_row().get("owner", ""))


def since() -> int:
    """When the lock was taken, in seconds since 1970; 0 if it never was."""
    return int(_row().get("since", 0))


def training_runs() -> bool:
    """Whether a running execution holds the lock."""
    holder = owner()
    return bool(holder) and ledger.is_alive(holder, since())


def check(execution: str, fence: int) -> None:
    """Raises LockLostError unless the execution holds the lock under this fencing number."""
    row = _row()
    if row.get("owner") != execution or int(row.get("fence", 0)) != fence:
        raise LockLostError(
            f"this execution held the training lock under fence {fence} and does not hold it any more (fence "
            f"{row.get('fence')}, held by {row.get('owner') or 'nobody'}): it was redriven after it had failed, or "
            "another took over. It publishes nothing; the labels that wait train with the next batch"
        )


def release(execution: str) -> None:
    """Frees the lock if the execution holds it; the fencing number stays, so it only ever grows."""
    try:
        ledger.table().update_item(
            Key={"id": TRAINING_LOCK},
            UpdateExpression="SET #o = :nobody, lease_until = :zero",
            ConditionExpression="#o = :execution",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":nobody": "", ":zero": 0, ":execution": execution},
        )
    except ClientError as error:
        ledger.only_condition(error)


def labels_at_last_training() -> int:
    """How many human training labels the dataset held when a challenger was last judged."""
    row = ledger.table().get_item(Key={"id": LAST_TRAINING}, ConsistentRead=True).get("Item")
    return int(row["labels"]) if row else 0


def last_dataset() -> str:
    """The dataset version that the last challenger that was judged was trained on; empty before the first."""
    row = ledger.table().get_item(Key={"id": LAST_TRAINING}, ConsistentRead=True).get("Item") or {}
    return str(row.get("dataset", ""))


def note_training(dataset_version: str, labels: int, job: str) -> None:
    """Called when a training came to a verdict; one that failed or was aborted is tried again with the same labels."""
    ledger.table().put_item(Item={"id": LAST_TRAINING, "dataset": dataset_version, "labels": labels, "job": job})


def _row() -> dict[str, Any]:
    row: dict[str, Any] = ledger.table().get_item(Key={"id": TRAINING_LOCK}, ConsistentRead=True).get("Item", {})
    return row
