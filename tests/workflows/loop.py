"""The deployed stack as a test sees it: upload, wait, read what came out, and check what must always hold.

run = loop.label("cats", pictures(24))  # upload, marker, wait
loop.assert_sound(run)  # succeeded, every object accounted for, no failed Map child
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError
from labelloop import naming
from labelloop.manifests import split_lines
from labelloop.records import InventoryItem
from labelloop.sampling import Shares, draw, draw_sample, role_of

from local import stack
from tests.support.pictures import Picture, truth

T = TypeVar("T")
PREFIX = "labelloop"
CONTAINERS = {
    "*labelloop-yolo": {
        "train": ["{python}", "{repo}/containers/yolo/train.py"],
        "serve": ["{python}", "{repo}/containers/yolo/serve.py"],
        "environment": {"ENGINE": "scripted_engine", "PYTHONPATH": "{repo}/tests/support"},
    }
}
# Small batches, small rounds: a batch of 24 pictures asks people twice before the machine knows enough.
PARAMETERS = {
    "Seed": "7",
    "ShardSize": "8",
    "HumanBudget": "12",
    "SampleRate": "0.4",
    "SampleMinimum": "10",
    "CalibrationShare": "0.3",
    "GoldShare": "0.3",
    "CalibrationMinimum": "2",
    "GoldMinimum": "2",
    "RetrainMinimum": "4",
    "MaxRounds": "4",
    "TargetMeanIou": "0.8",
    "ReconcileMinutes": "59",  # tests call it themselves
    "TrainingTimeoutSeconds": "600",
    "DeploymentTimeoutSeconds": "600",
    "LabelingTimeoutSeconds": "900",
    "InferenceQueueSeconds": "600",
    "InvocationTimeoutSeconds": "120",
}
DEADLINE = 180.0
RESULTS = ("batches/", "datasets/", "models/", "training/", "canonical/")
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
        stack.deploy(server, build_dir=scratch / "build", parameters={**PARAMETERS, **(parameters or {})})
        yield Loop(server, stack.outputs(server, "labelloop"), scratch)


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
class Loop:
    server: stack.Server
    outputs: dict[str, str]
    scratch: Path
    _clients: dict[str, Any] = field(default_factory=dict)
    _forgotten: set[str] = field(default_factory=set)
    _inputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        return self.outputs["DataBucketName"]

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = stack.client(self.server, service)
        return self._clients[service]

    # --- giving work

    def label(self, prefix: str, drawn: Sequence[Picture], marker: Any = None, seconds: float = DEADLINE) -> Run:
        """Upload and label a batch to its end."""
        before = len(self.executions(prefix))
        self.upload(prefix, drawn, {} if marker is None else marker)
        return self.wait(prefix, seconds, number=before + 1)

    def well_mixed(self, stem: str, drawn: Sequence[Picture], labelled: int | None = None, train: int = 4) -> str:
        """A prefix whose random draw puts some of each role among the pictures that people see first.

        Those are the first round's, or the first `labelled` pictures where labels are supplied. The prefix takes part
        in the draw: without this, some batches would have too few gold or calibration pictures to judge a model by.
        `train`: how many the first model learns from, at least.
        """
        wanted = {"train": train, "calibration": 3, "gold": 3}
        for prefix in (f"{stem} {number}" for number in itertools.count()):
            roles = _roles_seen_first(f"incoming/{prefix}/", drawn, labelled)
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
        return [arn for arn in top if arn not in self._forgotten and self._key_of(arn) == _marker(prefix)]

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

    # --- reading results

    def batch_id(self, prefix: str, delivery: int = 1) -> str:
        return naming.batch_id(self.bucket, f"incoming/{prefix}/", delivery)

    def put(self, key: str, body: bytes) -> None:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return bytes(self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def json(self, key: str) -> dict[str, Any]:
        return dict(json.loads(self.get(key)))

    def lines(self, key: str) -> list[dict[str, Any]]:
        """The JSON lines of an object; none where it does not exist."""
        try:
            return [json.loads(line) for line in split_lines(self.get(key).decode("utf-8")) if line.strip()]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return []
            raise

    def keys(self, prefix: str) -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def summary(self, batch: str) -> dict[str, Any]:
        return self.json(f"batches/{batch}/summary.json")

    def manifest(self, batch: str) -> list[dict[str, Any]]:
        return self.lines(f"batches/{batch}/annotations.manifest")

    def inventory(self, batch: str) -> list[dict[str, Any]]:
        return self.lines(f"batches/{batch}/inventory.jsonl")

    def decisions(self, batch: str, number: int) -> list[dict[str, Any]]:
        return self.lines(f"batches/{batch}/decisions/{number}.jsonl")

    def jobs(self, batch: str, number: int) -> list[dict[str, Any]]:
        """The labelling jobs of a round, in their order."""
        prefix = f"batches/{batch}/labeling/{number}/jobs/"
        indices = sorted(int(key.removeprefix(prefix).removesuffix(".json")) for key in self.keys(prefix))
        return [self.json(f"{prefix}{index}.json") for index in indices]

    def asked(self, batch: str, number: int) -> list[dict[str, Any]]:
        """The input lines of all jobs of a round."""
        manifests = (job["manifest_uri"].split("/", 3)[3] for job in self.jobs(batch, number))
        return [line for manifest in manifests for line in self.lines(manifest)]

    def rounds(self, batch: str) -> list[int]:
        return sorted(int(key.rpartition("/")[2].split(".")[0]) for key in self.keys(f"batches/{batch}/decisions/"))

    def dataset(self) -> list[dict[str, Any]]:
        """The lines of the current dataset version; none before the first."""
        try:
            version = self.json("datasets/current")["version"]
        except ClientError:
            return []
        return self.lines(f"datasets/{version}/manifest.jsonl")

    def champion(self) -> dict[str, Any] | None:
        try:
            return self.json("models/champion")
        except ClientError:
            return None

    def ledger(self, row: str) -> dict[str, Any]:
        """One row of the ledger; empty where there is none."""
        table = boto3.resource(
            "dynamodb",
            endpoint_url=self.server.endpoint,
            region_name=stack.REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        ).Table(self.outputs["LedgerTableName"])
        return dict(table.get_item(Key={"id": row}, ConsistentRead=True).get("Item") or {})

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
        assert Counter(_by(line) for line in manifest) == {k: counts[k] for k in ("auto", "human") if counts[k]}

    def outcomes(self, batch: str) -> dict[str, list[str]]:
        """key -> every final outcome that the files state; `deferred` where the last decision left it open."""
        by_ref = {}
        final: dict[str, list[str]] = {}
        for item in self.inventory(batch):
            final[item["key"]] = []
            by_ref[f"s3://{self.bucket}/{item['key']}"] = item["key"]
        for shard in self.keys(f"batches/{batch}/inspected/"):
            for found in self.lines(shard):
                by_ref[found["source-ref"]] = found["key"]
                if found["status"] == "rejected":
                    final[found["key"]].append("rejected")
        for number in self.rounds(batch):
            for decision in self.decisions(batch, number):
                if decision["decision"] == "rejected":
                    final[by_ref[decision["source-ref"]]].append("rejected")
            for line in self.lines(f"batches/{batch}/annotations/{number}.manifest"):
                final[by_ref[line["source-ref"]]].append(_by(line))
        return {key: found or ["deferred"] for key, found in final.items()}

    # --- behind AWS's back

    def control(self, method: str, name: str, document: Any = None) -> Any:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.server.endpoint}/_labelloop/{name}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {name}: {error.read().decode()}") from error

    def faults(self, **faults: Any) -> None:
        self.control("PUT", "faults", faults)

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
        """Other settings for these functions only, as a deployment with other parameters would give them."""
        before = {name: self._configure(name, changed) for name in functions}
        try:
            yield
        finally:
            for name, variables in before.items():
                self._configure(name, variables)

    def forget(self) -> None:
        """Back to an account without batches, datasets, models and jobs. Pictures, markers and the stack stay.

        A batch keeps its number of attempts, because names of executions are taken for ever.
        """
        self.faults()
        self.control("PUT", "annotators", {})
        self._end_everything()
        for prefix in RESULTS:
            self._delete_objects(prefix)
        self._empty_tables()
        self._purge_queues()
        self.control("PUT", "forget", {})

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
        """Returns the variables as they were before."""
        functions, name = self.client("lambda"), f"{PREFIX}-{function}"
        before = dict(functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"])
        unknown = set(changed) - set(before)
        assert not unknown, f"no such settings: {unknown}"
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **changed}})
        return before

    def _end_everything(self) -> None:
        states, sagemaker = self.client("stepfunctions"), self.client("sagemaker")
        for machine in ("LabelBatchArn", "TrainModelArn"):
            pages = states.get_paginator("list_executions").paginate(stateMachineArn=self.outputs[machine])
            for each in (each for page in pages for each in page["executions"]):
                self._forgotten.add(each["executionArn"])
                if each["status"] == "RUNNING":
                    states.stop_execution(executionArn=each["executionArn"], cause="the test is over")
        for name in self._named("list_labeling_jobs", "LabelingJobSummaryList", "LabelingJobName"):
            sagemaker.stop_labeling_job(LabelingJobName=name)
        for name in self._named("list_training_jobs", "TrainingJobSummaries", "TrainingJobName"):
            sagemaker.stop_training_job(TrainingJobName=name)
        eventually(lambda: all(job["status"] not in _AT_WORK for job in self._jobs()), 30)

        def no_endpoint_is_left() -> bool:
            for name, endpoint in self.control("GET", "state")["endpoints"].items():
                if endpoint["status"] in ("InService", "Failed"):
                    sagemaker.delete_endpoint(EndpointName=name)
            return not self.control("GET", "state")["endpoints"]

        eventually(no_endpoint_is_left, 60)

    def _named(self, operation: str, summaries: str, name: str) -> list[str]:
        pages = self.client("sagemaker").get_paginator(operation).paginate(StatusEquals="InProgress")
        return [job[name] for page in pages for job in page[summaries]]

    def _jobs(self) -> list[dict[str, Any]]:
        state = self.control("GET", "state")
        return [*state["training_jobs"].values(), *state["labeling_jobs"].values()]

    def _delete_objects(self, prefix: str) -> None:
        s3 = self.client("s3")
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        found = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for page in pages
            for kind in ("Versions", "DeleteMarkers")
            for each in page.get(kind, ())
        ]
        for start in range(0, len(found), 1000):
            s3.delete_objects(Bucket=self.bucket, Delete={"Objects": found[start : start + 1000], "Quiet": True})

    def _empty_tables(self) -> None:
        dynamodb = self.client("dynamodb")
        for table in ("CallbacksTableName", "LedgerTableName"):
            table_name = self.outputs[table]
            for page in dynamodb.get_paginator("scan").paginate(TableName=table_name):
                for row in page["Items"]:
                    if row["id"]["S"].startswith("batch#"):
                        kept = {name: row[name] for name in ("id", "owner", "attempt")}
                        dynamodb.put_item(TableName=table_name, Item={**kept, "status": {"S": "failed"}})
                    else:
                        dynamodb.delete_item(TableName=table_name, Key={"id": row["id"]})

    def _purge_queues(self) -> None:
        """A notice about a row that is gone would come again for half an hour."""
        sqs = self.client("sqs")
        for url in sqs.list_queues()["QueueUrls"]:
            sqs.purge_queue(QueueUrl=url)


_STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
_AT_WORK = ("Initializing", "InProgress", "Stopping")


def eventually(ask: Callable[[], T], seconds: float) -> T:
    """The first truthy answer; AssertionError with the last one at the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)
    return answer


