"""People come in through Cognito: authorization code with PKCE, exchanged here; the browser never holds a token.

GET  /session/begin     to Cognito's page; state, nonce and verifier wait in a cookie of ten minutes
GET  /session/callback  Cognito's answer, exchanged for a session
POST /session/end       {"next": where Cognito forgets this browser, too}

The callback answers 200 with Refresh: a browser sends no SameSite=Strict cookie within a chain of redirects that
another site began, so a redirect to / would arrive without the session.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from portal.server import audit
from portal.server.access import Visitor
from portal.server.cognito import ANNOTATORS, LEADS, NotSignedIn, Pool, Unreachable
from portal.server.errors import Refused, page
from portal.server.sessions import SESSION_SECONDS, Removed, Sessions

BEGIN, CALLBACK, END = "/session/begin", "/session/callback", "/session/end"
# `__Host-`: no other host, not even a parent domain, can set or overwrite them.
SESSION_COOKIE, ATTEMPT_COOKIE = "__Host-labelloop", "__Host-labelloop-sign-in"
ATTEMPT_SECONDS = 600
_AGAIN = "Begin again at the portal's first page."
_LONGEST_CODE = 2_000
_LONGEST_ATTEMPT = 1_000


class SignIn:
    """portal: its origin, `https://<host>`."""

    way_in = "Sign in with the address and password that you were given."
    door, way_out = BEGIN, END

    def __init__(self, pool: Pool, sessions: Sessions, portal: str) -> None:
        self._pool, self._sessions, self._portal = pool, sessions, portal

    def visitor(self, cookies: Mapping[str, str]) -> Visitor | None:
        session = cookies.get(SESSION_COOKIE, "")
        return self._sessions.find(session) if session else None

    def is_entrance(self, path: str, query: bytes) -> bool:
        return path in (BEGIN, CALLBACK)

    def is_too_fast(self, visitor: Visitor) -> bool:
        return self._sessions.is_too_fast(visitor.worker)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route(BEGIN, self.begin),
            Route(CALLBACK, self.callback),
            Route(END, self.end, methods=["POST"]),
        )

    def begin(self, request: Request) -> Response:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            there = self._pool.sign_in_address(self._callback, state, nonce, verifier)
        except (Unreachable, NotSignedIn) as error:
            raise _unreachable() from error
        going = RedirectResponse(there, 303)
        attempt = json.dumps({"state": state, "nonce": nonce, "verifier": verifier}, separators=(",", ":"))
        # Lax: Cognito's redirect is a navigation from another site, and this cookie must come along.
        _set_cookie(going, ATTEMPT_COOKIE, quote(attempt, safe=""), ATTEMPT_SECONDS, "lax")
        return going

    def callback(self, request: Request) -> Response:
        attempt = _attempt(request.cookies.get(ATTEMPT_COOKIE, ""))
        code, state = (request.query_params.getlist(name) for name in ("code", "state"))
        if attempt is None or len(state) != 1 or not _same(state[0], attempt["state"]):
            raise Refused(403, "This sign-in did not begin in this browser, or took too long.", _AGAIN)
        if len(code) != 1 or not 0 < len(code[0]) <= _LONGEST_CODE:
            raise Refused(403, "Cognito did not let you in.", _AGAIN)
        try:
            claims = self._pool.claims(code[0], self._callback, attempt["nonce"], attempt["verifier"])
        except NotSignedIn as error:
            raise Refused(
                403, "You could not be signed in.", f"Cognito's answer does not count: {error}. {_AGAIN}"
            ) from error
        except Unreachable as error:
            raise _unreachable() from error
        visitor = _visitor(claims)
        try:
            session = self._sessions.begin(visitor)
        except Removed:
            raise Refused(403, "You were removed from this portal.", "Ask the people who invited you.") from None
        audit.tell("login", worker=visitor.worker, lead=visitor.lead)
        entered = HTMLResponse(page("You are signed in.", "The job list opens by itself."))
        entered.headers["refresh"] = "0;url=/"
        _set_cookie(entered, SESSION_COOKIE, session, SESSION_SECONDS, "strict")
        _forget_cookie(entered, ATTEMPT_COOKIE)
        return entered

    def end(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(SESSION_COOKIE, ""))
        audit.tell("logout", worker=request.state.visitor.worker)
        try:
            there = self._pool.sign_out_address(f"{self._portal}/")
        except (Unreachable, NotSignedIn):
            there = "/"
        ended = JSONResponse({"next": there})
        _forget_cookie(ended, SESSION_COOKIE)
        return ended

    @property
    def _callback(self) -> str:
        return f"{self._portal}{CALLBACK}"


def _visitor(claims: Mapping[str, Any]) -> Visitor:
    """Raises Refused for somebody of the pool who is in neither group."""
    given = claims.get("cognito:groups")
    groups = given if isinstance(given, list) else []
    if not {ANNOTATORS, LEADS} & {group for group in groups if isinstance(group, str)}:
        raise Refused(403, "You are not one of the people who label here.", "Ask the people who invited you.")
    worker = str(claims["sub"])
    return Visitor(worker, str(claims.get("email") or worker), LEADS in groups)


def _attempt(cookie: str) -> dict[str, str] | None:
    if len(cookie) > _LONGEST_ATTEMPT:
        return None
    try:
        found = json.loads(unquote(cookie))
    except (ValueError, RecursionError):
        return None
    names = ("state", "nonce", "verifier")
    sound = isinstance(found, dict) and all(isinstance(found.get(name), str) and found[name] for name in names)
    return {name: found[name] for name in names} if sound else None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def _unreachable() -> Refused:
    return Refused(502, "Cognito, which knows the people of this portal, does not answer.", "Try again in a minute.")


def _set_cookie(response: Response, name: str, value: str, seconds: int, same_site: Any) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite=same_site)


def _forget_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True)
