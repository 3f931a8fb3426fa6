"""Supplied key-point labels become round 0 of a batch, and labels of the other kind are refused by line."""

from typing import Any

import pytest
from handling import PREFIX, handle, mark, registered, upload
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation, read_labeled
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from labelloop.store import storage

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
POINTS = (KeyPoint("right eye", 5, 6, "occluded", 1), KeyPoint("nose", None, None, "outside", 1))
PEOPLE = one_person(POINTS, (64, 48))


def supplied(name: str, marks: tuple[Any, ...], task: str) -> str:
    return Annotation(name, None, 64, 48, marks, True, "2026-11-20", "theirs", task=task).to_line()


@pytest.mark.parametrize("task", ["key-points", "boxes"])
def test_labels_of_the_stacks_own_kind_are_imported(change_setting, task) -> None:
    change_setting("TASK", task)
    upload(2)
    lines = [
        supplied("00 ü+%20.png", PEOPLE, "key-points"),
        supplied("01 ü+%20.png", (Box("head", 1, 2, 3, 4, 1),), "boxes"),
        supplied("00 ü+%20.png", one_person([KeyPoint("ear", 1, 2, "visible", 1)], (64, 48)), "key-points"),
    ]
    storage.write(f"{PREFIX}labels.manifest", "\n".join(lines).encode())
    state = registered(mark(b'{"labels": "labels.manifest"}'))
    batch = state["batch"]["id"]
    handle("import_labels", batch_id=batch, labels_uri=state["batch"]["labels_uri"])
    refused = storage.read_lines(f"{Files(batch).labeling(0)}/import-errors.jsonl")
    (line,) = storage.find_text_lines(f"{Files(batch).labeling(0)}/output.manifest")
    label = read_labeled(line, f"human-{task}").annotation
    own = "00" if task == "key-points" else "01"
    assert label.human and label.source_ref.endswith(f"/{own} ü+%20.png")
    if task == "key-points":
        (person,) = label.people
        assert person.box == PEOPLE[0].box and person.derived
        told = [(point.label, point.x, point.visibility) for point in person.points]
        assert told == [("nose", None, "outside"), ("left eye", None, "unlabelled"), ("right eye", 5, "occluded")]
        assert [(each["line"], "'label'" in each["error"]) for each in refused] == [(2, False), (3, True)]
        assert "no key-points" in refused[0]["error"]
    else:
        assert label.boxes == (Box("head", 1, 2, 3, 4, 1),)
        assert [each["line"] for each in refused] == [1, 3] and "no boxes" in refused[0]["error"]
