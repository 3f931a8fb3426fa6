"""What the ledger knows of each worker: a job counts once, and a bad worker counts least."""

import pytest
from labelloop.people import worker_rows
from labelloop.people.workers import LEAST_RELIABILITY, History, WorkerScore, reliability

pytestmark = pytest.mark.usefixtures("aws")


def score(worker: str = "w", honeypots: int = 2, quality: float | None = 0.5) -> WorkerScore:
    return WorkerScore(worker, 4, 0, 0, None, None, honeypots, quality)


def test_hundreds_of_workers_are_read_in_several_requests() -> None:
    for number in range(120):
        assert worker_rows.note("job", score(f"w{number}"))
        assert not worker_rows.note("job", score(f"w{number}"))
    found = worker_rows.histories([f"w{number}" for number in range(130)])
    assert len(found) == 120 and {(each.honeypots, each.quality) for each in found.values()} == {(2, 0.5)}
    assert worker_rows.histories([]) == {}


def test_a_worker_s_honeypots_of_all_jobs_count_each_alike() -> None:
    for job, honeypots, quality in (("a", 1, 1.0), ("b", 3, 0.2), ("c", 0, None), ("b", 3, 0.9)):
        worker_rows.note(job, score(honeypots=honeypots, quality=quality))
    (history,) = worker_rows.histories(["w", "nobody"]).values()
    assert history.honeypots == 4 and history.quality == pytest.approx((1.0 + 3 * 0.2) / 4)


def test_who_has_seen_no_honeypot_counts_as_a_stranger_with_a_row() -> None:
    worker_rows.note("a", score(honeypots=0, quality=None))
    assert worker_rows.histories(["w"]) == {"w": History(0, 0.0)}
    assert worker_rows.reliabilities(["w", "nobody"]) == {"w": reliability(History())}


@pytest.mark.parametrize(("honeypots", "least"), [(2, False), (3, True)])
def test_a_bad_worker_counts_least_after_three_honeypots(change_setting, honeypots, least) -> None:
    change_setting("WORKER_MINIMUM_QUALITY", "0.5")
    worker_rows.note("a", score(honeypots=honeypots, quality=0.1))
    (counts,) = worker_rows.reliabilities(["w"]).values()
    assert (counts == LEAST_RELIABILITY) is least and LEAST_RELIABILITY <= counts <= 1
