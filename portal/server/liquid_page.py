"""Liquid as Ground Truth renders it, for templates that nobody has to trust: they print text, and they end.

Text: whatever a template prints is escaped when it is printed. Only what `| escape` and `| escape_once` give back is
printed as it is, and only as long as no other filter has changed it: `| escape | replace: "&lt;", "<"` is plain again.
The end: loops, filters, variables and output have bounds that no labelling page comes near.
"""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from liquid import Environment
from liquid.builtin.output import Output, OutputNode
from liquid.context import RenderContext
from liquid.exceptions import LiquidError
from liquid.stringify import to_liquid_string
from markupsafe import escape as markup

LARGEST_TEMPLATE = 128_000
_LARGEST_ARGUMENT = 10_000_000
_LARGEST_PRODUCT = 1_000_000  # of the sizes of a filter's arguments: what comes out can be as large
_MOST_WORK = 50_000_000
_LONGEST_RANGE = 10_000
# They print without {{ }}, or load what is not there: Ground Truth's pages need none of them.
_PRINTING = ("cycle", "echo", "liquid", "increment", "decrement", "tablerow", "include", "render", "ifchanged")
_HTML_SAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", ord("'"): "\\u0027"}


class TooMuch(LiquidError):  # type: ignore[misc]  # untyped here, see mypy's overrides
    """The template asks for more work than a page may take."""


class _Escaped(str):
    """What is printed as it is. What Python makes of parts of it is an ordinary string."""


def render(template: str, task_input: Mapping[str, Any], grant: Callable[[str], str]) -> str:
    """The template's text with `task.input`. `grant` gives the address of an `s3://` URI. Raises LiquidError."""
    if len(template) > LARGEST_TEMPLATE:
        raise TooMuch(f"the template is longer than {LARGEST_TEMPLATE} characters", token=None)
    return str(_environment(len(template), grant).from_string(template).render(task={"input": task_input}))


def _environment(length: int, grant: Callable[[str], str]) -> Any:
    class Bounded(Environment):  # type: ignore[misc]
        """Loops end the sooner the more the template has to repeat."""

        loop_iteration_limit = max(1000, min(20_000, 100_000_000 // max(length, 1)))
        output_stream_limit = 10_000_000
        local_namespace_limit = 5_000_000

    environment = Bounded(autoescape=False, strict_filters=True)
    environment.add_tag(_PrintEscaped)
    for name in _PRINTING:
        environment.tags.pop(name, None)
    # python-liquid's own way around the escaping, which Ground Truth does not have: now an unknown filter.
    environment.filters.pop("safe", None)
    environment.add_filter("escape", _escape)
    environment.add_filter("escape_once", lambda value: _escape(html.unescape(_text(value))))
    environment.add_filter("to_json", _to_json)
    environment.add_filter("grant_read_access", lambda uri: grant(_text(uri)))
    work = _Work()
    for name, apply in environment.filters.items():
        environment.filters[name] = work.bounded(name, apply)
    return environment


class _PrintEscapedNode(OutputNode):  # type: ignore[misc]
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(_escape(self.expression.evaluate(context)))


class _PrintEscaped(Output):  # type: ignore[misc]
    node_class = _PrintEscapedNode


def _text(value: object) -> str:
    return str(to_liquid_string(value, False))


def _escape(value: object) -> _Escaped:
    return value if isinstance(value, _Escaped) else _Escaped(markup(_text(value)))


def _to_json(value: object) -> str:
    """Plain text, so that `| escape` or the printing makes it fit for an attribute; HTML-safe even without."""
    return json.dumps(value, ensure_ascii=False).translate(_HTML_SAFE)


class _Work:
    """What the filters of one page may do together."""

    def __init__(self) -> None:
        self.done = 0

    def bounded(self, name: str, apply: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(apply)
        def applied(value: object, *arguments: object, **more: object) -> object:
            self._pay(name, [_size(one) for one in (value, *arguments)])
            return apply(value, *arguments, **more)

        return applied

    def _pay(self, name: str, sizes: Iterable[int]) -> None:
        product, sized = 1, 0
        for size in sizes:
            product, sized = product * size, sized + (size > 1)
        self.done += product
        if product > (_LARGEST_PRODUCT if sized > 1 else _LARGEST_ARGUMENT) or self.done > _MOST_WORK:
            raise TooMuch(f"the filter {name} would make this page too large", token=None)


def _size(value: object) -> int:
    """At least 1: characters of text, bits of a number, and of what is in a list all together."""
    match value:
        case str():
            return max(1, len(value))
        case int():
            return max(1, value.bit_length())
        case range() if len(value) > _LONGEST_RANGE:
            raise TooMuch(f"a range has more than {_LONGEST_RANGE} numbers", token=None)
        case range():
            return max(1, len(value))
        case list() | tuple():
            return 1 + sum(_size(one) for one in value)
        case dict():
            return 1 + sum(_size(one) for one in value.values())
    return 1
