"""The deployed portal, in a real browser: sign in with a forced change of the password, sign out, be removed.

HTTP API, function, layer, user pool and table are those of template.yaml, without the rest of the stack.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import portal_stack
import pytest
from botocore.config import Config
from PIL import Image

from cli import people
from local import stack

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
KONVA = stack.REPO_ROOT / "portal" / "page" / "node_modules" / "konva" / "konva.min.js"
NEW = "A-password-of-their-own-1"

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and KONVA.exists()) and not os.environ.get("CI"), reason="needs Chromium and, from make setup, Konva"
)


@pytest.fixture(scope="module")
def server() -> Iterator[stack.Server]:
    with stack.running_server() as up:
        yield up


@pytest.fixture(scope="module")
def deployed(server: stack.Server, tmp_path_factory: pytest.TempPathFactory) -> people.Portal:
    found = portal_stack.deploy(server, tmp_path_factory.mktemp("portal"))
    return people.Portal(found["PortalUrl"], found["PortalUsersId"], found["PortalTableName"])


@pytest.fixture(autouse=True)
def commands_meet_this_server(server: stack.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def client(service: str) -> Any:
        return stack.client(server, service)

    def table(name: str) -> Any:
        keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
        return boto3.resource("dynamodb", endpoint_url=server.endpoint, region_name=stack.REGION, **keys).Table(name)

    monkeypatch.setattr(people.aws, "client", client)
    monkeypatch.setattr(people.aws, "table", table)


@pytest.fixture
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@needs_chromium
def test_who_was_invited_changes_the_password_and_is_in_until_they_sign_out(
    server: stack.Server, deployed: people.Portal, browser: Any
) -> None:
    password = people.invite(deployed, "ann@example.com", lead=False, show_password=True)
    page = entered(browser, deployed, "ann@example.com", str(password), NEW)
    assert "You are ann@example.com." in page.inner_text("header")
    (cookie,) = page.context.cookies(deployed.url)
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    page.click("#out")
    page.wait_for_selector("a.primary")
    assert page.context.cookies(deployed.url) == []
    again = entered(browser, deployed, "ann@example.com", NEW)
    assert "You are ann@example.com." in again.inner_text("header")
    assert {"login", "logout", "refused"} <= set(audited(server))


@needs_chromium
def test_who_was_removed_is_out_in_every_browser_within_a_minute_and_stays_out(
    deployed: people.Portal, browser: Any
) -> None:
    password = people.invite(deployed, "bob@example.com", lead=False, show_password=True)
    pages = [entered(browser, deployed, "bob@example.com", str(password), NEW)]
    pages.append(entered(browser, deployed, "bob@example.com", NEW))
    assert people.remove(deployed, "bob@example.com") == 2
    for page in pages:
        assert page.evaluate("fetch('/api/jobs').then(answer => answer.status)") == 403
        page.wait_for_selector("text=Your session has ended", timeout=60_000)
    page = signing_in(browser, deployed, "bob@example.com", NEW)
    page.wait_for_timeout(1000)
    assert page.context.cookies(deployed.url)[0]["name"].endswith("sign-in"), "no session"


@needs_chromium
def test_a_wrong_password_lets_nobody_in(deployed: people.Portal, browser: Any) -> None:
    people.invite(deployed, "cem@example.com", lead=False, show_password=True)
    page = signing_in(browser, deployed, "cem@example.com", "Not-the-password-1")
    page.wait_for_selector("text=Incorrect username or password")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/api/jobs", {}),
        ("GET", "/api/jobs", {"Cookie": "__Host-labelloop=made-up"}),
        ("GET", "/session/callback?code=x&state=y", {}),
        ("GET", "/session/callback?code=x&state=y", {"Cookie": "__Host-labelloop-sign-in=%7B%7D"}),
        ("POST", "/api/jobs/x/next", {}),
        ("POST", "/api/jobs/x/next", {"Origin": "https://evil.example"}),
        ("POST", "/session/end", {"Origin": "https://evil.example"}),
        ("GET", "/static/../serve_portal.py", {}),
        ("GET", "/static/%2e%2e/server/app.py", {}),
        ("GET", "/oauth2/authorize", {}),
        ("POST", "/oauth2/token", {}),
        ("GET", "/logout", {}),
    ],
)
def test_strangers_are_refused_by_the_deployed_portal(
    server: stack.Server, deployed: people.Portal, method: str, path: str, headers: dict[str, str]
) -> None:
    before = people.aws.table(deployed.table).scan()["Items"]
    status, given, _ = asked(server, urlsplit(deployed.url).netloc, method, path, headers)
    assert status in (403, 404)
    assert given["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in given
    assert people.aws.table(deployed.table).scan()["Items"] == before


@pytest.mark.parametrize(
    "path", ["/_ministack/reset", "/_labelloop/status", "/_aws/execute-api/x/y", "/health", "/v2/"]
)
def test_the_portal_s_host_opens_nothing_else_of_the_embedded_aws(
    server: stack.Server, deployed: people.Portal, path: str
) -> None:
    for method in ("GET", "POST"):
        status, given, body = asked(server, urlsplit(deployed.url).netloc, method, path, {})
        assert status in (403, 404) and given.get("content-security-policy"), "the portal itself answered"
        assert b"pid" not in body


def test_an_api_that_is_not_there_forbids(server: stack.Server) -> None:
    status, _, body = asked(server, f"00000000.execute-api.localhost:{port_of(server)}", "GET", "/", {})
    assert (status, json.loads(body)) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/login", {"Origin": "https://evil.example"}),
        ("POST", "/login", {"Origin": "null"}),
        ("POST", "/oauth2/token", {"Origin": "https://evil.example"}),
        ("POST", "/oauth2/token", {"Sec-Fetch-Site": "cross-site"}),
        ("GET", "/oauth2/authorize", {"Origin": "https://evil.example"}),
        ("GET", "/oauth2/authorize", {"Host": "evil.example:{port}"}),
        ("OPTIONS", "/oauth2/token", {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}),
        ("GET", "/oauth2/userInfo", {}),
        ("POST", "/oauth2/login", {}),
        ("GET", "/us-east-1_x/.well-known/../../bucket", {}),
        ("DELETE", "/login", {}),
    ],
)
def test_cognito_s_pages_open_nothing_else(
    server: stack.Server, deployed: people.Portal, method: str, path: str, headers: dict[str, str]
) -> None:
    port = port_of(server)
    sent = {name: value.format(port=port) for name, value in headers.items()}
    status, given, _ = asked(server, sent.pop("Host", f"127.0.0.1:{port}"), method, path, sent)
    assert status == 403
    assert not [name for name in given if name.startswith("access-control")]


@needs_chromium
def test_the_portal_s_page_shows_a_signed_picture_and_reads_its_pixels(
    server: stack.Server, deployed: people.Portal, browser: Any
) -> None:
    """Policy, CORS and signature together, as the annotator loads it; any other origin is refused by the policy."""
    password = people.invite(deployed, "dia@example.com", lead=False, show_password=True)
    page = entered(browser, deployed, "dia@example.com", str(password), NEW)
    address = signed(server, "portal-images/2", drawn())
    load = """address => new Promise(done => {
        const image = new Image();
        image.crossOrigin = "anonymous";
        image.onerror = () => done("refused");
        image.onload = () => {
            const canvas = document.createElement("canvas");
            const pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            done([...pen.getImageData(0, 0, 1, 1).data]);
        };
        image.src = address;
    })"""
    assert page.evaluate(load, address) == [200, 100, 50, 255]
    assert page.evaluate(load, address.replace("127.0.0.1", "localhost")) == "refused"


def test_a_page_reads_a_picture_by_its_signed_address_and_nothing_without(
    server: stack.Server, deployed: people.Portal
) -> None:
    address = urlsplit(signed(server, "portal-images/1", b"<script>"))
    page = {"Origin": deployed.url, "Sec-Fetch-Site": "cross-site"}
    there = f"{address.path}?{address.query}"
    status, given, body = asked(server, address.netloc, "GET", there, page)
    assert (status, body, given["content-type"]) == (200, b"<script>", "image/png")
    assert given["access-control-allow-origin"] == deployed.url
    status, given, _ = asked(server, address.netloc, "GET", there, {**page, "Origin": "https://evil.example"})
    assert status == 403 and "access-control-allow-origin" not in given
    for spoiled in (
        address.path,
        there.replace("image%2Fpng", "text%2Fhtml"),
        re.sub("Signature=.", "Signature=z", there),
    ):
        assert asked(server, address.netloc, "GET", spoiled, page)[0] == 403
    assert asked(server, address.netloc, "PUT", there, page)[0] == 403


def audited(server: stack.Server) -> list[str]:
    """What the log of the functions tells that people did."""
    group = f"/labelloop/{portal_stack.NAME}"
    pages = stack.client(server, "logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    messages = [event["message"] for page in pages for event in page["events"]]
    return re.findall(r'"audit": "([a-z-]+)"', "\n".join(messages))


def signed(server: stack.Server, key: str, body: bytes) -> str:
    """The address of a picture that now lies in the bucket, as a PNG."""
    bucket = stack.outputs(server, portal_stack.NAME)["DataBucketName"]
    s3 = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=stack.REGION,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(signature_version="s3v4"),
    )
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    asked_for = {"Bucket": bucket, "Key": key, "ResponseContentType": "image/png"}
    return str(s3.generate_presigned_url("get_object", Params=asked_for, ExpiresIn=60))


def drawn() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 100, 50)).save(written, "PNG")
    return written.getvalue()


def signing_in(browser: Any, deployed: people.Portal, email: str, password: str) -> Any:
    page = browser.new_context().new_page()
    page.goto(deployed.url)
    page.click("a.primary")
    page.fill("#username", email)
    page.fill("#password", password)
    page.click("button[type=submit]")
    return page


def entered(browser: Any, deployed: people.Portal, email: str, password: str, new: str = "") -> Any:
    """A page with the job list, in a browser of its own. new: the first password is changed to it."""
    page = signing_in(browser, deployed, email, password)
    if new:
        page.fill("#new_password", new)
        page.fill("#confirm_password", new)
        page.click("button[type=submit]")
    page.wait_for_selector("#out")
    return page


def port_of(server: stack.Server) -> int:
    return int(urlsplit(server.endpoint).port or 0)


def asked(
    server: stack.Server, host: str, method: str, path: str, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """With this Host; names below .localhost are looked up by browsers alone."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=60)
    connection.request(method, path, headers={"Host": host, **headers})
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found
