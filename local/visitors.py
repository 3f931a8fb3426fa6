"""What people's browsers reach: HTTP APIs, Cognito's pages to sign in, and pictures by their signed addresses.

On AWS these stand open to the world, on hosts of their own. Here all share one port with everything that only programs
with a key may ask, so that each is told by its host, path and method, and nothing beside is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ministack import app as ministack
from ministack.services import apigateway, cognito

_API_HOST = re.compile(r"(?P<api>[0-9a-f]{8})\.execute-api\.localhost:(?P<port>\d+)")
_WELL_KNOWN = re.compile(
    r"/(?P<pool>[a-z]{2}(-[a-z]+)+-\d_[A-Za-z0-9]+)/\.well-known/(jwks\.json|openid-configuration)"
)
_PAGES = {("GET", "/oauth2/authorize"), ("GET", "/logout"), ("POST", "/login")}
# Asked by programs: no page may.
_TOKENS = {("POST", "/oauth2/token")}
OF_PAGES = (b"origin", b"sec-fetch-site")  # what gives a page away (local.door)
LARGEST_FOR_AN_API = 10 * 1024 * 1024
LARGEST_FORM = 100_000
Query = Mapping[str, Sequence[str]]
Given = tuple[int, list[tuple[str, str]], bytes]


def api_of(headers: Mapping[str, str], port: int) -> str | None:
    """The id of the HTTP API whose host this is."""
    found = _API_HOST.fullmatch(headers.get("host", "").lower())
    return found["api"] if found and found["port"] == str(port) else None


def is_sign_in(method: str, path: str, headers: Mapping[str, str], port: int) -> bool:
    """Whether this is for Cognito, from where it may come from: a form only from Cognito's own page."""
    own = {f"127.0.0.1:{port}", f"localhost:{port}"}
    if headers.get("host", "").lower() not in own:
        return False
    origin = headers.get("origin")
    if (method, path) in _TOKENS or (method == "GET" and _WELL_KNOWN.fullmatch(path)):
        return origin is None and "sec-fetch-site" not in headers
    return (method, path) in _PAGES and (origin is None or origin in {f"http://{name}" for name in own})


def is_signed_picture(method: str, headers: Mapping[str, str], query: Query, port: int) -> bool:
    """Whether a page of an HTTP API may ask this: an object, by an address that bears a signature (verified after)."""
    page = headers.get("origin", "").removeprefix("http://")
    return (
        method in ("GET", "HEAD")
        and api_of({"host": page}, port) is not None
        and "authorization" not in headers
        and all(
            len(query.get(f"X-Amz-{name}", ())) == 1 for name in ("Algorithm", "Credential", "Signature", "Expires")
        )
        and query["X-Amz-Credential"][0].endswith("/s3/aws4_request")
    )


async def ask_api(
    api: str, scope: Mapping[str, Any], raw_path: str, headers: Mapping[str, str], query: Query, body: bytes
) -> Given:
    """As the API's host answers. An API that is not there forbids, as on AWS."""
    if apigateway.find_api_scope(api) is None:
        return 403, [("content-type", "application/json")], b'{"message":"Forbidden"}'
    asked = {name: list(values) for name, values in query.items()}
    text = scope.get("query_string", b"").decode("latin-1")
    given = await ministack._handle_execute_api_request(
        headers["host"], scope["path"], scope["method"], dict(headers), body, asked, raw_path, text
    )
    return _shown(given)


async def ask_cognito(method: str, path: str, headers: Mapping[str, str], query: Query, body: bytes) -> Given:
    """Without MiniStack's CORS headers: Cognito's pages are read by no other page."""
    asked = {name: list(values) for name, values in query.items()}
    if method == "GET":
        given = await ministack._handle_cognito_get_request(method, path, dict(headers), asked)
    elif path == "/login":
        given = cognito.handle_login_submit(method, path, dict(headers), body, asked)
    else:
        given = await cognito.handle_oauth2_token(method, path, dict(headers), body, asked)
    return _shown(given or (404, {"content-type": "application/json"}, b'{"message":"Not Found"}'))


def _shown(given: tuple[int, Mapping[str, Any], Any]) -> Given:
    """A header with several values, Set-Cookie, stands on as many lines."""
    status, headers, body = given
    lines = [
        (name.lower(), str(value))
        for name, values in headers.items()
        for value in (values if isinstance(values, list | tuple) else [values])
    ]
    return status, lines, body.encode() if isinstance(body, str) else body
