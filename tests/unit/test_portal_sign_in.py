"""Sessions, states and codes of the deployed portal: made up, stolen, replayed, ended; each lets nobody in."""

from urllib.parse import quote

import pytest
from portal_deployed import Deployed, state_of, submission

from portal.server.sessions import SESSION_SECONDS

COOKIE = "__Host-labelloop"
ATTEMPT = "__Host-labelloop-sign-in"
POSTS = ["/api/jobs/job/next", "/api/jobs/job/hand-over", "/session/end"]
TASK_POSTS = ["/api/tasks/{task}/answer", "/api/tasks/{task}/release", "/api/tasks/{task}/renew"]
GETS = ["/", "/api/jobs", "/tasks/{task}", "/api/tasks/{task}", "/images/x"]


@pytest.fixture
def portal(aws, tmp_path):
    return Deployed(tmp_path)


# ---- tokens


SPOILED = [
    *("", "x", "0" * 43, "null", "undefined", "true", "[]", "{}", "%00", "a" * 8000),
    *("é", "..", "../../session", "session#x", "' OR 1=1", "*", "a;b=c", '"quoted"'),
]


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("cookie", SPOILED[:10])
def test_a_made_up_session_reads_nothing(portal, path, cookie):
    task, before = portal.job()[0], portal.state()
    answer = portal.stranger(**{COOKIE: cookie}).get(path.format(task=task))
    assert answer.status == 403
    assert task not in answer.text
    assert portal.state() == before


@pytest.mark.parametrize("cookie", SPOILED)
def test_a_made_up_session_changes_nothing(portal, cookie):
    task = portal.job()[0]
    portal.desk.next("job", "sub-ann")
    before = portal.state()
    stranger = portal.stranger(**{COOKIE: cookie})
    for path in (*POSTS, *TASK_POSTS):
        assert stranger.post(path.format(task=task), submission()).status == 403
    assert portal.state() == before


@pytest.mark.parametrize("change", ["last", "first", "case", "longer", "shorter", "hash"])
def test_a_session_that_is_nearly_right_is_none(portal, change):
    from portal.server.access import digest

    session = portal.person("ann").cookies[COOKIE]
    other = {
        "last": session[:-1] + ("A" if session[-1] != "A" else "B"),
        "first": ("A" if session[0] != "A" else "B") + session[1:],
        "case": session.swapcase(),
        "longer": session + "A",
        "shorter": session[:-1],
        "hash": digest(session),  # what somebody reads who reads the table
    }[change]
    before = portal.state()
    assert portal.stranger(**{COOKIE: other}).get("/api/jobs").status == 403
    assert portal.state() == before


def test_a_session_is_over_after_twelve_hours_though_its_row_is_still_there(portal):
    ann = portal.person("ann")
    portal.clock.pass_by(SESSION_SECONDS - 1)
    assert ann.get("/api/jobs").status == 200
    portal.clock.pass_by(1)
    assert ann.get("/api/jobs").status == 403


def test_who_signs_out_is_out_in_this_browser_and_with_a_copy_of_its_cookie(portal):
    ann, elsewhere = portal.person("ann"), portal.person("ann")
    copied = portal.stranger(**ann.cookies)
    assert ann.post("/session/end").json["next"].startswith("https://cognito.example/logout")
    assert copied.get("/api/jobs").status == 403
    assert elsewhere.get("/api/jobs").status == 200


def test_who_was_removed_is_out_at_once_everywhere_and_stays_out(portal):
    browsers = [portal.person("ann") for _ in range(3)]
    bob = portal.person("bob")
    assert portal.sessions.remove("sub-ann") == 3
    assert [each.get("/api/jobs").status for each in browsers] == [403] * 3
    assert bob.get("/api/jobs").status == 200
    visitor, address = portal.begun()
    before = portal.state()
    code = portal.pool.code("ann", address)
    entered = visitor.get(f"/session/callback?code={code}&state={state_of(address)}")
    assert entered.status == 403 and "removed" in entered.text
    assert portal.state() == before
    portal.sessions.admit("sub-ann")
    assert portal.person("ann").get("/api/jobs").status == 200


