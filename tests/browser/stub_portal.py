"""The portal's HTTP API over tasks in memory: the real worker templates and page files, and nothing behind them.

It stands for the server of local/portal in tests of the page; what a test may ask of it is the class `Portal`.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from liquid import Environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "portal"
TEMPLATES = ROOT / "functions" / "labelloop" / "worker_ui"
KONVA = PAGE / "node_modules" / "konva" / "konva.min.js"
CROWD_SCRIPT = re.compile(r'<script src="[^"]*crowd-html-elements\.js"></script>')
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}
MOST_BYTES = 1_000_000


@dataclass
class Task:
    """`png`: the canonical picture. `state`: open, submitted or expired."""

    name: str
    job: str
    template: str
    task_input: dict[str, Any]
    png: bytes
    state: str = "open"
    answer: dict[str, Any] | None = None
    submission: str | None = None
    seconds: float | None = None
    images: list[str] = field(default_factory=list)


@dataclass
class Job:
    name: str
    kind: str
    title: str
    tasks: list[Task]
    seconds_left: float | None = None
    handed_over: int = 0


class Portal:
    """What tests may do: add jobs, read what was stored, and make things go wrong."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.tasks: dict[str, Task] = {}
        self.images: dict[str, bytes] = {}
        self.refusals: list[tuple[int, dict[str, Any]]] = []
        self.posts = 0
        self.replies_to_lose = 0
        self.released: list[str] = []
        self.worker = "private.local.people"
        self.token = secrets.token_urlsafe(16)
        self._cookie = secrets.token_urlsafe(16)
        self._lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def clear(self) -> None:
        with self._lock:
            for table in (self.jobs, self.tasks, self.images, self.refusals, self.released):
                table.clear()
            self.posts = self.replies_to_lose = 0

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
        seconds_left: float | None = None,
    ) -> list[str]:
        """A job with one task per picture, all with the same pre-label; returns the tasks' ids.

        `template`: boxes, key-points or verify-boxes. For verify-boxes `initial` becomes the overlay.
        """
        name = f"job-{len(self.jobs) + 1}"
        text = (TEMPLATES / f"{template}.liquid.html").read_text(encoding="utf-8")
        task_input = {
            "taskObject": key,
            "labels": list(labels),
            "initial": list(initial),
            "overlay": {"boundingBox": {"labels": list(labels), "value": list(initial)}},
            "header": header,
            "instructions": instructions,
        }
        tasks = [Task(secrets.token_urlsafe(8), name, text, task_input, png) for png in pictures]
        with self._lock:
            self.jobs[name] = Job(name, kind, header, tasks, seconds_left)
            self.tasks.update({task.name: task for task in tasks})
        return [task.name for task in tasks]

    def answer(self, task: str) -> dict[str, Any] | None:
        """The answer that is stored for a task."""
        return self.tasks[task].answer

    def submit_elsewhere(self, task: str, answer: dict[str, Any]) -> None:
        stored = self.tasks[task]
        stored.state, stored.answer, stored.submission = "submitted", answer, "from elsewhere"

    def expire(self, task: str) -> None:
        self.tasks[task].state = "expired"

    def expire_images(self) -> None:
        self.images.clear()

    def refuse_next(self, status: int, message: str = "") -> None:
        """The next answer is met with this status instead of being stored."""
        self.refusals.append((status, {"message": message}))

    def lose_next_reply(self) -> None:
        """The next answer is stored, and the connection breaks before the page hears of it."""
        self.replies_to_lose = 1

    # What the HTTP handler calls; `(status, body)`.

    def list_jobs(self) -> tuple[int, Any]:
        jobs = [
            {
                "job": job.name,
                "title": job.title,
                "description": f"{job.kind}, {len(job.tasks)} pictures",
                "kind": job.kind,
                "total": len(job.tasks),
                "done": sum(task.state != "open" for task in job.tasks),
                "mine_open": 0,
                "seconds_left": job.seconds_left,
                "eta_seconds": 12.0 * sum(task.state == "open" for task in job.tasks),
                "status": "InProgress",
            }
            for job in self.jobs.values()
        ]
        return 200, {"worker": self.worker, "jobs": jobs}

    def next_task(self, job: str) -> str | None:
        return next((task.name for task in self.jobs[job].tasks if task.state == "open"), None)

    def hand_over(self, job: str) -> tuple[int, Any]:
        rest = [task for task in self.jobs[job].tasks if task.state == "open"]
        for task in rest:
            task.state = "submitted"
        return 200, {"handed_over": len(rest)}

    def describe(self, task: Task) -> tuple[int, Any]:
        job = self.jobs[task.job]
        return 200, {
            "task": task.name,
            "job": job.name,
            "kind": job.kind,
            "title": job.title,
            "position": job.tasks.index(task) + 1,
            "total": len(job.tasks),
            "seconds_left": job.seconds_left,
            "state": task.state,
            "answer": task.answer,
            "revision": 1,
        }

    def take(self, task: Task, body: dict[str, Any]) -> tuple[int, Any]:
        with self._lock:
            self.posts += 1
            if self.refusals:
                return self.refusals.pop(0)
            if task.submission == body["submission"]:
                return 200, {"status": "stored", "next": self.next_task(task.job)}
            if task.state == "submitted":
                return 409, {"message": "This picture was answered already.", "answer": task.answer}
            if task.state == "expired":
                return 410, {"message": "The time for this picture is over."}
            if problem := _problem(body["answer"]):
                return 422, {"message": problem}
            task.state, task.answer, task.submission = "submitted", body["answer"], body["submission"]
            task.seconds = body["seconds"]
            return 200, {"status": "stored", "next": self.next_task(task.job)}

    def fresh_image(self, task: Task) -> str:
        name = secrets.token_urlsafe(12)
        self.images[name] = task.png
        return f"/images/{name}"

    def render(self, task: Task) -> str:
        environment = Environment(autoescape=True)
        environment.add_filter("to_json", lambda value: json.dumps(value))
        environment.add_filter("grant_read_access", lambda uri: self.fresh_image(task))
        form = environment.from_string(task.template).render(task={"input": task.task_input})
        form = CROWD_SCRIPT.sub('<script type="module" src="/static/crowd.js"></script>', form)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Task</title>'
            '<link rel="stylesheet" href="/static/portal.css"></head>'
            f'<body data-task="{escape(task.name)}" data-job="{escape(task.job)}">{form}</body></html>'
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Browsers drop connections as they like."""


def _problem(answer: dict[str, Any]) -> str:
    ticked = {name for name in ("nothing-here", "cannot-judge") if answer.get(name, {}).get(name)}
    points = answer.get("annotatedKeyPoints", {}).get("keypoints")
    if points == [] and not ticked:
        return "annotatedKeyPoints: no point, and nothing-here is not ticked"
    if points and "nothing-here" in ticked:
        return "nothing-here: ticked, but there are points"
    return ""


def _handler(portal: Portal) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            parts = [unquote(part) for part in url.path.split("/") if part]
            token = parse_qs(url.query).get("token")
            if url.path == "/" and token == [portal.token]:
                cookie = f"session={portal._cookie}; HttpOnly; SameSite=Strict; Path=/"
                return self._send(303, "", headers={"Location": "/", "Set-Cookie": cookie})
            if f"session={portal._cookie}" not in self.headers.get("Cookie", ""):
                return self._send(403, "<p>Open the link you were given.</p>")
            match parts:
                case []:
                    return self._send(200, (PAGE / "index.html").read_bytes())
                case ["static", name]:
                    return self._static(name)
                case ["images", name]:
                    png = portal.images.get(name)
                    return self._send(200, png, "image/png") if png else self._send(410, "")
                case ["tasks", name] if name in portal.tasks:
                    return self._send(200, portal.render(portal.tasks[name]))
                case ["api", "jobs"]:
                    return self._json(*portal.list_jobs())
                case ["api", "tasks", name] if name in portal.tasks:
                    return self._json(*portal.describe(portal.tasks[name]))
            return self._json(404, {"message": "no such page"})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "null")
            if f"session={portal._cookie}" not in self.headers.get("Cookie", ""):
                return self._json(403, {"message": "no session"})
            if self.headers.get("Origin") != portal.url or length > MOST_BYTES:
                return self._json(403, {"message": "wrong origin or size"})
            match [unquote(part) for part in self.path.split("/") if part]:
                case ["api", "jobs", job, "next"]:
                    return self._json(200, {"task": portal.next_task(job)})
                case ["api", "jobs", job, "hand-over"]:
                    return self._json(*portal.hand_over(job))
                case ["api", "tasks", name, "answer"]:
                    status, reply = portal.take(portal.tasks[name], body)
                    if portal.replies_to_lose:
                        portal.replies_to_lose -= 1
                        self.close_connection = True
                        return None
                    return self._json(status, reply)
                case ["api", "tasks", name, "release"]:
                    portal.released.append(name)
                    return self._json(200, {})
                case ["api", "tasks", name, "renew"]:
                    return self._json(200, {"image": portal.fresh_image(portal.tasks[name])})
            return self._json(404, {"message": "no such page"})

        def _static(self, name: str) -> None:
            table = {path.name: path for path in PAGE.iterdir() if path.is_file()} | {KONVA.name: KONVA}
            if name not in table:
                return self._json(404, {"message": "no such file"})
            kept = {"Cache-Control": "max-age=3600"}
            return self._send(200, table[name].read_bytes(), TYPES[table[name].suffix], kept)

        def _json(self, status: int, body: Any) -> None:
            self._send(status, json.dumps(body), "application/json")

        def _send(
            self, status: int, body: str | bytes, kind: str = TYPES[".html"], headers: Mapping[str, str] | None = None
        ) -> None:
            data = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            always = {
                "Content-Security-Policy": POLICY,
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            }
            for name, value in {**always, **(headers or {}), "Content-Type": kind}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)
