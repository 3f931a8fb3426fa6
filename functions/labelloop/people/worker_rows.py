"""How well each person works, in the ledger: one row per person, which remembers the jobs it has counted
(docs/architecture.md, "Ledger table").
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from labelloop.contracts.settings import settings
from labelloop.people.workers import LEAST_RELIABILITY, History, WorkerScore, is_unreliable, reliability
from labelloop.store import ledger

FEWEST_HONEYPOTS = 3  # before that, a bad answer may be bad luck


def note(job: str, score: WorkerScore) -> bool:
    """Adds a worker's score in one job to the worker's row. False: that job was noted before, nothing changes.

    The row remembers its jobs by name, some 60 bytes each: room for thousands of jobs per worker.
    """
    quality = (score.honeypot_quality or 0.0) * score.honeypots
    try:
        ledger.table().update_item(
            Key={"id": f"worker#{score.worker}"},
            UpdateExpression="ADD answers :answers, honeypots :seen, quality_sum :quality, jobs :jobs",
            ConditionExpression="NOT contains(jobs, :job)",
            ExpressionAttributeValues={
                ":answers": score.answers,
                ":seen": score.honeypots,
                ":quality": Decimal(str(round(quality, 6))),
                ":jobs": {job},
                ":job": job,
            },
        )
    except ClientError as error:
        ledger.only_condition(error)
        return False
    return True


def histories(ids: Iterable[str]) -> dict[str, History]:
    """Worker id -> all honeypots the worker has answered; workers nobody knows are left out."""
    found = ledger.rows((f"worker#{worker}" for worker in ids), "honeypots", "quality_sum")
    return {row_id.removeprefix("worker#"): _history(row) for row_id, row in found.items()}


def reliabilities(ids: Iterable[str]) -> dict[str, float]:
    """Worker id -> how much the worker counts in a vote, in (0, 1]; workers nobody knows are left out.

    A worker whose answers to honeypots are on average worse than WorkerMinimumQuality counts least.
    """
    bound = settings().worker_minimum_quality
    return {
        worker: LEAST_RELIABILITY if is_unreliable(history, bound, FEWEST_HONEYPOTS) else reliability(history)
        for worker, history in histories(ids).items()
    }


def _history(row: Mapping[str, Any]) -> History:
    seen = int(row["honeypots"])
    return History(seen, float(row["quality_sum"]) / seen if seen else 0.0)
