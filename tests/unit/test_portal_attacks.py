"""What other pages and other workers try on the deployed portal: each is refused, and nothing has changed.

CSRF, Host, Origin, traversal, guessed ids, other people's leases and jobs.
"""

import json
from urllib.parse import quote

import pytest
from portal_deployed import DEPLOYED, ORIGIN, Deployed, submission

EVIL = "https://evil.example"
POSTS = ["/api/jobs/job/next", "/api/jobs/job/hand-over", "/session/end"]
TASK_POSTS = ["/api/tasks/{task}/answer", "/api/tasks/{task}/release", "/api/tasks/{task}/renew"]


@pytest.fixture
def portal(aws, tmp_path):
    return Deployed(tmp_path)


# ---- CSRF, Origin


FOREIGN = [
    *(EVIL, "null", "", "file://", f"http://{DEPLOYED}", f"{ORIGIN}:8443", f"{ORIGIN}.evil.example", f"{ORIGIN}/"),
    *(
        f"https://x.{DEPLOYED}",
        "https://amazonaws.com",
        f"{ORIGIN}, {EVIL}",
        "https://abc124.execute-api.eu-central-1.amazonaws.com",
    ),
]


@pytest.mark.parametrize("path", [*POSTS, *TASK_POSTS])
@pytest.mark.parametrize("origin", FOREIGN)
def test_another_page_posts_nothing_although_the_cookie_comes_along(portal, path, origin):
    portal.job()
    lea = portal.person("lea")
    task, before = portal.held(lea), portal.state()
    assert lea.post(path.format(task=task), submission(), origin=origin).status == 403
    before_it, after = json.loads(before), json.loads(portal.state())
    assert after == before_it


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"])
@pytest.mark.parametrize("path", [*POSTS, *TASK_POSTS])
def test_what_changes_something_is_a_post(portal, path, method):
    portal.job()
    lea = portal.person("lea")
    task, before = portal.held(lea), portal.state()
    answer = lea.request(method, path.format(task=task), [b"{}"], {"origin": ORIGIN})
    assert answer.status in (404, 405), answer.status
    assert portal.state() == before


# ---- Host


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", f"{DEPLOYED}:80", f"{DEPLOYED}.evil.example", f"x.{DEPLOYED}", f"{DEPLOYED}.", None, " "),
        *("127.0.0.1", "localhost", f"{DEPLOYED}@evil.example", f"{DEPLOYED}, evil.example", f"{DEPLOYED}/", "[::1]"),
    ],
)
def test_another_host_is_refused(portal, host):
    ann = portal.person("ann")
    before = portal.state()
    ann.host = host
    for path in ("/", "/api/jobs", "/static/crowd.js", "/session/begin", "/session/callback?code=a&state=b"):
        assert ann.get(path).status == 403
    assert ann.post("/api/jobs/job/next").status == 403
    assert portal.state() == before


@pytest.mark.parametrize(
    "name", ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url", "x-rewrite-url"]
)
def test_what_a_proxy_would_say_is_not_believed(portal, name):
    ann = portal.person("ann")
    before = portal.state()
    sent = {name: "host=evil.example"}
    assert ann.get("/api/jobs", **sent).status == 200
    begun = portal.stranger().get("/session/begin", **sent)
    assert begun.headers["location"].startswith("https://cognito.example/") and "evil" not in begun.headers["location"]
    assert portal.state() == before


# ---- traversal


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../index.html",
            "..%2findex.html",
            "%2e%2e/index.html",
            "..\\index.html",
            "%5c..%5cindex.html",
            "/etc/passwd",
        ),
        *(
            "....//index.html",
            "crowd.js/../index.html",
            "crowd.js%00.html",
            "%252e%252e/index.html",
            "//etc/passwd",
            ".",
        ),
        *(
            "node_modules/konva/package.json",
            "../server/app.py",
            "..%c0%af..%c0%afetc/passwd",
            "index.html",
            "C:/x",
            "",
        ),
    ],
)
def test_no_path_names_a_file(portal, name):
    before = portal.state()
    for visitor in (portal.stranger(), portal.person("ann")):
        answer = visitor.get(f"/static/{name}")
        assert answer.status in (403, 404)
        assert "root:" not in answer.text and "jobs" not in answer.text.partition("<h1>")[0]
    assert len(portal.state()) > len(before), "only the session is new"


# ---- guessed ids, other people's tasks


@pytest.mark.parametrize(
    "guess", ["1", "0", "-1", "task-1", "job", "%2e%2e", "*", "null", "a" * 22, "é", "' OR 1", "{task}x", "{short}"]
)
def test_a_guessed_task_is_none(portal, guess):
    task = portal.job()[0]
    ann = portal.person("ann")
    before = portal.state()
    name = quote(guess.format(task=task, short=task[:-1]), safe="%")
    assert ann.get(f"/tasks/{name}").status == 404
    assert ann.get(f"/api/tasks/{name}").status == 404
    for path in TASK_POSTS:
        assert ann.post(path.format(task=name), submission()).status == 404
    assert portal.state() == before


@pytest.mark.parametrize("job", ["other", "job%00", "JOB", "..", "*", "", "job/x"])
def test_a_guessed_job_is_none(portal, job):
    portal.job()
    lea = portal.person("lea")
    before = portal.state()
    assert lea.post(f"/api/jobs/{job}/next").status == 404
    assert lea.post(f"/api/jobs/{job}/hand-over").status == 404
    assert portal.state() == before


def test_task_ids_cannot_be_guessed_and_tell_nothing(portal):
    tasks = portal.job(count=50)
    assert len({*tasks}) == 50 and min(map(len, tasks)) >= 22


@pytest.mark.parametrize("state", ["held", "answered", "free"])
@pytest.mark.parametrize("path", ["/tasks/{task}", *TASK_POSTS])
def test_another_worker_s_task_is_not_touched(portal, state, path):
    task = portal.job(count=1)[0]
    ann, bob = portal.person("ann"), portal.person("bob")
    if state != "free":
        assert portal.held(ann) == task
    if state == "answered":
        assert ann.post(f"/api/tasks/{task}/answer", submission()).status == 200
    before = portal.state()
    answer = (
        bob.get(path.format(task=task))
        if path.startswith("/tasks/")
        else bob.post(path.format(task=task), submission(submission="s-2"))
    )
    assert answer.status == 410 or path.endswith("/release")
    assert portal.state() == before
    assert "portal-images" not in answer.text


def test_another_worker_s_answer_is_not_told(portal):
    task = portal.job(count=1)[0]
    ann, bob = portal.person("ann"), portal.person("bob")
    portal.held(ann)
    ann.post(f"/api/tasks/{task}/answer", submission())
    assert bob.get(f"/api/tasks/{task}").json["answer"] is None


@pytest.mark.parametrize("name", ["ann", "bob"])
def test_only_leads_hand_over(portal, name):
    portal.job()
    before_it = portal.person(name)
    before = portal.state()
    answer = before_it.post("/api/jobs/job/hand-over")
    assert answer.status == 403 and "leads" in answer.json["message"]
    assert portal.state() == before
    assert portal.person("lea").post("/api/jobs/job/hand-over").json == {"handed_over": 3}


def test_a_lead_who_became_an_annotator_leads_no_more_after_signing_in_again(portal):
    portal.job()
    portal.pool.people["lea"]["cognito:groups"] = ["annotators"]
    assert portal.person("lea").post("/api/jobs/job/hand-over").status == 403
