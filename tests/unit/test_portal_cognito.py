"""What the portal believes of Cognito's answers: a token of this pool, for this client and sign-in, in time."""

import base64
import hashlib
import http.client
import io
import json
import urllib.error
from urllib.parse import parse_qs, urlsplit

import pytest
from portal_deployed import token

from portal.server import cognito
from portal.server.cognito import NotSignedIn, Unreachable, UserPool

POOL, CLIENT, CALLBACK = "eu-central-1_abc", "client-1", "https://portal.example/session/callback"
ISSUER = f"https://cognito-idp.eu-central-1.amazonaws.com/{POOL}"
GOOD = {"iss": ISSUER, "aud": CLIENT, "token_use": "id", "exp": 1600, "nonce": "n", "sub": "person"}
DISCOVERED = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://labelloop-1.auth.example/oauth2/authorize",
    "token_endpoint": "https://labelloop-1.auth.example/oauth2/token",
}


class Cognito:
    """Answers what the test puts into `tokens`; keeps the forms it was sent."""

    def __init__(self):
        self.forms, self.answer, self.discovered = [], {"id_token": token(GOOD)}, DISCOVERED

    def open(self, request, timeout):
        if request.data is None:
            assert request.full_url == f"https://idp.example/{POOL}/.well-known/openid-configuration"
            return io.BytesIO(json.dumps(self.discovered).encode())
        assert request.full_url == DISCOVERED["token_endpoint"]
        self.forms.append({name: values[0] for name, values in parse_qs(request.data.decode()).items()})
        if isinstance(self.answer, Exception):
            raise self.answer
        return io.BytesIO(self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode())


@pytest.fixture
def service(monkeypatch):
    service = Cognito()
    monkeypatch.setattr(cognito.urllib.request, "urlopen", service.open)
    monkeypatch.setattr(cognito, "_DOCUMENTS", {})
    return service


@pytest.fixture
def pool(service):
    return UserPool("https://idp.example", POOL, CLIENT, lambda: 1000.0)


def refused(code: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("https://x", code, "no", None, io.BytesIO(b'{"error": "invalid_grant"}'))


def test_the_browser_is_sent_with_the_hash_of_the_verifier_and_the_verifier_goes_with_the_code(pool, service):
    query = parse_qs(urlsplit(pool.sign_in_address(CALLBACK, "s", "n", "verifier")).query)
    hashed = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
    assert query["code_challenge"] == [hashed] and query["code_challenge_method"] == ["S256"]
    assert (query["state"], query["nonce"], query["response_type"]) == (["s"], ["n"], ["code"])
    assert pool.claims("the code", CALLBACK, "n", "verifier")["sub"] == "person"
    (form,) = service.forms
    assert form == {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": "the code",
        "redirect_uri": CALLBACK,
        "code_verifier": "verifier",
    }


def test_signing_out_is_beside_signing_in(pool):
    address = pool.sign_out_address("https://portal.example/")
    assert address.startswith(
        "https://labelloop-1.auth.example/logout?client_id=client-1&logout_uri=https%3A%2F%2Fportal"
    )


WRONG = [
    *(
        {"iss": value}
        for value in ("", None, ISSUER + "x", "https://evil.example/" + POOL, ISSUER.replace(POOL, "other"))
    ),
    *({"aud": value} for value in ("", None, "client-2", [CLIENT], [CLIENT, "client-2"])),
    *({"token_use": value} for value in ("access", "refresh", "", None)),
    *({"exp": value} for value in (1000, 999, 0, -1, None, "1600", True, [])),
    *({"nonce": value} for value in ("", None, "N", "nn", 1)),
    *({"sub": value} for value in ("", None, 1, [])),
]


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_a_token_for_something_else_is_none(pool, service, changes):
    service.answer = {"id_token": token(GOOD | changes)}
    with pytest.raises(NotSignedIn, match=next(iter(changes))):
        pool.claims("code", CALLBACK, "n", "verifier")


@pytest.mark.parametrize(
    "given",
    [
        *(None, "", "x", "a.b", "a.b.c.d", 1, [], {}, "é.é.é", "a.!!!.c", "." * 2, "x" * 90_000),
        *(token(value) for value in ([], "x", 1, None)),
    ],
    ids=lambda given: str(given)[:20],
)
def test_what_is_no_token_is_none(pool, service, given):
    service.answer = {"id_token": given}
    with pytest.raises(NotSignedIn):
        pool.claims("code", CALLBACK, "n", "verifier")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        *((refused(code), NotSignedIn) for code in (400, 401, 403, 404)),
        *((refused(code), Unreachable) for code in (429, 500, 502, 503)),
        (TimeoutError("slow"), Unreachable),
        (ConnectionResetError("gone"), Unreachable),
        (http.client.BadStatusLine("odd"), Unreachable),
        (b"<html>", Unreachable),
        (b'{"id_token": "' + b"x" * 200_000 + b'"}', Unreachable),
        (b"[]", Unreachable),
    ],
    ids=lambda given: str(given)[:20],
)
def test_a_refusal_is_told_from_a_service_that_is_away(pool, service, answer, kind):
    service.answer = answer
    with pytest.raises(kind):
        pool.claims("code", CALLBACK, "n", "verifier")


def test_a_document_that_could_not_be_read_is_asked_for_again(pool, service):
    service.discovered = []
    with pytest.raises(Unreachable):
        pool.sign_in_address(CALLBACK, "s", "n", "v")
    service.discovered = DISCOVERED
    assert pool.sign_in_address(CALLBACK, "s", "n", "v").startswith("https://labelloop-1")
