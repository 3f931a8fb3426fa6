"""G2.7: does the largest batch fit into the functions that hold a whole batch, in memory and in time?

A made-up batch goes through three rounds, handler by handler, each in a process of its own, at two sizes. It makes more
work than most: the stack has 80 classes, the prefix holds four earlier deliveries of the same size, a champion looks at
every image and sees 8 boxes; round 1 has 15 % labelled by people and defers the rest, round 2 judges them again by what
the same model saw, a new champion looks at them again in round 3 and labels them. Then come its report, what a training
reads of it, and people's labels that are imported.

The store is files (bench.file_store), so that the data are in memory once. Memory is the peak of the process. Time is
its CPU seconds on this machine, times what a Lambda core may be slower, plus what S3 and DynamoDB would take for the
calls that were counted: neither was measured on AWS. From the two largest sizes both are extrapolated linearly, to nine
tenths of what template.yaml gives each function. Writes build/bench/G2.7.json; takes 7 minutes of CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from labelloop.contracts import advanced, limits
from labelloop.people.supplied_files import MOST_BYTES

from bench.batch_step import MARK
from bench.made_up_batch import BOXES, EARLIER, EXECUTION, MODELS, MadeUpBatch

ROOT = Path(__file__).resolve().parent.parent
SIZES = (10_000, 40_000)
DATASETS = (10_000, 40_000)
SMALL_BATCH = 1_000
SMALLEST = 2_000
USABLE = 0.9  # a sandbox that is used again begins with what the first invocation left
MIB_OF_ONE_CORE = 1769  # Lambda's share of a core goes by memory, and these functions use one core at most
SLOWER_CORE = 2.0  # assumed: a Lambda core against this machine's
SECONDS_PER_S3_CALL = 0.1  # the lower end of the 100 to 200 ms that S3's performance guide names for the first byte
SECONDS_PER_LISTING = 0.3  # of 1,000 versions: the call, and 0.1 s of CPU here for its XML
SECONDS_PER_ROW = 0.01  # DynamoDB, one after the other
SECONDS_PER_ROW_IN_THREADS = 0.003  # then boto3's CPU counts, 0.8 ms here
BYTES_PER_SECOND = 70e6
READ_AT_ONCE = {"collect_labels": 16}
ROWS_IN_THREADS = {"merge_annotations"}
MERGED_IMPORT = "merge_annotations of an import"
# What a stack may choose that makes its functions work most; else the parameters' defaults.
CHOICES = {
    "CLASSES": ",".join(f"class {number:02d}" for number in range(80)),
    "SAMPLE_MAXIMUM": "100000",
    "OBJECTS_PER_JOB": "50000",
    "HONEYPOT_RATE": "0.05",
    "ACCEPT_POLICY": "fixed",
    "ACCEPT_THRESHOLD": "0.5",
    "MAX_BATCH_COST": "0",
}


@dataclass(frozen=True)
class Step:
    """What one handler took: MiB at its peak, CPU and wall seconds here, and seconds as they may be in Lambda."""

    function: str
    images: int
    mib: float
    cpu: float
    wall: float
    seconds: float
    calls: Mapping[str, int]


@dataclass(frozen=True)
class Room:
    """What the template gives a function."""

    mib: int
    seconds: int


@dataclass(frozen=True)
class Line:
    """fixed + each * images"""

    fixed: float
    each: float

    def images_within(self, room: float) -> int:
        return int((room - self.fixed) / self.each) if self.each > 0 else sys.maxsize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = sorted(set(parser.parse_args().sizes))
    if len(sizes) < 2 or sizes[0] < SMALLEST:
        parser.error(f"two sizes make a line, and below {SMALLEST:,} images people are asked about as many of any size")
    load = os.getloadavg()[0]
    steps = [step for size in sizes for step in measure(size)]
    datasets = [measure_dataset(size) for size in DATASETS]
    shutil.rmtree(ROOT / "build" / "bench" / "batch_size")
    report = _report(steps, datasets, rooms(), load)
    (ROOT / "build" / "bench" / "G2.7.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def measure(images: int) -> list[Step]:
    """A batch of so many images, handler by handler."""
    batch, steps = _begin(images), list[Step]()
    step = partial(_step, batch, steps)
    handle = partial(step, images, batch_id=batch.id)
    step(images, "register_batch", event=batch.upload(), execution=EXECUTION)
    batch.note_rows()
    batch.inspect()
    for number, model, confidence in ((1, MODELS[0], 0.4), (2, MODELS[0], 0.4), (3, MODELS[1], 0.9)):
        batch.crown(model)
        if handle("begin_round", round=number)["infer"]:
            batch.predict(number, model, confidence)
            handle("find_missing_predictions", round=number, attempt=0)
        asked = handle("judge_batch", round=number)["human"]
        if batch.answer(number) and number == 1:
            step(asked, "collect_labels", batch_id=batch.id, round=1, job=1)
        version = handle("merge_annotations", round=number)["dataset_version"]
    counts = handle("report_batch", execution=EXECUTION)
    assert counts["images"] == images and counts["deferred"] < images // 100, counts
    step(images, "plan_training", execution=EXECUTION, input={})
    step(images, "assemble_dataset", job="bench", dataset_version=version)
    labels = handle("import_labels", labels_uri=batch.labels_to_import(MOST_BYTES))["labels"]
    handle("merge_annotations", round=0)
    return [*steps[:-1], replace(steps[-1], function=MERGED_IMPORT, images=labels)]


def measure_dataset(lines: int) -> Step:
    """Merging the first round of a small batch into a dataset of so many lines."""
    batch, steps = _begin(SMALL_BATCH), list[Step]()
    batch.publish(lines)
    handle = partial(_step, batch, steps, lines, batch_id=batch.id)
    _step(batch, steps, lines, "register_batch", event=batch.upload(), execution=EXECUTION)
    batch.note_rows()
    batch.inspect()
    handle("begin_round", round=1)
    handle("judge_batch", round=1)
    batch.answer(1)
    handle("merge_annotations", round=1)
    return steps[-1]


def _begin(images: int) -> MadeUpBatch:
    folder = ROOT / "build" / "bench" / "batch_size"
    shutil.rmtree(folder, ignore_errors=True)
    return MadeUpBatch(folder, images, _settings())


def _step(batch: MadeUpBatch, steps: list[Step], images: int, name: str, **event: Any) -> dict[str, Any]:
    taken, answer = _run(batch, name, images, event)
    steps.append(taken)
    print(taken, flush=True)
    return answer


def _run(batch: MadeUpBatch, name: str, images: int, event: Mapping[str, Any]) -> tuple[Step, dict[str, Any]]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'functions'}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "DATA_BUCKET": "bench-data",
        "SETTINGS_SHA256": batch.settings_sha256,
    }
    command = [sys.executable, "-m", "bench.batch_step", str(batch.folder), name, json.dumps(event)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    found = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not found:
        raise SystemExit(f"{name} of {images} images failed (exit {done.returncode}): {done.stderr[-3000:]}")
    told = json.loads(found[-1].removeprefix(MARK))
    row = SECONDS_PER_ROW_IN_THREADS if name in ROWS_IN_THREADS else SECONDS_PER_ROW
    seconds = seconds_in_lambda(told["cpu"], told["calls"], rooms()[name].mib, READ_AT_ONCE.get(name, 1), row)
    return Step(name, images, told["mib"], told["cpu"], told["wall"], round(seconds, 1), told["calls"]), told["answer"]


def seconds_in_lambda(
    cpu: float, calls: Mapping[str, int], mib: int, at_once: int = 1, row: float = SECONDS_PER_ROW
) -> float:
    """`cpu` seconds of one core here and these calls, `at_once` of S3's, in a function of so much memory."""
    share = min(1.0, mib / MIB_OF_ONE_CORE)
    s3 = sum(calls.get(kind, 0) for kind in ("get", "put", "head")) * SECONDS_PER_S3_CALL / at_once
    others = calls.get("list", 0) * SECONDS_PER_LISTING + calls.get("dynamodb", 0) * row
    return cpu * SLOWER_CORE / share + s3 + others + calls.get("bytes", 0) / BYTES_PER_SECOND


