"""The inference server: SageMaker's hosting contract (GET /ping, POST /invocations on port 8080).

The event loop only waits: images are looked at by one worker process, one request at a time, in order of arrival.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

import paths  # noqa: F401  first: makes labelloop importable
import uvicorn
from labelloop.contracts.errors import InvalidInputError
from shards import parse_request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from worker import Configuration, Job, JobFailed, Worker, WorkerDied

SHARD = "application/jsonlines"
STOP_SECONDS = 20  # SageMaker kills a container 30 s after SIGTERM


def main() -> None:
    host, port = os.environ.get("SERVE_HOST", "0.0.0.0"), int(os.environ.get("SERVE_PORT", "8080"))  # noqa: S104
    deadline = float(os.environ.get("INVOCATION_TIMEOUT_SECONDS", "3600"))
    service = Service(Worker(Configuration.from_environment(os.environ)), deadline)
    server = uvicorn.Server(
        uvicorn.Config(
            service.application(),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
    service.on_unloadable = lambda: setattr(server, "should_exit", True)
    server.run()
    if service.problem:
        sys.exit(1)


class Service:
    """One model behind two routes. `problem` says why the model does not load, once that is known."""

    def __init__(self, worker: Worker, deadline_seconds: float) -> None:
        self.worker = worker
        self.deadline_seconds = deadline_seconds
        self.ready = False
        self.problem: str | None = None
        self.on_unloadable: Callable[[], None] = lambda: None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def application(self) -> Starlette:
        routes = [Route("/ping", self.ping), Route("/invocations", self.invoke, methods=["POST"])]
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def ping(self, _: Request) -> Response:
        """Stays 200 while a dead worker is replaced: SageMaker would replace the whole container for that."""
        if self.problem:
            return _error(503, self.problem)
        return Response(status_code=200 if self.ready else 503)

    async def invoke(self, request: Request) -> Response:
        began = time.monotonic()
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await request.body()
        try:
            job, answer_type = _job(content_type, body)
        except InvalidInputError as error:
            return _error(400, str(error))
        if job is None:
            return _error(415, f"content type {content_type!r}: send {SHARD} (one image reference per line) or image/*")
        try:
            answer = await self._answer(job, began + self.deadline_seconds)
        except (JobFailed, WorkerDied) as error:
            _log(event="failed", images=_count(job), error=str(error))
            return _error(500, str(error))
        _log(event="answered", images=_count(job), seconds=round(time.monotonic() - began, 3))
        return Response(answer, media_type=answer_type)

    async def _answer(self, job: Job, deadline: float) -> bytes:
        async with self._turn:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise JobFailed(f"the request waited for more than {self.deadline_seconds:.0f} s behind others")
            await self._ensure_worker()
            try:
                return await asyncio.to_thread(self.worker.ask, job, remaining)
            except WorkerDied:
                self._in_background(self._load())
                raise

    async def _load(self) -> None:
        async with self._turn:
            with suppress(WorkerDied):  # it is in the log, and the server ends
                await self._ensure_worker()

    async def _ensure_worker(self) -> None:
        """Starts the worker unless it runs; a model that does not load ends the server. Called by whose turn it is."""
        if self.worker.process_id is not None:
            return
        try:
            description = await asyncio.to_thread(self.worker.start)
        except WorkerDied as error:
            self.problem = str(error)
            _log(event="unloadable", error=self.problem)
            self.on_unloadable()
            raise
        self.ready = True
        _log(event="loaded", worker=self.worker.process_id, **description)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._in_background(self._load())
        try:
            yield
        finally:
            self.worker.stop()

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._tasks.discard)


def _job(content_type: str, body: bytes) -> tuple[Job | None, str]:
    if content_type == SHARD:
        return parse_request(body), SHARD
    if content_type.startswith("image/"):
        return body, "application/json"
    return None, ""


def _count(job: Job) -> int:
    return 1 if isinstance(job, bytes) else len(job)


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


def _log(**fields: object) -> None:
    print(json.dumps(fields, ensure_ascii=False, default=str), flush=True)


if __name__ == "__main__":
    main()
