"""A person's way through the portal: job list, task, answer, and what happens when things happen twice (F29, F34)."""

import pytest
from portal_visitor import TEMPLATE, Place, boxes

from portal.server import desk, memory_desk
from portal.server.desk import EXPIRED, STOPPED


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def submit(visitor, task, content=None, submission="draft-1", seconds=2.0):
    document = {"answer": content or boxes(("head", 1, 2, 30, 40)), "submission": submission, "seconds": seconds}
    return visitor.post(f"/api/tasks/{task}/answer", document)


def test_from_the_job_list_to_the_last_answer(place):
    (first, second), visitor = place.job(), place.visitor()
    (job,) = visitor.get("/api/jobs").json["jobs"]
    assert job == {
        "job": "job", "title": "Draw boxes", "description": "All of them", "kind": "annotate", "total": 2, "done": 0,
        "mine_open": 0, "seconds_left": 3600.0, "eta_seconds": None, "status": "open",
    }  # fmt: skip
    assert visitor.post("/api/jobs/job/next").json == {"task": first}
    assert visitor.post("/api/jobs/job/next").json == {"task": first}, "the same open task again"
    assert visitor.get("/api/jobs").json["jobs"][0]["mine_open"] == 1
    told = visitor.get(f"/api/tasks/{first}").json
    assert (told["state"], told["position"], told["total"], told["answer"]) == ("open", 1, 2, None)
    assert told["seconds_left"] == 600
    answer = submit(visitor, first)
    assert answer.json == {"status": "stored", "next": second}
    told = visitor.get(f"/api/tasks/{first}").json
    assert (told["state"], told["answer"]) == ("submitted", boxes(("head", 1, 2, 30, 40)))
    assert visitor.get(f"/tasks/{first}").status == 200, "Back shows what was submitted"
    assert submit(visitor, second, boxes(), "draft-2").json == {"status": "stored", "next": None}
    assert visitor.post("/api/jobs/job/next").json == {"task": None}
    (job,) = visitor.get("/api/jobs").json["jobs"]
    assert (job["done"], job["mine_open"], job["seconds_left"], job["status"]) == (2, 0, None, "completed")


def test_the_page_is_the_deployed_template_with_our_elements(place):
    hostile = {"labels": ["He'ad\"><script>alert(1)</script>"], "header": '" onerror="x', "taskObject": "s3://b/1.png"}
    (task, _), visitor = place.job(name='j"1', task_input=hostile), place.visitor()
    visitor.post('/api/jobs/j"1/next')
    page = visitor.get(f"/tasks/{task}").text
    assert f'<body data-task="{task}" data-job="j&quot;1">' in page
    assert '<script type="module" src="/static/crowd.js"></script>' in page and "crowd.aws" not in page
    assert '<link rel="stylesheet" href="/static/portal.css">' in page
    assert 'src="/images/' in page and "s3://" not in page
    assert page.count("<script") == 1 and 'onerror="x"' not in page and "&#34; onerror=" in page


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (TEMPLATE.replace("task.input.header | escape", "task.input.header|skip_autoescape"), "skip_autoescape"),
        (TEMPLATE.replace("task.input.header | escape", "task.input.header | safe"), "safe"),
        (TEMPLATE.replace("task.input.header | escape", "task.input.header | frobnicate"), "frobnicate"),
        (TEMPLATE + "{% if %}", "Liquid"),
        (TEMPLATE + "{% include 'x' %}", "Liquid"),
        ("<crowd-form></crowd-form>", "crowd-html-elements.js"),
        (TEMPLATE + "{% for a in (1..1000) %}{% for b in (1..1000) %}x{% endfor %}{% endfor %}", "loop"),
    ],
)
def test_a_template_that_cannot_be_shown_is_refused_with_a_reason(place, template, said):
    (task, _), visitor = place.job(template=template), place.visitor()
    visitor.post("/api/jobs/job/next")
    answer = visitor.get(f"/tasks/{task}")
    assert answer.status == 500 and "template is refused" in answer.text and said in answer.text


def test_everything_a_template_prints_is_escaped_once(place):
    prints = (
        "{{ task.input.a }}|{{ task.input.a | escape }}|{{ task.input.a | escape_once }}|{{ task.input.a | to_json }}"
    )
    (task, _), visitor = place.job(template=TEMPLATE + prints, task_input={"a": "<&amp;>"}), place.visitor()
    visitor.post("/api/jobs/job/next")
    printed = visitor.get(f"/tasks/{task}").text.partition("</crowd-form>")[2].removesuffix("</body></html>")
    assert printed.split("|") == [
        "&lt;&amp;amp;&gt;", "&lt;&amp;amp;&gt;", "&lt;&amp;&gt;", "&#34;\\u003c\\u0026amp;\\u003e&#34;"
    ]  # fmt: skip


