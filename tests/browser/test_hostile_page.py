"""Labels, keys and instructions that try to break out of the page stay text (F16, F17)."""

from __future__ import annotations

import io

import pytest
from labelloop.tasks import people_labels
from painter import picture
from PIL import Image

SCRIPT = "Head'><script>alert(1)</script>"
BREAKOUT = 's3://bucket/x" onerror="alert(1).png'


@pytest.mark.fault("F16")
def test_a_label_with_a_script_is_shown_as_text_and_kept_exactly(portal, open_task) -> None:
    initial = [{"label": SCRIPT, "left": 10, "top": 20, "width": 30, "height": 40}]
    task = portal.add_job("boxes", [picture()], [SCRIPT, '"><img src=x onerror=alert(1)>'], initial, kind="adjust")[0]
    painter = open_task(task)
    assert painter.page.locator(".chip .name").first.inner_text() == SCRIPT
    assert SCRIPT in painter.marks()[0]
    assert painter.page.locator(".panel img, .panel script, .bar script").count() == 0
    painter.submit_and_leave()
    assert portal.answer(task)["annotatedResult"]["boundingBoxes"] == initial


def test_a_key_point_name_with_a_script_is_text(portal, open_task) -> None:
    task = portal.add_job("key-points", [picture()], [SCRIPT, f"{SCRIPT} (occluded)"])[0]
    painter = open_task(task)
    painter.click(100, 100)
    painter.press("v")
    painter.submit_and_leave()
    (point,) = portal.answer(task)["annotatedKeyPoints"]["keypoints"]
    assert point["label"] == f"{SCRIPT} (occluded)"


@pytest.mark.fault("F17")
def test_an_object_key_header_or_instruction_breaks_no_attribute(portal, open_task) -> None:
    evil = '"><script>alert(1)</script>\nSecond line {{ 7 | times: 7 }}'
    task = portal.add_job("boxes", [picture()], ["head"], key=BREAKOUT, header=evil, instructions=evil)[0]
    painter = open_task(task)
    assert painter.page.locator("[onerror]").count() == 0
    assert painter.page.locator("h1").inner_text().startswith('"><script>')
    assert painter.page.locator(".panel .task-instructions").inner_text() == evil
    painter.page.get_by_role("button", name="Instructions").click()
    assert evil.splitlines()[0] in painter.page.get_by_role("dialog").inner_text()


def test_no_instructions_leave_no_empty_paragraph(portal, open_task) -> None:
    painter = open_task(portal.add_job("boxes", [picture()], ["head"])[0])
    assert painter.page.locator(".task-instructions").count() == 0


def test_a_job_title_with_markup_is_text(portal, context) -> None:
    portal.add_job("boxes", [picture()], ["head"], header=SCRIPT)
    page = context.new_page()
    page.goto(portal.url)
    assert page.get_by_role("heading", name=SCRIPT).inner_text() == SCRIPT


OVERRIDE = "\u202egnp.exe\u202c"
HOSTILE_NAMES = [
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "<svg onload=alert(1)>",
    "</crowd-form></body><iframe srcdoc='<script>alert(1)</script>'>",
    "{{ task.input.taskObject }}{% raw %}",
    "{{constructor.constructor('alert(1)')()}}${alert(1)}",
    "javascript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "]]></script><!--",
    "\u2028\u2029\\u003cscript\\u003e",
    OVERRIDE,
    "\u2067\u2069\u2069\u202ehead",
    "nul\u0000byte\u0007",
    "x" * 10_000,
    "𝕳" * 5_000,
    "e" + "\u0301" * 5_000,
    "__proto__",
    "constructor",
    "toString",
    "' onmouseover='alert(1)",
]


