"""An HTTP API answers 429 beyond the limits of its stage, a bucket of the burst that fills at the rate; MiniStack takes
everything. That its function is throttled it tells as 503; MiniStack: 429.
"""

from __future__ import annotations

import time
from typing import Any

from ministack.services import apigateway

from local.patches.hooks import original

_JSON = {"Content-Type": "application/json"}


def apply() -> None:
    execute = original(
        apigateway, "handle_execute",
        "api_id", "stage", "path", "method", "headers", "body", "query_params", "raw_query_string",
    )  # fmt: skip
    left: dict[tuple[str, str], tuple[float, float]] = {}

    async def execute_within_limits(
        api_id: Any, stage: Any, path: Any, method: Any, headers: Any, body: Any, query_params: Any,
        raw_query_string: Any = None,
    ) -> Any:  # fmt: skip
        if not _takes_one(left, api_id, stage):
            return 429, dict(_JSON), b'{"message":"Too Many Requests"}'
        answer = await execute(api_id, stage, path, method, headers, body, query_params, raw_query_string)
        if answer[0] == 429 and b"TooManyRequestsException" in _bytes(answer[2]):
            return 503, dict(_JSON), b'{"message":"Service Unavailable"}'
        return answer

    apigateway.handle_execute = execute_within_limits


def _takes_one(left: dict[tuple[str, str], tuple[float, float]], api: str, stage: str) -> bool:
    rate, burst = _limits(api, stage)
    if rate is None or burst is None:
        return True
    now = time.monotonic()
    tokens, since = left.get((api, stage), (burst, now))
    tokens = min(burst, tokens + (now - since) * rate)
    left[api, stage] = (max(tokens - 1, 0.0) if tokens >= 1 else tokens, now)
    return tokens >= 1


def _limits(api: str, stage: str) -> tuple[float | None, float | None]:
    described: dict[str, Any] = next(
        (each for each in apigateway.stages_for_api(api).values() if each["stageName"] == stage), {}
    )
    settings = described.get("defaultRouteSettings") or {}
    found = {name.lower(): value for name, value in settings.items()}
    rate, burst = found.get("throttlingratelimit"), found.get("throttlingburstlimit")
    return (float(rate) if rate else None, float(burst) if burst else None)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")
