"""Who may use the portal. It asks `Access`; here one person comes by a one-time link, and has a session cookie then.

`sign_in` is the other way in: Cognito. A link's token is `<expiry>.<nonce>.<signature>`. Whoever has the key makes
links (`make_token`) without asking the portal; the portal accepts each token once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.routing import BaseRoute

LINK_SECONDS = 24 * 3600
SESSION_SECONDS = 7 * 24 * 3600
COOKIE = "portal-"


def make_token(key: str, now: float | None = None) -> str:
    expiry = int((time.time() if now is None else now) + LINK_SECONDS)
    nonce = secrets.token_urlsafe(12)
    return f"{expiry}.{nonce}.{_signature(key, expiry, nonce)}"


@dataclass(frozen=True)
class Visitor:
    """Who sends a request. worker: as answers name them. name: as people do. lead: may hand jobs over and stop them."""

    worker: str
    name: str
    lead: bool


class Access(Protocol):
    """Every method may be called from any thread, and may wait for a table."""

    way_in: str  # tells a person without a session how to come in
    door: str  # where the page lets them in; empty where a link does
    way_out: str  # what a POST ends the session with; empty where there is nothing to end

    def visitor(self, cookies: Mapping[str, str]) -> Visitor | None:
        """Who has the session that the cookies name; None without one that lives."""

    def is_entrance(self, path: str, query: bytes) -> bool:
        """Whether a GET of this address is how people come in, so that it needs no session."""

    def is_too_fast(self, visitor: Visitor) -> bool:
        """Counts a request of the visitor; whether these are more than a person sends."""

    def routes(self) -> Sequence[BaseRoute]:
        """Pages of the way in and out."""


class LinkAccess:
    """Sessions of one portal. `worker` is who its visitors are: links carry no names. `way_in` tells a person without a
    session how to get a link.
    """

    door = way_out = ""

    def __init__(self, key: str, worker: str, way_in: str, clock: Callable[[], float] = time.time) -> None:
        self._key, self._worker, self.way_in, self._clock = key, worker, way_in, clock
        self._used: dict[str, int] = {}
        self._sessions: dict[str, float] = {}
        self._lock = threading.Lock()
        # Cookies know no ports: portals of one host must not overwrite each other's.
        self.cookie = f"{COOKIE}{secrets.token_hex(4)}"

    def redeem(self, token: str) -> str | None:
        """A new session for a token that is genuine, in time, and used for the first time."""
        expiry_text, _, rest = token.partition(".")
        nonce, _, signature = rest.partition(".")
        if not (expiry_text.isascii() and expiry_text.isdigit() and len(expiry_text) <= 12 and signature.isascii()):
            return None
        expiry, now = int(expiry_text), self._clock()
        if not hmac.compare_digest(signature, _signature(self._key, expiry, nonce)) or expiry < now:
            return None
        with self._lock:
            self._used = {used: until for used, until in self._used.items() if until >= now}
            if nonce in self._used:
                return None
            self._used[nonce] = expiry
            session = secrets.token_urlsafe(32)
            self._sessions[digest(session)] = now + SESSION_SECONDS
            return session

    def visitor(self, cookies: Mapping[str, str]) -> Visitor | None:
        with self._lock:
            ends = self._sessions.get(digest(cookies.get(self.cookie, "")), 0.0)
        return Visitor(self._worker, self._worker, lead=True) if ends > self._clock() else None

    def is_entrance(self, path: str, query: bytes) -> bool:
        return path == "/" and b"token=" in query

    def is_too_fast(self, visitor: Visitor) -> bool:
        return False

    def routes(self) -> Sequence[BaseRoute]:
        return ()


def _signature(key: str, expiry: int, nonce: str) -> str:
    return hmac.new(key.encode(), f"{expiry}.{nonce}".encode(), hashlib.sha256).hexdigest()[:32]


def digest(session: str) -> str:
    """What is kept of a session: who reads it cannot use it."""
    return hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()
