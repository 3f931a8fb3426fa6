"""The seam of a further labeller: one that only these tests know is asked, shows its progress, ends, is stopped, and
what people answered there is merged, while SageMaker refuses everything. What it needs of the product: docs/house.md.
"""

import json
from collections.abc import Iterable

import people as answers
import pytest
from handling import handle, handle_event
from labelling_rounds import judged, lines_of, merged
from labelloop import people
from labelloop.contracts.events import Kinds
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import Settings
from labelloop.people.jobs import Job
from labelloop.people.port import Backend
from labelloop.store import callbacks, ledger
from labelloop.store.callbacks import Outcome

from cli import batches as shown

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
GONE = "Another Service Says A Job Ended"


class Another:
    """Asks nobody but a test."""

    name = "another"

    def __init__(self) -> None:
        self.events: Kinds = {GONE: ("labeling", ("detail", "job"))}
        self.asked: list[Job] = []
        self.status: dict[str, str] = {}

    def ask(self, files: Files, number: int, job: Job) -> bool:
        self.asked.append(job)
        return True

    def ended(self, job: str) -> Outcome | None:
        status = self.status.get(job)
        return Outcome(True, {"status": status, "output_uri": "", "reason": ""}) if status else None

    def progress(self, job: str) -> tuple[int, int]:
        return 2, next(each.objects for each in self.asked if each.name == job)

    def collect(self, files: Files, number: int, job: Job) -> Iterable[str]:
        return [json.dumps({**line, **answers.boxes()}) for line in lines_of(job)[:-1]]

    def stop(self, job: str) -> None:
        self.status[job] = "Stopped"

    def running(self, prefix: str) -> list[str]:
        return [job.name for job in self.asked if job.name not in self.status]

    def unable(self, settings: Settings) -> str:
        return ""


@pytest.fixture
def another(fake_service, change_setting, monkeypatch) -> Another:
    """Known, and named by the setting; that is all that the product has to be told."""
    labeller, known = Another(), people.known()
    checked: Backend = labeller
    monkeypatch.setattr(people, "known", lambda: [*known, checked])
    change_setting("LABELING_BACKEND", "another")
    change_setting("HUMAN_BUDGET", "100")
    fake_service("sns")
    fake_service("sagemaker")  # every call of it fails
    return labeller


def asked(labeller: Another) -> tuple[str, str]:
    """The batch and the job, which waits for people."""
    batch = judged(4)
    place = {"batch_id": batch, "round": 1, "job": 1, "execution": ledger.owner_of(batch)}
    job = handle("request_labels", **place, task_token="t", timeout_seconds=600)["labeling_job"]
    assert [each.name for each in labeller.asked] == [job] and labeller.asked[0].backend == "another"
    return batch, job


def test_it_is_asked_and_heard_and_what_people_answered_is_merged(another, states) -> None:
    batch, job = asked(another)
    (waiting,) = shown.waiting()
    assert (waiting.name, waiting.answered, waiting.images) == (job, 2, 4)

    another.status[job] = "Completed"
    event = {"detail-type": GONE, "detail": {"job": job}}
    assert handle_event("complete_work", event) == {"labeling": job}
    assert list(callbacks.open_callbacks()) == []
    assert [name for name, _ in states.calls if name.startswith("send_task")] == ["send_task_success"]

    assert handle("collect_labels", batch_id=batch, round=1, job=1)["status"] == "Completed"
    assert len(merged(batch)) == 3, "of four, nobody answered the last one"


def test_it_is_stopped_when_its_time_is_over(another, states) -> None:
    batch, _ = asked(another)
    assert handle("stop_labeling", batch_id=batch, round=1, job=1) == {"status": "Stopped"}
    assert another.running("labelloop") == [] and list(callbacks.open_callbacks()) == []
