"""What events and notices say, read as what anybody may have sent: names to look up, nothing to believe.

Whatever cannot be read raises InvalidInputError: the event ends in a dead-letter queue with a reason, never in silence.
"""

from collections.abc import Mapping
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError

LONGEST_NAME = 1024  # characters; an object's key has so many bytes, all other names are shorter
# EventBridge's detail-type -> the kind of work that changed, and where the event names it.
Kinds = Mapping[str, tuple[str, tuple[str | int, ...]]]


def changed_work(event: Any, kinds: Kinds) -> tuple[str, str]:
    """(kind, name) of the job or endpoint that an EventBridge event is about."""
    kind, place = kinds.get(named(event, "detail-type"), ("", ()))
    if not kind:
        raise _unreadable(("detail-type",), f"must be one of {', '.join(kinds)}")
    return kind, named(event, *place).rpartition("/")[2]


def named(event: Any, *path: str | int) -> str:
    """The text at a place of the event, e.g. `named(event, "resources", 0)`."""
    found = event
    for step in path:
        match found:
            case dict() if step in found:
                found = found[step]
            case list() if isinstance(step, int) and step < len(found):
                found = found[step]
            case _:
                raise _unreadable(path, "is missing")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_NAME or not fields.is_storable(found):
        raise _unreadable(path, f"must be a name of at most {LONGEST_NAME} characters, but is {fields.shown(found)}")
    return found


def notice(body: str) -> dict[str, Any]:
    """The message of an SQS record's body, without SNS's envelope where it has one."""
    message = fields.mapping(fields.parse_json(body, "the notice"), "the notice", "body")
    if "Message" in message:
        message = fields.parse_json(fields.text(message, "Message", "the notice"), "the notice, field 'Message'")
    return fields.mapping(message, "the notice", "Message")


def _unreadable(path: tuple[str | int, ...], why: str) -> InvalidInputError:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    return InvalidInputError(f"the event cannot be read: {place} {why}")
