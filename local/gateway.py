"""One ASGI application for the whole AWS: requests signed for one of our services go there, the rest to MiniStack.

Every request passes local.door first. Below /_labelloop/ lies what is not AWS: `status` says who serves here,
`meeting` lets writes meet, the rest belongs to the service `control`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core import iam_evaluator as iam
from ministack.core import responses
from ministack.core.router import extract_access_key_id

from local import door, visitors
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
_SCOPE = re.compile(r"[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


def application(mounted: Mapping[str, ServiceHandler], port: int, secret: str) -> Application:
    """port: the one it is served on. secret: of the root key, which what lies below /_labelloop/ wants to see."""
    meeting = Meeting()

    async def route(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await ministack.app(scope, receive, send)
            return
        raw_path = door.raw_path_of(scope)
        headers = door.joined(scope["headers"])
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if scope["type"] == "http" and await for_visitors(scope, receive, send, raw_path, headers, query):
            return
        told = scope["headers"]
        if scope["type"] == "http" and visitors.is_signed_picture(scope["method"], headers, query, port):
            told = [(name, value) for name, value in told if name.lower() not in visitors.OF_PAGES]
        if refusal := door.page_refusal(scope["type"], raw_path, told, port):
            await _refuse(scope, receive, send, refusal)
            return
        if scope["path"].startswith("/_"):
            await below_underscore(scope, receive, send, raw_path, headers, query)
            return
        region, service = _signed_for(headers, query)
        if denied := door.key_refusal(headers, query, service):
            await _send(send, denied)
            return
        body = await _body(receive)
        if body is None:
            return
        if denied := door.signature_refusal(scope["method"], raw_path, query, scope["headers"], body, service):
            await _send(send, denied)
            return
        if service in OWN_SERVICES:
            request = _pinned(scope, raw_path, query, headers, body, service, region)
            await _send(send, await _answer(mounted.get(service), request))
            return
        await meeting.attend(scope["method"], scope["path"])
        await ministack.app(scope, _replayed(body, receive), send)

    async def for_visitors(
        scope: dict[str, Any],
        receive: Receive,
        send: Send,
        raw_path: str,
        headers: Mapping[str, str],
        query: Mapping[str, list[str]],
    ) -> bool:
        """What browsers may ask unsigned; False for everything else."""
        api = visitors.api_of(headers, port)
        if not raw_path.startswith("/") or not (api or visitors.is_sign_in(scope["method"], raw_path, headers, port)):
            return False
        body = await _body(receive, visitors.LARGEST_FOR_AN_API if api else visitors.LARGEST_FORM)
        if body is None:
            return True
        if api:
            given = await visitors.ask_api(api, scope, raw_path, headers, query, body)
        else:
            given = await visitors.ask_cognito(scope["method"], raw_path, headers, query, body)
        await _send_lines(send, *given)
        return True

    async def below_underscore(
        scope: dict[str, Any],
        receive: Receive,
        send: Send,
        raw_path: str,
        headers: Mapping[str, str],
        query: Mapping[str, list[str]],
    ) -> None:
        """What is no AWS: our control paths, and of MiniStack's only where functions answer CloudFormation."""
        if door.is_answer_to_cloudformation(scope["method"], raw_path, headers):
            await ministack.app(scope, receive, send)
            return
        if not raw_path.startswith(CONTROL_PREFIX):
            await _send(send, door.refused(f"{raw_path[:200]} is not part of this embedded AWS."))
            return
        if not door.holds_secret(headers, secret):
            await _send(send, door.refused(f"{CONTROL_PREFIX} wants the header `Authorization: Bearer <secret key>`."))
            return
        body = await _body(receive)
        if body is None:
            return
        request = Request("control", responses.get_region(), "", scope["method"], raw_path, query, headers, body, "")
        if raw_path == STATUS_PATH:
            await _send(send, Response(200, json.dumps({"pid": os.getpid(), "mounted": sorted(mounted)}).encode()))
        elif raw_path == MEETING_PATH:
            await _send(send, meeting.arrange(request))
        else:
            await _send(send, await _answer(mounted.get("control"), request))

    return route


async def _refuse(scope: dict[str, Any], receive: Receive, send: Send, why: str) -> None:
    log.warning("refused: %s", why)
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await _send(send, door.refused(why))


def _signed_for(headers: Mapping[str, str], query: Mapping[str, list[str]]) -> tuple[str, str]:
    """Region and service of the credential scope; S3 where the signature has none (SigV2)."""
    claimed = re.search(r"Credential=([^,\s]+)", headers.get("authorization", ""))
    scope = claimed[1] if claimed else query.get("X-Amz-Credential", [""])[0]
    found = _SCOPE.fullmatch(scope)
    return (found["region"], found["service"]) if found else (responses.get_region(), "s3")


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


def _pinned(
    scope: dict[str, Any],
    raw_path: str,
    query: Mapping[str, list[str]],
    headers: Mapping[str, str],
    body: bytes,
    service: str,
    region: str,
) -> Request:
    """The request, pinned for the evaluator, which looks at it again when it is asked (authorize)."""
    key = extract_access_key_id(dict(headers), dict(query))
    responses.set_request_region(region)
    iam.pin_request_origin("127.0.0.1", True)
    iam.pin_signed_request(scope["method"], raw_path, dict(query), scope["headers"])
    iam.pin_signed_body(body)
    account = responses.get_account_id()
    return Request(service, region, account, scope["method"], raw_path, query, headers, body, key)


async def _body(receive: Receive, largest: float = math.inf) -> bytes | None:
    """None when the client has gone before it had sent everything, or sends more than `largest` bytes."""
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > largest:
            return None
        if not message.get("more_body"):
            return b"".join(chunks)


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


async def _send(send: Send, response: Response) -> None:
    headers = {"x-amzn-requestid": str(uuid.uuid4()), **response.headers, "content-length": str(len(response.body))}
    await _send_lines(send, response.status, list(headers.items()), response.body)


async def _send_lines(send: Send, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
