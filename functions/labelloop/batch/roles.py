"""Which contents judge and which train: fixed in the ledger at the first label of people, for good.

One row for each content, `role#<sha256>`, and one that counts the sampled ones among them. Both are written in one
transaction, which holds only while the count is what the roles were made of: merges that run at the same time can
neither overshoot nor leave a role uncounted, and a merge that is repeated finds its roles.
"""

import json
import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts import origins
from labelloop.contracts.errors import TransientError
from labelloop.contracts.origins import JUDGE, TRAIN
from labelloop.contracts.settings import settings
from labelloop.store import aws, datasets, ledger
from labelloop.trust import sampling
from labelloop.trust.sampling import Tally

TALLY = "roles"
# One after the other, the roles of 150,000 imported labels would take longer than a function may.
AT_ONCE = 16
MOST_IN_A_TRANSACTION = 99  # TransactWriteItems takes 100, and one is the tally
TRIES = 60
LONGEST_PAUSE_SECONDS = 0.5


def fix(contents: Collection[str], may_judge: Collection[str]) -> dict[str, str]:
    """sha256 -> train | judge for contents that people have labelled, from now on. Those in `may_judge` are of the
    random sample; of all others that have no role yet, each trains.
    """
    known = _known(contents)
    missing = [content for content in contents if content not in known]
    found = {**known, **_train([content for content in missing if content not in may_judge])}
    candidates = sampling.in_role_order((content for content in missing if content in may_judge), settings().seed)
    for start in range(0, len(candidates), MOST_IN_A_TRANSACTION):
        found |= _share_out(candidates[start : start + MOST_IN_A_TRANSACTION], known)
    return found


def judges() -> int:
    """How many contents judge so far; 0 as well where nobody has counted yet what version 0.1 left."""
    row = ledger.table().get_item(Key={"id": TALLY}, ConsistentRead=True).get("Item") or {}
    return int(row.get("judges", 0))


def _share_out(candidates: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """The roles of sampled contents. Raises TransientError where others come first again and again."""
    found: dict[str, str] = {}
    for attempt in range(TRIES):
        before = _tally(known)
        roles, after = sampling.roles(
            [content for content in candidates if content not in found], before, settings().judge_images
        )
        if not roles or _written(roles, before, after):
            return {**found, **roles}
        found = _known(candidates)
        time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt)))
    raise TransientError(f"the roles of {len(candidates)} images could not be fixed: other batches always came first")


def _written(roles: Mapping[str, str], before: Tally, after: Tally) -> bool:
    """False: another merge wrote one of the roles, or other ones, since."""
    name = settings().ledger_table
    new = {"TableName": name, "ConditionExpression": "attribute_not_exists(id)"}
    rows = [{"Put": {**new, "Item": {"id": _row(content), "role": role}}} for content, role in roles.items()]
    counted = {
        "TableName": name,
        "Key": {"id": TALLY},
        "UpdateExpression": "SET answered = :answered, judges = :judges",
        "ConditionExpression": "answered = :answered_before AND judges = :judges_before",
        "ExpressionAttributeValues": {
            ":answered": after.answered,
            ":judges": after.judges,
            ":answered_before": before.answered,
            ":judges_before": before.judges,
        },
    }
    try:
        ledger.table().meta.client.transact_write_items(TransactItems=[*rows, {"Update": counted}])
    except ClientError as error:
        if aws.error_code(error) != "TransactionCanceledException":
            raise
        return False
    return True


def _tally(known: Mapping[str, str]) -> Tally:
    """What is counted so far. Rows of version 0.1 were not counted: the first look counts what is labelled already."""
    key = {"id": TALLY}
    row = ledger.table().get_item(Key=key, ConsistentRead=True).get("Item")
    if row is None:
        try:
            counted = asdict(_counted(known))
            ledger.table().put_item(Item={**key, **counted}, ConditionExpression="attribute_not_exists(id)")
        except ClientError as error:
            ledger.only_condition(error)
        row = ledger.table().get_item(Key=key, ConsistentRead=True)["Item"]
    return Tally(int(row["answered"]), int(row["judges"]))


def _counted(known: Mapping[str, str]) -> Tally:
    """The sampled contents of the current dataset, and those `known` that judge: they were sampled."""
    judges, train = {content for content, role in known.items() if role == JUDGE}, set[str]()
    for line in datasets.current().lines:
        provenance: dict[str, Any] = json.loads(line).get("provenance", {})
        role, content = origins.role_of(provenance), str(provenance.get("sha256", ""))
        if content and role == JUDGE:
            judges.add(content)
        elif content and role == TRAIN and provenance.get("sampled"):
            train.add(content)
    return Tally(len(judges | train), len(judges))


def _known(contents: Iterable[str]) -> dict[str, str]:
    rows = ledger.rows(map(_row, contents), "role")
    return {row_id.removeprefix(_row("")): origins.role(str(row["role"])) for row_id, row in rows.items()}


def _train(contents: Sequence[str]) -> dict[str, str]:
    """Their roles, `train` unless somebody else fixed another one meanwhile."""
    client, name = ledger.table().meta.client, settings().ledger_table

    def fix_some(some: Iterable[str]) -> dict[str, str]:
        return {content: _fix_one(client, name, content) for content in some}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        parts = pool.map(fix_some, [contents[start::AT_ONCE] for start in range(AT_ONCE)])
        return {content: role for part in parts for content, role in part.items()}


def _fix_one(client: Any, table: str, content: str) -> str:
    """With the table's client, which threads may share, unlike the table."""
    key = {"id": _row(content)}
    try:
        client.put_item(TableName=table, Item={**key, "role": TRAIN}, ConditionExpression="attribute_not_exists(id)")
    except ClientError as error:
        ledger.only_condition(error)
        row = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        if row is None:
            raise TransientError(f"the role of {content} vanished while it was read") from error
        return origins.role(str(row["role"]))
    return TRAIN


def _row(content: str) -> str:
    return f"role#{content}"
