"""What the ledger knows of each worker."""

import pytest
from labelloop.people import worker_rows
from labelloop.people.workers import WorkerScore

pytestmark = pytest.mark.usefixtures("aws")


def test_hundreds_of_workers_are_read_in_several_requests() -> None:
    for number in range(120):
        assert worker_rows.note("job", WorkerScore(f"w{number}", 1, 0, 0, None, None, 2, 0.5))
        assert not worker_rows.note("job", WorkerScore(f"w{number}", 1, 0, 0, None, None, 2, 0.5))
    found = worker_rows.histories([f"w{number}" for number in range(130)])
    assert len(found) == 120 and {(each.honeypots, each.quality) for each in found.values()} == {(2, 0.5)}
    assert worker_rows.histories([]) == {}
