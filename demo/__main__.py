"""`make demo`: upload pictures, let the loop label them, and see what it was worth.

    python -m demo [--count 600] [--seed 7]
    python -m demo --images DIR --truth coco.json [--limit N] [--weights yolov8n.pt] [--target 0.60]
    python -m demo --task key-points    people with key points instead of boxes; with --images a COCO key-point file
    python -m demo --human    you are one of the people: label in the browser, at the address that is printed

Writes build/demo/report.html, build/demo/summary.json and build/demo/batch/ (the loop's own manifest and report), or
into another folder (--out).
Exit status 0 only when the batch was labelled and every upload has exactly one outcome.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from labelloop.contracts.errors import ConservationError, InvalidInputError
from rich.console import Console
from rich.table import Table

from demo import cloud, costs, evaluate, gallery, page, parameters, people_figures, pictures, summary, unseen, upload
from demo.errors import DemoFailed
from demo.follow import FailedPart, Follower, View
from demo.memory import PeakMemory
from demo.person import JOB_SECONDS, TIMEOUT_MINUTES, Person
from demo.results import Results
from demo.scores import score_models
from demo.screen import Screen
from local import stack

BUILD = stack.REPO_ROOT / "build" / "demo"
STACK_NAME = "labelloop"
SECONDS_BETWEEN_LOOKS = 1.0
FIGURES = (
    *("target", "auto_share", "accepted_quality", "human_quality", "people_agreement", "models_promoted", "saving"),
    *people_figures.FIELDS,
    "peak_memory_mib",
)


def main() -> int:
    options = _options()
    console = Console(highlight=False)
    try:
        return run(options, console)
    except KeyboardInterrupt:
        console.print("\nInterrupted. The embedded AWS and everything it had started have ended.")
        return 130
    except (DemoFailed, stack.DeployFailed, ConservationError, InvalidInputError) as error:
        console.print(f"\nThe demo failed: {error}", markup=False)
    except (ClientError, BotoCoreError) as error:
        console.print(f"\nThe demo failed: the embedded AWS answered {error}", markup=False)
    log = (stack.STATE_DIR if options.keep else cloud.STATE_DIR) / "server.log"
    console.print(f"Log of the embedded AWS, functions and containers: {_relative(log)}")
    return 1


def run(options: argparse.Namespace, console: Console) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    clock = Clock()
    screen = Screen(console, clock.began)
    out = (options.out or BUILD).resolve()
    if not options.out:
        shutil.rmtree(BUILD, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    with PeakMemory() as memory, cloud.embedded_aws(options.port, options.keep) as server:
        screen.say(f"embedded AWS at {server.endpoint}, log {_relative(server.log)}")
        batch = _pictures_and_stack(options, server, screen, clock)
        outputs = stack.outputs(server, STACK_NAME)
        with clock.part("upload"):
            upload.brief_annotators(server, batch, options.seed)
            if options.weights:
                upload.base_weights(server, outputs["DataBucketName"], options.weights)
            person = Person(server) if options.human else None
            if person:
                person.arrive()
            upload.upload(server, outputs["DataBucketName"], batch)
            upload.put_marker(server, outputs["DataBucketName"], batch)
        screen.say(f"{len(batch.names)} files and the marker are in s3://{outputs['DataBucketName']}/{pictures.PREFIX}")
        follower = Follower(server, outputs)
        with clock.part("loop"):
            view = _follow(follower, screen, options.timeout * 60, person)
        if view.status != "SUCCEEDED":
            _explain(follower, view)
        with clock.part("evaluation"):
            results = Results(follower.s3, follower.bucket, view.story.batch_id, out / "batch")
            screen.say("scoring every model on the final judge images")
            outcome = _outcome(follower, results, view, batch, out / "scores")
            judged = evaluate.judge(outcome.labels, batch.truth)
            shown = gallery.examples(judged, outcome.batch["rejected_reasons"], results.reader())
        told = summary.Run(
            source=batch.source,
            target=float(_parameter(server, "TargetMeanIou")),
            workers=int(_parameter(server, "WorkersPerObject")),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            seconds=clock.parts,
            first_labels_seconds=(view.first_labels - clock.began).total_seconds() if view.first_labels else None,
            wall_seconds=clock.seconds(),
            peak_memory_mib=memory.peak_mib,
            files=_files(out, server, options.keep),
            by_hand=person.work() if person else None,
            notes=batch.notes,
            skeleton=batch.skeleton,
        )
        found = summary.build(outcome, batch.truth, costs.read_prices(), told)
        found["problems"] += _wrongly_rejected(batch, found["rejected_reasons"])
        (out / "summary.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (out / "report.html").write_text(page.render(found, shown), "utf-8")
        _conclude(console, found, out)
        if options.keep:
            _kept(console, server)
    return 0


def _pictures_and_stack(
    options: argparse.Namespace, server: stack.Server, screen: Screen, clock: Clock
) -> pictures.Pictures:
    """Scenes are drawn while sam works; own pictures are read first, because they decide on the stack's classes."""
    patience = {"LabelingTimeoutSeconds": str(JOB_SECONDS)} if options.human else {}
    weights = upload.key_of_weights(options.weights) if options.weights else ""
    choices = parameters.Choices(options.seed, options.target, weights)
    if options.images:
        batch = pictures.read_own(options.images, options.truth, options.limit, options.task)
        screen.say(batch.source)
        for note in batch.notes:
            screen.say(f"the truth: {note}")
        sides = pictures.longer_sides(batch)
        choices, most = replace(choices, skeleton=batch.skeleton), pictures.most_people(batch)
        asked = parameters.stack_parameters(batch.truth.classes, sides, len(sides), choices, most)
        _deploy(server, {**asked, **patience}, screen, clock)
        return batch
    with ThreadPoolExecutor(1, thread_name_prefix="draw") as pool:
        folder = (options.out or BUILD) / "pictures"
        drawing = pool.submit(pictures.draw, folder, options.count, options.seed, options.task)
        sides, choices = [pictures.DRAWN_SIDE], replace(choices, skeleton=pictures.DRAWN_SKELETONS[options.task])
        asked = parameters.stack_parameters(pictures.DRAWN_CLASSES, sides, options.count, choices)
        _deploy(server, {**asked, **patience}, screen, clock)
        batch = drawing.result()
    screen.say(batch.source)
    return batch


