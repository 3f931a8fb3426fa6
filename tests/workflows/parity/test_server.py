"""The server refuses what it does not have and leaves nothing behind (gateway, stack)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from toys import Toys, only, token_task
from waiting import eventually

from local import processes, stack


def test_a_service_that_is_missing_is_refused_by_name(aws: Toys) -> None:
    with pytest.raises(ClientError, match="rekognition is not part of this embedded AWS"):
        aws.client("rekognition").describe_projects()


def test_an_unknown_key_is_refused(server: stack.Server) -> None:
    stranger = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=stack.REGION,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="x",
    )
    with pytest.raises(ClientError, match=r"InvalidAccessKeyId|InvalidClientTokenId"):
        stranger.list_buckets()


def test_a_server_ends_with_everything_it_started(tmp_path: Path) -> None:
    with stack.running_server(state_dir=tmp_path) as server:
        toys = Toys(server)
        function = toys.function("import os\ndef handler(event, context):\n    return os.getpid()")
        _, worker = toys.invoke(function)
        waiting = toys.machine(only(token_task(function, TimeoutSeconds=600)))
        toys.start(waiting)
        run_dir = Path(json.loads((tmp_path / "server.json").read_text())["run_dir"])
        assert processes.alive(worker)
        assert run_dir.is_dir()
        with pytest.raises(RuntimeError, match="runs already"):
            stack.start(0, state_dir=tmp_path)
    eventually(lambda: not processes.alive(worker) and not processes.alive(server.pid))
    assert not run_dir.exists()
    assert not (tmp_path / "server.json").exists()


def test_after_a_kill_nothing_is_left_either(tmp_path: Path) -> None:
    server = stack.start(0, state_dir=tmp_path)
    run_dir = Path(json.loads((tmp_path / "server.json").read_text())["run_dir"])
    _, worker = Toys(server).invoke(
        Toys(server).function("import os\ndef handler(event, context):\n    return os.getpid()")
    )
    container = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={"SAGEMAKER_BASE_DIR": f"{run_dir}/services/endpoint"},
        start_new_session=True,
    )
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not processes.alive(server.pid))
    with pytest.raises(stack.NotRunning):
        stack.find(tmp_path)
    eventually(lambda: not processes.alive(worker))
    assert container.wait(timeout=10) == -signal.SIGKILL
    assert not run_dir.exists()


def test_the_record_of_a_killed_server_is_not_believed(tmp_path: Path) -> None:
    record = {"pid": os.getpid(), "endpoint": "http://127.0.0.1:9", "run_dir": str(tmp_path / "gone")}
    (tmp_path / "server.json").write_text(json.dumps(record))
    with pytest.raises(stack.NotRunning, match="ended without saying so"):
        stack.find(tmp_path)
    assert stack.stop(tmp_path) is False
    assert processes.alive(os.getpid())


def test_two_writes_of_an_object_meet_and_one_comes_second(server: stack.Server, aws: Toys) -> None:
    bucket, s3 = aws.bucket(), aws.client("s3")

    def write(key: str) -> str:
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=b"mine", IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "written"

    stack.control(server, "PUT", "meeting", {"key": "place/to-meet"})
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(write, "place/to-meet")
        assert write("place/another") == "written" and not first.done()
        assert sorted([write("place/to-meet"), first.result()]) == ["PreconditionFailed", "written"]
    assert stack.control(server, "PUT", "meeting", {}) == {"key": ""}
    for nonsense in ({"place": "elsewhere"}, ["place/to-meet"]):
        with pytest.raises(stack.ControlRefused, match="a meeting is"):
            stack.control(server, "PUT", "meeting", nonsense)