def test_cookies_are_of_this_host_alone_and_no_script_reads_them(portal):
    visitor, address = portal.begun()
    begun = visitor.last.headers["set-cookie"]
    visitor.get(f"/session/callback?code={portal.pool.code('ann', address)}&state={state_of(address)}")
    given = next(each for each in visitor.last.all("set-cookie") if each.startswith(f"{COOKIE}="))
    for cookie, same_site in ((begun, "SameSite=lax"), (given, "SameSite=strict")):
        assert cookie.startswith("__Host-")
        assert {"HttpOnly", "Path=/", "Secure", same_site} <= set(cookie.split("; "))
        assert "domain" not in cookie.lower()


def test_the_table_does_not_hold_what_opens_a_session(portal):
    session = portal.person("ann").cookies[COOKIE]
    assert session not in portal.state()


# ---- state and code


def callback(code: str, state: str) -> str:
    return f"/session/callback?code={code}&state={state}"


def test_a_code_and_a_state_work_once(portal):
    visitor, address = portal.begun()
    kept = dict(visitor.cookies)
    there = callback(portal.pool.code("ann", address), state_of(address))
    assert visitor.get(there).status == 200
    before = portal.state()
    assert visitor.get(there).status == 403, "the attempt's cookie is gone"
    assert portal.stranger(**kept).get(there).status == 403, "and the code is used"
    assert portal.state() == before


def test_a_code_of_another_browser_s_sign_in_lets_nobody_in(portal):
    """The attacker begins, and has the victim open the address that Cognito sent back."""
    _, address = portal.begun()
    victim, its_address = portal.begun()
    code = portal.pool.code("bob", address)
    before = portal.state()
    assert victim.get(callback(code, state_of(address))).status == 403
    assert victim.get(callback(code, state_of(its_address))).status == 403, "its verifier is another one"
    assert portal.stranger().get(callback(code, state_of(address))).status == 403
    assert portal.state() == before


@pytest.mark.parametrize("state", ["", "x", "{state}x", "{state}&state={state}", "{state}&state=x", "%00", "é", "null"])
def test_another_state_lets_nobody_in(portal, state):
    visitor, address = portal.begun()
    code, before = portal.pool.code("ann", address), portal.state()
    assert visitor.get(callback(code, quote(state.format(state=state_of(address)), safe="%&="))).status == 403
    assert portal.state() == before


@pytest.mark.parametrize("code", ["", "x", "{code}x", "{code}&code={code}", "a" * 2001, "%00", "null", "é"])
def test_another_code_lets_nobody_in(portal, code):
    visitor, address = portal.begun()
    made, before = portal.pool.code("ann", address), portal.state()
    assert visitor.get(callback(quote(code.format(code=made), safe="%&="), state_of(address))).status == 403
    assert portal.state() == before


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "x",
        "%7B%7D",
        "[]",
        '{"state":"s"}',
        '{"state":"s","nonce":"n","verifier":1}',
        '{"state":"","nonce":"","verifier":""}',
        "%5B" * 600,
        "null",
    ],
)
def test_an_attempt_that_was_made_up_lets_nobody_in(portal, cookie):
    _, address = portal.begun()
    code, before = portal.pool.code("ann", address), portal.state()
    for state in ("s", "", state_of(address)):
        assert portal.stranger(**{ATTEMPT: quote(cookie, safe="%")}).get(callback(code, state)).status == 403
    assert portal.state() == before


def test_another_nonce_lets_nobody_in(portal):
    visitor, address = portal.begun()
    code = portal.pool.code("ann", address)
    person, _, verifier = portal.pool.codes[code]
    portal.pool.codes[code] = (person, "of another sign-in", verifier)
    before = portal.state()
    answer = visitor.get(callback(code, state_of(address)))
    assert answer.status == 403 and "nonce" in answer.text
    assert portal.state() == before


def test_somebody_of_the_pool_who_is_in_no_group_is_not_let_in(portal):
    visitor, address = portal.begun()
    code, before = portal.pool.code("out", address), portal.state()
    assert visitor.get(callback(code, state_of(address))).status == 403
    assert portal.state() == before


def test_an_error_of_cognito_is_not_shown_as_markup(portal):
    visitor, address = portal.begun()
    answer = visitor.get(f"/session/callback?error=<script>&error_description=<script>&state={state_of(address)}")
    assert answer.status == 403 and "<script>" not in answer.text


def test_the_links_of_the_local_portal_open_nothing_here(portal):
    from portal.server.access import make_token

    before = portal.state()
    assert portal.stranger().get(f"/?token={make_token('key')}").status == 403
    assert portal.state() == before
