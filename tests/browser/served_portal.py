"""The real portal for tests of its page: desk, API, guard and templates of portal/server over jobs laid out by hand.

What a test may ask of it, and what it may make go wrong, is the class `Portal`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from portal.server.access import LinkAccess, make_token
from portal.server.app import create_app
from portal.server.desk import PERSON, Claim, Job, Task
from portal.server.memory_desk import MemoryDesk

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "portal" / "page"
TEMPLATES = ROOT / "functions" / "labelloop" / "people" / "worker_ui"
KONVA = PAGE / "node_modules" / "konva" / "konva.min.js"
_KEY = "key of the portal under test"
_HOUR = 3600.0
Send = Callable[[Any], Awaitable[None]]


class Portal:
    """One server for many tests; `clear` gives the next one an empty desk."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._access = LinkAccess(_KEY, PERSON, "Ask the test.")
        self._loop, self._stopped = asyncio.new_event_loop(), asyncio.Event()
        self.clear()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{self._address}"

    @property
    def token(self) -> str:
        """A new one: each can be used once."""
        return make_token(_KEY)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def clear(self) -> None:
        self.desk = MemoryDesk()
        self._app: Any = create_app(self.desk, self._access, [self._address], PAGE)
        self._tasks: dict[str, Task] = {}
        self._refusals: list[tuple[int, str]] = []
        self._replies_to_lose = 0
        self.posts = 0
        self.released: list[str] = []

    def add_job(
        self,
        template: str,
        pictures: Sequence[bytes],
        labels: Sequence[str],
        initial: Sequence[Mapping[str, Any]] = (),
        kind: str = "annotate",
        header: str = "Draw a tight box around every head",
        instructions: str = "",
        key: str = "s3://bucket/0001.png",
        seconds_left: float = _HOUR,
        held: bool = True,
        skeleton: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[str]:
        """A job with one task per picture, all with the same pre-label; the tasks' ids. `held`: by the person already.

        `template`: boxes, key-points, verify-boxes or verify-key-points. `initial` is the overlay, too.
        """
        name = f"job-{len(self.desk.counts()) + 1}"
        shown = {
            "labels": list(labels),
            "initial": list(initial),
            "overlay": {"boundingBox": {"labels": list(labels), "value": list(initial)}},
            "skeleton": dict(skeleton),
            "header": header,
            "instructions": instructions,
        }
        places = [f"{key}#{number}" for number in range(len(pictures))]
        job = Job(
            name=name,
            title=header,
            description=f"{kind}, {len(pictures)} pictures",
            kind=kind,
            template=(TEMPLATES / f"{template}.liquid.html").read_text(encoding="utf-8"),
            task_seconds=_HOUR,
            ends=time.monotonic() + seconds_left,
            read=dict(zip(places, pictures, strict=True)).__getitem__,
        )
        self.desk.lay_out(job, [{"taskObject": place, **shown} for place in places])
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)  # a page may report as much work as the task was held
        for task in job.tasks:
            task.claim = Claim(PERSON, an_hour_ago, job.ends) if held else None
            self._tasks[task.id] = task
        return [task.id for task in job.tasks]

    def answer(self, task: str) -> dict[str, Any] | None:
        """The answer that is stored for a task."""
        answered = self._tasks[task].answered
        return dict(answered.content) if answered else None

    def seconds(self, task: str) -> float:
        """How long the page says that an answered task took."""
        answered = self._tasks[task].answered
        assert answered is not None
        return answered.seconds

    def submit_elsewhere(self, task: str, answer: dict[str, Any]) -> None:
        """As from another tab, after twelve seconds of work. The task must be held."""
        self.desk.submit(task, PERSON, answer, "from elsewhere", 12.0)

    def expire(self, task: str) -> None:
        """The time that the person may hold the task is over."""
        self._tasks[task].claim = None

    def refuse_next(self, status: int, message: str = "") -> None:
        """The next answer is met with this status instead of being stored."""
        self._refusals.append((status, message))

    def lose_next_reply(self) -> None:
        """The next answer is stored, and the connection breaks before the page hears of it."""
        self._replies_to_lose = 1

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        config = Config()
        config.bind, config.loglevel = [f"fd://{self._listener.fileno()}"], "CRITICAL"
        self._loop.run_until_complete(serve(self._with_faults, config, shutdown_trigger=self._stopped.wait))

    async def _with_faults(self, scope: Any, receive: Any, send: Send) -> None:
        """The portal, unless the test wants something else to happen."""
        path, is_post = scope.get("path", ""), scope.get("method") == "POST"
        if is_post and path.endswith("/release"):
            self.released.append(path.split("/")[3])
        is_answer = is_post and path.endswith("/answer")
        self.posts += is_answer
        if is_answer and self._refusals:
            await _refuse(send, *self._refusals.pop(0))
        elif is_answer and self._replies_to_lose:
            self._replies_to_lose -= 1
            await self._app(scope, receive, _nowhere)
            raise ConnectionResetError
        else:
            await self._app(scope, receive, send)


async def _refuse(send: Send, status: int, message: str) -> None:
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
    await send(start)
    await send({"type": "http.response.body", "body": json.dumps({"message": message}).encode()})


async def _nowhere(_: Any) -> None:
    """Takes what the portal says, and tells nobody."""


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)
