"""The two tasks behind one port: looked up by name and answer; honeypots are read as written."""

from dataclasses import replace

import pytest
from annotation_lines import annotation
from labelloop import tasks
from labelloop.contracts import marks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from labelloop.people import honeypots
from labelloop.people.answers import Marked

NAMES = ("nose", "left ear", "tail")
BOXES = annotation("a.jpg", role="judge", boxes=2)


def pointed(*points: KeyPoint) -> Annotation:
    return replace(BOXES, width=400, height=400, task="key-points", marks=one_person(points, (400, 400)))


def test_a_task_is_found_by_its_name_by_a_label_of_it_and_by_what_people_answer() -> None:
    for name, label, answer in (
        ("boxes", BOXES, Marked("boxes", (), 1, 1)),
        ("key-points", pointed(), Marked("key-points", (), 1, 1)),
    ):
        task = tasks.of(name)
        assert task.name == name and tasks.of(label.task) is task and tasks.of_answer(task.answer) is task
        assert tasks.of(answer.task) is task and marks.of(name).task == name
    for verdict in ("verified-boxes", "verified-key-points"):
        assert tasks.of_answer(verdict) is None, "verdicts are labels of no task"
    with pytest.raises(InvalidInputError, match="'polygons' is none of boxes, key-points"):
        tasks.of("polygons")


def test_a_label_of_the_other_task_is_worth_nothing() -> None:
    box, (person,) = Box("nose", 1, 1, 5, 5), one_person([KeyPoint("nose", 3, 3, "visible")], (9, 9))
    assert tasks.of("boxes").quality([box], [box]) == tasks.of("key-points").quality([person], [person]) == 1
    assert tasks.of("boxes").quality([box], [person]) == tasks.of("key-points").quality([person], [box]) == 0


@pytest.mark.parametrize("kind", ["annotate", "adjust", "verify"])
@pytest.mark.parametrize("label", [BOXES, pointed(KeyPoint("nose", 9.0, 9.0, "occluded"))], ids=["boxes", "key points"])
def test_a_honeypot_is_read_as_it_was_written_whatever_its_task(kind, label) -> None:
    (pot,) = honeypots.make("job", kind, [label], NAMES, "m", 7)
    assert honeypots.Honeypot.from_json(pot.to_json()) == pot
