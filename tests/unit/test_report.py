"""The batch report: every name comes from outside, so every name is escaped; every figure is on the page."""

from html.parser import HTMLParser

import pytest
from labelloop.batch import report

HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)> & 😀"


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs), attrs

    def handle_data(self, data):
        self.text += data


STARTS = (("v000001-aa", "random"), ("v000002-bb", "base"), ("v000003-cc", ""))


def summary(**changes):
    row = {"round": 1, "model_version": "v000001-aa", "auto": 6, "human": 3, "asked": 4, "rejected": 1, "deferred": 2}
    row |= {"outage": "", "refused_predictions": 0, "changed": 0}
    return {
        "batch": "week-1",
        "images": 12,
        "auto": 6,
        "human": 3,
        "rejected": 1,
        "deferred": 2,
        "sampled": 2,
        "started": "2026-11-20T10:00:00.000000",
        "dataset": "v000002-bb",
        "rounds": [row],
        "policy": "fixed",
        "estimate": {},
        "imported": {},
        "rejected_reasons": {"incoming/x/bad.jpg": "truncated: half of it is missing"},
        "jobs": [
            {
                "job": "labelloop-week-1-r1a1",
                "kind": "annotate",
                "status": "Completed",
                "objects": 4,
                "labelled": 0,
                "rejected": 0,
                "unanswered": 4,
                "reason": "nobody labelled within the window",
            }
        ],
        "workers": [
            {
                "worker": "private.us-east-1.AB",
                "answers": 123,
                "refused": 31,
                "cannot_judge": 47,
                "seconds": 8.25,
                "agreement": None,
                "honeypots": 4,
                "honeypot_quality": 0.125,
                "flagged": True,
            }
        ],
        "audit": [{"model": "v000001-aa", "auto_labels": 6, "sentence": "mean IoU 0.87 [0.84, 0.90]"}],
        **changes,
    }


def test_the_page_answers_what_was_labelled_by_whom_and_whether_to_trust_it() -> None:
    page = Page(report.render(summary()))
    for words in (
        *("6 auto", "3 human", "1 rejected", "2 deferred", "mean IoU 0.87 [0.84, 0.90]", "v000001-aa"),
        *("incoming/x/bad.jpg", "truncated: half of it is missing", '"resume": true', "12 objects"),
        *("labelloop-week-1-r1a1", "nobody labelled within the window"),
        *("private.us-east-1.AB", "123", "31", "47", "8.2", "0.12", "below the bound"),
    ):
        assert words in page.text, words


def test_it_says_what_each_model_was_trained_from_once() -> None:
    row = summary()["rounds"][0]
    rows = [{**row, "model_version": model, "model_start": start} for model, start in (("", ""), *STARTS, *STARTS)]
    text = Page(report.render(summary(rounds=rows))).text
    assert text.count("was trained from") == 2
    assert "Model v000001-aa was trained from random weights: the stack has no base weights" in text
    assert "Model v000002-bb was trained from the base weights." in text


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": HOSTILE},
        {"dataset": HOSTILE},
        {"started": HOSTILE},
        {"rejected_reasons": {HOSTILE: HOSTILE}},
        {"audit": [{"model": HOSTILE, "auto_labels": 1, "sentence": HOSTILE}]},
        {"rounds": [{**summary()["rounds"][0], "model_version": HOSTILE}]},
        {"jobs": [{**summary()["jobs"][0], "reason": HOSTILE}]},
        {"jobs": [{**summary()["jobs"][0], "reason": "", "problems": [HOSTILE]}]},
        {"workers": [{**summary()["workers"][0], "worker": HOSTILE}]},
    ],
)
def test_a_hostile_name_is_text_and_nothing_else(changes) -> None:
    harmless = {key: value for key, value in changes.items() if key != "rejected_reasons"}
    page = Page(report.render(summary(**changes)))
    assert set(page.tags) == set(Page(report.render(summary())).tags)
    assert {"script", "img"}.isdisjoint(page.tags)
    assert ("alert(2)" in page.text) or "started" in harmless  # the date is cut to 19 characters


HOSTILES = [
    HOSTILE,
    "</table></body><svg/onload=alert(2)>",
    "javascript:alert(2)",
    "' onmouseover='alert(2)",
    '" style="background:url(//evil.example/x)',
    "<!-- <style>*{display:none}</style> -->",
    "&lt;script&gt;alert(2)&lt;/script&gt;",
    "\x00\x08\u202e\u2028<b>alert(2)",
    "{{ 7*7 }}${7*7}<%= 7*7 %>",
    "<![CDATA[<script>alert(2)</script>]]>",
    "\ud800 alert(2)",
]


def _places(value, path=()):
    """Paths of all texts in the summary."""
    if isinstance(value, str):
        yield path
    for step in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _places(value[step], (*path, step))


def _with(value, path, text):
    if not path:
        return text
    step, *rest = path
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[step] = _with(value[step], rest, text)
    return changed


@pytest.mark.parametrize("hostile", HOSTILES)
@pytest.mark.parametrize("path", [path for path in _places(summary()) if path[0] != "policy"], ids=str)
def test_every_text_of_a_summary_may_be_hostile(path, hostile) -> None:
    """Those that choose a sentence (a status, a kind) may change which tags there are, never add any of their own."""
    html = report.render(_with(summary(), path, hostile))
    page, plain = Page(html), Page(report.render(_with(summary(), path, "plain")))
    assert page.tags == plain.tags
    assert {"script", "img", "svg", "iframe", "a"}.isdisjoint(page.tags) and page.tags.count("style") <= 1
    html.encode("utf-8", "surrogatepass")


def test_nothing_is_loaded_from_anywhere() -> None:
    html = report.render(summary())
    assert "http://" not in html and "https://" not in html and "src=" not in html and "@import" not in html


def test_an_empty_batch_has_a_page_too() -> None:
    none = dict.fromkeys(("images", "auto", "human", "rejected", "deferred", "sampled"), 0)
    page = Page(
        report.render(summary(**none, rounds=[], jobs=[], workers=[], audit=[], rejected_reasons={}, dataset=""))
    )
    assert "No round was needed." in page.text and "none" in page.text and "What is left" not in page.text


def test_a_batch_people_labelled_alone_says_so() -> None:
    assert "people made every label" in Page(report.render(summary(audit=[]))).text
