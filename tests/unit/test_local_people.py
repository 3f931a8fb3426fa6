"""How a labelling job waits for its person: until the person answered, handed over, or time is up."""

import threading
import time
from types import SimpleNamespace

import pytest
from portal_visitor import boxes

from local.sagemaker import labeling_people
from local.sagemaker.labeling_objects import LabelObject, Task
from local.sagemaker.store import People
from portal.server.desk import PERSON
from portal.server.memory_desk import MemoryDesk


@pytest.fixture
def run(monkeypatch):
    """A job whose steps outside this machine's memory only note what they were given."""
    concluded = []
    monkeypatch.setattr(labeling_people, "tasks_of", lambda run, items: [Task(each, "<t>", {}) for each in items])
    monkeypatch.setattr(labeling_people, "simulated", lambda run, task, workers: list(workers))
    monkeypatch.setattr(labeling_people, "count", lambda run: None)

    def conclude(run, number, items):
        concluded.append((number, {item.index: item.responses for item in items}))

    monkeypatch.setattr(labeling_people, "conclude", conclude)
    human = {"TaskTitle": "Boxes", "TaskDescription": "All", "TaskTimeLimitInSeconds": 60}
    desk = MemoryDesk()
    return SimpleNamespace(
        world=SimpleNamespace(context=SimpleNamespace(desk=desk), people=People(person=True, share=2)),
        files=SimpleNamespace(job_name="job"),
        human=human,
        template="<crowd-bounding-box>",
        workers=["w1", "w2"],
        deadline=time.monotonic() + 600,
        stopped=False,
        s3=None,
        desk=desk,
        concluded=concluded,
    )


def items(count=3):
    return [LabelObject(index, "", {}, "open") for index in range(count)]


def attend(run, offered):
    """Lays out the person's share and attends to it until it is done."""
    waiting = labeling_people.lay_out(run, labeling_people.share(run.world, offered))
    thread = threading.Thread(target=labeling_people.attend, args=(run, waiting, 5), daemon=True)
    thread.start()
    return thread


def ends(thread):
    thread.join(timeout=30)
    return not thread.is_alive()


@pytest.mark.parametrize(
    ("people", "expected"), [(People(), 0), (People(True, 0), 0), (People(True, 2), 2), (People(True), 3)]
)
def test_the_first_objects_wait_for_the_person_if_he_labels(people, expected):
    assert labeling_people.share(SimpleNamespace(people=people), items()) == items()[:expected]


def test_the_person_takes_the_seat_of_one_worker(run):
    offered = items()
    thread = attend(run, offered)
    for expected in (boxes(), boxes(("head", 1, 2, 3, 4))):
        run.desk.submit(run.desk.next("job", PERSON), PERSON, expected, "draft")
    assert ends(thread)
    found = {index: responses for _, done in run.concluded for index, responses in done.items()}
    assert {index: (first, own.worker, own.content) for index, (first, own) in found.items()} == {
        0: ("w1", PERSON, boxes()),
        1: ("w1", PERSON, boxes(("head", 1, 2, 3, 4))),
    }
    assert [number for number, done in run.concluded] == list(range(5, 5 + len(run.concluded)))


def test_what_was_handed_over_the_simulated_workers_answer(run):
    thread = attend(run, items())
    run.desk.hand_over("job")
    assert ends(thread)
    assert run.concluded == [(5, {0: ["w1", "w2"], 1: ["w1", "w2"]})]


def test_when_no_person_labels_any_more_his_share_is_handed_over(run):
    thread = attend(run, items())
    run.world.people = People()
    assert ends(thread)
    assert run.concluded == [(5, {0: ["w1", "w2"], 1: ["w1", "w2"]})]


def test_objects_expire_with_the_job_s_lifetime_but_for_the_answered_ones(run):
    offered = items()
    thread = attend(run, offered)
    run.desk.submit(run.desk.next("job", PERSON), PERSON, boxes(), "draft")
    run.deadline = 0.0
    assert ends(thread)
    assert [item.state for item in offered] == ["open", "failed", "open"]
    assert "expired" in offered[1].failure
    assert [list(done) for _, done in run.concluded if done] == [[0]]


def test_a_stopped_job_withdraws_what_is_open_and_leaves_it_unlabelled(run):
    offered = items()
    thread = attend(run, offered)
    run.stopped = True
    assert ends(thread)
    assert [item.state for item in offered] == ["open"] * 3
    assert run.desk.counts()["job"]["stopped"] == 2 and run.desk.next("job", PERSON) is None


def test_the_kind_of_a_job_is_what_its_workers_see(run):
    task = Task(items()[0], "", {"initial": [{"label": "head"}]})
    assert labeling_people._kind("<crowd-bounding-box>", [task]) == "adjust"
    assert labeling_people._kind("<crowd-image-classifier>", [task]) == "verify"
