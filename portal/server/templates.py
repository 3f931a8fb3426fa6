"""The deployed worker template as a page: Liquid as Ground Truth renders it, with its filters.

Everything a template prints is escaped (liquid_page). One that asks for the opposite is refused. Of the page only the
address of the crowd elements' script is exchanged: ours implements the same elements. Contract: aws-contracts, Ground
Truth custom templates (Liquid filters `escape`, `escape_once`, `to_json`, `grant_read_access`, `skip_autoescape`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from liquid.exceptions import LiquidError

from portal.server import liquid_page

CROWD_SCRIPT = re.compile(r"<script\b[^>]*\bsrc\s*=\s*([\"'])[^\"'>]*crowd-html-elements\.js\1[^>]*>", re.IGNORECASE)
_OWN_SCRIPT = '<script type="module" src="/static/crowd.js">'
_UNESCAPED = re.compile(r"\|\s*skip_autoescape\b")


class TemplateRefused(Exception):
    """The template cannot be shown; the text says what is wrong with it."""


def task_page(
    template: str, task_input: Mapping[str, Any], task: str, job: str, title: str, grant: Callable[[str], str]
) -> str:
    """The whole page of one task. `grant` gives the address of an `s3://` URI. Raises TemplateRefused."""
    if _UNESCAPED.search(template):
        raise TemplateRefused("it uses skip_autoescape, which would let a file name or label become part of the page")
    if not CROWD_SCRIPT.search(template):
        raise TemplateRefused("it does not load crowd-html-elements.js")
    try:
        form = liquid_page.render(template, task_input, grant)
    except LiquidError as error:
        raise TemplateRefused(f"Liquid says: {error}") from error
    # What a filter makes of arguments that it was not made for, and numbers that are too long to print.
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise TemplateRefused(f"it cannot be rendered: {error}") from error
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        '<link rel="stylesheet" href="/static/portal.css"></head>'
        f'<body data-task="{escape(task)}" data-job="{escape(job)}">{CROWD_SCRIPT.sub(_OWN_SCRIPT, form)}</body></html>'
    )
