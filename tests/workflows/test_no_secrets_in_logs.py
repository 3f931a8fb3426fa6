"""A whole loop, with a person at the portal: no log and no report holds what would open anything (D20)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from loop import PREFIX, Loop
from portal_person import Person
from served import callbacks, given_model

from local import processes, stack
from tests.support.pictures import pictures

COUNT, SHARE = 6, 1
SIGNED = re.compile(rb"(?i)x-amz-signature=[0-9a-f]{16}|[?&]signature=[0-9a-z%+/]{16}")


@pytest.fixture
def labelled(loop: Loop) -> Iterator[tuple[Loop, Person]]:
    """A batch that a model, a person and the simulated annotators have labelled; and a shard that failed once."""
    loop.control("PUT", "people", {"person": True, "share": SHARE})
    loop.faults(invocation_failures=1)
    person = Person(loop.server)
    with (
        loop.settings("RegisterBatch", STARTING_MODEL=given_model(loop)),
        loop.settings("BeginRound", "JudgeBatch", ACCEPT_POLICY="fixed", ACCEPT_THRESHOLD="0.5", HUMAN_BUDGET="3"),
        loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"),
    ):
        loop.upload("watched", pictures(COUNT, seed="watched"), marker={})
        job = loop.eventually(person.jobs, 120)[0]["job"]
        task = person.next(job)
        assert task and person.get(f"/tasks/{task}").status == 200
        assert person.post(f"/api/jobs/{job}/hand-over").status == 200
        loop.assert_sound(loop.wait("watched"))
    yield loop, person
    loop.faults()
    loop.control("PUT", "people", {})


@pytest.mark.fault("D20", "J02")
def test_no_log_and_no_report_holds_a_token_a_key_a_cookie_or_a_signed_link(labelled: tuple[Loop, Person]) -> None:
    loop, person = labelled
    secrets = secrets_of(loop, person)
    kinds = {name.partition(" ")[0] for name in secrets}
    assert kinds == {"token", "root", "session", "portal", "cookie"}, "nothing is compared with nothing"
    written = {**logs(loop), **reports(loop)}
    assert "server.log" in written and len(written) > 4
    functions = functions_that_wrote(written["/labelloop/labelloop"])
    assert len(functions) > 9 and f"{PREFIX}-JudgeBatch" in functions
    assert any("container" in name for name in written) and any(name.endswith("report.html") for name in written)
    found = [
        (name, where) for where, text in written.items() for name, secret in secrets.items() if secret.encode() in text
    ]
    assert found == []
    assert [where for where, text in written.items() if SIGNED.search(text)] == []


def secrets_of(loop: Loop, person: Person) -> dict[str, str]:
    """All that opens something, by what it is."""
    record = json.loads((loop.server.state_dir / "server.json").read_text())
    found = {"portal key": record["portal_key"]}
    found["root secret"] = stack.aws_environment(loop.server)["AWS_SECRET_ACCESS_KEY"]
    found |= {f"token {row['id']}": row["token"] for kind in ("inference", "labeling") for row in callbacks(loop, kind)}
    for pid in processes.descendants(loop.server.pid):
        environment = Path(f"/proc/{pid}/environ")
        pairs = environment.read_bytes().decode("utf-8", "replace").split("\0") if environment.exists() else ()
        for pair in pairs:
            name, _, value = pair.partition("=")
            if name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN") and value:
                found[f"session {name} of {pid}"] = value
    for handler in person._opener.handlers:
        found |= {f"cookie {each.name}": each.value for each in getattr(handler, "cookiejar", ())}
    return found


def logs(loop: Loop) -> dict[str, bytes]:
    """Of the server, of every function and state machine, and of the containers."""
    record = json.loads((loop.server.state_dir / "server.json").read_text())
    found = {"server.log": loop.server.log.read_bytes()}
    for path in Path(record["run_dir"]).rglob("*.log"):
        found[f"container {path}"] = path.read_bytes()
    client = loop.client("logs")
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            lines = [event["message"] for each in pages for event in each["events"]]
            found[group["logGroupName"]] = "\n".join(lines).encode()
    return found


def functions_that_wrote(text: bytes) -> set[str]:
    """By the name that each of their own lines carries; what the runtime says of a call carries none."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith(b'{"level":')]
    return {line["function_name"] for line in lines}


def reports(loop: Loop) -> dict[str, bytes]:
    """What people are given: everything below batches/ but the pictures."""
    return {key: loop.get(key) for key in loop.keys("batches/") if not key.endswith((".jpg", ".png"))}
