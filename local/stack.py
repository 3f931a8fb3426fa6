"""Start and stop the embedded AWS, and deploy the real template to it with the real sam.

    with running_server() as server:
        deploy(server)
        outputs(server, "labelloop")

`running_server` is for tests and the demo; `python -m local up` leaves one running.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelloop.contracts import advanced

from local import processes
from portal.server.access import make_token

REPO_ROOT = Path(__file__).resolve().parents[1]
STATE_DIR = Path(os.environ.get("LABELLOOP_STATE_DIR") or REPO_ROOT / "build" / "local")
BUILD_DIR = REPO_ROOT / ".aws-sam" / "build-local"
SAMCONFIG = REPO_ROOT / "samconfig.toml"
REGION = "us-east-1"
START_SECONDS = 60.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
_PASSED_ON_PREFIXES = ("LABELLOOP_", "SFN_", "LAMBDA_", "LOG_LEVEL")
_SAM_OWN_SETTINGS = ("UV_", "PIP_", "SAM_CLI_", "REQUESTS_CA_BUNDLE")


class NotRunning(RuntimeError):
    """No embedded AWS answers; the message says how to start one."""


class DeployFailed(RuntimeError):
    """sam said no; the message holds the end of what it printed."""


class ControlRefused(RuntimeError):
    """What was asked behind AWS's back is refused; the message says why."""


@dataclass(frozen=True)
class Server:
    endpoint: str
    pid: int
    state_dir: Path
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @property
    def log(self) -> Path:
        return self.state_dir / "server.log"


@contextlib.contextmanager
def running_server(
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    truth: Path | None = None,
    state_dir: Path | None = None,
) -> Iterator[Server]:
    """A fresh embedded AWS for the length of the block; port 0 takes a free one. Leaves no process and no file."""
    with contextlib.ExitStack() as cleanup:
        if state_dir is None:
            state_dir = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="labelloop-server-")))
        server = start(port, environment, truth, state_dir)
        cleanup.callback(stop, server.state_dir)
        yield server


