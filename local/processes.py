"""Ending a server with everything it started, also when it does not want to."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil


def end(pid: int, patience_seconds: float = 20.0) -> None:
    """SIGTERM to the server, time to end its children; then SIGKILL to whatever of its tree is left."""
    tree = descendants(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_seconds
    while alive(pid) and time.monotonic() < deadline:
        tree |= descendants(pid)
        time.sleep(0.05)
    for left in {pid, *tree}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    end_orphans(pid)


def end_orphans(leader: int) -> None:
    """SIGKILL to the process group that a server led, once it is gone; while one lives, its number is not reused."""
    if not alive(leader):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def end_users_of(directory: Path) -> None:
    """SIGKILL to every process of ours whose environment names the directory: containers lead groups of their own.

    Only where there is /proc (Linux).
    """
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if str(directory).encode() in environment.read_bytes() and int(environment.parent.name) != os.getpid():
                os.kill(int(environment.parent.name), signal.SIGKILL)


def alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a finished child of ours stays a zombie until somebody asks
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_of(pid: int) -> str:
    """The command line, "" when the process is gone. Process numbers are reused, so look before you end one."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def descendants(pid: int) -> set[int]:
    try:
        return {child.pid for child in psutil.Process(pid).children(recursive=True)}
    except psutil.Error:
        return set()
