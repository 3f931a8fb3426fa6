"""The portal's HTTP API. What a request must have before it gets here is in guard.

GET  /?token=<one-time>           sets the session cookie, redirects to /
GET  /, /tasks/<task>             the job list; a task's page: the deployed template on the deployed function's input
GET  /images/<id>, /static/<name> a picture (404 unknown, 410 too old); what the browser runs
GET  /api/jobs                    {"worker", "jobs": [...]}, see Desk.jobs
POST /api/jobs/<job>/next         {"task": "<task>" or null}: the one the worker holds, else the next free one
POST /api/jobs/<job>/hand-over    {"handed_over": n}: other workers do what is open; for leads
GET  /api/tasks/<task>            the task, see Desk.look
POST /api/tasks/<task>/answer     {"answer", "submission", "seconds"} -> {"status": "stored", "next": "<task>" or null}
     409 {"message", "answer"}: another submission counts; 410 gone; 422 what consolidation would refuse, with the field
POST /api/tasks/<task>/release    gives it back
POST /api/tasks/<task>/renew      {"image": "/images/<fresh id>"}

Other errors are {"message"} below /api/ and pages for people elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from portal.server import audit, bodies, check, files
from portal.server.access import COOKIE, SESSION_SECONDS, Access, LinkAccess, Visitor
from portal.server.desk import AnsweredAlready, Desk, Job, Task, TaskGone, UnknownTask
from portal.server.errors import Refused, answer
from portal.server.guard import Guard
from portal.server.images import SECONDS, ImageExpired, Images, OwnImages, media_type
from portal.server.templates import TemplateRefused, task_page

_LONGEST_SUBMISSION = 100
_MOST_OTHER_PORTALS = 8
_BACK = "The job list shows what is open."


def create_app(
    desk: Desk, access: Access, hosts: Collection[str], folder: Path, images: Images | None = None, scheme: str = "http"
) -> ASGIApp:
    """The portal as an ASGI application.

    hosts: `name:port` it is reached by. folder: what the browser runs (`portal/page`).
    """
    images = images or OwnImages()
    portal = Portal(desk, access, images, folder)
    task = "/api/tasks/{task}"
    routes: list[BaseRoute] = [
        *access.routes(),
        Route("/", portal.job_list),
        Route("/api/jobs", portal.jobs),
        Route("/api/jobs/{job}/next", portal.next, methods=["POST"]),
        Route("/api/jobs/{job}/hand-over", portal.hand_over, methods=["POST"]),
        Route("/tasks/{task}", portal.task_page),
        Route(task, portal.task),
        Route(f"{task}/answer", portal.answer, methods=["POST"]),
        Route(f"{task}/release", portal.release, methods=["POST"]),
        Route(f"{task}/renew", portal.renew, methods=["POST"]),
        Route("/images/{image}", portal.image),
        Route("/static/{name:path}", portal.static),
    ]
    kinds = (Refused, UnknownTask, TaskGone, AnsweredAlready, HTTPException, Exception)
    shown: dict[Any, Callable[[Request, Exception], Response]] = dict.fromkeys(kinds, _show)
    application = Starlette(routes=routes, exception_handlers=shown)
    application.router.redirect_slashes = False
    return Guard(application, [f"{scheme}://{host}" for host in hosts], access, images.origin)


class Portal:
    """The handlers. They run in threads: each may wait for a bucket."""

    def __init__(self, desk: Desk, access: Access, images: Images, folder: Path) -> None:
        self._desk, self._access, self._images = desk, access, images
        self._index = folder / "index.html"
        self._files = files.table(folder)

    # --- pages

    def job_list(self, request: Request) -> Response:
        if isinstance(self._access, LinkAccess) and "token" in request.query_params:
            return _enter(self._access, request)
        if not self._index.is_file():
            raise Refused(500, "The portal's pages are missing.", "They lie in the folder portal/ of the repository.")
        return HTMLResponse(self._index.read_bytes())

    def task_page(self, request: Request) -> Response:
        task_id = request.path_params["task"]
        page, _ = self._render(*self._desk.shown(task_id, request.state.visitor.worker))
        return HTMLResponse(page.encode("utf-8", "replace"))

    def image(self, request: Request) -> Response:
        try:
            grant = self._images.find(request.path_params["image"])
        except ImageExpired:
            raise Refused(410, "This picture's address is too old.", "Reload the page.") from None
        except LookupError:
            raise Refused(404, "There is no such picture.", _BACK) from None
        try:
            body = grant.read(grant.uri)
        except Exception as error:
            raise Refused(502, "The picture could not be read.", f"The storage says: {error}") from error
        kind = media_type(body)
        if kind is None:
            raise Refused(
                415, "This file is not a picture that a browser shows.", "Release the task and tell its owner."
            )
        kept = {"cache-control": f"private, max-age={int(SECONDS)}"}
        return Response(body, media_type=kind, headers=kept)

    def static(self, request: Request) -> Response:
        path = self._files.get(request.path_params["name"])
        if path is None or not path.is_file():
            raise Refused(404, "There is no such file.", "Konva is missing? It is installed with: make setup")
        kept = {"cache-control": "no-cache"}
        return Response(path.read_bytes(), media_type=files.TYPES[path.suffix], headers=kept)

    # --- API

    def jobs(self, request: Request) -> Response:
        visitor: Visitor = request.state.visitor
        listed = {"worker": visitor.name, "lead": visitor.lead, "way_out": self._access.way_out}
        return JSONResponse({**listed, "jobs": self._desk.jobs(visitor.worker)})

    def next(self, request: Request) -> Response:
        return JSONResponse({"task": self._take(request.path_params["job"], request.state.visitor.worker)})

    def _take(self, job: str, worker: str) -> str | None:
        task = self._desk.next(job, worker)
        if task is not None:
            audit.tell("lease", worker=worker, job=job, task=task)
        return task

    def hand_over(self, request: Request) -> Response:
        job, visitor = request.path_params["job"], _lead(request)
        handed_over = self._desk.hand_over(job)
        audit.tell("hand-over", worker=visitor.worker, job=job, tasks=handed_over)
        return JSONResponse({"handed_over": handed_over})

    def task(self, request: Request) -> Response:
        return JSONResponse(self._desk.look(request.path_params["task"], request.state.visitor.worker))

    def release(self, request: Request) -> Response:
        task, worker = request.path_params["task"], request.state.visitor.worker
        self._desk.release(task, worker)
        audit.tell("release", worker=worker, task=task)
        return JSONResponse({"released": True})

    def renew(self, request: Request) -> Response:
        _, granted = self._render(*self._desk.shown(request.path_params["task"], request.state.visitor.worker))
        return JSONResponse({"image": granted[0] if granted else None})

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._answer, request.path_params["task"], request.state.visitor.worker, body)

    def _answer(self, task_id: str, worker: str, body: bytes) -> Response:
        content, submission, seconds = _submission(body)
        if not self._desk.is_stored(task_id, worker, submission):
            job, task = self._desk.shown(task_id, worker)
            wrong = check.refusal(job.template, task.task_input, content)
            if wrong:
                raise Refused(422, f"This answer cannot be taken: {wrong}")
            self._desk.submit(task_id, worker, content, submission, seconds)
        job_name = self._desk.look(task_id, worker)["job"]
        audit.tell("answer", worker=worker, job=job_name, task=task_id)
        return JSONResponse({"status": "stored", "next": self._take(job_name, worker)})

    def _render(self, job: Job, task: Task) -> tuple[str, list[str]]:
        """The page of a task and the addresses of its pictures, in the order of the template."""
        granted: list[str] = []

        def grant(uri: str) -> str:
            granted.append(self._images.grant(job, task, uri))
            return granted[-1]

        try:
            return task_page(job.template, task.task_input, task.id, job.name, job.title, grant), granted
        except TemplateRefused as error:
            raise Refused(
                500, "This job's page cannot be shown.", f"Its worker template is refused: {error}. Tell its owner."
            ) from error


def _enter(access: LinkAccess, request: Request) -> Response:
    """Exchange a one-time token for a session. Whoever has one already may open the link again.

    A HEAD (a program that only looks whether the link is alive) uses nothing up.
    """
    if request.method == "HEAD":
        return Response()
    session = access.redeem(request.query_params["token"])
    if session is None and request.state.visitor is None:
        raise Refused(403, "This link was used before, or is too old.", access.way_in)
    entered = RedirectResponse("/", 303)
    # Every portal that ran on this host left a cookie; all together they would outgrow a request.
    others = [name for name in request.cookies if name.startswith(COOKIE) and name != access.cookie]
    for name in others[_MOST_OTHER_PORTALS:]:
        entered.delete_cookie(name)
    if session is not None:
        entered.set_cookie(
            access.cookie,
            session,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    return entered


def _lead(request: Request) -> Visitor:
    """Raises Refused for everybody else."""
    visitor: Visitor = request.state.visitor
    if not visitor.lead:
        raise Refused(403, "Only leads hand jobs over or stop them.", "Ask somebody of the group leads.")
    return visitor


def _submission(body: bytes) -> tuple[dict[str, Any], str, float | None]:
    """(answer, submission, seconds). Raises Refused naming the field."""
    try:
        document = bodies.read(body)
    except bodies.BadBody as error:
        raise Refused(422, f"This answer cannot be taken: {error}") from None
    content, submission, seconds = document.get("answer"), document.get("submission"), document.get("seconds")
    if not isinstance(content, dict):
        raise Refused(422, "This answer cannot be taken: field 'answer' must be an object")
    if not isinstance(submission, str) or not 0 < len(submission) <= _LONGEST_SUBMISSION:
        raise Refused(422, "This answer cannot be taken: field 'submission' must be the id of the page's submit")
    timed = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not timed:
        raise Refused(422, "This answer cannot be taken: field 'seconds' must be a number")
    return content, submission, seconds


def _show(request: Request, error: Exception) -> Response:
    refused = _as_refused(error)
    visitor: Visitor | None = request.state.visitor
    worker = visitor.worker if visitor else None
    audit.tell("refused", status=refused.status, path=request.url.path, why=refused.what, worker=worker)
    return answer(request.scope, refused)


def _as_refused(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case UnknownTask():
            return Refused(404, str(error))
        case TaskGone():
            return Refused(410, str(error))
        case AnsweredAlready():
            return Refused(409, str(error), more={"answer": error.content})
        case HTTPException(status_code=404):
            return Refused(404, "There is no such page.", _BACK)
        case HTTPException():
            return Refused(error.status_code, str(error.detail), _BACK)
    return Refused(500, "The portal broke.", "Its log says why. Nothing is lost: the draft is kept; try again.")
