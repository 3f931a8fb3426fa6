"""Containers as child processes: a clean environment, logs in a file, and an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_DEAD_PROXY = "http://127.0.0.1:9"


@dataclass
class Container:
    process: subprocess.Popen[bytes]
    reader: threading.Thread

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process and everything it started."""
        self._signal(signal.SIGKILL)

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the grace period: what the service does to a container."""
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_seconds)
        self.kill()
        self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@dataclass
class Containers:
    """All containers of this emulator. After shutdown() none runs and none can be started."""

    _by_pid: dict[int, Container] = field(default_factory=dict)
    _closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> Container:
        """Start a command in its own process group; its output goes to `log` and, line by line, to `on_line`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self._closed:
                raise RuntimeError("the embedded AWS is shutting down")
            process = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            reader = threading.Thread(target=_copy_output, args=(process, log, on_line), daemon=True)
            container = Container(process, reader)
            self._by_pid[process.pid] = container
        reader.start()
        return container

    def forget(self, container: Container) -> None:
        """Make sure the whole process group is gone, then drop it."""
        container.kill()
        container.process.wait()
        with self._lock:
            self._by_pid.pop(container.process.pid, None)

    def shutdown(self) -> None:
        with self._lock:
            self._closed = True
            containers = list(self._by_pid.values())
        for container in containers:
            container.kill()
        for container in containers:
            container.process.wait()
            container.reader.join(timeout=5)


def container_environment(
    home: Path, base_dir: Path, credentials: Mapping[str, str], declared: Mapping[str, str], isolated: bool
) -> dict[str, str]:
    """What a container sees: nothing of the emulator's own environment but PATH.

    An isolated container (EnableNetworkIsolation) gets no credentials and no endpoint, as on AWS, and proxies that
    refuse every connection; the network itself is not taken away.
    """
    home.mkdir(parents=True, exist_ok=True)
    base = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SAGEMAKER_BASE_DIR": str(base_dir),
    }
    region = credentials.get("AWS_REGION", "us-east-1")
    network = {"AWS_REGION": region, "HTTP_PROXY": _DEAD_PROXY, "HTTPS_PROXY": _DEAD_PROXY, "NO_PROXY": "127.0.0.1"}
    if not isolated:
        network = dict(credentials)
    return {**base, **network, **declared}


def _copy_output(process: subprocess.Popen[bytes], log: Path, on_line: Callable[[str], None]) -> None:
    stream = process.stdout
    if stream is None:
        raise RuntimeError("the container's output is not connected")
    with log.open("ab", buffering=0) as file, stream:
        for raw in stream:
            file.write(raw)
            on_line(raw.decode("utf-8", "replace").rstrip("\n"))
