"""Hostile worker templates, rendered: what they print is text, and every page ends."""

from __future__ import annotations

import re
import resource
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from portal.server.templates import TemplateRefused, task_page

PAGE = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>{}</crowd-form>'
SCRIPT = "<script>alert(1)</script>"
VALUES: dict[str, Any] = {
    "header": SCRIPT,
    "quoted": "%3Cscript%3Ealert(1)%3C/script%3E",
    "base64": "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "entities": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "list": [SCRIPT, "<b>"],
    "broken": 'x" onerror="alert(1)',
}
SECONDS, MEGABYTES = 10.0, 300


def shown(template: str) -> str | None:
    """What the template prints in its form; None where it is refused."""
    try:
        page = task_page(PAGE.format(template), {**VALUES}, "task", "job", "title", lambda uri: f"/images/{len(uri)}")
    except TemplateRefused:
        return None
    return page.partition("<crowd-form>")[2].rpartition("</crowd-form>")[0]


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attributes]))


PRINTS = {
    "as it is": "{{ task.input.header }}",
    "a part of a list": "{{ task.input.list | first }}{{ task.input.list }}",
    "joined": '{{ task.input.list | join: "" }}',
    "decoded from an address": "{{ task.input.quoted | escape | url_decode }}",
    "decoded and escaped": "{{ task.input.quoted | escape | url_decode | escape }}",
    "decoded from base64": "{{ task.input.base64 | escape | base64_decode | escape }}",
    "escaped and replaced": "{{ task.input.header | escape | replace: '&lt;', '<' | replace: '&gt;', '>' }}",
    "escaped, replaced, escaped": (
        "{{ task.input.header | escape | replace: '&lt;', '<' | replace: '&gt;', '>' | escape }}"
    ),
    "entities replaced": "{{ task.input.entities | escape_once | replace: '&lt;', '<' | escape_once }}",
    "escaped and cut apart": "{{ task.input.header | escape | split: '&lt;' | join: '<' }}",
    "escaped in a variable": "{% assign e = task.input.header | escape | replace: '&lt;', '<' %}{{ e | escape }}",
    "captured": "{% capture c %}{{ task.input.header }}{% endcapture %}{{ c | replace: '&lt;', '<' }}",
    "captured and decoded": "{% capture c %}{{ task.input.quoted }}{% endcapture %}{{ c | url_decode }}",
    "with breaks": "{{ task.input.header | escape | newline_to_br }}",
    "echoed": "{% echo task.input.header | escape | replace: '&lt;', '<' %}",
    "in turns": "{% cycle task.input.header, 'x' %}",
    "in a block": "{% liquid\n assign e = task.input.header | escape | replace: '&lt;', '<'\n echo e %}",
    "marked as safe": "{{ task.input.header | safe }}",
    "without escaping": "{{ task.input.header | skip_autoescape }}",
    "in a table": "{% tablerow x in task.input.list %}{{ x | escape | replace: '&lt;', '<' }}{% endtablerow %}",
}


@pytest.mark.parametrize("template", PRINTS.values(), ids=PRINTS)
def test_no_filter_and_no_tag_makes_a_value_an_element(template) -> None:
    printed = shown(template)
    if printed is not None:
        assert not re.search("<script", printed, re.I) and Elements(printed).found == []


@pytest.mark.parametrize("chain", ["", " | escape", " | replace: '&#34;', '\"'", " | escape | replace: '&#34;', '\"'"])
def test_no_filter_lets_a_value_out_of_its_attribute(chain) -> None:
    printed = shown('<p title="{{ task.input.broken' + chain + ' }}">x</p>')
    assert printed is None or Elements(printed).found == [("p", ["title"])]


_DOUBLED = '{% assign a = "xxxxxxxxxx" %}{% for i in (1..NN) %}{% assign a = a | append: a %}{% endfor %}{{ a | size }}'
ENDLESS = {
    "a text that doubles": _DOUBLED.replace("NN", "24"),
    "a number that squares": (
        "{% assign a = 9999999999 %}{% for i in (1..14) %}{% assign a = a | times: a %}{% endfor %}{{ a }}"
    ),
    "a range that is joined": "{{ (1..4000000) | join: '' | size }}",
    "a range that is reversed": "{{ (1..4000000) | reverse | first }}",
    "a loop": "{% for i in (1..100000000) %}x{% endfor %}",
    "loops in a loop": "{% for i in (1..10000) %}{% for j in (1..10000) %}{% endfor %}{% endfor %}",
    "a table": "{% tablerow i in (1..10000000) %}x{% endtablerow %}",
    "a text in place of each of its letters": (
        _DOUBLED.replace("NN", "9").replace("{{ a | size }}", "{{ a | replace: 'x', a | size }}")
    ),
    "a list that doubles": (
        "{% assign l = 'x,y' | split: ',' %}{% for i in (1..22) %}{% assign l = l | concat: l %}{% endfor %}"
        "{{ l | size }}"
    ),
    "blocks in blocks": "{% if true %}" * 3000 + "{% endif %}" * 3000,
    "a long template": "{{ task.input.header }}" * 20_000,
}


@pytest.mark.parametrize("template", ENDLESS.values(), ids=ENDLESS)
def test_no_template_takes_the_portals_time_or_memory(template) -> None:
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert shown(template) is None, "more than any page needs"
    assert time.monotonic() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES


BROKEN = {
    "a value that is not there as JSON": "{{ task.input.nothing | to_json | escape }}",
    "a division by nothing": "{{ 1 | divided_by: 0 }}",
    "a number as long as a page": "{{ 1 | times: %s }}" % ("9" * 5000),
    "a text as a number": "{{ 'x' | truncate: 'abc' }}",
    "a tag that nobody knows": "{% evil %}",
    "an output that does not end": "{{ task.input.header",
    "another template": "{% include '/etc/passwd' %}",
}


@pytest.mark.parametrize("template", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_rendered_is_refused_with_words_and_breaks_nothing(template) -> None:
    with pytest.raises(TemplateRefused) as refused:
        task_page(PAGE.format(template), VALUES, "task", "job", "title", str)
    assert str(refused.value)


def test_a_template_as_people_write_it_is_shown() -> None:
    template = (
        '{% assign names = task.input.list | join: ", " %}'
        '<p title="{{ names | escape }}">{{ names | upcase | escape }}</p>'
        "{% for name in task.input.list %}<li>{{ name | append: '!' | escape }}</li>{% endfor %}"
        "{% if task.input.header contains 'alert' %}{{ 'yes' }}{% endif %}{{ task.input.entities | escape_once }}"
    )
    printed = shown(template)
    assert printed is not None
    assert printed.endswith("yes&lt;script&gt;alert(1)&lt;/script&gt;")
    assert [tag for tag, _ in Elements(printed).found] == ["p", "li", "li"]