def line_through(points: Iterable[tuple[int, float]]) -> Line:
    """Through the points of the two largest sizes."""
    (first, low), (last, high) = sorted(points)[-2:]
    each = (high - low) / (last - first)
    return Line(high - each * last, each)


def worst(steps: Iterable[Step], function: str, what: str) -> list[tuple[int, float]]:
    """(images, most of `what` in any round) for each size."""
    found: dict[int, float] = {}
    for step in steps:
        if step.function == function:
            found[step.images] = max(found.get(step.images, 0.0), getattr(step, what))
    return sorted(found.items())


def largest(steps: Sequence[Step], function: str, room: Room) -> dict[str, Any]:
    """The most images that fit into a function's memory and time, and what an image takes."""
    memory = line_through(worst(steps, function, "mib"))
    time = line_through(worst(steps, function, "seconds"))
    return {
        "images": min(memory.images_within(USABLE * room.mib), time.images_within(USABLE * room.seconds)),
        "by_memory": memory.images_within(USABLE * room.mib),
        "by_time": time.images_within(USABLE * room.seconds),
        "bytes_per_image": round(memory.each * 2**20),
        "mib_without_images": round(memory.fixed),
        "ms_per_image": round(time.each * 1000, 2),
        "memory_size": room.mib,
        "timeout": room.seconds,
    }


