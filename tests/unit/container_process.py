"""Starts the container's entry points as SageMaker does, as processes of their own, and waits with deadlines."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
CONTAINER = Path(__file__).resolve().parents[2] / "containers" / "yolo"
# A request to the loopback address must not go through a proxy that the machine may have.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def environment(base: Path, **extra: str) -> dict[str, str]:
    aws = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SERVE_"))}
    here = str(Path(__file__).parent)
    return {**kept, **aws, "SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": here, "OMP_NUM_THREADS": "1", **extra}


def train(base: Path, **extra: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(CONTAINER / "entrypoint.py"), "train"]
    return subprocess.run(command, env=environment(base, **extra), capture_output=True, text=True, timeout=240)


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen
    address: str
    log: Path

    def ping(self) -> int | None:
        """The status, or None while nobody listens; SageMaker gives up after 2 s."""
        try:
            return _open(f"{self.address}/ping", None, {}, 2)[0]
        except OSError:
            return None

    def invoke(self, body: bytes, content_type: str = "application/jsonlines") -> tuple[int, str]:
        status, content = _open(f"{self.address}/invocations", body, {"Content-Type": content_type}, 60)
        return status, content.decode()

    def shard(self, *keys: str) -> tuple[int, str]:
        return self.invoke("".join(json.dumps({"source-ref": f"s3://bucket/{key}"}) + "\n" for key in keys).encode())

    def worker(self) -> int:
        """The process id of the worker that was loaded last."""
        events = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [event["worker"] for event in events if event["event"] == "loaded"][-1]


@contextmanager
def serving(base: Path, log: Path, **extra: str) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = environment(base, SERVE_HOST="127.0.0.1", SERVE_PORT=str(port), **extra)
    with log.open("w") as output:
        command = [sys.executable, str(CONTAINER / "entrypoint.py"), "serve"]
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield Server(process, f"http://127.0.0.1:{port}", log)
        finally:
            process.kill()
            process.wait()


def until(condition: Callable[[], T], seconds: float = 30) -> T:
    """The first true result of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)
    return result


def runs(process_id: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _open(url: str, body: bytes | None, headers: dict[str, str], seconds: float) -> tuple[int, bytes]:
    try:
        with _DIRECT.open(urllib.request.Request(url, body, headers), timeout=seconds) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
