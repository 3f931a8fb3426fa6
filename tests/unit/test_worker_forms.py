"""The worker templates are plain Ground Truth templates, and nothing a value holds can leave its place."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from labelloop.people import ground_truth
from liquid import Environment

FOLDER = ground_truth.TEMPLATES
TEMPLATES = sorted(FOLDER.glob("*.liquid.html"))
EVIL = '\'"><script>alert(1)</script><!-- {{ 7 }} &quot; onerror="x" </crowd-form>'
# What each template's answer is made of: element and name.
ANSWERS = {
    "boxes": {
        ("crowd-bounding-box", "annotatedResult"),
        ("crowd-checkbox", "cannot-judge"),
        ("crowd-text-area", "note"),
    },
    "key-points": {
        ("crowd-keypoint", "annotatedKeyPoints"),
        ("crowd-checkbox", "nothing-here"),
        ("crowd-checkbox", "cannot-judge"),
        ("crowd-text-area", "note"),
    },
    "verify-boxes": {("crowd-image-classifier", "verdict"), ("crowd-text-area", "note")},
    "verify-key-points": {("crowd-image-classifier", "verdict"), ("crowd-text-area", "note")},
}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def one(self, tag: str) -> dict[str, str | None]:
        (attributes,) = (attributes for name, attributes in self.elements if name == tag)
        return attributes


def rendered(path: Path, **values: Any) -> Page:
    environment = Environment(autoescape=True)
    environment.add_filter("to_json", lambda value: json.dumps(value))
    environment.add_filter("grant_read_access", lambda uri: f"https://example.invalid/{uri}")
    task_input = {
        "taskObject": "s3://bucket/x.png",
        "labels": ["head"],
        "initial": [],
        "overlay": {"boundingBox": {"labels": ["head"], "value": []}},
        "skeleton": {},
        "header": "Do it",
        "instructions": "",
        **values,
    }
    return Page(environment.from_string(path.read_text(encoding="utf-8")).render(task={"input": task_input}))


def name(path: Path) -> str:
    return path.name.removesuffix(".liquid.html")


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_asks_for_its_answer_and_brings_no_script_or_style(path: Path) -> None:
    page = rendered(path)
    named = {(tag, attributes["name"]) for tag, attributes in page.elements if attributes.get("name")}
    assert named == ANSWERS[name(path)]
    assert [attributes for tag, attributes in page.elements if tag in ("script", "style", "link")] == [
        {"src": "https://assets.crowd.aws/crowd-html-elements.js"}
    ]
    assert not [key for _, attributes in page.elements for key in attributes if key == "style" or key.startswith("on")]
    tags = {tag for tag, _ in page.elements}
    assert {"crowd-form", "short-instructions", "full-instructions"} <= tags


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_values_come_back_whole_and_break_out_of_nothing(path: Path) -> None:
    boxes = [{"label": EVIL, "left": 1, "top": 2, "width": 3, "height": 4}]
    overlay = {"boundingBox": {"labels": [EVIL], "value": boxes}}
    plain = rendered(path, instructions="x")
    page = rendered(
        path,
        taskObject=EVIL,
        labels=[EVIL, f"{EVIL} (occluded)"],
        initial=boxes,
        overlay=overlay,
        header=EVIL,
        instructions=EVIL,
    )
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert [list(attributes) for _, attributes in page.elements] == [
        list(attributes) for _, attributes in plain.elements
    ]
    (widget,) = (attributes for _, attributes in page.elements if "src" in attributes and "header" in attributes)
    assert widget["header"] == EVIL and widget["src"] == f"https://example.invalid/{EVIL}"
    if name(path).startswith("verify-"):
        assert json.loads(widget["overlay"] or "") == overlay and json.loads(widget["categories"] or "") == [
            "accept",
            "reject",
        ]
    else:
        assert json.loads(widget["labels"] or "")[0] == EVIL and json.loads(widget["initial-value"] or "") == boxes
    assert "".join(page.text).count(EVIL) == 2, "short and full instructions show the parameter's text"


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_every_output_is_escaped_in_the_template_too(path: Path) -> None:
    """But the picture's address: it is escaped by the renderer, and a second time would break a signed address."""
    outputs = [output.strip() for output in re.findall(r"\{\{(.*?)\}\}", path.read_text(encoding="utf-8"))]
    assert outputs.pop(0) == "task.input.taskObject | grant_read_access"
    assert outputs and all(output.endswith("| escape") for output in outputs)