def _deploy(server: stack.Server, asked: dict[str, str], screen: Screen, clock: Clock) -> None:
    screen.say("sam build and sam deploy of the unchanged template.yaml")
    with clock.part("deploy"):
        stack.deploy(server, config_env="local", parameters=asked)
    screen.say(f"stack {STACK_NAME} is deployed")


def _follow(follower: Follower, screen: Screen, seconds: float, person: Person | None) -> View:
    """Until the execution ends. Raises DemoFailed when it takes longer than `seconds`."""
    screen.say(f"execution {follower.find().rpartition(':')[2]}")
    deadline = time.monotonic() + seconds
    with screen.following():
        while True:
            view = follower.look()
            waiting, told = person.look() if person and view.status == "RUNNING" else (None, [])
            screen.show(replace(view, waiting=waiting))
            for text in told:
                screen.say(text)
            if view.status != "RUNNING":
                return view
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"The execution is in the state {view.story.state!r} and did not end within {seconds / 60:.0f} "
                    f"minutes. Give it longer (--timeout), or look why it waits.{_listed(follower.failed_parts())}"
                )
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _explain(follower: Follower, view: View) -> NoReturn:
    why = follower.failure()
    raise DemoFailed(
        f"The execution {why.arn} ended {view.status} after the state {view.story.state!r}: {why.error} {why.cause}"
        f"{_listed(follower.failed_parts())}\nNo data is lost: on AWS the same input, started again, goes on. "
        "Here, look into the log for the reason, then run the demo again."
    )


def _listed(parts: list[FailedPart]) -> str:
    return "".join(f"\n  {part.what} {part.arn}: {part.error} {part.cause[:500]}" for part in parts)


def _outcome(follower: Follower, results: Results, view: View, batch: pictures.Pictures, work: Path) -> summary.Outcome:
    """`work`: a folder for what scores the models."""
    own = results.batch_summary()
    judge, versions, promoted = results.judge_lines(own["dataset"]), results.model_versions(), results.promoted()
    last = unseen.last_model(versions, promoted) if batch.skeleton else ""
    asked = unseen.images(results, batch.truth, own["dataset"]) if last else {}
    scores = score_models(results, versions, judge, work, last, [line for line, _ in asked.values()])
    return summary.Outcome(
        execution=follower.arn,
        status=view.status,
        uploaded=batch.keys,
        batch=own,
        labels=results.labels(),
        trainings=tuple(follower.trainings()),
        promoted=promoted,
        judge=len(judge),
        scores=scores.judge,
        failed_parts=tuple(follower.failed_parts()),
        unseen=unseen.seen(results, last, asked, scores.predictions) if last and judge else None,
    )


def _wrongly_rejected(batch: pictures.Pictures, rejected: Mapping[str, str]) -> list[str]:
    """Files that should have been rejected and were not, or the other way round."""
    found = [
        f"{key} was not rejected, although it is {why}." for key, why in batch.unusable.items() if key not in rejected
    ]
    return found + [f"{key} was rejected: {why}" for key, why in rejected.items() if key not in batch.unusable]


