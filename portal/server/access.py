"""Who may use the portal: a one-time link, then a session cookie.

A link's token is `<expiry>.<nonce>.<signature>`. Whoever has the key makes links (`make_token`) without asking the
portal; the portal accepts each token once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

LINK_SECONDS = 24 * 3600
SESSION_SECONDS = 7 * 24 * 3600
COOKIE = "portal-"


def make_token(key: str, now: float | None = None) -> str:
    expiry = int((time.time() if now is None else now) + LINK_SECONDS)
    nonce = secrets.token_urlsafe(12)
    return f"{expiry}.{nonce}.{_signature(key, expiry, nonce)}"


class Access:
    """Sessions of one portal. `worker` is who its visitors are: links carry no names."""

    def __init__(self, key: str, worker: str, clock: Callable[[], float] = time.time) -> None:
        self._key, self._worker, self._clock = key, worker, clock
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
            self._sessions[_digest(session)] = now + SESSION_SECONDS
            return session

    def worker(self, session: str) -> str | None:
        """Who this session belongs to; None for one that is unknown or over."""
        with self._lock:
            ends = self._sessions.get(_digest(session), 0.0)
        return self._worker if ends > self._clock() else None


def _signature(key: str, expiry: int, nonce: str) -> str:
    return hmac.new(key.encode(), f"{expiry}.{nonce}".encode(), hashlib.sha256).hexdigest()[:32]


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()
