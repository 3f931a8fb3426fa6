"""The portal lets in who has a link, answers its own pages only, and opens no path that anybody names (F30, F31)."""

import asyncio
import json

import pytest
from portal_visitor import HOST, PNG, Place, boxes

from portal.server.access import LINK_SECONDS, SESSION_SECONDS
from portal.server.guard import LARGEST_BODY
from portal.server.images import SECONDS


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_link_lets_a_browser_in_once(place):
    token = place.token()
    visitor = place.stranger()
    answer = visitor.get(f"/?token={token}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert visitor.get("/").text == "<p>jobs"

    second = place.stranger().get(f"/?token={token}")
    assert second.status == 403
    assert "used before" in second.text and "run: get a link" in second.text
    assert visitor.get(f"/?token={token}").status == 303, "whoever is in already may open the link again"


@pytest.mark.parametrize("spoiled", ["", "x", "1.2.3", "9" * 400 + ".a.b", "٣.a.b", "é.ü.ö"])
def test_a_made_up_token_lets_nobody_in(place, spoiled):
    assert place.stranger().get(f"/?token={spoiled}").status == 403


def test_a_token_with_a_later_expiry_or_another_key_lets_nobody_in(place):
    expiry, nonce, signature = place.token().split(".")
    assert place.stranger().get(f"/?token={int(expiry) + 1}.{nonce}.{signature}").status == 403
    place.key = "other"
    assert place.stranger().get(f"/?token={place.token()}").status == 403


def test_links_and_sessions_end(place):
    token, visitor = place.token(), place.visitor()
    place.clock.pass_by(LINK_SECONDS + 1)
    assert place.stranger().get(f"/?token={token}").status == 403
    assert visitor.get("/").status == 200
    place.clock.pass_by(SESSION_SECONDS)
    assert visitor.get("/").status == 403


def test_cookies_of_portals_that_ended_do_not_pile_up(place):
    visitor = place.stranger(cookies={f"portal-{number:08x}": "x" for number in range(20)} | {"theirs": "y"})
    visitor.get(f"/?token={place.token()}")
    deleted = [value.partition("=")[0] for value in visitor.last.all("set-cookie") if "Max-Age=0" in value]
    assert deleted == [f"portal-{number:08x}" for number in range(8, 20)]
    assert visitor.get("/").status == 200


@pytest.mark.parametrize("path", ["/", "/api/jobs", "/tasks/x", "/images/x", "/api/tasks/x"])
def test_without_a_session_nothing_is_told(place, path):
    place.job()
    answer = place.stranger().get(path)
    assert answer.status == 403
    assert "run: get a link" in answer.text
    stranger = place.stranger(cookies={place.access.cookie: "x", "other": "y"})
    assert stranger.get(path).status == 403


@pytest.mark.fault("F30")
@pytest.mark.parametrize("host", ["evil.example:5000", "127.0.0.1", "127.0.0.1:5001", "localhost:5000.evil", None])
def test_another_host_name_is_refused(place, host):
    """DNS rebinding: the page of evil.example may reach 127.0.0.1, but its requests name evil.example."""
    visitor = place.visitor()
    visitor.host = host
    assert visitor.get("/").status == 403
    assert visitor.get("/static/crowd.js").status == 403
    assert visitor.post("/api/jobs/job/next").status == 403


@pytest.mark.fault("F30")
@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "http://127.0.0.1:5001", f"https://{HOST}"])
def test_a_post_from_another_page_is_refused(place, origin):
    place.job()
    visitor = place.visitor()
    assert visitor.post("/api/jobs/job/next", origin=origin).status == 403
    assert visitor.post("/api/jobs/job/hand-over", origin=origin).status == 403
    (job,) = visitor.get("/api/jobs").json["jobs"]
    assert (job["mine_open"], place.desk.counts()["job"]["open"]) == (0, 2), "nothing was claimed or closed"


def test_every_answer_carries_the_headers(place):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    paths = ("/", "/api/jobs", f"/tasks/{task}", f"/api/tasks/{task}", "/static/crowd.js", "/none", "/static/none")
    for answer in (*map(visitor.get, paths), place.stranger().get("/"), visitor.post("/api/jobs/none/next")):
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for path in paths[:4]:
        assert visitor.get(path).headers["cache-control"] == "no-store"


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "%2fetc%2fpasswd", "..",
     "index.html", "package.json", "node_modules/konva/konva.min.js", "crowd.js/", "./crowd.js", "secret.js", "%00"],
)  # fmt: skip
def test_no_path_from_outside_is_opened(tmp_path, name):
    outside = tmp_path / "outside.js"
    outside.write_text("secret")
    folder = tmp_path / "portal"
    (folder / "node_modules" / "konva").mkdir(parents=True)
    (folder / "node_modules" / "konva" / "konva.min.js").write_text("Konva")
    (folder / "package.json").write_text("{}")
    (folder / "secret.js").symlink_to(outside)
    place = Place(folder)
    visitor = place.visitor()
    assert visitor.get(f"/static/{name}").status == 404
    assert visitor.get(f"/images/{name}").status == 404
    assert visitor.get(f"/tasks/{name}").status == 404
    assert visitor.get("/static/konva.min.js").text == "Konva"
    assert place.stranger().get("/static/crowd.js").text == "shim()", "an error page needs its style without a session"


