"""Worker templates: whatever labels, keys and instructions hold, they are data in the page (F16, F17).

Every template of worker_ui/ is rendered as the pages are, with python-liquid and autoescape on, and parsed.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import Skeleton
from labelloop.people import ground_truth
from labelloop.people.task_input import task_input
from labelloop.tasks.proposals import key_point_proposal_line, proposal_line
from liquid import BoundTemplate, Environment
from made_up_stack import BUCKET, SETTINGS

TEMPLATES = sorted((ground_truth.TEMPLATES).glob("*.liquid.html"))
CROWD_SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"
SIGNED = "https://signed.example/?key="
WIDGETS = ("crowd-bounding-box", "crowd-keypoint", "crowd-image-classifier")
# What each attribute of a widget holds: a member of the task input, as it is or as JSON.
TEXTS = {"header": "header"}
JSONS = {"labels": "labels", "initial-value": "initial", "overlay": "overlay"} | {
    "data-labels": "labels",
    "data-people": "initial",
    "data-skeleton": "skeleton",
}

SCRIPT_NAME = "Head'><script>alert(1)</script>"
HANDLER_KEY = 'incoming/b/x" onerror="alert(1).png'
HOSTILE = [
    SCRIPT_NAME,
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</crowd-bounding-box></crowd-form><script src=//evil.example/x.js></script>",
    "{{ task.input.taskObject }}{% raw %}",
    "{% assign x = 1 %}",
    "&quot;&#34;&amp;lt;",
    "]]></script><!--",
    "\u2028\u2029\\u003cscript\\u003e",
    "javascript:alert(1)",
]


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text without the white space between."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def structure(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.name)
def template(request) -> Path:
    return request.param


@cache
def parsed(template: Path) -> BoundTemplate:
    """With Ground Truth's filters; what they give back is escaped like everything else."""
    environment = Environment(autoescape=True)
    environment.add_filter("to_json", lambda value: json.dumps(value, ensure_ascii=False))
    environment.add_filter("grant_read_access", lambda uri: SIGNED + str(uri))
    return environment.from_string(template.read_text("utf-8"))


def render(template: Path, shown: dict[str, Any]) -> Page:
    return Page(parsed(template).render(task={"input": shown}))


@cache
def harmless_structure(template: Path, instructions: str) -> list[tuple[str, list[str]]]:
    return render(template, shown_to(template, ["head"], "k.png", instructions)).structure


def shown_to(template: Path, names: Sequence[str], key: str, instructions: str) -> dict[str, Any]:
    """The task input that Pre Annotate gives this template, with a pre-label of every name."""
    knobs = replace(Settings.from_environment(SETTINGS), labeling_instructions=instructions)
    image = f"s3://{BUCKET}/{key}"
    if "key-points" in template.name:
        people = one_person([KeyPoint(name, 5, 6, "occluded", 0.5) for name in names], (64, 48))
        line = key_point_proposal_line(image, 64, 48, people, names, "m")
        hostile = Skeleton(tuple(names), (), (), (0.1,) * len(names))  # some of them could not be deployed
        return task_input(line, replace(knobs, task="key-points", key_points=hostile))
    boxes = [Box(name, 1, 2, 10, 10, 0.5) for name in names]
    return task_input(proposal_line(image, 64, 48, boxes, names, "m"), replace(knobs, classes=tuple(names)))


def assert_is_data(template: Path, page: Page, shown: dict[str, Any]) -> None:
    (attributes,) = (attributes for tag, attributes in page.elements if tag in WIDGETS)
    assert attributes["src"] == SIGNED + shown["taskObject"]
    for name, value in attributes.items():
        if name in TEXTS:
            assert value == shown[TEXTS[name]]
        if name in JSONS:
            assert json.loads(value or "") == shown[JSONS[name]]
    if shown["instructions"].strip():
        assert shown["instructions"].strip() in page.texts


def test_there_is_a_template_and_each_shows_one_widget(template) -> None:
    page = render(template, shown_to(template, ["head"], "k.png", "near"))
    tags = [tag for tag, _ in page.elements]
    assert tags[:2] == ["script", "crowd-form"] and tags.count("script") == 1
    assert page.elements[0][1] == {"src": CROWD_SCRIPT}
    (widget,) = (tag for tag in tags if tag in WIDGETS)
    assert {"full-instructions", "short-instructions"} <= set(tags[tags.index(widget) :])
    assert_is_data(template, page, shown_to(template, ["head"], "k.png", "near"))


@pytest.mark.parametrize("text", HOSTILE)
def test_f16_a_hostile_label_or_instruction_is_shown_as_text(template, text) -> None:
    shown = shown_to(template, [text], "k.png", text)
    page = render(template, shown)
    assert page.structure == harmless_structure(template, "near")
    assert_is_data(template, page, shown)


@pytest.mark.parametrize(
    "key", [HANDLER_KEY, "a' onload='x.png", "<svg onload=alert(1)>", "a b+%20%22.png", "x\"><script>alert(1)<&'.png"]
)
def test_f17_a_hostile_key_stays_inside_its_attribute(template, key) -> None:
    shown = shown_to(template, ["head"], key, "")
    page = render(template, shown)
    assert shown["taskObject"] == f"s3://{BUCKET}/{key}"
    assert page.structure == harmless_structure(template, "")
    assert_is_data(template, page, shown)


names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=","), min_size=1, max_size=20)
markup = st.lists(
    st.sampled_from(["<", ">", '"', "'", "&", "{{", "}}", "{%", "%}", "/", "=", " ", "on", "script", "--", "`", "x"]),
    min_size=1,
).map("".join)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
@given(text=names | markup, key=markup)
def test_any_name_and_key_come_back_exactly(path, text, key) -> None:
    key = f"b/{key.replace('/', '|').strip('.')}.png"
    shown = shown_to(path, [text], key, text.strip())
    page = render(path, shown)
    plain = "near" if text.strip() else ""
    assert page.structure == harmless_structure(path, plain)
    assert_is_data(path, page, shown)
