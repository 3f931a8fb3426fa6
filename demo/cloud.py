"""The embedded AWS of one demo: fresh, on its own port, gone when the demo ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from demo.errors import DemoFailed
from local import stack

STATE_DIR = stack.STATE_DIR / "demo"


@contextlib.contextmanager
def embedded_aws(port: int, keep: bool) -> Iterator[stack.Server]:
    """With `keep` it stays, in the place where `python -m local status` and `down` look for it.

    Raises DemoFailed when another demo runs, or the one that would have to stay is in the way.
    """
    state_dir = stack.STATE_DIR if keep else STATE_DIR
    state_dir.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(stack.STATE_DIR / "demo.lock"):
        if not keep:
            stack.stop(state_dir)  # what a demo that was killed left behind
        try:
            server = stack.start(port, state_dir=state_dir)
        except RuntimeError as error:
            hint = "\nEnd it with: python -m local down" if "runs already" in str(error) else ""
            raise DemoFailed(f"{error}{hint}") from error
        finished = False
        try:
            yield server
            finished = True
        finally:
            if not (keep and finished):
                with _undisturbed():
                    stack.stop(state_dir)


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """The lock ends with this process, even when it is killed."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed("Another make demo is running here; wait for it or end it first.") from None
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not stop the tidying up half-way."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