def test_pictures_have_ids_that_expire_and_are_renewed(place):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    address = visitor.get(f"/tasks/{task}").text.split('src="/images/')[1].split('"')[0]
    seen = visitor.get(f"/images/{address}")
    assert (seen.status, seen.body, seen.headers["content-type"]) == (200, PNG, "image/png")
    assert seen.headers["cache-control"].startswith("private")
    assert place.stranger().get(f"/images/{address}").status == 403

    place.clock.pass_by(min(SECONDS, 599))
    place.desk.release(task, "nobody")
    place.clock.pass_by(SECONDS)
    assert visitor.get(f"/images/{address}").status == 410
    assert visitor.get("/images/made-up").status == 404
    visitor.post("/api/jobs/job/next")
    fresh = visitor.post(f"/api/tasks/{task}/renew").json["image"]
    assert fresh != f"/images/{address}"
    assert visitor.get(fresh).body == PNG


def test_a_file_that_is_no_picture_is_never_shown(place):
    place.bucket["s3://b/1.png"] = b"<html><script>alert(1)</script>"
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    address = visitor.post(f"/api/tasks/{task}/renew").json["image"]
    answer = visitor.get(address)
    assert answer.status == 415 and b"alert" not in answer.body
    del place.bucket["s3://b/1.png"]
    assert visitor.get(address).status == 502


def test_large_and_endless_bodies_are_refused(place):
    (task, _), visitor = place.job(), place.visitor()
    path, origin = f"/api/tasks/{task}/answer", {"origin": f"http://{HOST}"}
    assert visitor.request("POST", path, [b"x"], {**origin, "content-length": str(LARGEST_BODY + 1)}).status == 413
    assert visitor.request("POST", path, [b"x"], {**origin, "content-length": "many"}).status == 413
    chunks = [b"x" * 100_000] * 11
    answer = visitor.request("POST", path, chunks, origin)
    assert answer.status == 413 and "1 MB" in answer.json["message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "object"),
        (b'{"answer": NaN}', "NaN"),
        (b'{"answer": {"a": 1, "a": 2}}', "twice"),
        (b'{"answer": {"__proto__": {}}}', "__proto__"),
        (b'{"answer":' * 33 + b"1" + b"}" * 33, "deeper than 32"),
        (b'{"answer":' + b"[" * 100_000, "deeper than 32"),
        (b'{"answer": 1}', "'answer'"),
        (b'{"answer": {}}', "'submission'"),
        (b'{"answer": {}, "submission": "' + b"x" * 101 + b'"}', "'submission'"),
        (b'{"answer": {}, "submission": "x", "seconds": "1"}', "'seconds'"),
        (b'{"answer": {}, "submission": "x", "seconds": true}', "'seconds'"),
        (b'{"answer": {}, "submission": "x", "seconds": 1e999}', "'seconds'"),
    ],
)
def test_a_malformed_body_is_refused_by_name(place, body, said):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    answer = visitor.post(f"/api/tasks/{task}/answer", body)
    assert answer.status == 422 and said in answer.json["message"]
    assert visitor.get(f"/api/tasks/{task}").json["state"] == "open"


def test_methods_and_kinds_that_do_not_exist(place):
    (task, _), visitor = place.job(), place.visitor()
    assert visitor.get(f"/api/tasks/{task}/answer").status == 405
    assert visitor.post(f"/tasks/{task}").status == 405
    assert visitor.request("PUT", "/api/jobs", headers={"origin": f"http://{HOST}"}).status == 405


# --- J06: what costs the portal too much, or what it cannot store


async def _spoken(app, scope, receive):
    sent = []

    async def send(message):
        sent.append(message)

    try:
        await asyncio.wait_for(app(scope, receive, send), 10)
    except TimeoutError:
        return None, sent
    return next(message["status"] for message in sent if message["type"] == "http.response.start"), sent


def _scope(visitor, method, path, **headers):
    sent = {
        "host": HOST,
        "origin": f"http://{HOST}",
        "cookie": "; ".join(f"{n}={v}" for n, v in visitor.cookies.items()),
    }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    raw, _, query = path.partition("?")
    pairs = [(name.encode(), value.encode()) for name, value in sent.items() if value]
    place = {"path": raw, "raw_path": raw.encode(), "query_string": query.encode(), "root_path": "", "headers": pairs}
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        **place,
    }