def assert_harmless(page) -> None:
    """Nothing of a task has become an element, a handler or an address, or made the page wider or longer."""
    assert page.locator("img, iframe, svg, body script:not([src='/static/crowd.js'])").count() == 0
    found = page.evaluate(
        "[...document.querySelectorAll('*')]"
        ".flatMap(e => e.getAttributeNames().map(name => [name, e.getAttribute(name)]))"
        ".filter(([name, value]) => /^on/.test(name) || (/^(href|src|action)$/.test(name) && /script:/.test(value)))"
    )
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out of the page"
    assert page.get_by_role("button", name="Submit and next").bounding_box()["y"] < 800


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_label_is_text_on_chip_list_box_and_help_and_comes_back_exactly(portal, open_task, name) -> None:
    initial = [{"label": name, "left": 10, "top": 20, "width": 30, "height": 40}]
    task = portal.add_job("boxes", [picture()], ["head", name], initial, kind="adjust")[0]
    painter = open_task(task)
    painter.press("Tab", "1", "2", "?", "Escape", "c", "Escape")
    assert_harmless(painter.page)
    painter.submit_and_leave()
    assert portal.answer(task)["annotatedResult"]["boundingBoxes"] == initial


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_name_of_a_point_is_text_and_comes_back_exactly(portal, open_task, name) -> None:
    task = portal.add_job("key-points", [picture()], [name, f"{name} (occluded)"])[0]
    painter = open_task(task)
    painter.click(100, 100)
    painter.press("v")
    assert_harmless(painter.page)
    painter.submit_and_leave()
    (point,) = portal.answer(task)["annotatedKeyPoints"]["keypoints"]
    assert point["label"] == f"{name} (occluded)"


HOSTILE_POINTS = [*HOSTILE_NAMES, "\u05e2\u05d9\u05df \u05d9\u05de\u05d9\u05df", "box", "nose (occluded) #2x"]


@pytest.mark.parametrize("name", HOSTILE_POINTS, ids=range(len(HOSTILE_POINTS)))
def test_a_hostile_point_of_a_second_person_is_text_and_kept_exactly(portal, open_task, name) -> None:
    """It is placed, hidden, found and judged, and a bone ends at it."""
    skeleton = {"bones": [[name, "tail"], ["tail", "<img src=x>"]], "box_factor": 1.25}
    labels = people_labels.offered([name, "tail"], 2)
    task = portal.add_job("key-points", [picture()], labels, skeleton=skeleton)[0]
    painter = open_task(task)
    painter.press("b", "o", "a")
    painter.click(100, 100)
    painter.press("v", "o")
    assert_harmless(painter.page)
    painter.submit_and_leave()
    first, second = portal.answer(task)["annotatedKeyPoints"]["keypoints"]
    assert (first["label"], second["label"]) == (name, f"{name} #2 (occluded)")
    shown = portal.add_job("verify-key-points", [picture()], labels, [first, second], "verify", skeleton=skeleton)[0]
    painter = open_task(shown)
    painter.press("p", "Tab", "1")
    assert_harmless(painter.page)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_header_instruction_and_overlay_are_text(portal, open_task, name) -> None:
    overlay = [{"label": name, "left": 10, "top": 20, "width": 30, "height": 40}]
    task = portal.add_job("verify-boxes", [picture()], [name], overlay, "verify", header=name, instructions=name)[0]
    painter = open_task(task)
    painter.press("Tab", "1")
    assert_harmless(painter.page)
    painter.page.get_by_role("button", name="Instructions").click()
    painter.page.keyboard.press("Escape")
    painter.submit_and_leave()
    assert portal.answer(task)["verdict"] == {"label": "accept"}


@pytest.mark.fault("K08")
@pytest.mark.parametrize("name", [OVERRIDE, "nul\u0000byte\u0007", "\u2067\u2069\u2069\u202ehead"])
def test_a_character_that_turns_text_around_or_is_unseen_is_shown_as_a_sign(portal, open_task, name) -> None:
    """Else "head" and "head" with one of them look the same, and what follows it is read backwards."""
    initial = [{"label": name, "left": 10, "top": 20, "width": 30, "height": 40}]
    painter = open_task(portal.add_job("boxes", [picture()], ["head", name], initial, kind="adjust")[0])
    painter.press("Tab")
    shown = painter.page.locator(".chip .name, .marks .name, .status").all_inner_texts() + painter.marks()
    told = "".join(shown)
    assert not any(sign in told for sign in "\u202e\u202c\u2067\u0000\u0007")
    assert "⟨202E⟩" in told or "␀" in told


def test_two_hundred_hostile_labels_are_found_as_text(portal, open_task) -> None:
    labels = [f"<img src=x onerror=alert({number})>" for number in range(200)]
    painter = open_task(portal.add_job("boxes", [picture()], labels)[0])
    painter.press("/")
    painter.page.keyboard.type("<img src=x onerror=alert(150)>")
    painter.press("Enter", "b")
    assert_harmless(painter.page)


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
TAIL = b"\n<script>document.title = 'owned'; alert(1)</script>\n"
DISGUISED = {
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>',
    "SVG with a declaration": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "HTML after white space": b"\n\n  <html><body onload=alert(1)>",
    "script": b"alert(1)",
    "PDF": b"%PDF-1.7\n<script>alert(1)</script>",
    "JPEG that is a script": b"\xff\xd8\xff/*" + TAIL + b"*/=alert(1)",
    "GIF that is a script": b"GIF89a/*" + TAIL + b"*/=alert(1)",
    "BMP that is a script": b"BM/*" + TAIL + b"*/=alert(1)",
    "PNG with HTML": b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>",
    "WEBP with HTML": b"RIFF0000WEBP<html><script>alert(1)</script>",
    "JPEG header and HTML": JPEG + TAIL,
    "nothing": b"",
}


