"""Random schedules of faults over the real handlers: calls that fail or whose answer is lost, steps that run twice,
executions that die anywhere and are started again. What comes out is what comes out without them, byte for byte.
Training is not part of it: tests of its own hold that.

The world is part of a schedule, and the same in both runs: files that are not images, images that change or go while
the batch works on them, a model that is silent, wrong, or killed by an image, people who do not answer everything.
FAULT_SEEDS=200 tries as many.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import people
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from handling import MODEL, PREFIX, crown, execution, handle, mark, picture
from labelloop.batch import batches
from labelloop.contracts.errors import TransientError
from labelloop.contracts.layout import Files
from labelloop.people import jobs
from labelloop.store import aws, datasets, ledger, storage
from made_up_stack import BUCKET

SEEDS = range(int(os.environ.get("FAULT_SEEDS", "6")))
RETRIES = 3
SERVICES = ("s3", "dynamodb", "sns")
TABLES = ("LEDGER_TABLE", "CALLBACKS_TABLE")


class ProcessDiedError(BaseException):
    """Nobody catches it: the function is gone, with whatever it had done."""


@dataclass(frozen=True)
class World:
    """What happens whoever is at work; everything follows from the seed and the name of an image."""

    seed: int

    def chance(self, *about: object) -> float:
        return random.Random(repr((self.seed, *about))).random()

    @functools.cached_property
    def names(self) -> list[str]:
        return [f"{PREFIX}{number:02d} ü+%20.png" for number in range(6 + self.seed % 4)]

    def deliver(self) -> dict[str, Any]:
        for number, name in enumerate(self.names):
            chance = self.chance("file", name)
            body = b"no image" if chance < 0.12 else picture(10) if chance < 0.25 else picture(20 + number)
            storage.write(name, body)
        if self.chance("model") < 0.8:
            crown(threshold=0.5)
        return mark()

    def change(self, moment: str, number: int) -> None:
        """People and programs who write into the bucket while the batch is at work."""
        for name in self.names:
            chance = self.chance(moment, number, name)
            if chance < 0.08:
                storage.write(name, picture(100 + number))
            elif chance < 0.12:
                boto3.client("s3").delete_object(Bucket=BUCKET, Key=name)
            elif chance < 0.2 and (body := storage_or_none(name)):
                storage.write(name, body)

    def invoked(self, **request: Any) -> dict[str, str]:
        """The endpoint answers at once, unless it is away for the round or an image kills it."""
        place = f"batches/{request['S3OutputPathExtension']}/{request['Filename']}"
        number = int(place.split("/")[3].partition("-")[0])
        lines = storage.read_lines(storage.own_key(request["InputLocation"]))
        asked = [line["source-ref"] for line in lines]
        silent = self.chance("outage", number) < 0.15 or any(self._kills(reference) for reference in asked)
        text = "".join(line + "\n" for reference in asked for line in self._prediction(reference))
        if text and not silent:
            storage.write(place, text.encode())
        return {"OutputLocation": storage.uri(place), "InferenceId": request["InferenceId"]}

    def answer(self, number: int, line: dict[str, Any]) -> dict[str, Any] | None:
        if self.chance("person", number, line["source-ref"]) < 0.25:
            return None
        if "verified-boxes" in json.dumps(line):
            return people.verdict("correct")
        return people.boxes()

    def _kills(self, reference: str) -> bool:
        return self.chance("kills", reference) < 0.06

    def _prediction(self, reference: str) -> list[str]:
        chance = self.chance("prediction", reference)
        if chance < 0.08:
            return ["{half a li"]
        box = {"class": "head", "left": 1, "top": 2, "width": 30, "height": 20, "confidence": round(chance, 3)}
        if chance < 0.16:
            box["class"] = "unheard of"
        elif chance < 0.24:
            box["left"] = 5000
        seen = {"source-ref": reference, "status": "ok", "width": 64, "height": 48, "model": MODEL, "boxes": [box]}
        return [json.dumps(seen)] * (2 if chance > 0.95 else 1)


def storage_or_none(key: str) -> bytes | None:
    try:
        return storage.read(key)
    except storage.MissingObjectError:
        return None


@dataclass
class Chaos:
    """Faults of calls and functions, as many as `left`; none for the run that everything is compared with."""

    chances: random.Random
    left: int
    done: list[str] = field(default_factory=list)
    awake: bool = False

    def install(self) -> None:
        for client in [*map(aws.client, SERVICES), *(aws.table(os.environ[name]).meta.client for name in TABLES)]:
            client.meta.events.register("before-call", functools.partial(self._call, "refused"))
            client.meta.events.register("after-call", functools.partial(self._call, "answer lost"))

    def happens(self, what: str, chance: float) -> bool:
        if self.awake and self.left and self.chances.random() < chance:
            self.left -= 1
            self.done.append(what)
            return True
        return False

    def _call(self, what: str, event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        if self.happens(f"{operation} {what}", 0.01):
            raise self.chances.choice(
                [
                    ClientError({"Error": {"Code": "SlowDown"}}, operation),
                    EndpointConnectionError(endpoint_url=f"https://{operation}"),
                    ProcessDiedError(f"died in {operation}"),
                ]
            )


class GivenUpError(Exception):
    """A step failed as often as the state machine tries it."""


def label(world: World, chaos: Chaos) -> tuple[str, int]:
    """The batch, and how many executions it took. Each begins at Register Batch, with the same event."""
    trigger = world.deliver()
    chaos.install()
    told: set[tuple[str, int]] = set()

    def once(moment: str, number: int) -> None:
        if (moment, number) not in told:
            told.add((moment, number))
            world.change(moment, number)

    for attempt in range(1, 100):
        arn = execution(f"attempt-{attempt}")
        try:
            return run(world, functools.partial(step, chaos), trigger, arn, once), attempt
        except (GivenUpError, ProcessDiedError) as died:
            boto3.client("stepfunctions").stop_execution(executionArn=arn)
            if world.chance("noticed", attempt) < 0.7:
                handle("record_failure", execution=arn, input=trigger, error={"Error": "X", "Cause": str(died)})
    raise AssertionError(f"it never ends: {chaos.done}")


def run(
    world: World, call: Callable[..., Any], trigger: dict[str, Any], arn: str, once: Callable[[str, int], None]
) -> str:
    """The states of LabelBatch in their order, without training."""
    state = call("register_batch", event=trigger, execution=arn)
    assert state["status"] == "registered", state
    batch, number = str(state["batch"]["id"]), int(state["progress"]["next_round"])
    for item in storage.read_lines(state["batch"]["inspect_key"]):
        call("inspect_images", batch_id=batch, shard=item["shard"], objects_uri=item["uri"])
    while True:
        once("between", number)
        begun = call("begin_round", batch_id=batch, round=number)
        if begun["infer"]:
            infer(call, batch, number, begun, arn)
        call("judge_batch", batch_id=batch, round=number)
        once("people", number)
        people.answer_round(batch, number, functools.partial(world.answer, number))
        for index, _ in enumerate(jobs.of_round(Files(batch), number), start=1):
            call("collect_labels", batch_id=batch, round=number, job=index)
        merged = call("merge_annotations", batch_id=batch, round=number)
        if not merged["another_round"]:
            break
        number = int(merged["next_round"])
    call("report_batch", batch_id=batch, execution=arn)
    return batch


def infer(call: Callable[..., Any], batch: str, number: int, begun: dict[str, Any], arn: str) -> None:
    requests_key, attempt = begun["requests_key"], 0
    where = {"batch_id": batch, "round": number, "until": begun["infer_until"]}
    while requests_key:
        for item in storage.read_lines(requests_key):
            asked = {"endpoint": begun["endpoint"], "shard": item["shard"], "requests_uri": item["uri"], "retry": 0}
            waits = {"task_token": f"{arn}-{item['shard']}-{attempt}", "execution": arn, "timeout_seconds": 600}
            call("request_inference", **where, **asked, **waits, attempt=attempt)
        missing = call("find_missing_predictions", **where, attempt=attempt)
        requests_key, attempt = missing["requests_key"], int(missing["attempt"])


def step(chaos: Chaos, name: str, **event: Any) -> Any:
    """One state: tried again when it fails in a way that may pass, sometimes delivered twice, sometimes too late."""
    for _ in range(RETRIES):
        chaos.awake = True  # who prepares the world and looks at it afterwards is left alone
        try:
            answer = handle(name, **event)
            if chaos.happens(f"{name} runs twice", 0.04):
                answer = handle(name, **event)
            if chaos.happens(f"dies after {name}", 0.03):
                raise ProcessDiedError(name)
            return answer
        except (TransientError, ClientError, EndpointConnectionError):
            continue
        finally:
            chaos.awake = False
    raise GivenUpError(name)


def outcome(batch: str) -> dict[str, Any]:
    """Everything that a customer gets, and who was asked what; without what differs by itself: the time of the marker's
    upload, and the ids of versions.
    """
    files, started = Files(batch), ledger.batch(batch)["started"]
    rounds = batches.decided_rounds(batch)
    places = {key: key for key in (files.annotations, *map(files.decisions, rounds))}
    places |= {key: key for key in map(files.audit, rounds) if storage.exists(key)}
    for key in storage.keys("datasets/"):
        if key.endswith("/manifest.jsonl"):
            places[key.partition("-")[0]] = key  # the rest of a version's name depends on the time
    summary = storage.read_json(f"{files.root}/summary.json")
    told = {name: summary[name] for name in ("images", "auto", "human", "rejected", "deferred", "rejected_reasons")}
    texts = {name: storage.read(key).decode().replace(started, "STARTED") for name, key in places.items()}
    return {name: re.sub(r'"version-id":"[^"]*"', "", text) for name, text in texts.items()} | {"summary": told}


def assert_sound(world: World, batch: str) -> None:
    """Every object has one outcome, none is labelled twice, each label names the bytes it was made on."""
    summary = storage.read_json(f"{Files(batch).root}/summary.json")
    assert (
        summary["images"]
        == len(world.names)
        == sum(summary[each] for each in ("auto", "human", "rejected", "deferred"))
    )
    lines = [json.loads(line) for line in datasets.current().lines]
    assert len(lines) == summary["auto"] + summary["human"]
    assert len({line.get("original-ref", line["source-ref"]) for line in lines}) == len(lines)
    for line in lines:
        found = hashlib.sha256(bytes_of(line, batch)).hexdigest()
        assert found == line["provenance"]["sha256"], line["source-ref"]
    assert ledger.batch(batch)["status"] == "finished" and ledger.running_batches() == []


def bytes_of(line: dict[str, Any], batch: str) -> bytes:
    """The registered version: a label's image may have changed again after the label was taken."""
    key = storage.own_key(line["source-ref"])
    items = {item["key"]: item for item in storage.read_lines(Files(batch).inventory)}
    return storage.read(key, items[key]["version-id"] if key in items else None)