def _conclude(console: Console, found: Mapping[str, Any], out: Path) -> None:
    console.print(f"\n{page.headline(found)}\n", style="bold", soft_wrap=True)
    table = Table()
    for name in ("round", "model", "people", "auto", "deferred", "judge mAP50"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for row in found["rounds"]:
        score = "" if row["judge_map50"] is None else f"{row['judge_map50']:.3f}"
        counts = (str(row[name]) for name in ("human", "auto", "deferred"))
        table.add_row(str(row["round"]), row["model_version"] or "none yet", *counts, score)
    console.print(table)
    for name in (name for name in FIGURES if name in found):
        console.print(f"  {name:18} {found[name]}")
    for sentence in page.sentences(found):
        console.print(f"  {sentence}", markup=False, soft_wrap=True)
    if found["by_hand"]:
        console.print(f"  {'by your hand':18} {page.by_hand(found['by_hand'])}")
    for name in ("first_labels_seconds", "wall_seconds"):
        console.print(f"  {name:18} {found[name]}")
    for problem in found["problems"]:
        console.print(f"  ! {problem}", markup=False, soft_wrap=True)
    for part in found["failed_parts"]:
        said = f"  ! {part['what']} failed: {part['arn']}: {part['error']} {part['cause'][:500]}"
        console.print(said, markup=False, soft_wrap=True)
    console.print(f"\nreport   {_relative(out / 'report.html')}\nfigures  {_relative(out / 'summary.json')}")


def _kept(console: Console, server: stack.Server) -> None:
    console.print(f"\nThe embedded AWS still runs at {server.endpoint}; end it with: python -m local down")
    for name, value in stack.aws_environment(server).items():
        console.print(f"export {name}={value}", markup=False)


@dataclass
class Clock:
    """Seconds of the whole and of its parts, counted from the start of the program."""

    began: datetime = field(default_factory=lambda: datetime.now().astimezone())
    start: float = field(default_factory=time.monotonic)
    parts: dict[str, float] = field(default_factory=dict)

    def seconds(self) -> float:
        return time.monotonic() - self.start

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.parts[name] = time.monotonic() - started


def _parameter(server: stack.Server, name: str) -> str:
    described = stack.client(server, "cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return next(str(each["ParameterValue"]) for each in described["Parameters"] if each["ParameterKey"] == name)


def _files(out: Path, server: stack.Server, keep: bool) -> dict[str, str]:
    files = {
        out / "summary.json": "every figure on this page",
        out / "batch" / "annotations.manifest": "the merged labels: one augmented-manifest line per image",
        out / "batch" / "report.html": "the report that the loop itself wrote for this batch",
        server.log: "log of the embedded AWS, its functions and containers",
    }
    listed = {_relative(path): text for path, text in files.items()}
    more = "the embedded AWS still runs: see its executions, objects and models"
    again = "keep the embedded AWS running after the demo, and look at it with the aws CLI"
    return listed | ({"python -m local status": more} if keep else {"python -m demo --keep": again})


def _relative(path: Path) -> str:
    return str(path.relative_to(stack.REPO_ROOT)) if path.is_relative_to(stack.REPO_ROOT) else str(path)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=600, help="scenes to draw (600)")
    parser.add_argument("--seed", type=int, default=7, help="of scenes, people's mistakes and the stack's draws (7)")
    tasks = tuple(pictures.DRAWN_SKELETONS)
    parser.add_argument("--task", choices=tasks, default=tasks[0], help="what is labelled: boxes, or people's points")
    parser.add_argument("--images", type=Path, help="label your own pictures: the folder they are in")
    parser.add_argument("--truth", type=Path, help="with --images: a COCO file, from which the simulated people answer")
    parser.add_argument("--limit", type=int, help="with --images: at most this many")
    parser.add_argument("--weights", type=Path, help="a checkpoint (.pt) of yolov8n, from which the first model starts")
    parser.add_argument("--target", type=float, help="mean IoU (of key points: quality) that accepted labels must have")
    parser.add_argument("--human", action="store_true", help="label some images of every round yourself, in a browser")
    parser.add_argument("--out", type=Path, help="a new folder for what is written (build/demo, which is made anew)")
    parser.add_argument("--port", type=int, default=0, help="port of the embedded AWS (a free one)")
    parser.add_argument("--keep", action="store_true", help="leave the embedded AWS running afterwards")
    parser.add_argument("--timeout", type=float, help="minutes the execution may take (60; with --human 240)")
    options = parser.parse_args()
    options.timeout = options.timeout or (TIMEOUT_MINUTES if options.human else 60.0)
    if (options.images is None) != (options.truth is None):
        parser.error("own pictures need both --images (a folder) and --truth (a COCO file)")
    if options.limit is not None and options.images is None:
        parser.error("--limit goes with --images; use --count for drawn scenes")
    if options.out is not None and options.out.exists():
        parser.error(f"{options.out} is there already: name a new folder")
    if options.weights is not None and not options.weights.is_file():
        parser.error(f"there is no file {options.weights}: give the checkpoint that the first model is to start from")
    if options.weights is not None and not options.weights.name.endswith((".pt", ".tar.gz")):
        parser.error(f"weights are a checkpoint (.pt) or a model.tar.gz, not {options.weights.name}")
    if options.target is not None and not 0.05 <= options.target <= 0.99:
        parser.error("a target is a mean IoU from 0.05 to 0.99")
    if not 0 <= options.seed <= parameters.MOST_SEED:
        parser.error(f"a seed is a whole number from 0 to {parameters.MOST_SEED}")
    if options.count < 1 or (options.limit is not None and options.limit < 1):
        parser.error("a batch has at least one picture")
    return options


if __name__ == "__main__":
    sys.exit(main())