def _roles_seen_first(folder: str, drawn: Sequence[Picture], labelled: int | None) -> Counter[str]:
    seed, items, hashes = int(PARAMETERS["Seed"]), [], {}
    for each in drawn:
        key, etag = folder + each.name, hashlib.md5(each.body).hexdigest()
        items.append(InventoryItem(key, None, etag, len(each.body), draw(seed, key, etag), False, 0.0))
        hashes[key] = hashlib.sha256(each.body).hexdigest()
    items = draw_sample(items, float(PARAMETERS["SampleRate"]), int(PARAMETERS["SampleMinimum"]))
    if labelled is None:
        first = max(int(PARAMETERS["HumanBudget"]), sum(item.sampled for item in items))
        items = sorted(items, key=lambda item: item.draw)[:first]
    calibration, gold = float(PARAMETERS["CalibrationShare"]), float(PARAMETERS["GoldShare"])
    shares = Shares(1 - calibration - gold, calibration, gold)
    return Counter(role_of(hashes[item.key], item.sampled, shares, seed) for item in items[:labelled])


def _marker(prefix: str) -> str:
    return f"incoming/{prefix}/{naming.READY}"


def _by(line: Mapping[str, Any]) -> str:
    metadata = line.get("boxes-metadata") or line["key-points-metadata"]
    return "human" if metadata["human-annotated"] == "yes" else "auto"
