"""Who worked on a labelling job, and how well: read from its worker responses, kept beside the job and in the ledger.

Contract: sms-data-output, worker response: `<job>/annotations/worker-response/iteration-<n>/<line of the input
manifest, from 0>/<time>.json`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean, median
from typing import Any

from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.people import agreement, jobs, worker_rows
from labelloop.people.collected import Collected, reference
from labelloop.people.jobs import Job
from labelloop.people.workers import History, Label, is_unreliable, score_workers
from labelloop.store import immutable, storage
from labelloop.store.observability import logger

READ_AT_ONCE = 16
NOBODY = "nobody labelled within the window"
IN_VAIN = "people answered, but no answer can be used"
OF_OTHERS = "people answered about images that this job did not ask about"


def note(files: Files, number: int, job: Job, collected: Collected) -> dict[str, Any]:
    """The record of an ended job, written once: how it ended, what came of it, and a score for each worker.

    The scores are added to the workers' rows in the ledger once, however often this is called.
    """
    known = jobs.honeypots_of(files, number, job.name)
    responses = _responses(files, number, job)
    knobs = settings()
    asked = job.workers or knobs.workers_per_object
    agreeing = agreement.between(responses, knobs.classes, knobs.key_points, known)
    scores = score_workers(
        responses,
        _labels(job, collected) if asked > 1 else {},  # alone, one always agrees with the label
        {ref: pot.known for ref, pot in known.items()},
        knobs.classes,
        knobs.key_points,
    )
    for score in scores:
        worker_rows.note(job.name, score)
    done = len(collected.labels) + len(collected.rejected)
    without = IN_VAIN if collected.unusable else OF_OTHERS if collected.strange_lines else NOBODY
    record = {
        "round": number,
        "job": job.name,
        "kind": job.kind,
        "status": collected.status,
        "reason": collected.reason or ("" if done else without),
        "objects": job.objects,
        "honeypots": job.honeypots,
        "labelled": len(collected.labels),
        "rejected": len(collected.rejected),
        "unusable": collected.unusable,
        "unanswered": collected.unanswered,
        "refused-answers": collected.refused_answers,
        "strange-lines": collected.strange_lines,
        "answers-sha256": collected.digest,
        "problems": list(collected.problems),
        **({"double-labelled": len(agreeing), "people-agreement": round(fmean(agreeing), 4)} if agreeing else {}),
        "workers": [score.to_json() for score in scores],
    }
    return immutable.create_json(files.workers(number, job.name), record)


def of_batch(files: Files, rounds: Iterable[int]) -> list[dict[str, Any]]:
    """The records of all jobs of these rounds, in their order."""
    found = []
    for number in rounds:
        for job in jobs.of_round(files, number):
            record = immutable.find_json(files.workers(number, job.name))
            if record is not None:
                found.append(record)
    return found


def by_worker(records: Sequence[Mapping[str, Any]], histories: Mapping[str, History]) -> list[dict[str, Any]]:
    """One row per worker over all jobs of a batch, by id. `seconds` is the median of the jobs' medians, the other
    figures are means over answers; `flagged` looks at all honeypots the worker has ever seen.
    """
    given: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        for score in record["workers"]:
            given[score["worker"]].append(score)
    rows = []
    for worker, scores in sorted(given.items()):
        seconds = [score["seconds"] for score in scores if score["seconds"] is not None]
        rows.append(
            {
                "worker": worker,
                "answers": sum(score["answers"] for score in scores),
                "refused": sum(score["refused"] for score in scores),
                "cannot_judge": sum(score["cannot-judge"] for score in scores),
                "seconds": round(median(seconds), 1) if seconds else None,
                "agreement": _mean(scores, "agreement", "answers"),
                "honeypots": sum(score["honeypots"] for score in scores),
                "honeypot_quality": _mean(scores, "honeypot-quality", "honeypots"),
                "flagged": is_flagged(histories.get(worker, History())),
            }
        )
    return rows


def is_flagged(history: History) -> bool:
    return is_unreliable(history, settings().worker_minimum_quality, worker_rows.FEWEST_HONEYPOTS)


def _mean(scores: Iterable[Mapping[str, Any]], name: str, weight: str) -> float | None:
    weighted = [value for score in scores if score[name] is not None for value in [score[name]] * score[weight]]
    return round(fmean(weighted), 4) if weighted else None


def _labels(job: Job, collected: Collected) -> dict[str, Label]:
    if job.kind == "verify":
        return {**dict.fromkeys(collected.labels, "accept"), **dict.fromkeys(collected.rejected, "reject")}
    return {ref: label.annotation.marks for ref, label in collected.labels.items()}


def _responses(files: Files, number: int, job: Job) -> dict[str, dict[str, Any]]:
    """source-ref -> its worker responses of all iterations as one document."""
    refs = [reference(line) for line in immutable.read_text_lines(storage.own_key(job.manifest_uri))]
    folder = f"{files.labeling(number)}/{job.name}/annotations/worker-response/"
    placed = []
    for key in sorted(storage.keys(folder)):
        match = re.fullmatch(r"iteration-\d+/(\d+)/[^/]+\.json", key.removeprefix(folder))
        if match and int(match[1]) < len(refs):
            placed.append((refs[int(match[1])], key))
    found: dict[str, list[Any]] = defaultdict(list)
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        for (ref, key), body in zip(placed, pool.map(storage.read, [key for _, key in placed]), strict=True):
            found[ref] += _answers(key, body)
    return {ref: {"answers": answers} for ref, answers in found.items()}


def _answers(key: str, body: bytes) -> list[Any]:
    """What a response file holds; one that breaks its contract costs the scores of its own answers only."""
    try:
        listed = json.loads(body)["answers"]
        return [entry for entry in listed if isinstance(entry["workerId"], str)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning("a worker response breaks its contract", object=key, reason=repr(error))
        return []
