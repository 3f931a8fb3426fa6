"""Errors as people see them: a page that says what happened and what to do, or the same as JSON for the page's code."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

API = "/api/"


class Refused(Exception):
    """A request that is not done. `what` happened, then what to `do`; `more` goes into the JSON of an API answer.
    `door`: where the page lets a person in, instead of the job list.
    """

    def __init__(
        self, status: int, what: str, do: str = "", more: dict[str, object] | None = None, door: str = ""
    ) -> None:
        super().__init__(f"{what} {do}".strip())
        self.status, self.what, self.do, self.more, self.door = status, what, do, more or {}, door


def answer(scope: Scope, refused: Refused) -> Response:
    if scope["path"].startswith(API):
        return JSONResponse({"message": str(refused), **refused.more}, refused.status)
    what = "Sign in to label pictures" if refused.door else refused.what
    return HTMLResponse(page(what, refused.do, refused.door), refused.status)


def page(what: str, do: str, door: str = "") -> str:
    kind = "door" if door else "message"
    link = f'<a class="primary" href="{escape(door)}">Sign in</a>' if door else '<a href="/">Job list</a>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(what)}</title>'
        '<link rel="stylesheet" href="/static/portal.css"></head>'
        f'<body class="{kind}"><main><h1>{escape(what)}</h1><p>{escape(do)}</p>'
        f"<p>{link}</p></main></body></html>"
    )