def test_a_double_submit_is_one_answer(place):
    (task, following), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    first = submit(visitor, task)
    again = submit(visitor, task)
    assert (again.status, again.json) == (200, first.json)
    assert place.desk.counts()["job"]["answered"] == 1

    other = submit(place.visitor(), task, boxes(("hat", 5, 5, 5, 5)), "draft of the other tab")
    assert other.status == 409
    assert other.json["answer"] == boxes(("head", 1, 2, 30, 40)) and "another tab" in other.json["message"]
    assert visitor.get(f"/api/tasks/{following}").json["state"] == "open"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (boxes(("head", 90, 2, 30, 40)), "width"),
        (boxes(("cat", 1, 2, 3, 4)), "label"),
        (boxes(("head", -5, 2, 3, 4)), "left"),
        (boxes(("head", 1, 2, 0, 4)), "width"),
        ({"note": ""}, "boundingBoxes"),
    ],
)
def test_an_answer_that_consolidation_would_refuse_is_refused_now(place, content, said):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    answer = submit(visitor, task, content)
    assert answer.status == 422 and said in answer.json["message"]
    assert submit(visitor, task).status == 200, "corrected, under the same draft"


KEY_POINTS = TEMPLATE.replace("crowd-bounding-box", "crowd-keypoint")
VERIFY = TEMPLATE.replace("crowd-bounding-box", "crowd-image-classifier")


def points(*placed, nothing_here=False):
    marks = [{"label": label, "x": x, "y": y} for label, x, y in placed]
    result = {"keypoints": marks, "inputImageProperties": {"height": 80, "width": 100}}
    return {"annotatedKeyPoints": result, "nothing-here": {"nothing-here": nothing_here}, "note": ""}


@pytest.mark.parametrize(
    ("template", "content", "status"),
    [
        (KEY_POINTS, points(("nose", 1, 2), ("chin (occluded)", 3, 4)), 200),
        (KEY_POINTS, points(nothing_here=True), 200),
        (KEY_POINTS, points(), 422),
        (KEY_POINTS, points(("nose", 1, 2), nothing_here=True), 422),
        (KEY_POINTS, points(("nose", 1, 2), ("nose (occluded)", 1, 2)), 422),
        (KEY_POINTS, points(("nose", 120, 2)), 422),
        (KEY_POINTS, points(("ear", 1, 2)), 422),
        (KEY_POINTS, boxes(), 422),
        (KEY_POINTS, {"cannot-judge": True}, 422),
        (KEY_POINTS + '<crowd-checkbox name="cannot-judge">', {"cannot-judge": {"cannot-judge": True}}, 200),
        (VERIFY, {"verdict": {"label": "accept"}, "note": "fine"}, 200),
        (VERIFY, {"verdict": {"label": "maybe"}}, 422),
        (VERIFY, boxes(), 422),
        (TEMPLATE, {"verdict": {"label": "accept"}}, 422),
    ],
)
def test_each_form_takes_its_own_answers(place, template, content, status):
    labels = ["nose", "nose (occluded)", "chin", "chin (occluded)"]
    (task, _), visitor = place.job(template=template, task_input={"labels": labels}), place.visitor()
    visitor.post("/api/jobs/job/next")
    answer = submit(visitor, task, content)
    assert answer.status == status, answer.text


def test_a_claim_ends_and_the_draft_can_be_submitted_later(place):
    (task, _), visitor = place.job(task_seconds=60), place.visitor()
    visitor.post("/api/jobs/job/next")
    place.clock.pass_by(61)
    told = visitor.get(f"/api/tasks/{task}").json
    assert (told["state"], told["seconds_left"]) == ("expired", 0.0)
    answer = submit(visitor, task)
    assert answer.status == 410 and "your draft is kept" in answer.json["message"]
    page = visitor.get(f"/tasks/{task}")
    assert page.status == 410 and "Job list" in page.text
    assert visitor.post("/api/jobs/job/next").json == {"task": task}
    assert submit(visitor, task).status == 200


def test_a_task_that_was_given_back_comes_again_only_when_no_other_is_free(place):
    (task, other), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    assert visitor.post(f"/api/tasks/{task}/release").json == {"released": True}
    assert visitor.get(f"/api/tasks/{task}").json["state"] == "expired"
    assert submit(visitor, task).status == 410
    assert visitor.post("/api/jobs/job/next").json == {"task": other}
    assert submit(visitor, other, submission="draft-2").json == {"status": "stored", "next": task}
    assert submit(visitor, task).json == {"status": "stored", "next": None}


def test_a_task_that_one_worker_gave_back_is_the_next_one_of_another(place):
    task, _ = place.job()
    assert place.desk.next("job", "one") == task
    place.desk.release(task, "another")
    assert place.desk.next("job", "one") == task, "only who holds a task gives it back"
    place.desk.release(task, "one")
    assert place.desk.next("job", "two") == task


