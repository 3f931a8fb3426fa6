"""Functions run in an interpreter that has only what the Lambda runtime has, in a clean environment, a few at a time.

MiniStack starts workers with its own interpreter and environment: an undeclared import would work here and fail on
AWS, and the server's PYTHONPATH would reach every function. It also unpacks the code anew for every worker, waits 50 ms
for the log of a function that logs nothing, and starts one process for each concurrent call without a bound.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import subprocess
import tempfile
import zipfile
from pathlib import Path
from threading import BoundedSemaphore, Lock
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local import keys, roles
from local.patches.hooks import original

# What a worker may keep of the server's environment; a function's own variables reach it in its init line.
_INHERITED = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE"}
_SET_BY_MINISTACK = ("AWS_", "_LAMBDA_", "LAMBDA_TASK_ROOT")
_CALLERS_OWN = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
_SLOT_WAIT_SECONDS = 60.0


def apply(interpreter: Path, slots: int) -> None:
    """interpreter: what runs the functions. slots: how many functions run at once; the next ones queue.

    Raises FileNotFoundError when the interpreter is missing.
    """
    if not interpreter.is_file():
        raise FileNotFoundError(
            f"No interpreter for the functions at {interpreter}. Run `make setup`, or set LABELLOOP_LAMBDA_PYTHON to a "
            "Python that has boto3 and nothing else."
        )
    _run_in(interpreter)
    _unpack_once()
    _clean_environment()
    _do_not_wait_for_silent_logs()
    _queue(slots)
    _check_execution_role()


def _run_in(interpreter: Path) -> None:
    detect = original(lambda_runtime, "_detect_runtime_binary", "runtime")

    def detect_in(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (str(interpreter) if runtime.startswith("python") else binary), script

    lambda_runtime._detect_runtime_binary = detect_in


def _unpack_once() -> None:
    """Workers with the same code share one unpacked, compiled copy: a cold start is then an import, not 900 files."""
    assert lambda_runtime.zipfile is zipfile, "lambda_runtime no longer unpacks code through zipfile"
    members = {name: getattr(zipfile, name) for name in dir(zipfile) if not name.startswith("__")}
    lambda_runtime.zipfile = SimpleNamespace(**{**members, "ZipFile": _SharedZip})


class _SharedZip(zipfile.ZipFile):
    _unpacking = Lock()

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        assert self.filename is not None and members is None and pwd is None
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()[:32]
        shared = Path(tempfile.gettempdir()) / f"unpacked-{digest}"
        with self._unpacking:
            if not shared.is_dir():
                scratch = Path(tempfile.mkdtemp(prefix="unpacking-"))
                super().extractall(scratch)
                compileall.compile_dir(str(scratch), quiet=2)
                scratch.rename(shared)
        Path(path).rmdir()
        Path(path).symlink_to(shared)


def _clean_environment() -> None:
    assert lambda_runtime.subprocess is subprocess, "lambda_runtime no longer starts workers through subprocess"

    def popen(command: list[str], **options: Any) -> subprocess.Popen[str]:
        options["env"] = worker_environment(options["env"])
        return subprocess.Popen(command, **options)

    members = {name: getattr(subprocess, name) for name in dir(subprocess) if not name.startswith("__")}
    lambda_runtime.subprocess = SimpleNamespace(**{**members, "Popen": popen})


def worker_environment(spawned: dict[str, str]) -> dict[str, str]:
    def kept(name: str, value: str) -> bool:
        if name in _CALLERS_OWN:
            return False
        return name in _INHERITED or name.startswith(_SET_BY_MINISTACK) or os.environ.get(name) != value

    return {name: value for name, value in spawned.items() if kept(name, value)}


def _do_not_wait_for_silent_logs() -> None:
    drain = original(
        lambda_runtime.Worker, "_drain_stderr_bounded", "self", "first_line_wait", "idle_confirm", "hard_cap"
    )
    drain.__defaults__ = (0.003, 0.002, 0.250)


def _queue(slots: int) -> None:
    execute = original(lambda_svc, "_execute_function_warm", "func", "event", "request_id")
    semaphore = BoundedSemaphore(slots)

    def execute_in_a_slot(func: Any, event: Any, request_id: str) -> Any:
        # A function called by a function must not wait for its caller's slot; and when every slot is held by callers
        # that wait on other calls (StartSyncExecution, InvokeEndpoint), going over the bound beats a deadlock.
        nested = lambda_svc._invoke_depth.get() > 1
        held = not nested and semaphore.acquire(timeout=_SLOT_WAIT_SECONDS)
        try:
            return execute(func, event, request_id)
        finally:
            if held:
                semaphore.release()

    lambda_svc._execute_function_warm = execute_in_a_slot


def _check_execution_role() -> None:
    """A function whose role does not exist or does not trust Lambda cannot start, as on AWS.

    MiniStack derives a role's keys from names that everybody knows.
    """
    original(lambda_runtime, "execution_credentials", "config")

    def checked_credentials(config: dict[str, Any]) -> dict[str, str]:
        denial = roles.trust_denial(config.get("Role", ""), "lambda.amazonaws.com")
        if denial:
            raise PermissionError(denial)
        account = config["FunctionArn"].split(":")[4]
        return keys.session_of(config["Role"], config["FunctionName"], account)

    lambda_runtime.execution_credentials = checked_credentials
