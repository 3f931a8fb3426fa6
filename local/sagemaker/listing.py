"""List operations: name, status and time filters, order and paging, the same for every kind of resource."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from local.http import ServiceFault
from local.sagemaker.requests import Call

_TIME_FILTERS = ("CreationTime", "LastModifiedTime")


def page(
    call: Call, items: Iterable[dict[str, Any]], answer_key: str, name_key: str, status_key: str = "", default: int = 10
) -> dict[str, Any]:
    """Filter, sort (newest first unless asked otherwise) and cut summaries; `default` is MaxResults when absent."""
    kept = [item for item in items if _wanted(call, item, name_key, status_key)]
    sort_keys = {"Name": name_key, "Status": status_key}
    key = sort_keys.get(call.get("SortBy", "CreationTime"), "CreationTime")
    # Resources made within one clock tick keep their creation order.
    ordered = [item for _, item in sorted(enumerate(kept), key=lambda pair: (pair[1][key], pair[0]))]
    if call.get("SortOrder", "Descending") == "Descending":
        ordered.reverse()
    start = decode_token(call.get("NextToken"))
    end = start + int(call.get("MaxResults", default))
    answer: dict[str, Any] = {answer_key: ordered[start:end]}
    if end < len(ordered):
        answer["NextToken"] = encode_token(end)
    return answer


def encode_token(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def decode_token(token: str | None) -> int:
    try:
        return int(base64.urlsafe_b64decode(token or b"MA=="))
    except (ValueError, binascii.Error) as error:
        raise ServiceFault("ValidationException", f"Invalid pagination token: {token}") from error


def _wanted(call: Call, item: dict[str, Any], name_key: str, status_key: str) -> bool:
    if call.get("NameContains", "").lower() not in item[name_key].lower():
        return False
    if status_key and call.get("StatusEquals") not in (None, item[status_key]):
        return False
    for member in _TIME_FILTERS:
        moment = item.get(member)
        if moment is None:
            continue
        if (after := call.get(f"{member}After")) is not None and moment <= _moment(after):
            return False
        if (before := call.get(f"{member}Before")) is not None and moment >= _moment(before):
            return False
    return True


def _moment(value: Any) -> datetime:
    return datetime.fromtimestamp(float(value), UTC)
