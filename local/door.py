"""Who may talk to the embedded AWS: programs of this machine that sign with a key of it. No web page ever.

A browser sends to 127.0.0.1 what any page that it shows asks for: forms, pictures, links, WebSockets, without asking
anybody. What gives it away is what a page cannot leave out or choose: Origin, Sec-Fetch-Site, and the name in Host
(after DNS rebinding that of the page). What is left must bear a signature, whatever it asks for.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ministack import app as ministack
from ministack.core import iam_evaluator as iam
from ministack.core import responses, sigv4
from ministack.core.router import extract_access_key_id

from local.http import Response, json_response

Headers = Iterable[tuple[bytes, bytes]]
Query = Mapping[str, Sequence[str]]

# `<bucket>.s3.localhost` is how SDKs name a bucket where the address is a name; .localhost is nobody's (RFC 6761).
_OUR_NAMES = re.compile(r"(127\.0\.0\.1|\[::1\]|([a-z0-9]([a-z0-9.-]*[a-z0-9])?\.)?localhost)")
# CloudFormation's answer address: whoever has one (a function) was given it, and it holds 122 random bits.
_ANSWERS = re.compile(r"/_ministack/cfn-response/[0-9a-f-]{36}")
_LARGEST_ANSWER = 1_000_000
_BROUGHT_BY_A_PERSON = "none"
_GET_KEYS = "`python -m local env` prints the keys of the one that runs"


def page_refusal(kind: str, raw_path: str, headers: Headers, port: int) -> str:
    """Why a request is not answered, as far as a browser or a wrong address shows; "" when nothing does.

    kind: of the ASGI scope, http or websocket. port: the one that is served.
    """
    sent: dict[str, list[str]] = {}
    for name, value in headers:
        sent.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    if kind != "http":
        return "WebSockets are not part of this embedded AWS."
    if not raw_path.startswith("/"):
        return "The request must name a path, not an address."
    hosts = sent.get("host", [])
    host, _, named_port = hosts[0].rpartition(":") if len(hosts) == 1 else ("", "", "")
    if not _OUR_NAMES.fullmatch(host.lower()) or named_port != str(port):
        return f"This address is not ours. Use http://127.0.0.1:{port}."
    origins = sent.get("origin")
    if origins is not None:
        return f"The page {origins[0][:200]!r} sent this. The embedded AWS answers programs, no web pages."
    if any(site.lower() != _BROUGHT_BY_A_PERSON for site in sent.get("sec-fetch-site", [])):
        return "A web page sent this. The embedded AWS answers programs; paste the link into the address line instead."
    return ""


def refused(sentence: str) -> Response:
    return json_response({"__type": "AccessDeniedException", "message": sentence}, 403)


def is_answer_to_cloudformation(method: str, raw_path: str, headers: Mapping[str, str]) -> bool:
    announced = headers.get("content-length", "")
    small = announced.isdigit() and len(announced) < 8 and int(announced) <= _LARGEST_ANSWER
    return method == "PUT" and bool(_ANSWERS.fullmatch(raw_path)) and small


def holds_secret(headers: Mapping[str, str], secret: str) -> bool:
    """For what is no AWS: `Authorization: Bearer <the root key's secret>`."""
    return hmac.compare_digest(headers.get("authorization", "").encode(), f"Bearer {secret}".encode())


def key_refusal(headers: Mapping[str, str], query: Query, service: str) -> Response | None:
    """Asked before a body is read: a request that bears no key, or an unknown one, is not worth reading."""
    key = extract_access_key_id(dict(headers), dict(query))
    if not key:
        return refused(f"This request is not signed. {_GET_KEYS}.")
    account = ministack._request_account_scope(key)
    responses.set_request_account_id(account)
    found = iam.resolve_credential(key, responses.get_account_id())
    return _failed(service, headers, found) if isinstance(found, iam.CredentialResolutionError) else None


def signature_refusal(
    method: str, raw_path: str, query: Query, raw_headers: Sequence[tuple[bytes, bytes]], body: bytes, service: str
) -> Response | None:
    """None when the request bears a genuine, fresh signature of a key that IAM knows.

    MiniStack verifies what IAM decides about; this is asked of everything.
    """
    headers = joined(raw_headers)
    if service == "s3" and "authorization" not in headers and "X-Amz-Algorithm" in query:
        failure = _presigned_failure(method, raw_path, query, headers, body)
        return _failed(service, headers, failure) if failure else None
    iam.pin_signed_request(method, raw_path, dict(query), list(raw_headers))
    iam.pin_signed_body(body)
    verified = iam.authenticate(extract_access_key_id(headers, dict(query)), responses.get_account_id())
    if verified is None:
        return refused(f"This request is not signed. {_GET_KEYS}.")
    return _failed(service, headers, verified) if isinstance(verified, iam.AuthError) else None


def joined(raw_headers: Headers) -> dict[str, str]:
    """By names in lower case; a header on several lines as SigV4 signs it, its values joined by a bare comma."""
    found: dict[str, str] = {}
    for name, value in raw_headers:
        key, text = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


def raw_path_of(scope: Mapping[str, Any]) -> str:
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.decode("latin-1").split("?")[0]


def _presigned_failure(
    method: str, raw_path: str, query: Query, headers: Mapping[str, str], body: bytes
) -> iam.AuthError | None:
    signature = sigv4.parse_query_signature(dict(query))
    if isinstance(signature, tuple):
        return iam.AuthError(*signature)
    try:
        expired = sigv4.presigned_request_is_expired(signature.amz_date, query.get("X-Amz-Expires", [""])[0])
    except ValueError:
        expired = True
    if expired:
        return iam.AuthError("AccessDenied", "Request has expired")
    token = query.get("X-Amz-Security-Token", [""])[0]
    credential = iam.resolve_credential(signature.access_key_id, responses.get_account_id(), token)
    if isinstance(credential, iam.CredentialResolutionError):
        return iam.AuthError(credential.code, credential.message)
    failure = sigv4.header_signature_failure(
        signature, credential.secret_access_key, method, raw_path, dict(query), headers, body, presigned=True
    )
    return iam.AuthError(*failure) if failure else None


def _failed(service: str, headers: Mapping[str, str], error: iam.AuthError | iam.CredentialResolutionError) -> Response:
    """In the protocol of the service, so that SDKs and the CLI show it."""
    status, given, body = ministack._credential_failure(service, "", responses.new_uuid(), error, dict(headers))
    return Response(status, body, {name.lower(): value for name, value in given.items()})