@pytest.mark.fault("J06")
@pytest.mark.parametrize(
    "number",
    [
        "9" * 5000,
        "9" * 4000,
        "-" + "9" * 400,
        "1e999",
        "-1e999",
        "1e308",
        "123456789012345678901234567890",
        "NaN",
        "Infinity",
    ],
)
@pytest.mark.parametrize("field", ["seconds", "answer", "deep"])
def test_enormous_numbers_are_refused_wherever_they_are(place, number, field):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    whole = json.dumps({"answer": {**boxes(), "more": ["MORE"]}, "submission": "x", "seconds": "SECONDS"})
    if field == "answer":
        whole = whole.replace("[]", '[{"label": "head", "left": 1, "top": 2, "width": MORE, "height": 9}]').replace(
            '"MORE"', "1"
        )
    body = (
        whole.replace('"SECONDS"', number if field == "seconds" else "2")
        .replace("MORE", number)
        .replace(f'"{number}"', number)
    )
    answer = visitor.post(f"/api/tasks/{task}/answer", body.encode())
    assert answer.status == 422 and "cannot be taken" in answer.json["message"]
    assert visitor.get(f"/api/tasks/{task}").json["state"] == "open"
    good = visitor.post(f"/api/tasks/{task}/answer", {"answer": boxes(), "submission": "x", "seconds": 2})
    assert good.status == 200


@pytest.mark.fault("J06")
@pytest.mark.parametrize("field", ["note", "more", "submission"])
def test_half_a_character_is_refused_because_no_answer_could_be_sent_with_it(place, field):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    document = {"answer": {**boxes(), "more": 1}, "submission": "x", "seconds": 2}
    (document if field == "submission" else document["answer"])[field] = "HALF"
    body = json.dumps(document).replace("HALF", "\\ud83d")
    answer = visitor.post(f"/api/tasks/{task}/answer", body.encode())
    assert answer.status == 422 and "half a character" in answer.json["message"]
    whole = json.dumps(document).replace("HALF", "\\ud83d\\ude00")
    assert visitor.post(f"/api/tasks/{task}/answer", whole.encode()).status in (200, 422)
    assert visitor.get(f"/api/tasks/{task}").status == 200, "the page can be told its answer"


@pytest.mark.fault("J06")
def test_looking_at_a_link_does_not_use_it_up(place):
    token = place.token()
    looked = place.stranger().request("HEAD", f"/?token={token}")
    assert looked.status == 200 and not looked.all("set-cookie")
    assert place.stranger().request("OPTIONS", f"/?token={token}").status in (403, 405)
    assert place.stranger().request("POST", f"/?token={token}", headers={"origin": f"http://{HOST}"}).status == 403
    assert place.stranger().get(f"/?token={token}").status == 303, "it still opens the portal"
    assert place.stranger().get(f"/?token={token}").status == 403, "once"


@pytest.mark.fault("J06")
@pytest.mark.parametrize("path", ["/api/jobs/job/next", "/api/tasks/x/answer", "/", "/?token=x", "/static/crowd.js"])
def test_no_body_is_read_before_the_session_is_known(place, path):
    reads = []

    async def receive():
        reads.append(1)
        return {"type": "http.request", "body": b"x", "more_body": len(reads) < 3}

    status, _ = asyncio.run(_spoken(place.app, _scope(place.stranger(), "POST", path), receive))
    assert (status, reads) == (403, [])


@pytest.mark.fault("J06")
def test_a_body_that_dribbles_in_is_given_up(place, monkeypatch):
    from portal.server import guard

    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2, raising=False)
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")

    async def receive():
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    scope = _scope(visitor, "POST", f"/api/tasks/{task}/answer")
    status, sent = asyncio.run(_spoken(place.app, scope, receive))
    assert status == 408 and b"draft is kept" in sent[-1]["body"]
    assert visitor.get(f"/api/tasks/{task}").json["state"] == "open"


@pytest.mark.parametrize("length", ["-1", "+1", "1e3", "0x10", " 1", "1 1", "9" * 5000, "٣", "1,1", ""])
def test_a_length_that_is_no_length_is_no_trouble(place, length):
    (task, _), visitor = place.job(), place.visitor()
    path, origin = f"/api/tasks/{task}/answer", {"origin": f"http://{HOST}"}
    headers = {**origin, "content-length": length.encode().decode("latin-1")}
    assert visitor.request("POST", path, [b"{}"], headers).status in (413, 422)


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X"]
)
@pytest.mark.parametrize(
    "path", ["/", "/api/jobs", "/api/jobs/job/next", "/tasks/x", "/images/x", "/static/crowd.js", "/none"]
)
def test_no_method_breaks_the_portal_or_loses_its_headers(place, method, path):
    place.job()
    for visitor in (place.stranger(), place.visitor()):
        for origin in ("", f"http://{HOST}", "null"):
            answer = visitor.request(method, path, headers={"origin": origin})
            assert answer.status in (200, 403, 404, 405), answer.text
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert place.desk.counts()["job"]["open"] == 2