def start(
    port: int = 4566,
    environment: Mapping[str, str] | None = None,
    truth: Path | None = None,
    state_dir: Path = STATE_DIR,
) -> Server:
    """Start a detached server and wait until it answers.

    Raises RuntimeError when one runs already for this state directory, or when it does not come up (with its log).
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(NotRunning):
        running = find(state_dir)
        raise RuntimeError(f"The embedded AWS runs already at {running.endpoint} (process {running.pid}).")
    with (state_dir / "server.log").open("w") as output:
        process = subprocess.Popen(
            server_command(port, truth, state_dir),
            cwd=REPO_ROOT,
            env=server_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(NotRunning):
            return find(state_dir)
        time.sleep(0.05)
    processes.end(process.pid, patience_seconds=2)
    tail = (state_dir / "server.log").read_text()[-3000:]
    raise RuntimeError(f"The embedded AWS did not start (exit status {process.poll()}). Its log ends with:\n{tail}")


def server_command(port: int, truth: Path | None, state_dir: Path) -> list[str]:
    command = [sys.executable, "-m", "local.server", "--port", str(port), "--state-dir", str(state_dir.resolve())]
    return [*command, "--truth", str(truth.resolve())] if truth else command


def server_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """What of the caller's environment the server may know: nothing that could reach a real AWS account."""
    kept = {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    return {**kept, "PYTHONPATH": f"{REPO_ROOT}{os.pathsep}{REPO_ROOT / 'functions'}", **extra}


def find(state_dir: Path = STATE_DIR) -> Server:
    """The running server of this state directory. Removes the record of one that is gone. Raises NotRunning."""
    record_path = state_dir / "server.json"
    try:
        record = json.loads(record_path.read_text())
    except FileNotFoundError:
        raise NotRunning("No embedded AWS is running. Start one: python -m local up") from None
    keys = record.get("access_key", ""), record.get("secret_key", "")
    server = Server(record["endpoint"], record["pid"], state_dir, *keys)
    answer = _status(server)
    if answer and answer["pid"] == server.pid:
        return server
    if "local.server" not in processes.command_of(server.pid):
        _clear(record_path)
        raise NotRunning("The embedded AWS ended without saying so; its record is removed. Start: python -m local up")
    raise NotRunning(f"The embedded AWS (process {server.pid}) does not answer yet at {server.endpoint}.")


def stop(state_dir: Path = STATE_DIR) -> bool:
    """End the server and all it started. False when there was none."""
    record_path = state_dir / "server.json"
    if not record_path.exists():
        return False
    pid = int(json.loads(record_path.read_text())["pid"])
    ours = "local.server" in processes.command_of(pid)
    if ours:
        processes.end(pid)
    _clear(record_path)
    return ours


def _clear(record_path: Path) -> None:
    """What a server leaves behind that could not end by itself: its record, its directory, its orphans."""
    with contextlib.suppress(FileNotFoundError):
        record = json.loads(record_path.read_text())
        processes.end_orphans(record["pid"])
        run_dir = Path(record["run_dir"])
        if run_dir.name.startswith("labelloop-aws-"):
            processes.end_users_of(run_dir)
            shutil.rmtree(run_dir, ignore_errors=True)
        record_path.unlink()


def build(
    server: Server, config_env: str = "local", build_dir: Path = BUILD_DIR, parameters: Mapping[str, str] | None = None
) -> str:
    """`sam build` of the project, unmodified, into `build_dir`; returns what sam printed. Raises DeployFailed.

    parameters: as for `deploy`. `server` is only named to sam, nothing is asked of it.
    """
    return _sam(
        server, ["build", *_config(config_env), "--build-dir", str(build_dir), *_overrides(config_env, parameters)]
    )


def deploy(
    server: Server, config_env: str = "local", built: Path | None = None, parameters: Mapping[str, str] | None = None
) -> str:
    """`sam build` and `sam deploy` of the project, unmodified; returns what sam printed. Raises DeployFailed.

    built: the folder of an earlier `build`, else it is built now. parameters: template parameters on top of
    samconfig's; Runtime and Architecture are those of the host, since the functions run on it.
    """
    said = "" if built else build(server, config_env, parameters=parameters)
    template = (built or BUILD_DIR) / "template.yaml"
    options = ["--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
    return said + _sam(
        server,
        [
            *("deploy", *_config(config_env), "--template-file", str(template), *options, "--region", REGION),
            *_overrides(config_env, parameters),
        ],
    )


def host_parameters() -> dict[str, str]:
    """Lambda's names of the interpreter and processor that run the functions here."""
    python = os.environ.get("LABELLOOP_LAMBDA_PYTHON") or str(REPO_ROOT / ".venvs" / "lambda" / "bin" / "python")
    asked = [python, "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return {"Runtime": f"python{version}", "Architecture": "arm64" if arm else "x86_64"}


def _config(config_env: str) -> list[str]:
    """Named, because sam would look for it beside the built template."""
    return ["--config-file", str(SAMCONFIG), "--config-env", config_env]


def _overrides(config_env: str, parameters: Mapping[str, str] | None) -> list[str]:
    """Raises DeployFailed for what is no parameter any more: sam would drop it without a word."""
    given = {**_configured_parameters(config_env), **host_parameters()}
    given |= {name: _on_top(given.get(name, ""), value) for name, value in (parameters or {}).items()}
    if told := [told for told in map(advanced.moved, given) if told]:
        raise DeployFailed(". ".join(told))
    return [
        "--parameter-overrides",
        *(f"ParameterKey={key},ParameterValue={_quoted(given[key])}" for key in given),
    ]


def _configured_parameters(config_env: str) -> dict[str, str]:
    """samconfig's parameter_overrides, a table or text, which sam drops as soon as the command line gives any."""
    section = tomllib.loads(SAMCONFIG.read_text()).get(config_env, {})
    found: dict[str, str] = {}
    for command in ("global", "deploy"):
        configured = section.get(command, {}).get("parameters", {}).get("parameter_overrides", [])
        if isinstance(configured, dict):
            found |= {name: str(value).strip() for name, value in configured.items()}
            continue
        for pair in shlex.split(configured) if isinstance(configured, str) else configured:
            name, _, value = pair.partition("=")
            found[name] = value
    return found


def _on_top(below: str, value: str) -> str:
    """The fields of a JSON object add to those below; anything else replaces."""
    if not (below.startswith("{") and value.startswith("{")):
        return value
    return json.dumps({**json.loads(below), **json.loads(value)})


def _quoted(value: str) -> str:
    """As sam reads it: a value with a space or a quote, quoted; it would end there without."""
    return '"' + value.replace('"', '\\"') + '"' if " " in value or '"' in value else value


def outputs(server: Server, stack_name: str) -> dict[str, str]:
    stack = client(server, "cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def delete(server: Server, stack_name: str, timeout_seconds: float = 120.0) -> None:
    """Delete the stack and wait. Raises RuntimeError with the stack's reason when it does not go."""
    cloudformation = client(server, "cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack_name)
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        if stack["StackStatus"] == "DELETE_COMPLETE":
            return
        if stack["StackStatus"] == "DELETE_FAILED":
            raise RuntimeError(f"The stack {stack_name} was not deleted: {stack.get('StackStatusReason')}")
        time.sleep(0.1)
    raise RuntimeError(f"The stack {stack_name} was not deleted within {timeout_seconds:g} s.")


def portal_link(server: Server) -> str:
    """A link into the labelling portal, good for one visit; the browser that opened it stays in."""
    record = json.loads((server.state_dir / "server.json").read_text())
    return f"{record['portal']}/?token={make_token(record['portal_key'])}"


def control(server: Server, method: str, name: str, document: Any = None) -> Any:
    """What happens behind AWS's back, see local.sagemaker.control. Raises ControlRefused."""
    try:
        with urllib.request.urlopen(_control_request(server, method, name, document), timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")[:500]
        raise ControlRefused(f"The embedded AWS refused {method} {name}: {said}") from error


def _control_request(server: Server, method: str, name: str, document: Any = None) -> urllib.request.Request:
    data = None if document is None else json.dumps(document).encode()
    secret = {"Authorization": f"Bearer {server.secret_key}"}
    return urllib.request.Request(f"{server.endpoint}/_labelloop/{name}", data, secret, method=method)  # noqa: S310


def client(server: Server, service: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )


def aws_environment(server: Server) -> dict[str, str]:
    """What a person or a tool needs to talk to this AWS instead of the real one."""
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _sam(server: Server, arguments: Sequence[str]) -> str:
    sam = os.environ.get("LABELLOOP_SAM") or str(REPO_ROOT / ".venvs" / "sam" / "bin" / "sam")
    kept = {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_SAM_OWN_SETTINGS)
    }
    environment = {
        "SAM_CLI_POLL_DELAY": "0.5",  # seconds; by itself sam waits five, which spares AWS's limits and nothing here
        **kept,
        **aws_environment(server),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    done = subprocess.run(
        [sam, *arguments],
        cwd=REPO_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        reasons = "\n".join(_failed_resources(server)) if arguments[0] == "deploy" else ""
        raise DeployFailed(f"sam {arguments[0]} failed with status {done.returncode}:\n{said}\n{reasons}")
    return done.stdout + done.stderr


def _failed_resources(server: Server) -> list[str]:
    """Why resources failed, in the words of CloudFormation; sam's table breaks them over many lines."""
    cloudformation = client(server, "cloudformation")
    return [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
        for described in cloudformation.describe_stacks()["Stacks"]
        for event in cloudformation.describe_stack_events(StackName=described["StackId"])["StackEvents"]
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
    ]


def _status(server: Server) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(_control_request(server, "GET", "status"), timeout=2) as answer:  # noqa: S310
            status: dict[str, Any] = json.load(answer)
            return status
    except (urllib.error.URLError, OSError, ValueError):
        return None
