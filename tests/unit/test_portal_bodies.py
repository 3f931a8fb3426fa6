"""Bodies that are no answers, stored markup and content sniffing on the deployed portal, and what is told about it."""

import asyncio
import json
from urllib.parse import quote

import pytest
from portal_deployed import DEPLOYED, ORIGIN, Deployed, submission
from portal_visitor import boxes

from portal.server import guard
from portal.server.sessions import MOST_PER_MINUTE

COOKIE = "__Host-labelloop"
GETS = ["/", "/api/jobs", "/tasks/{task}", "/api/tasks/{task}", "/images/x"]


@pytest.fixture
def portal(aws, tmp_path):
    return Deployed(tmp_path)


# ---- bodies


BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a word": b'"x"',
    "a number": b"1",
    "null": b"null",
    "not UTF-8": b"\xff\xfe{}",
    "NaN": b'{"answer": {"a": NaN}, "submission": "s"}',
    "Infinity": b'{"answer": {"a": Infinity}, "submission": "s"}',
    "an enormous number": b'{"answer": {"a": 1e400}, "submission": "s"}',
    "many digits": b'{"answer": {"a": ' + b"9" * 5000 + b'}, "submission": "s"}',
    "a name twice": b'{"answer": {}, "answer": {}, "submission": "s"}',
    "__proto__": b'{"answer": {"__proto__": {}}, "submission": "s"}',
    "half a character": b'{"answer": {"a": "\\ud800"}, "submission": "s"}',
    "deep": b'{"answer": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b', "submission": "s"}',
    "very deep": b"[" * 200_000,
    "a form": b"answer=x&submission=s",
    "no submission": json.dumps({"answer": boxes()}).encode(),
    "an empty submission": json.dumps({"answer": boxes(), "submission": ""}).encode(),
    "a long submission": json.dumps({"answer": boxes(), "submission": "s" * 101}).encode(),
    "no answer": b'{"submission": "s"}',
    "text as seconds": json.dumps({"answer": boxes(), "submission": "s", "seconds": "1"}).encode(),
    "another label": json.dumps(submission(answer=boxes(("<script>", 1, 1, 5, 5)))).encode(),
    "a box outside": json.dumps(submission(answer=boxes(("head", 1, 1, 5000, 5)))).encode(),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_answer_is_refused(portal, body):
    portal.job()
    ann = portal.person("ann")
    task, before = portal.held(ann), portal.state()
    answer = ann.post(f"/api/tasks/{task}/answer", body)
    assert answer.status == 422 and answer.json["message"]
    assert portal.state() == before


@pytest.mark.parametrize("length", ["1000001", "99999999999", "-1", "x", "1e3", "0x10", "٣", "1, 1"])
def test_a_body_that_announces_too_much_is_not_read(portal, length):
    portal.job()
    ann = portal.person("ann")
    task, before = portal.held(ann), portal.state()
    answer = ann.request(
        "POST",
        f"/api/tasks/{task}/answer",
        [b"{}"],
        {"origin": ORIGIN, "content-length": length.encode().decode("latin-1")},
    )
    assert answer.status == 413
    assert portal.state() == before


@pytest.mark.parametrize(
    "chunks", [[b"x" * 1_000_001], [b"x" * 500_000] * 3, [b"x"] * 10 + [b"y" * 1_000_000]], ids=len
)
def test_a_body_that_is_larger_than_it_announces_is_refused(portal, chunks):
    portal.job()
    ann = portal.person("ann")
    task, before = portal.held(ann), portal.state()
    assert ann.request("POST", f"/api/tasks/{task}/answer", chunks, {"origin": ORIGIN}).status == 413
    assert portal.state() == before