@pytest.mark.parametrize("body", DISGUISED.values(), ids=DISGUISED)
def test_a_file_that_is_no_picture_runs_nowhere(portal, context, complaints, body) -> None:
    task = portal.add_job("boxes", [body], ["head"])[0]
    page = context.new_page()
    with page.expect_response("**/images/*") as shown:
        page.goto(f"{portal.url}/tasks/{task}")
    page.wait_for_selector(".status:not(:empty)")
    assert_runs_nothing(page, shown.value.url, complaints)


@pytest.mark.fault("B15")
def test_a_jpeg_with_a_script_behind_it_is_a_picture_and_nothing_else(portal, context, complaints, open_task) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 100, 110)).save(buffer, "JPEG", comment=TAIL)
    task = portal.add_job("boxes", [buffer.getvalue() + TAIL], ["head"])[0]
    with context.expect_event("response", lambda response: "/images/" in response.url) as shown:
        painter = open_task(task)
    headers = shown.value.headers
    assert headers["content-type"] == "image/jpeg" and headers["x-content-type-options"] == "nosniff"
    assert painter.page.evaluate("document.querySelector('.canvas').dataset.scale") is not None
    assert_runs_nothing(painter.page, shown.value.url, complaints)
    painter.press("b")
    painter.submit_and_leave()


def assert_runs_nothing(page, address: str, complaints: list[str]) -> None:
    """Neither as a script of a page of the same origin nor as a page of its own. Chromium complains: it refused."""
    ran = page.evaluate(
        "address => new Promise(done => { const script = document.createElement('script');"
        " script.onload = () => done('ran'); script.onerror = () => done('refused'); script.src = address;"
        " document.body.append(script); })",
        address,
    )
    assert ran == "refused"
    reply = page.request.get(address)
    kind = reply.headers["content-type"]
    assert (
        reply.headers["x-content-type-options"] == "nosniff"
        and "script-src 'self'" in reply.headers["content-security-policy"]
    )
    assert (reply.ok and kind.startswith("image/") and "svg" not in kind) or (
        not reply.ok and "<script" not in reply.text()
    )
    own = page.context.new_page()
    own.goto(address)
    assert own.title() != "owned"
    own.close()
    assert not [told for told in complaints if told.startswith("dialog")], "alert was called"
    assert any("Refused to execute script" in told for told in complaints)
    complaints.clear()


@pytest.mark.parametrize(
    "key", ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "//evil.example/x.png"]
)
def test_an_address_never_comes_from_the_task(portal, open_task, key) -> None:
    painter = open_task(portal.add_job("boxes", [picture()], ["head"], key=key)[0])
    assert painter.page.locator("crowd-bounding-box").get_attribute("src").startswith("/images/")
    assert_harmless(painter.page)


@pytest.mark.parametrize(
    "kept",
    [
        {"fields": {"annotatedResult": {"marks": [{"id": "<img src=x onerror=alert(1)>", "label": SCRIPT}]}}},
        {"fields": {"annotatedResult": {"marks": "__proto__"}, "note": {"toString": 1}}},
        {"fields": [1, 2, 3], "seconds": "<script>"},
        {"pending": None, "fields": None},
    ],
)
def test_a_draft_that_somebody_wrote_into_the_browser_breaks_nothing(portal, open_task, kept) -> None:
    task = portal.add_job("boxes", [picture()], ["head"])[0]
    painter = open_task(task)
    page = painter.page
    worker = page.request.get(f"{portal.url}/api/jobs").json()["worker"]
    page.evaluate(
        "([worker, task, kept]) => localStorage.setItem('labelloop/draft/' + JSON.stringify([worker, task]),"
        " JSON.stringify({...kept, written: Date.now()}))",
        [worker, task, kept],
    )
    page.evaluate('localStorage.setItem(\'labelloop/recent\', \'{"job":"job-1","slots":{"a":1},"used":7}\')')
    page.goto(page.url)
    painter.ready()
    assert_harmless(page)
