"""The embedded AWS as one process: MiniStack with our patches and our services, on one port of 127.0.0.1.

    python -m local.server --port 4566 --state-dir build/local [--truth FILE]

Beside it, on a port of its own, the labelling portal for people (portal/server). server.json says where both are, and
holds the keys: root's, made anew at every start, and the one that makes links into the portal.

The environment decides: LABELLOOP_LAMBDA_PYTHON (default .venvs/lambda/bin/python) runs the functions,
LABELLOOP_CONTAINER_PYTHON (default .venvs/yolo/bin/python) the container, LABELLOOP_LAMBDA_SLOTS how many functions at
once, SFN_WAIT_SCALE scales Wait states and retry intervals. Ends on SIGTERM or Ctrl-C and takes its children along.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

REPO_ROOT = Path(__file__).resolve().parents[1]
REGION = "us-east-1"
ACCOUNT = "000000000000"
AWS_IDLE_SECONDS, PORTAL_IDLE_SECONDS = 75.0, 15.0  # SDKs keep connections for a minute
WAY_IN = "Get a fresh link with: python -m local portal"
log = logging.getLogger("labelloop.local")


def main() -> None:
    arguments = _arguments()
    arguments.state_dir.mkdir(parents=True, exist_ok=True)
    listener = _listen(arguments.port)
    # Any free port: people come by a link.
    portal_listener = _listen(0)
    port = listener.getsockname()[1]
    run_dir = Path(tempfile.mkdtemp(prefix=f"labelloop-aws-{port}-"))
    try:
        _configure(port, run_dir)
        endpoint = f"http://127.0.0.1:{port}"
        asyncio.run(_serve(listener, portal_listener, endpoint, run_dir, arguments.state_dir, arguments.truth))
    finally:
        listener.close()
        portal_listener.close()
        shutil.rmtree(run_dir, ignore_errors=True)
        _forget_server(arguments.state_dir)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4566, help="0 takes a free port (written to server.json)")
    parser.add_argument("--state-dir", type=Path, default=REPO_ROOT / "build" / "local")
    parser.add_argument("--truth", type=Path, default=None)
    return parser.parse_args()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"Port {port} of 127.0.0.1 is taken ({error.strerror}). Stop what listens there, or choose --port.")
    return listener


def _configure(port: int, run_dir: Path) -> None:
    """MiniStack reads its environment when it is imported, so this comes first."""
    temporary = run_dir / "tmp"
    temporary.mkdir()
    os.environ.update(
        AUTH="true",
        GATEWAY_PORT=str(port),
        TMPDIR=str(temporary),
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="0",
        DOCKER_HOST=f"unix://{run_dir}/no-docker",
        MINISTACK_REGION=REGION,
        MINISTACK_ACCOUNT_ID=ACCOUNT,
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
    )
    # Children inherit this environment, so it holds no key.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
    os.environ.setdefault("LAMBDA_WARM_TTL_SECONDS", "30")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    tempfile.tempdir = None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger().setLevel(os.environ["LOG_LEVEL"])
    log.setLevel(logging.INFO)


async def _serve(
    listener: socket.socket,
    portal_listener: socket.socket,
    endpoint: str,
    run_dir: Path,
    state_dir: Path,
    truth: Path | None,
) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from local import gateway, keys, patches, services
    from portal.server.access import LinkAccess
    from portal.server.app import create_app
    from portal.server.desk import PERSON
    from portal.server.memory_desk import MemoryDesk

    python = Path(os.environ.get("LABELLOOP_LAMBDA_PYTHON") or REPO_ROOT / ".venvs" / "lambda" / "bin" / "python")
    slots = int(os.environ.get("LABELLOOP_LAMBDA_SLOTS") or max(4, 2 * (os.cpu_count() or 2)))
    root = keys.new_root_key()
    patches.apply_all(python, slots, root, ACCOUNT)

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    hooks: list[Callable[[], None]] = []
    desk = MemoryDesk()
    context = services.service_context(endpoint, REGION, ACCOUNT, run_dir, REPO_ROOT, truth, hooks, desk, root)
    mounted = services.create_mounted(context)
    portal_key, portal_port = secrets.token_urlsafe(32), portal_listener.getsockname()[1]
    hosts = [f"{name}:{portal_port}" for name in ("127.0.0.1", "localhost")]
    portal = create_app(desk, LinkAccess(portal_key, PERSON, WAY_IN), hosts, REPO_ROOT / "portal" / "page")
    portal_address, port = f"http://127.0.0.1:{portal_port}", listener.getsockname()[1]
    record = {"pid": os.getpid(), "endpoint": endpoint, "run_dir": str(run_dir)}
    record |= {"access_key": root.id, "secret_key": root.secret, "portal": portal_address, "portal_key": portal_key}
    _remember_server(state_dir, record)

    def config_for(served: socket.socket, idle_seconds: float) -> Config:
        config = Config()
        config.bind = [f"fd://{served.fileno()}"]
        config.keep_alive_timeout = idle_seconds  # also for the headers of a request, from first to last
        config.graceful_timeout = 2
        config.loglevel = os.environ["LOG_LEVEL"]
        return config

    log.info("embedded AWS at %s, process %d, services of our own: %s", endpoint, os.getpid(), sorted(mounted))
    log.info("labelling portal at %s", portal_address)
    aws = gateway.application(mounted, port, root.secret)
    try:
        await asyncio.gather(
            serve(aws, config_for(listener, AWS_IDLE_SECONDS), shutdown_trigger=stopping.wait),
            serve(portal, config_for(portal_listener, PORTAL_IDLE_SECONDS), shutdown_trigger=stopping.wait),
        )
    except Exception:
        log.exception("the embedded AWS failed")
        _leave(hooks, run_dir, state_dir, 1)
    _leave(hooks, run_dir, state_dir, 0)


def _leave(hooks: list[Callable[[], None]], run_dir: Path, state_dir: Path, status: int) -> NoReturn:
    """Threads of executions that still wait would hold up a normal exit, for days."""
    _end_children(hooks)
    shutil.rmtree(run_dir, ignore_errors=True)
    _forget_server(state_dir)
    logging.shutdown()
    os._exit(status)


def _end_children(hooks: list[Callable[[], None]]) -> None:
    from ministack.core import lambda_runtime

    for hook in reversed(hooks):
        try:
            hook()
        except Exception:
            log.exception("a shutdown hook failed")
    lambda_runtime.reset()


def _remember_server(state_dir: Path, record: Mapping[str, Any]) -> None:
    """Readable for its owner only: the keys let people in."""
    partial = state_dir / "server.json.partial"
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)
    partial.replace(state_dir / "server.json")


def _forget_server(state_dir: Path) -> None:
    record = state_dir / "server.json"
    if record.exists() and json.loads(record.read_text()).get("pid") == os.getpid():
        record.unlink()


if __name__ == "__main__":
    main()