@pytest.fixture
def compared(new_aws, fake_service, change_setting):
    """Every second batch has audits of accepted labels, which contradict the promise where the policy makes one."""

    def run_both(seed: int) -> tuple[dict[str, Any], dict[str, Any], Chaos, int]:
        found = []
        change_setting("AUDIT_MINIMUM", "3" if seed % 2 else "0")
        change_setting("ACCEPT_POLICY", "target-quality" if seed % 4 == 1 else "fixed")
        for left in (0, 12):
            chaos = Chaos(random.Random(seed), left)
            with new_aws():
                world = World(seed)
                services(world, fake_service)
                batch, executions = label(world, chaos)
                assert_sound(world, batch)
                found.append(outcome(batch))
            forget_clients()
        return found[0], found[1], chaos, executions

    return run_both


def services(world: World, fake_service: Callable[..., Any]) -> None:
    """What moto lacks: labelling jobs have ended, the endpoint answers, Step Functions hears."""
    in_service = {"EndpointStatus": "InService"}
    fake_service("sagemaker", describe_labeling_job=people.ended(), describe_endpoint=in_service)
    fake_service("sagemaker-runtime", invoke_endpoint_async=world.invoked)
    real = boto3.client("stepfunctions")
    fake_service("stepfunctions", describe_execution=real.describe_execution, list_executions=real.list_executions)


def forget_clients() -> None:
    aws.table.cache_clear()


@pytest.mark.fault("D12", "I18")
@pytest.mark.filterwarnings("ignore:No application metrics")
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_fails_and_dies_the_datasets_and_decisions_are_the_same_bytes(compared, seed) -> None:
    undisturbed, disturbed, chaos, executions = compared(seed)
    assert chaos.done, "nothing happened"
    assert disturbed == undisturbed, (executions, chaos.done)
