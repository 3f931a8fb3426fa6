"""DeleteAlarms is authorized for the alarms it names, as on AWS. MiniStack asks for every alarm (`*`).

A call with one name asks for that alarm; a call with several still asks for every alarm, which no role here may.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions

from local.patches.hooks import original

_PARAMETERS = ("service", "method", "path", "headers", "body", "query_params", "region", "account_id")


def apply() -> None:
    resource_arn = original(iam_actions, "extract_resource_arn", *_PARAMETERS)

    def with_alarm_names(
        service: str,
        method: str,
        path: str,
        headers: dict[str, Any],
        body: bytes,
        query_params: dict[str, Any],
        region: str,
        account_id: str,
    ) -> Any:
        arn = resource_arn(service, method, path, headers, body, query_params, region, account_id)
        names = _alarm_names(body) if service == "monitoring" and arn == "*" else []
        return f"arn:aws:cloudwatch:{region}:{account_id}:alarm:{names[0]}" if len(names) == 1 else arn

    iam_actions.extract_resource_arn = with_alarm_names


def _alarm_names(body: bytes) -> list[str]:
    """boto3 speaks JSON 1.0 to CloudWatch."""
    try:
        names = json.loads(body)["AlarmNames"]
    except (ValueError, KeyError, TypeError):
        return []
    return names if isinstance(names, list) else []
