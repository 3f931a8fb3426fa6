"""The deployed worker template as a page: Liquid as Ground Truth renders it, with its filters.

Everything a template prints is escaped. A template that asks for the opposite is refused. Of the page only the address
of the crowd elements' script is exchanged: ours implements the same elements. Contract: aws-contracts, Ground Truth
custom templates (Liquid filters `escape`, `escape_once`, `to_json`, `grant_read_access`, `skip_autoescape`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from liquid import Environment
from liquid.exceptions import LiquidError

CROWD_SCRIPT = re.compile(r"<script\b[^>]*\bsrc\s*=\s*([\"'])[^\"'>]*crowd-html-elements\.js\1[^>]*>", re.IGNORECASE)
_OWN_SCRIPT = '<script type="module" src="/static/crowd.js">'
_UNESCAPED = re.compile(r"\|\s*skip_autoescape\b")
_HTML_SAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", ord("'"): "\\u0027"}


class TemplateRefused(Exception):
    """The template cannot be shown; the text says what is wrong with it."""


class _Liquid(Environment):  # type: ignore[misc]  # untyped here, see mypy's overrides
    """Bounds for a template that would never end."""

    loop_iteration_limit = 100_000
    output_stream_limit = 10_000_000


def task_page(
    template: str, task_input: Mapping[str, Any], task: str, job: str, title: str, grant: Callable[[str], str]
) -> str:
    """The whole page of one task. `grant` gives the address of an `s3://` URI. Raises TemplateRefused."""
    if _UNESCAPED.search(template):
        raise TemplateRefused("it uses skip_autoescape, which would let a file name or label become part of the page")
    if not CROWD_SCRIPT.search(template):
        raise TemplateRefused("it does not load crowd-html-elements.js")
    environment = _Liquid(autoescape=True, strict_filters=True)
    # python-liquid's own way around the escaping, which Ground Truth does not have: now an unknown filter.
    environment.filters.pop("safe", None)
    environment.add_filter("to_json", _to_json)
    environment.add_filter("grant_read_access", lambda uri: grant(str(uri)))
    try:
        form = environment.from_string(template).render(task={"input": task_input})
    except LiquidError as error:
        raise TemplateRefused(f"Liquid says: {error}") from error
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        '<link rel="stylesheet" href="/static/portal.css"></head>'
        f'<body data-task="{escape(task)}" data-job="{escape(job)}">{CROWD_SCRIPT.sub(_OWN_SCRIPT, form)}</body></html>'
    )


def _to_json(value: object) -> str:
    """Plain text, so that `| escape` or the autoescape makes it fit for an attribute; HTML-safe even without."""
    return json.dumps(value, ensure_ascii=False).translate(_HTML_SAFE)