def test_handing_over_leaves_what_was_answered(place):
    (first, second, third), visitor = place.job(count=3), place.visitor()
    visitor.post("/api/jobs/job/next")
    submit(visitor, first)
    assert visitor.post("/api/jobs/job/hand-over").json == {"handed_over": 2}
    answer = submit(visitor, second)
    assert answer.status == 410 and "handed over" in answer.json["message"]
    assert visitor.get("/api/jobs").json["jobs"][0]["status"] == "completed"
    settled = place.desk.settled([first, second, third], 0)
    assert settled[first].content == boxes(("head", 1, 2, 30, 40))
    assert [settled[second], settled[third]] == [desk.HANDED_OVER] * 2
    assert visitor.post("/api/jobs/job/hand-over").json == {"handed_over": 0}
    assert visitor.post("/api/jobs/none/hand-over").status == 404


@pytest.mark.parametrize(
    ("reason", "status", "said"),
    [(STOPPED, "stopped", "was stopped"), (EXPIRED, "failed", "time of this labelling job is over")],
)
def test_a_job_that_ended_withdraws_its_tasks(place, reason, status, said):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    assert place.desk.close("job", reason) == 2
    assert visitor.get("/api/jobs").json["jobs"][0]["status"] == status
    assert visitor.get(f"/api/tasks/{task}").json["state"] == "expired"
    for answer in (submit(visitor, task), visitor.get(f"/tasks/{task}"), visitor.post(f"/api/tasks/{task}/renew")):
        assert answer.status == 410 and said in answer.text
    assert visitor.post("/api/jobs/job/next").json == {"task": None}


def test_the_job_s_lifetime_ends_its_tasks_even_before_the_job_notices(place):
    (task, _), visitor = place.job(ends=place.clock() + 30), place.visitor()
    visitor.post("/api/jobs/job/next")
    assert visitor.get(f"/api/tasks/{task}").json["seconds_left"] == 30
    place.clock.pass_by(31)
    assert submit(visitor, task).status == 410
    assert visitor.post("/api/jobs/job/next").json == {"task": None}


def test_two_workers_do_not_answer_one_task(place):
    task, other = place.job()
    assert place.desk.next("job", "one") == task
    assert place.desk.next("job", "two") == other
    with pytest.raises(desk.TaskGone, match="Somebody else"):
        place.desk.submit(task, "two", boxes(), "x")
    place.desk.submit(task, "one", boxes(), "x")
    with pytest.raises(desk.TaskGone, match="Somebody else"):
        place.desk.submit(task, "two", boxes(), "x")
    assert place.desk.look(task, "two")["answer"] is None


def test_a_submit_that_breaks_half_way_leaves_the_task_open(place, monkeypatch):
    """Stored completely or not at all; what the page hears is either `stored` or an error, and it may try again."""
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    with monkeypatch.context() as broken:
        broken.setattr(memory_desk, "Answered", None)
        with pytest.raises(TypeError):
            submit(visitor, task)
    assert visitor.get(f"/api/tasks/{task}").json["state"] == "open"
    assert place.desk.settled([task], 0) == {}
    assert submit(visitor, task).status == 200


def test_a_stored_answer_whose_reply_was_lost_is_found_by_its_submission(place):
    (task, _), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    place.desk.submit(task, visitor.get("/api/jobs").json["worker"], boxes(), "draft-1")
    assert submit(visitor, task, boxes(), "draft-1").status == 200
    assert place.desk.counts()["job"] == {
        "asked": 2, "answered": 1, "open": 1, "handed_over": 0, "expired": 0, "stopped": 0, "seconds_left": 3600
    }  # fmt: skip


def test_the_time_a_person_spent_is_the_page_s_within_what_the_clock_allows(place):
    (first, second), visitor = place.job(), place.visitor()
    visitor.post("/api/jobs/job/next")
    submit(visitor, first, seconds=-4)
    submit(visitor, second, seconds=1e9)
    found = place.desk.settled([first, second], 0)
    assert found[first].seconds == 0
    assert 0 <= found[second].seconds <= (found[second].submitted - found[second].accepted).total_seconds() + 0.001


def test_an_error_of_the_portal_is_told_without_its_inside(place, monkeypatch):
    visitor = place.visitor()
    monkeypatch.setattr(place.desk, "jobs", lambda worker: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # for the server's log, after the answer
        visitor.get("/api/jobs")
    answer = visitor.last
    assert answer.status == 500 and "The portal broke" in answer.json["message"] and "Zero" not in answer.text


def test_missing_pages_are_said(place):
    visitor = place.visitor()
    (place.folder / "index.html").unlink()
    assert "portal/" in visitor.get("/").text
    assert "make setup" in visitor.get("/static/konva.min.js").text
