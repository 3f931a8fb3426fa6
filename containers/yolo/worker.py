"""The process that looks at images. A model that crashes or hangs takes it down, but never the server's /ping."""

import importlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import devices
import engine_choice
import paths  # first: makes labelloop importable
from labelloop.contracts.errors import TransientError
from labelloop.pictures.pixels import Limits
from model_files import read_description
from shards import Answerer, ObjectVersion

LOAD_SECONDS = 600.0
Job = bytes | list[ObjectVersion]  # one image, or a shard


class WorkerDied(Exception):
    """The process ended, or had to be ended, before it answered."""


class JobFailed(Exception):
    """The process could not do this job, and is ready for the next."""


@dataclass(frozen=True)
class Configuration:
    """What the worker must know, from the container's environment. `engine`: None where the model tells it."""

    model_dir: Path
    engine: str | None
    model_version: str | None
    image_size: int | None
    limits: Limits
    instance_type: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Configuration":
        """Raises ValueError for a number that is none."""
        default = Limits()
        limits = Limits(
            max_bytes=int(environment.get("MAX_IMAGE_BYTES") or default.max_bytes),
            max_pixels=int(environment.get("MAX_IMAGE_PIXELS") or default.max_pixels),
            min_side=int(environment.get("MIN_IMAGE_SIDE") or default.min_side),
        )
        return cls(
            model_dir=paths.base_dir() / "model",
            engine=environment.get("ENGINE") or None,
            model_version=environment.get("MODEL_VERSION") or None,
            image_size=int(environment["IMAGE_SIZE"]) if environment.get("IMAGE_SIZE") else None,
            limits=limits,
            instance_type=environment.get("INSTANCE_TYPE") or "",
        )


class Worker:
    """The server's end of the process. Every method blocks; `start` and `ask` are called one at a time."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._running: tuple[BaseProcess, Connection] | None = None

    @property
    def process_id(self) -> int | None:
        """None while no process runs."""
        return self._running[0].pid if self._running is not None and self._running[0].is_alive() else None

    def start(self) -> dict[str, Any]:
        """Starts the process and waits until the model is loaded; returns the engine's description of itself."""
        self.stop()
        context = multiprocessing.get_context("spawn")  # not fork: CUDA and threads do not survive it
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.configuration), daemon=True)
        process.start()
        theirs.close()  # or the end of the process would not be seen as the end of the pipe
        self._running = (process, ours)
        return dict(_receive(process, ours, LOAD_SECONDS))

    def ask(self, job: Job, seconds: float) -> bytes:
        """Raises JobFailed, or WorkerDied when the process ended or `seconds` passed (then it is ended)."""
        if self._running is None:
            raise WorkerDied("the inference worker died: the server is stopping")
        process, connection = self._running
        try:
            connection.send(job)
        except OSError:
            raise WorkerDied(_obituary(process)) from None
        return bytes(_receive(process, connection, seconds))

    def stop(self) -> None:
        """Ends the process at once; an `ask` that waits in another thread then raises WorkerDied."""
        if self._running is None:
            return
        process, connection = self._running
        self._running = None
        process.kill()
        process.join()
        connection.close()


def _receive(process: BaseProcess, connection: Connection, seconds: float) -> Any:
    try:
        if not connection.poll(seconds):
            process.kill()
            process.join()
            raise WorkerDied(f"the inference worker died: no answer within {seconds:.0f} s, so it was ended")
        kind, content = connection.recv()
    except (EOFError, OSError):
        raise WorkerDied(_obituary(process)) from None
    if kind == "failed":
        raise JobFailed(content)
    if kind == "crashed":
        process.join()
        raise WorkerDied(f"the inference worker died: {content}")
    return content


def _obituary(process: BaseProcess) -> str:
    process.join(5)
    code = process.exitcode
    if code is None or code >= 0:
        return f"the inference worker died (exit code {code})"
    hint = "; often memory ran out" if -code == signal.SIGKILL else ""
    return f"the inference worker died (signal {signal.Signals(-code).name}{hint})"


def _work(connection: Connection, configuration: Configuration) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        answerer, description = _load(configuration)
    except Exception as error:
        traceback.print_exc()
        connection.send(("crashed", f"the model does not load: {type(error).__name__}: {error}"))
        return
    connection.send(("done", description))
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            connection.send(("done", answerer.image(job) if isinstance(job, bytes) else answerer.shard(job)))
        except TransientError as error:
            connection.send(("failed", str(error)))
        except Exception as error:
            # An engine that failed once (CUDA above all) may answer nonsense from then on: a new process starts clean.
            traceback.print_exc()
            connection.send(("crashed", f"{type(error).__name__}: {error}"))
            return


def _load(configuration: Configuration) -> tuple[Answerer, dict[str, Any]]:
    began = time.monotonic()
    device = devices.check(configuration.instance_type)  # first: nothing else matters on the wrong machine
    module = importlib.import_module(engine_choice.of_model(configuration.model_dir, configuration.engine))
    engine = module.load(configuration.model_dir, configuration.image_size)
    model = configuration.model_version or read_description(configuration.model_dir).short_name
    answerer = Answerer(engine, model, configuration.limits)
    seconds = round(time.monotonic() - began, 1)
    return answerer, {"model": model, "load-seconds": seconds, "instance": device, **engine.describe()}


def _die_with_parent() -> None:
    """A server that was killed cannot end its worker; the worker notices, even in the middle of a job."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only called in a child process"
    parent.join()
    os._exit(1)
