"""One ASGI application for the whole AWS: requests signed for one of our services go there, the rest to MiniStack.

Below /_labelloop/ lies what is not AWS: `status` says who serves here, `meeting` lets writes meet, the rest belongs to
the service `control`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote

from ministack import app as ministack
from ministack.core import iam_evaluator as iam
from ministack.core import responses
from ministack.core.router import extract_access_key_id

from local.http import Request, Response, ServiceFault, ServiceHandler, fault_response
from local.meeting import PATH as MEETING_PATH
from local.meeting import Meeting

log = logging.getLogger("labelloop.local")
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

# Names in the credential scope that never reach MiniStack: ours, or refused by name.
OWN_SERVICES = ("sagemaker", "rekognition", "application-autoscaling")
STATUS_PATH = "/_labelloop/status"
CONTROL_PREFIX = "/_labelloop/"
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


def application(mounted: Mapping[str, ServiceHandler]) -> Application:
    meeting = Meeting()

    async def route(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await ministack.app(scope, receive, send)
            return
        if scope["path"] == STATUS_PATH:
            await _send(send, Response(200, json.dumps({"pid": os.getpid(), "mounted": sorted(mounted)}).encode()))
            return
        if scope["path"] == MEETING_PATH:
            request = await _request(scope, receive, "control", responses.get_region())
            await _send(send, meeting.arrange(request))
            return
        if scope["path"].startswith(CONTROL_PREFIX) and "control" in mounted:
            request = await _request(scope, receive, "control", responses.get_region())
            await _send(send, await _answer(mounted["control"], request))
            return
        signed_for = _SCOPE.search(_header(scope, b"authorization"))
        if signed_for is None or signed_for["service"] not in OWN_SERVICES:
            await meeting.attend(scope["method"], scope["path"])
            await ministack.app(scope, receive, send)
            return
        request = await _request(scope, receive, signed_for["service"], signed_for["region"])
        await _send(send, await _answer(mounted.get(request.service), request))

    return route


async def _answer(handler: ServiceHandler | None, request: Request) -> Response:
    if handler is None:
        message = f"{request.service} is not part of this embedded AWS (local/README.md lists what is)."
        return fault_response(ServiceFault("NotImplementedException", message, 501))
    try:
        return await handler(request)
    except ServiceFault as fault:
        return fault_response(fault)
    except Exception:
        log.exception("%s failed: %s %s", request.service, request.method, request.path)
        return fault_response(ServiceFault("InternalFailure", "The embedded AWS failed; see its log.", 500))


async def _request(scope: dict[str, Any], receive: Receive, service: str, region: str) -> Request:
    """Read the request and pin it for the evaluator, which verifies the signature when it is asked (authorize)."""
    raw_path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1").split("?")[0]
    query = parse_qs(scope.get("query_string", b"").decode(), keep_blank_values=True)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    key = extract_access_key_id(headers, query)
    responses.set_request_account_id(ministack._request_account_scope(key))
    responses.set_request_region(region)
    iam.pin_request_origin("127.0.0.1", True)
    iam.pin_signed_request(scope["method"], raw_path, query, scope["headers"])
    iam.pin_signed_body(body)
    account = responses.get_account_id()
    return Request(service, region, account, scope["method"], raw_path, query, headers, body, key or "")


def _header(scope: dict[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), "")


async def _send(send: Send, response: Response) -> None:
    headers = {"x-amzn-requestid": str(uuid.uuid4()), **response.headers, "content-length": str(len(response.body))}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": pairs})
    await send({"type": "http.response.body", "body": response.body})
