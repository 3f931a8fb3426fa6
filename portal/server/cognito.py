"""A Cognito user pool as the portal meets it: where its pages are, and what it says about a person who signed in.

The ID token comes from the token endpoint over TLS, in the answer to our own request, so it is believed without asking
for its signature (OpenID Connect Core 1.0, 3.1.3.7, item 6); issuer, audience, expiry and nonce are checked. The
addresses come from the pool's discovery document, which lies below the endpoint of the service.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

ANNOTATORS, LEADS = "annotators", "leads"
SCOPE = "openid email"
_SECONDS = 5.0
_LARGEST = 100_000


class NotSignedIn(Exception):
    """Cognito does not say who this is; the text says why."""


class Unreachable(Exception):
    """Cognito did not answer."""


class Pool(Protocol):
    """What the portal asks of a user pool."""

    def sign_in_address(self, callback: str, state: str, nonce: str, verifier: str) -> str:
        """Cognito's page on which a person signs in."""

    def claims(self, code: str, callback: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """What the ID token says that Cognito gives for a code. Raises NotSignedIn, Unreachable."""

    def sign_out_address(self, back: str) -> str:
        """Where Cognito forgets this browser, and sends it back."""


@dataclass(frozen=True)
class UserPool:
    """endpoint: of the service cognito-idp. client: the id of the portal's app client, which has no secret: PKCE binds
    a code to the browser that asked for it, and there is nothing to leak.
    """

    endpoint: str
    pool: str
    client: str
    clock: Callable[[], float] = time.time

    def sign_in_address(self, callback: str, state: str, nonce: str, verifier: str) -> str:
        query = {
            "response_type": "code",
            "client_id": self.client,
            "redirect_uri": callback,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{self._discovered()['authorization_endpoint']}?{urlencode(query)}"

    def sign_out_address(self, back: str) -> str:
        # Not every discovery document names it; it lies beside the page to sign in.
        beside = str(self._discovered()["authorization_endpoint"]).removesuffix("/oauth2/authorize")
        return f"{beside}/logout?{urlencode({'client_id': self.client, 'logout_uri': back})}"

    def claims(self, code: str, callback: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client,
            "code": code,
            "redirect_uri": callback,
            "code_verifier": verifier,
        }
        addresses = self._discovered()
        answer = _asked(addresses["token_endpoint"], urlencode(form).encode())
        claims = claims_of(answer.get("id_token"))
        self._check(claims, str(addresses["issuer"]), nonce)
        return claims

    def _check(self, claims: Mapping[str, Any], issuer: str, nonce: str) -> None:
        """Raises NotSignedIn."""
        expires = claims.get("exp")
        wrong = {
            "iss": claims.get("iss") != issuer or not issuer.endswith(f"/{self.pool}"),
            "aud": claims.get("aud") != self.client,
            "token_use": claims.get("token_use") != "id",
            "exp": isinstance(expires, bool) or not isinstance(expires, int | float) or expires <= self.clock(),
            "nonce": not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()),
            "sub": not isinstance(claims.get("sub"), str) or not claims["sub"],
        }
        if named := [name for name, is_wrong in wrong.items() if is_wrong]:
            raise NotSignedIn(f"the token is not for this sign-in ({', '.join(named)})")

    def _discovered(self) -> Mapping[str, Any]:
        address = f"{self.endpoint}/{self.pool}/.well-known/openid-configuration"
        if address not in _DOCUMENTS:
            _DOCUMENTS[address] = _asked(address)
        return _DOCUMENTS[address]


# Of this process: they do not change while a pool lives.
_DOCUMENTS: dict[str, Mapping[str, Any]] = {}


def claims_of(token: object) -> Mapping[str, Any]:
    """What a token says, unverified. Raises NotSignedIn for what is none."""
    parts = token.split(".") if isinstance(token, str) and token.isascii() and len(token) <= _LARGEST else []
    if len(parts) != 3:
        raise NotSignedIn("Cognito gave no ID token")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError) as error:
        raise NotSignedIn("the ID token cannot be read") from error
    if not isinstance(claims, dict):
        raise NotSignedIn("the ID token cannot be read")
    return claims


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _asked(address: str, form: bytes | None = None) -> Mapping[str, Any]:
    """The JSON object at an address of Cognito. Raises NotSignedIn where it says no, Unreachable."""
    if not address.startswith(("https://", "http://")):
        raise Unreachable(f"{address!r} is no address")
    try:
        with urllib.request.urlopen(urllib.request.Request(address, form), timeout=_SECONDS) as answer:  # noqa: S310
            document = json.loads(answer.read(_LARGEST))
    except urllib.error.HTTPError as error:
        if error.code >= 500 or error.code == 429:
            raise Unreachable(f"Cognito answered {error.code}") from error
        raise NotSignedIn("the code was used before, is too old, or is another browser's") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unreachable(str(error)) from error
    if not isinstance(document, dict):
        raise Unreachable("Cognito gave no object")
    return document