def test_a_body_that_comes_too_slowly_is_given_up(portal, monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.02)
    portal.job()
    ann = portal.person("ann")
    task, before, sent = portal.held(ann), portal.state(), []

    async def receive():
        await asyncio.sleep(1)

    async def send(message):
        sent.append(message)

    headers = [
        (b"host", DEPLOYED.encode()),
        (b"origin", ORIGIN.encode()),
        (b"cookie", f"{COOKIE}={ann.cookies[COOKIE]}".encode()),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/api/tasks/{task}/answer",
        "query_string": b"",
        "headers": headers,
        "scheme": "https",
    }
    asyncio.run(portal.app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert portal.state() == before


def test_a_person_who_sends_more_than_anybody_labels_is_told_to_wait_and_others_are_not(portal):
    ann, bob = portal.person("ann"), portal.person("bob")
    key = {"Group": "worker#sub-ann", "Name": f"minute#{int(portal.clock()) // 60}"}
    portal.table.put_item(Item={**key, "requests": MOST_PER_MINUTE})
    portal.job()
    before = portal.state()
    assert ann.post("/api/jobs/job/next").status == 429
    assert portal.state() == before
    assert bob.get("/api/jobs").status == 200
    portal.clock.pass_by(60)
    assert ann.get("/api/jobs").status == 200


# ---- stored markup, content sniffing, pictures


MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 | times: 7 }}",
    "javascript:alert(1)",
    "</crowd-form><base href=//evil.example>",
]


@pytest.mark.parametrize("markup", MARKUP)
@pytest.mark.parametrize("where", ["header", "labels", "email"])
def test_markup_that_somebody_stored_is_text(portal, markup, where):
    shown = {} if where == "email" else {where: [markup] if where == "labels" else markup}
    portal.job(**shown)
    portal.pool.people["ann"]["email"] = markup if where == "email" else "ann@example.com"
    ann = portal.person("ann")
    task, before = portal.held(ann), portal.state()
    page = ann.get(f"/tasks/{task}")
    assert page.status == 200
    assert "<script>alert" not in page.text and "<img" not in page.text and "<base" not in page.text
    listed = ann.get("/api/jobs")
    assert (
        listed.headers["content-type"] == "application/json"
        and listed.json["worker"] == portal.pool.people["ann"]["email"]
    )
    assert portal.state() == before


@pytest.mark.parametrize("path", [*GETS, "/static/crowd.js", "/session/begin", "/session/callback", "/nothing"])
def test_every_answer_says_what_a_browser_may_do_with_it(portal, path):
    portal.job()
    ann = portal.person("ann")
    task, before = portal.held(ann), portal.state()
    answer = ann.get(path.format(task=task))
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'" and policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'" and policy["form-action"] == "'self'"
    assert policy["img-src"].startswith("'self' https://") and "*" not in policy["img-src"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert "access-control-allow-origin" not in answer.headers
    assert portal.state() == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.html", "image/jpeg"),
        ("a.svg", "image/jpeg"),
        ("a", "image/jpeg"),
        ("A.PNG", "image/png"),
    ],
)
def test_a_picture_is_on_another_origin_as_a_picture_for_a_minute(portal, name, kind):
    portal.job(taskObject=f"s3://data/batch/{name}")
    ann = portal.person("ann")
    address = ann.post(f"/api/tasks/{portal.held(ann)}/renew").json["image"]
    assert not address.startswith(ORIGIN)
    assert f"response-content-type={quote(kind, safe='')}" in address and "X-Amz-Expires=60" in address
    assert "batch" not in address, "the key of the original could tell a honeypot"


def test_another_object_than_the_task_s_is_not_signed(portal):
    from portal.server.desk import Task
    from portal.server.signed_images import SignedImages

    images = SignedImages(portal.s3, "pictures")
    task = Task("t", 1, {"taskObject": "s3://data/a.png"}, picture="portal-images/1")
    with pytest.raises(LookupError):
        images.grant(None, task, "s3://data/secret.png")
    with pytest.raises(LookupError):
        images.grant(None, Task("t", 1, {"taskObject": "s3://data/a.png"}), "s3://data/a.png")


# ---- what is told about it


def test_who_did_what_is_in_the_log_and_no_secret_is(portal, caplog):
    caplog.set_level("INFO", "labelloop.portal")
    portal.job(count=1)
    ann, lea = portal.person("ann"), portal.person("lea")
    task = portal.held(ann)
    ann.post(f"/api/tasks/{task}/answer", submission())
    ann.post("/api/jobs/job/hand-over")
    lea.post("/api/jobs/job/hand-over")
    ann.get("/tasks/nothing")
    session = ann.cookies[COOKIE]
    ann.post("/session/end")
    told = [json.loads(record.message) for record in caplog.records if record.name == "labelloop.portal"]
    assert [line["audit"] for line in told] == [
        "login",
        "login",
        "lease",
        "answer",
        "refused",
        "hand-over",
        "refused",
        "logout",
    ]
    assert {line["worker"] for line in told} == {"sub-ann", "sub-lea"}
    assert session not in caplog.text and "code-" not in caplog.text
