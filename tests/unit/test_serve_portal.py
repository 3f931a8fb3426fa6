"""Serve Portal understands what an HTTP API sends (payload format 2.0), and answers as one wants it."""

import base64
import json

import portal_deployed
import pytest
import serve_portal
from handling import Context
from portal_deployed import DEPLOYED, ORIGIN

from portal.server import audit
from portal.server.access import Visitor
from portal.server.sessions import Sessions

COOKIE = "__Host-labelloop"


@pytest.fixture
def table(aws, environment):
    table = portal_deployed.make_table()
    given = {"PORTAL_TABLE": table.name, "PORTAL_URL": ORIGIN, "USER_POOL": "pool", "USER_POOL_CLIENT": "client"}
    for name, value in given.items():
        environment.setenv(name, value)
    environment.setattr(audit.log, "handlers", [])
    environment.setattr(audit.log, "propagate", True)
    environment.setattr(audit.log, "level", audit.log.level)
    serve_portal._adapter.cache_clear()
    yield table
    serve_portal._adapter.cache_clear()


def event(method="GET", path="/", cookies=(), body=None, **headers):
    """As API Gateway documents format 2.0: cookies beside the headers, a body that is no text in base64."""
    encoded = {} if body is None else {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": DEPLOYED, "x-forwarded-proto": "https", **headers},
        "requestContext": {"http": http, "domainName": DEPLOYED, "stage": "$default"},
        **({"cookies": list(cookies)} if cookies else {}),
        **encoded,
        "isBase64Encoded": bool(encoded),
    }


def session_of(table, worker="sub-ann", lead=False):
    return f"{COOKIE}={Sessions(table).begin(Visitor(worker, 'ann@example.com', lead))}"


def test_a_stranger_is_told_where_to_sign_in(table):
    answer = serve_portal.handler(event(), Context())
    assert answer["statusCode"] == 403
    assert 'href="/session/begin"' in answer["body"]
    assert answer["headers"]["content-security-policy"].startswith("default-src 'none'")


def test_the_cookies_field_opens_the_session(table):
    answer = serve_portal.handler(event(path="/api/jobs", cookies=["theirs=x", session_of(table)]), Context())
    assert answer["statusCode"] == 200
    told = json.loads(answer["body"])
    assert told == {"worker": "ann@example.com", "lead": False, "way_out": "/session/end", "jobs": []}


def test_what_the_browser_runs_comes_along(table):
    for name in ("jobs.js", "portal.css", "icon.svg"):
        assert serve_portal.handler(event(path=f"/static/{name}"), Context())["statusCode"] == 200, name


def test_a_post_of_the_portal_s_own_page_passes_and_another_s_does_not(table):
    cookie = session_of(table, lead=True)
    ours = event("POST", "/api/jobs/x/hand-over", [cookie], b"{}", origin=ORIGIN)
    assert serve_portal.handler(ours, Context())["statusCode"] == 404
    theirs = event("POST", "/api/jobs/x/hand-over", [cookie], b"{}", origin="https://evil.example")
    assert serve_portal.handler(theirs, Context())["statusCode"] == 403
    http = event("POST", "/api/jobs/x/hand-over", [cookie], b"{}", origin=ORIGIN.replace("https", "http"))
    assert (
        serve_portal.handler({**http, "headers": http["headers"] | {"x-forwarded-proto": "http"}}, Context())[
            "statusCode"
        ]
        == 403
    )


def test_a_session_ends_and_both_cookies_of_the_answer_arrive(table, monkeypatch):
    monkeypatch.setattr("portal.server.cognito.UserPool.sign_out_address", lambda self, back: "https://there.example/")
    cookie = session_of(table)
    answer = serve_portal.handler(event("POST", "/session/end", [cookie], b"", origin=ORIGIN), Context())
    assert json.loads(answer["body"]) == {"next": "https://there.example/"}
    assert [each.partition("=")[0] for each in answer["cookies"]] == [COOKIE]
    assert serve_portal.handler(event(path="/api/jobs", cookies=[cookie]), Context())["statusCode"] == 403


def test_who_was_refused_is_a_line_of_the_function_s_log(table, capsys):
    serve_portal.handler(event("POST", "/api/jobs/x/hand-over", [session_of(table)], b"{}", origin=ORIGIN), Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"audit"' in line]
    assert [(line["audit"], line["status"], line["worker"]) for line in lines] == [("refused", 403, "sub-ann")]


def test_without_work_nothing_can_be_asked_for(table):
    cookie = session_of(table)
    for path in ("/tasks/x", "/api/tasks/x"):
        assert serve_portal.handler(event(path=path, cookies=[cookie]), Context())["statusCode"] == 404
    for path in ("/api/jobs/x/next", "/api/tasks/x/answer", "/api/tasks/x/release", "/api/tasks/x/renew"):
        body = json.dumps(portal_deployed.submission()).encode()
        assert serve_portal.handler(event("POST", path, [cookie], body, origin=ORIGIN), Context())["statusCode"] == 404
