"""The command line against a deployed stack, as a person runs it: in a process of its own, with what `env` exports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from loop import Loop

from local import stack
from tests.support.pictures import pictures

COUNT = 36


def test_a_person_sees_a_batch_through(loop: Loop) -> None:
    loop.faults(hold_labeling=True)
    loop.upload("seen through", pictures(12, seed="seen through"), {})
    arn = loop.started("seen through")
    loop.reach(arn, "Request Labels")
    batch = loop.batch_id("seen through")

    told = status(loop)
    assert told["champion"] is None and told["dataset"] is None and told["bucket"] == loop.bucket
    (row,) = [each for each in told["batches"] if each["execution"] == arn]
    assert (row["batch"], row["status"], row["round"]) == (batch, "RUNNING", 1)
    assert row["counts"] == {"human": 0, "auto": 0, "rejected": 0, "deferred": 12}
    (job,) = told["waiting"]
    assert job["batch"] == batch and job["answered"] == 0 and job["images"] >= 10

    watching = started(loop, "watch", batch, "--interval", "0.3")
    shown = watching.stdout.readline() + watching.stdout.readline()
    assert batch in shown and "round 1, without a model" in shown
    watching.send_signal(signal.SIGINT)
    said = watching.communicate(timeout=30)[1]
    assert watching.returncode == 130 and "The batch goes on" in said and "Traceback" not in said

    watching = started(loop, "watch", "--interval", "0.3")
    assert batch in watching.stdout.readline(), "without a batch, the newest"
    loop.faults()
    run = loop.wait(arn)
    loop.assert_sound(run)
    lines = watching.communicate(timeout=60)[0]
    assert watching.returncode == 0 and f"batches/{batch}/report.html" in lines and "12 images: " in lines
    shown = command(loop, "status")
    assert batch in shown and "Current dataset" in shown and loop.json("datasets/current")["version"] in shown


def test_watch_tells_that_a_batch_failed(loop: Loop) -> None:
    loop.faults(hold_labeling=True)
    loop.upload("given up", pictures(4, seed="given up"), {})
    arn = loop.started("given up")
    loop.reach(arn, "Request Labels")
    watching = started(loop, "watch", "--interval", "0.3")
    assert loop.batch_id("given up") in watching.stdout.readline()
    loop.abort(arn)
    said = watching.communicate(timeout=60)[1]
    assert watching.returncode == 1 and arn in said


@pytest.mark.fault("G11", "H18")
def test_after_a_rollback_the_next_batch_uses_the_earlier_model_and_builds_on_the_earlier_dataset(loop: Loop) -> None:
    for name in ("cold", "warm"):
        drawn = pictures(COUNT, seed=name)
        loop.assert_sound(loop.label(loop.well_mixed(name, drawn, train=5), drawn))
    versions = sorted({key.split("/")[1] for key in loop.keys("models/v")})
    published = sorted(key.split("/")[1] for key in loop.keys("datasets/v") if key.endswith("/card.json"))
    later, newest = loop.champion(), loop.json("datasets/current")["version"]
    assert later and later["previous"] == versions[-2], "two models were promoted one after the other"
    assert len(published) > 1 and newest == published[-1]

    began = time.monotonic()
    command(loop, "rollback", "model", later["previous"], "--yes")
    assert time.monotonic() - began < 60
    command(loop, "rollback", "dataset", published[0], "--yes")
    told = status(loop)
    assert told["champion"]["version"] == later["previous"] and told["champion"]["state"] == "InService"
    assert told["champion"]["previous"] == told["champion"]["rolled_back"]["from"] == later["version"]
    assert told["dataset"]["version"] == published[0] and told["dataset"]["rolled_back"]["by"].startswith("arn:aws:")

    second = loop.label("after the rollback", pictures(12, seed="after the rollback"))
    loop.assert_sound(second)
    assert loop.summary(second.batch)["rounds"][0]["model_version"] == later["previous"]
    parents = {loop.json(key)["version"]: loop.json(key)["parent"] for key in cards(loop)}
    assert published[0] in [parents[version] for version in parents if version not in published]
    assert set(published) <= set(parents), "later versions stay"
    before = {line["source-ref"] for line in loop.lines(f"datasets/{published[0]}/manifest.jsonl")}
    added = {line["source-ref"] for line in loop.manifest(second.batch)}
    assert {line["source-ref"] for line in loop.dataset()} == before | added


def cards(loop: Loop) -> list[str]:
    return [key for key in loop.keys("datasets/v") if key.endswith("/card.json")]


def status(loop: Loop) -> dict[str, Any]:
    return dict(json.loads(command(loop, "status", "--json")))


def command(loop: Loop, *arguments: str) -> str:
    """What it prints."""
    process = started(loop, *arguments)
    told, error = process.communicate(timeout=60)
    assert process.returncode == 0, told + error
    return str(told)


def started(loop: Loop, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "cli", *arguments],
        cwd=stack.REPO_ROOT,
        env={**os.environ, **stack.aws_environment(loop.server), "COLUMNS": "220"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs tests in the background may have them ignore Ctrl-C; a person's shell does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
