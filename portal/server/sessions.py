"""Sessions of people who signed in, in the portal's table: hashed, revocable, twelve hours long.

Rows: `session#<sha256>` holds who it belongs to; beside it `worker#<worker>` / `session#<sha256>`, by which all
sessions of a person are found, and `worker#<worker>` / `removed`, which lets no new one begin.
`worker#<worker>` / `minute#<n>` counts requests.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from portal.server.access import Visitor, digest

SESSION_SECONDS = 12 * 3600
# A page asks every three seconds, an answer takes three requests; nobody labels faster than a picture in a second.
MOST_PER_MINUTE = 300
_KEPT_SECONDS = 300


class Removed(Exception):
    """This person was removed and begins no session."""


class Sessions:
    """`table`: a boto3 DynamoDB Table. `clock`: epoch seconds."""

    def __init__(self, table: Any, clock: Callable[[], float] = time.time) -> None:
        self._table, self._clock = table, clock

    def begin(self, visitor: Visitor) -> str:
        """The secret of a new session. Raises Removed."""
        session = secrets.token_urlsafe(32)
        name, worker = f"session#{digest(session)}", f"worker#{visitor.worker}"
        ends = int(self._clock()) + SESSION_SECONDS
        row = {"worker": visitor.worker, "name": visitor.name, "lead": visitor.lead, "Expires": ends}
        try:
            # In one transaction: whoever is removed at this moment has no session afterwards.
            self._table.meta.client.transact_write_items(
                TransactItems=[
                    {
                        "ConditionCheck": {
                            "TableName": self._table.name,
                            "Key": {"Group": worker, "Name": "removed"},
                            "ConditionExpression": "attribute_not_exists(#group)",
                            "ExpressionAttributeNames": {"#group": "Group"},
                        }
                    },
                    self._put({"Group": name, "Name": "session", **row}),
                    self._put({"Group": worker, "Name": name, "Expires": ends}),
                ]
            )
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [{}])
            if reasons and reasons[0].get("Code") == "ConditionalCheckFailed":
                raise Removed(visitor.worker) from error
            raise
        return session

    def find(self, session: str) -> Visitor | None:
        """Whose session this is; None for one that is unknown, ended, or over."""
        key = {"Group": f"session#{digest(session)}", "Name": "session"}
        row = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        # The table forgets rows some time after they expired, so the time is asked, too.
        if row is None or int(row["Expires"]) <= self._clock():
            return None
        return Visitor(str(row["worker"]), str(row["name"]), bool(row["lead"]))

    def end(self, session: str) -> None:
        """The session's secret opens nothing any more."""
        name = f"session#{digest(session)}"
        old = self._table.delete_item(Key={"Group": name, "Name": "session"}, ReturnValues="ALL_OLD").get("Attributes")
        if old:
            self._table.delete_item(Key={"Group": f"worker#{old['worker']}", "Name": name})

    def remove(self, worker: str) -> int:
        """Ends all sessions of a person, and lets none begin; how many these were."""
        group = f"worker#{worker}"
        self._table.put_item(Item={"Group": group, "Name": "removed"})
        ended = 0
        for name in self._names(group):
            self._table.delete_item(Key={"Group": name, "Name": "session"})
            self._table.delete_item(Key={"Group": group, "Name": name})
            ended += 1
        return ended

    def admit(self, worker: str) -> None:
        """Sessions of a person who was removed may begin again."""
        self._table.delete_item(Key={"Group": f"worker#{worker}", "Name": "removed"})

    def is_too_fast(self, worker: str) -> bool:
        """Counts a request; whether there were more than MOST_PER_MINUTE in this minute."""
        now = int(self._clock())
        counted = self._table.update_item(
            Key={"Group": f"worker#{worker}", "Name": f"minute#{now // 60}"},
            UpdateExpression="ADD requests :one SET Expires = :expires",
            ExpressionAttributeValues={":one": 1, ":expires": now + _KEPT_SECONDS},
            ReturnValues="UPDATED_NEW",
        )
        return int(counted["Attributes"]["requests"]) > MOST_PER_MINUTE

    def _put(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"Put": {"TableName": self._table.name, "Item": row}}

    def _names(self, group: str) -> list[str]:
        """Of the sessions of a person."""
        asked: dict[str, Any] = {
            "KeyConditionExpression": "#group = :group AND begins_with(#name, :session)",
            "ExpressionAttributeNames": {"#group": "Group", "#name": "Name"},
            "ExpressionAttributeValues": {":group": group, ":session": "session#"},
            "ConsistentRead": True,
        }
        found: list[str] = []
        while True:
            page = self._table.query(**asked)
            found += [row["Name"] for row in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return found
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
