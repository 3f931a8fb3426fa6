"""What every request meets first: its Host, its Origin, its session, its size; and the headers of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.server import audit
from portal.server.access import Access, Visitor
from portal.server.errors import Refused, answer

LARGEST_BODY = 1_000_000
BODY_SECONDS = 30.0
STATIC = "/static/"
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {pictures}; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_READING = ("GET", "HEAD")


class Guard:
    """ASGI middleware. `origins`: the addresses this portal is reached by, as `http://127.0.0.1:5000`; any other Host
    is a rebound name. `pictures`: the origin that pictures come from.

    A request that comes through has `state.visitor` and a body that was read completely.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], access: Access, pictures: str) -> None:
        self._app, self._access = app, access
        self._origins = {origin.partition("://")[2]: origin for origin in origins}
        # The icon of a page is a picture, too.
        sources = " ".join(dict.fromkeys(("'self'", pictures)))
        self._headers = {"content-security-policy": _CSP.format(pictures=sources), **_HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            self._check_origin(scope)
            await self._check_session(scope)
            body = await _body(scope, receive)
        except Refused as refused:
            _note(scope, refused)
            await answer(scope, refused)(scope, receive, send_guarded)
            return

        async def replay() -> Message:
            nonlocal body
            whole, body = body, None
            return await receive() if whole is None else {"type": "http.request", "body": whole, "more_body": False}

        await self._app(scope, replay, send_guarded)

    def _check_origin(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._origins:
            raise Refused(403, "This address is not the portal's.", "Open the link exactly as it was printed.")
        if scope["method"] not in _READING:
            origin = self._origins[hosts[0].lower()]
            if [given.lower() for given in headers.getlist("origin")] != [origin]:
                raise Refused(403, "This request came from another page.", "Answer tasks on the portal's own pages.")

    async def _check_session(self, scope: Scope) -> None:
        reading = scope["method"] in _READING
        entering = self._access.is_entrance(scope["path"], scope["query_string"])
        visitor = None
        if not scope["path"].startswith(STATIC):
            cookies = cookie_parser("; ".join(Headers(scope=scope).getlist("cookie")))
            visitor = await run_in_threadpool(self._access.visitor, cookies)
        scope.setdefault("state", {})["visitor"] = visitor
        if visitor is None and not (reading and (entering or scope["path"].startswith(STATIC))):
            raise Refused(
                403, "The portal does not know this browser yet.", self._access.way_in, door=self._access.door
            )
        if visitor is not None and await run_in_threadpool(self._access.is_too_fast, visitor):
            raise Refused(429, "This is faster than anybody labels.", "Wait a minute, then go on.")


def _note(scope: Scope, refused: Refused) -> None:
    visitor: Visitor | None = scope.get("state", {}).get("visitor")
    audit.tell(
        "refused",
        status=refused.status,
        method=scope["method"],
        path=scope["path"],
        why=refused.what,
        worker=visitor.worker if visitor else None,
    )


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body: at most LARGEST_BODY bytes of it, within BODY_SECONDS. Raises Refused."""
    if scope["method"] in _READING:
        return b""
    too_large = Refused(413, "This is larger than an answer may be (1 MB).", "Remove some marks, then submit again.")
    announced = Headers(scope=scope).get("content-length", "0")
    if not announced.isascii() or not announced.isdigit() or len(announced) > 12 or int(announced) > LARGEST_BODY:
        raise too_large
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _received(receive, too_large)
    except TimeoutError:
        what = f"The answer did not arrive within {BODY_SECONDS:.0f} seconds."
        raise Refused(408, what, "The draft is kept; submit again.") from None


async def _received(receive: Receive, too_large: Refused) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise too_large
        # Also at the message that the client has gone: what came of a body is no answer.
        if not message.get("more_body", False):
            return bytes(body)
