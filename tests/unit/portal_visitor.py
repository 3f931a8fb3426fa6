"""A browser without a network: one ASGI request at a time, the path exactly as given (HTTP clients tidy up `..`)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from portal.server.access import LinkAccess, make_token
from portal.server.app import create_app
from portal.server.desk import PERSON, Job
from portal.server.images import OwnImages
from portal.server.memory_desk import MemoryDesk

HOST = "127.0.0.1:5000"
PNG = b"\x89PNG\r\n\x1a\n pretend"
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-bounding-box name="annotatedResult" src="{{ task.input.taskObject | grant_read_access }}"
labels="{{ task.input.labels | to_json | escape }}" header="{{ task.input.header | escape }}"></crowd-bounding-box>
</crowd-form>"""


class Clock:
    def __init__(self) -> None:
        self.reads = 1000.0

    def __call__(self) -> float:
        return self.reads

    def pass_by(self, seconds: float) -> None:
        self.reads += seconds


@dataclass(frozen=True)
class Answer:
    status: int
    raw_headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.raw_headers)

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.raw_headers if known == name]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Visitor:
    app: Any
    host: str | None = HOST
    cookies: dict[str, str] = field(default_factory=dict)
    last: Answer | None = None
    origin: str = f"http://{HOST}"

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, document: Any = None, **headers: str) -> Answer:
        body = document if isinstance(document, bytes) else b"" if document is None else json.dumps(document).encode()
        return self.request("POST", path, [body], {"origin": self.origin, **headers})

    def request(
        self, method: str, path: str, chunks: list[bytes] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`chunks` of the body; a header set to "" is not sent. Redirects are answers, cookies are kept."""
        sent = {"host": self.host or "", "cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items())}
        sent |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
            "server": ("127.0.0.1", 5000),
            "client": ("127.0.0.1", 40000),
        }
        sent: list[dict[str, Any]] = []
        try:
            asyncio.run(_exchange(self.app, scope, chunks or [b""], sent))
        finally:
            self.last = answer = _answer(sent)
        for given in answer.all("set-cookie"):
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


@dataclass
class Place:
    """A portal over a real desk, with a clock that stands still and a bucket of one picture."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    bucket: dict[str, bytes] = field(default_factory=lambda: {"s3://b/1.png": PNG})

    def __post_init__(self) -> None:
        for name, text in {"index.html": "<p>jobs", "crowd.js": "shim()", "portal.css": "p{}"}.items():
            (self.folder / name).write_text(text)
        self.desk = MemoryDesk(self.clock)
        self.key = "key"
        self.access = LinkAccess(self.key, PERSON, "run: get a link", self.clock)
        self.images = OwnImages(self.clock)
        self.app = create_app(self.desk, self.access, [HOST], self.folder, self.images)

    def job(self, name: str = "job", count: int = 2, template: str = TEMPLATE, **changes: Any) -> list[str]:
        """A job with `count` open tasks on the desk; their ids."""
        given = {"kind": "annotate", "task_seconds": 600, "ends": self.clock() + 3600, "read": self.bucket.__getitem__}
        shown = {"taskObject": "s3://b/1.png", "labels": ["head", "hat"], "initial": [], "header": "Draw"}
        shown |= changes.pop("task_input", {})
        job = Job(name=name, title="Draw boxes", description="All of them", template=template, **(given | changes))
        return self.desk.lay_out(job, [shown] * count)

    def token(self) -> str:
        return make_token(self.key, self.clock())

    def stranger(self, **changes: Any) -> Visitor:
        return Visitor(self.app, **changes)

    def visitor(self) -> Visitor:
        """Somebody who came in by a link."""
        visitor = self.stranger()
        assert visitor.get(f"/?token={self.token()}").status == 303
        return visitor


def boxes(*drawn: tuple[str, int, int, int, int], width: int = 100, height: int = 80) -> dict[str, Any]:
    """A whole answer with boxes of (label, left, top, width, height)."""
    names = ("label", "left", "top", "width", "height")
    size = {"height": height, "width": width}
    result = {"boundingBoxes": [dict(zip(names, box, strict=True)) for box in drawn], "inputImageProperties": size}
    return {"annotatedResult": result, "cannot-judge": {"cannot-judge": False}, "note": ""}


async def _exchange(app: Any, scope: dict[str, Any], chunks: list[bytes], sent: list[dict[str, Any]]) -> None:
    incoming = _messages(chunks)

    async def receive() -> dict[str, Any]:
        return next(incoming)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)


def _answer(sent: list[dict[str, Any]]) -> Answer:
    start, *rest = sent
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in start["headers"])
    return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in rest))


def _messages(chunks: list[bytes]) -> Iterator[dict[str, Any]]:
    for number, chunk in enumerate(chunks, start=1):
        yield {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
    while True:
        yield {"type": "http.disconnect"}