def rooms() -> dict[str, Room]:
    """Handler module -> what the template gives its function."""
    template = _template()
    common = template["Globals"]["Function"]
    given = [{**common, **each["Properties"]} for each in template["Resources"].values() if _is_function(each)]
    return {each["Handler"].partition(".")[0]: Room(each["MemorySize"], each["Timeout"]) for each in given}


def _is_function(resource: Mapping[str, Any]) -> bool:
    return resource["Type"] == "AWS::Serverless::Function" and "Handler" in resource["Properties"]


def _settings() -> dict[str, str]:
    """The stack's settings at the parameters' defaults, but for CHOICES; what names a resource is made up."""
    template = _template()
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    document = template["Resources"]["SettingsDocument"]["Properties"]["Settings"]
    values = {name: str(defaults.get(reference, f"made-up-{name}")) for name, reference in document.items()}
    made_up = {"DATA_BUCKET": "bench-data", "TASK": "boxes", "STARTING_MODEL": ""}
    return {**advanced.completed(values), **CHOICES, **made_up}


class _Loader(yaml.SafeLoader):
    """Short forms give what they name."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))


def _template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return loaded


def _report(steps: Sequence[Step], datasets: Sequence[Step], given: Mapping[str, Room], load: float) -> dict[str, Any]:
    functions = list(dict.fromkeys(step.function for step in steps))
    found = {function: largest(steps, function, given[function.partition(" ")[0]]) for function in functions}
    parts = {"collect_labels": advanced.LIMITS["OBJECTS_PER_JOB"].most}
    parts[MERGED_IMPORT] = limits.MOST_LABELS_IMPORTED
    value = min(each["images"] for function, each in found.items() if function not in parts)
    return {
        "goal": "G2.7",
        "value": value,
        "target": limits.MOST_IMAGES,
        "holds": value >= limits.MOST_IMAGES and all(found[part]["images"] >= most for part, most in parts.items()),
        "detail": {
            "value_is": "images of the largest batch that fits into every function that reads a batch whole",
            "parts": {"are": "images of a job, and labels of an import; each must fit, too", **parts},
            "functions": found,
            "dataset": {
                "is": "merging a small batch into a dataset of so many images, of all batches together",
                **largest(datasets, "merge_annotations", given["merge_annotations"]),
            },
            "steps": [vars(step) for step in steps],
            "seconds_are": f"CPU seconds of this machine ({os.cpu_count()} cores, load {load:.1f} at the start) times "
            f"{SLOWER_CORE} for a slower core, plus {SECONDS_PER_S3_CALL} s for each counted call of S3, "
            f"{SECONDS_PER_LISTING} s for each page of a listing, {SECONDS_PER_ROW} s for each row "
            f"({SECONDS_PER_ROW_IN_THREADS} where threads write), and the bytes at {BYTES_PER_SECOND / 1e6:.0f} MB/s. "
            "Assumed, not measured: nothing ran on AWS",
            "usable": USABLE,
            "boxes_per_image": BOXES,
            "earlier_deliveries": EARLIER,
            "choices": {**CHOICES, "CLASSES": "80 names"},
        },
    }


if __name__ == "__main__":
    main()
