"""The deployed stack as a test sees it: upload, wait, read what came out, and check what must always hold.

run = loop.label("cats", pictures(24))  # upload, marker, wait
loop.assert_sound(run)  # succeeded, every object accounted for, no failed Map child
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from account import Account, labelled_by
from labelloop.contracts import naming
from labelloop.store.settings_documents import body_of, key_of
from labelloop.trust.sampling import Tally
from small_rounds import CONTAINERS, PARAMETERS, roles_seen_first
from waiting import eventually

from local import stack
from tests.support.pictures import Picture, truth

T = TypeVar("T")
PREFIX = "labelloop"
DEADLINE = 180.0
PINNING = ("RegisterBatch", "PlanTraining")
WORKED = ("SUCCEEDED", "RUNNING")


@contextlib.contextmanager
def running_loop(scratch: Path, parameters: Mapping[str, str] | None = None, **environment: str) -> Iterator[Loop]:
    """A fresh embedded AWS with the unchanged template deployed, and the scripted engine inside the real container."""
    containers = json.loads(json.dumps(CONTAINERS))
    containers["*labelloop-yolo"]["environment"]["SCRIPT_DIR"] = str(scratch)
    settings = {
        "LABELLOOP_IMAGES": json.dumps(containers),
        "LAMBDA_WARM_TTL_SECONDS": "900",
        "SFN_WAIT_SCALE": "0.02",
        **environment,
    }
    with stack.running_server(environment=settings) as server:
        stack.deploy(server, built=_built(server, scratch), parameters={**PARAMETERS, **(parameters or {})})
        yield Loop(server, stack.outputs(server, "labelloop"), scratch)


def _built(server: stack.Server, scratch: Path) -> Path:
    """What `sam build` makes of the project, once per run of pytest, whichever of its processes is the first."""
    # pytest-xdist gives each process a folder of its own in that of the run.
    shared = scratch.parent.parent if os.environ.get("PYTEST_XDIST_WORKER") else scratch.parent
    with (shared / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "built" / "template.yaml").exists():
            stack.build(server, build_dir=shared / "built")
    return shared / "built"


@dataclass(frozen=True)
class Run:
    """An execution that ended, or stands somewhere: `states` in the order they were entered."""

    arn: str
    status: str
    states: tuple[str, ...]
    error: str
    cause: str
    output: dict[str, Any]
    trainings: tuple[Run, ...] = ()
    prefix: str = ""
    batch: str = ""

    @property
    def all_states(self) -> set[str]:
        """Those of the nested executions, too."""
        return set(self.states).union(*(training.states for training in self.trainings))


@dataclass
class Loop(Account):
    forgotten: set[str] = field(default_factory=set)
    _inputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    # --- giving work

    def deploy_again(self, **parameters: str) -> None:
        """Another deployment of the same sources; `parameters` on top of PARAMETERS."""
        stack.deploy(self.server, built=_built(self.server, self.scratch), parameters={**PARAMETERS, **parameters})

    def label(self, prefix: str, drawn: Sequence[Picture], marker: Any = None, seconds: float = DEADLINE) -> Run:
        """Upload and label a batch to its end."""
        before = len(self.executions(prefix))
        self.upload(prefix, drawn, {} if marker is None else marker)
        return self.wait(prefix, seconds, number=before + 1)

    def well_mixed(self, stem: str, drawn: Sequence[Picture], labelled: int | None = None, train: int = 4) -> str:
        """A prefix whose random draw puts some of each role among the pictures that people see first.

        Those are the first round's, or the first `labelled` pictures where labels are supplied. The prefix takes part
        in the draw: without this, some batches would have too few judge pictures to judge a model by.
        `train`: how many the first model learns from, at least.
        """
        row, wanted = self.ledger("roles"), {"train": train, "judge": 6}
        before = Tally(int(row.get("answered", 0)), int(row.get("judges", 0)))
        for prefix in (f"{stem} {number}" for number in itertools.count()):
            roles = roles_seen_first(f"incoming/{prefix}/", drawn, labelled, before)
            if all(roles[role] >= least for role, least in wanted.items()):
                return prefix
        raise AssertionError("unreachable")

    def upload(self, prefix: str, drawn: Sequence[Picture], marker: Any = None) -> None:
        """Pictures and their truth; the marker last, where one is given."""
        self.control("PUT", "truth", truth(prefix, drawn))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: self.put(f"incoming/{prefix}/{each.name}", each.body), drawn))
        if marker is not None:
            self.mark(prefix, marker)

    def mark(self, prefix: str, marker: Any) -> str:
        """Puts the marker; the version it got."""
        answer = self.client("s3").put_object(
            Bucket=self.bucket, Key=_marker(prefix), Body=json.dumps(marker, ensure_ascii=False).encode()
        )
        return str(answer["VersionId"])

    def start(self, prefix: str, **more: Any) -> str:
        """What a person starts by hand: the same input again, maybe with `resume=True`."""
        given = {"bucket": {"name": self.bucket}, "object": {"key": _marker(prefix)}, **more}
        answer = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["LabelBatchArn"], input=json.dumps(given)
        )
        return str(answer["executionArn"])

    def abort(self, arn: str) -> None:
        self.client("stepfunctions").stop_execution(executionArn=arn, cause="a test stopped it")

    # --- following it

    def executions(self, prefix: str) -> list[str]:
        """Executions of label_batch for this prefix since the last `forget`, oldest first."""
        pages = (
            self.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.outputs["LabelBatchArn"])
        )
        found = sorted((each for page in pages for each in page["executions"]), key=lambda each: each["startDate"])
        top = [each["executionArn"] for each in found if "mapRunArn" not in each]
        return [arn for arn in top if arn not in self.forgotten and self._key_of(arn) == _marker(prefix)]

    def wait(self, execution: str, seconds: float = DEADLINE, number: int = 1) -> Run:
        """The end of an execution, given by its ARN or as the `number`th of a prefix; and of the training that it
        started for the next batch.
        """
        deadline = time.monotonic() + seconds
        arn = execution if execution.startswith("arn:") else self.started(execution, number, seconds)
        while self._is_at_work(arn):
            assert time.monotonic() < deadline, f"after {seconds} s {arn} stands at {self.run(arn).states[-3:]}"
            time.sleep(0.1)
        return self.run(arn)

    def started(self, prefix: str, number: int = 1, seconds: float = 60) -> str:
        """The ARN of the `number`th execution of a prefix, as soon as it is there."""
        return eventually(lambda: self.executions(prefix)[number - 1 : number], seconds)[0]

    def reach(self, arn: str, state: str, seconds: float = DEADLINE) -> Run:
        """Wait until the execution, or a training that it started, stands in this state."""

        def look() -> Run | None:
            run = self.run(arn)
            at_work = [each for each in (run, *run.trainings) if each.status == "RUNNING"]
            assert at_work, f"{arn} ended {run.status} without {state}: {run.states}, {run.cause}"
            return run if (state,) in [each.states[-1:] for each in at_work] else None

        return eventually(look, seconds)

    def until_ended(self, batch: str, seconds: float = 60) -> dict[str, Any]:
        """The ledger's row of a batch, as soon as its end is on record."""
        self.eventually(lambda: self.ledger(f"batch#{batch}").get("status") != "running", seconds)
        return self.ledger(f"batch#{batch}")

    def eventually(self, ask: Callable[[], T], seconds: float = 400) -> T:
        return eventually(ask, seconds)

    def status(self, arn: str) -> str:
        return str(self.client("stepfunctions").describe_execution(executionArn=arn)["status"])

    def run(self, arn: str) -> Run:
        told = self.client("stepfunctions").describe_execution(executionArn=arn)
        key = self._key_of(arn)
        entered = tuple(
            event["stateEnteredEventDetails"]["name"]
            for event in self.history(arn)
            if event["type"].endswith("StateEntered")
        )
        output = json.loads(told.get("output") or "{}")
        batch = output.get("batch", {}).get("id") or self._owned_by(arn, key)
        return Run(
            arn=arn,
            status=told["status"],
            states=entered,
            error=told.get("error") or "",
            cause=told.get("cause") or "",
            output=output,
            trainings=tuple(self.run(child) for child in self._trainings_of(arn)) if key else (),
            prefix=key.removeprefix("incoming/").removesuffix("/" + naming.READY),
            batch=batch,
        )

    def history(self, arn: str) -> list[dict[str, Any]]:
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def map_children(self, arn: str) -> list[dict[str, Any]]:
        """Described executions of every child of every Map of the execution."""
        states = self.client("stepfunctions")
        runs = states.list_map_runs(executionArn=arn)["mapRuns"]
        return [
            states.describe_execution(executionArn=child["executionArn"])
            for run in runs
            for page in states.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"])
            for child in page["executions"]
        ]

    # --- what must always hold

    def assert_sound(self, run: Run, status: str = "SUCCEEDED") -> None:
        assert run.status == status, f"{run.error}: {run.cause}"
        self.assert_no_map_child_failed(run)
        self.assert_conserved(run)

    def assert_no_map_child_failed(self, run: Run) -> None:
        lost = [child for child in self.map_children(run.arn) if child["status"] != "SUCCEEDED"]
        assert not lost, [(child["name"], child["status"], child.get("cause", "")[:500]) for child in lost]

    def assert_conserved(self, run: Run) -> None:
        """I1, counted here from the files of the batch: every object of the inventory has exactly one outcome."""
        final = self.outcomes(run.batch)
        inventory = [item["key"] for item in self.inventory(run.batch)]
        assert sorted(inventory) == sorted(final), "the outcomes are not those of the inventory"
        twice = {key: found for key, found in final.items() if len(found) != 1}
        assert not twice, twice
        counts = Counter(found[0] for found in final.values())
        summary, report = self.summary(run.batch), run.output.get("report") or {}
        for outcome in ("auto", "human", "rejected", "deferred"):
            assert summary[outcome] == counts[outcome], (outcome, summary, counts)
            assert report.get(outcome, counts[outcome]) == counts[outcome], (outcome, report, counts)
        assert summary["images"] == len(inventory)
        manifest = self.manifest(run.batch)
        assert [line["source-ref"] for line in manifest] == sorted({line["source-ref"] for line in manifest})
        assert Counter(labelled_by(line) for line in manifest) == {k: counts[k] for k in ("auto", "human") if counts[k]}

    # --- behind AWS's back

    def faults(self, **faults: Any) -> None:
        self.control("PUT", "faults", faults)

    @contextlib.contextmanager
    def meeting(self, key: str) -> Iterator[None]:
        """Two writers of the object come at the same moment."""
        self.control("PUT", "meeting", {"key": key})
        try:
            yield
        finally:
            self.control("PUT", "meeting", {})

    @contextlib.contextmanager
    def held(self, what: str) -> Iterator[None]:
        """`training` or `inference`: the container starts its work and waits until the block ends."""
        flag = self.scratch / f"hold-{what}"
        flag.touch()
        try:
            yield
        finally:
            flag.unlink()

    def invoke(self, function: str, payload: Any = None) -> Any:
        """The answer of a function named as in the template, e.g. Reconcile. AssertionError when it raised."""
        answer = self.client("lambda").invoke(FunctionName=f"{PREFIX}-{function}", Payload=json.dumps(payload or {}))
        body = json.loads(answer["Payload"].read() or "null")
        assert "FunctionError" not in answer, body
        return body

    @contextlib.contextmanager
    def settings(self, *functions: str, **changed: str) -> Iterator[None]:
        """Other settings for these functions, and for those that pin them for what begins meanwhile, as a deployment
        with other parameters would give them.
        """
        with self.settings_of(*dict.fromkeys((*PINNING, *functions)), **changed):
            yield

    @contextlib.contextmanager
    def settings_of(self, *functions: str, **changed: str) -> Iterator[None]:
        """Other settings for these functions alone: what batches have pinned stays."""
        before = {name: self._configure(name, changed) for name in functions}
        try:
            yield
        finally:
            for name, variables in before.items():
                self._set_variables(name, variables)

    @contextlib.contextmanager
    def variables(self, function: str, **changed: str) -> Iterator[None]:
        """Other environment variables for this function."""
        told = self.client("lambda").get_function_configuration(FunctionName=f"{PREFIX}-{function}")
        before = dict(told["Environment"]["Variables"])
        self._set_variables(function, {**before, **changed})
        try:
            yield
        finally:
            self._set_variables(function, before)

    # --- helpers

    def _given(self, arn: str) -> dict[str, Any]:
        """The input of an execution, which never changes."""
        if arn not in self._inputs:
            told = self.client("stepfunctions").describe_execution(executionArn=arn)
            self._inputs[arn] = json.loads(told["input"])
        return self._inputs[arn]

    def _key_of(self, arn: str) -> str:
        return str(self._given(arn).get("object", {}).get("key", ""))

    def _owned_by(self, arn: str, key: str) -> str:
        """The batch of an execution that has no output; the newest delivery that it owns."""
        if not key:
            return ""
        prefix = key.rpartition("/")[0] + "/"
        for delivery in range(len(self.ledger(f"source#{self.bucket}/{prefix}").get("markers", ())), 0, -1):
            batch = naming.batch_id(self.bucket, prefix, delivery)
            if self.ledger(f"batch#{batch}").get("owner") == arn:
                return batch
        return ""

    def _is_at_work(self, arn: str) -> bool:
        """The batch is asked first: once it has ended, it has started its last training."""
        return self.status(arn) == "RUNNING" or any(self.status(each) == "RUNNING" for each in self._trainings_of(arn))

    def _trainings_of(self, arn: str) -> list[str]:
        """Nested executions, in the order they were started."""
        pages = (
            self.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.outputs["TrainModelArn"])
        )
        found = sorted((each for page in pages for each in page["executions"]), key=lambda each: each["startDate"])
        return [each["executionArn"] for each in found if self._given(each["executionArn"]).get(_STARTED_BY) == arn]

    def _configure(self, function: str, changed: Mapping[str, str]) -> dict[str, str]:
        """Gives the function another settings document; returns its variables as they were before."""
        functions, name = self.client("lambda"), f"{PREFIX}-{function}"
        before = dict(functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"])
        document = json.loads(self.get(f"settings/{before['SETTINGS_SHA256']}.json"))
        unknown = set(changed) - set(document)
        assert not unknown, f"no such settings: {unknown}"
        body = body_of({**document, **changed})
        key = key_of(body)
        self.put(key, body)
        sha256 = key.removeprefix("settings/").removesuffix(".json")
        self._set_variables(function, {**before, "SETTINGS_SHA256": sha256})
        return before

    def _set_variables(self, function: str, variables: Mapping[str, str]) -> None:
        name = f"{PREFIX}-{function}"
        self.client("lambda").update_function_configuration(
            FunctionName=name, Environment={"Variables": dict(variables)}
        )


_STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


def _marker(prefix: str) -> str:
    return f"incoming/{prefix}/{naming.READY}"
