"""Dataset versions: complete, immutable, numbered; no publication is lost and none happens twice."""

import hashlib
import itertools
import json

import pytest
from annotation_lines import line, reference
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import TransientError
from labelloop.store import datasets, storage
from made_up_stack import BUCKET

lines = st.lists(
    st.builds(line, st.sampled_from(["a.jpg", "b ü.jpg", "c+%20.jpg"]), st.booleans(), boxes=st.integers(0, 3)),
    max_size=6,
)


def refs(version):
    return [json.loads(text)["source-ref"] for text in datasets.load(version).lines]


def test_before_the_first_publication_there_is_an_empty_dataset(aws) -> None:
    assert datasets.current() == datasets.Dataset("", ()) and datasets.current().number == 0


def test_a_version_is_complete_sorted_checksummed_and_tells_its_parent(aws) -> None:
    first = datasets.publish([line("b.jpg"), line("a.jpg", human=False)], {"batch": "one"})
    second = datasets.publish([line("c.jpg", role="judge")], {"batch": "two"})
    assert refs(second) == [reference("a.jpg"), reference("b.jpg"), reference("c.jpg")]
    assert refs(first) == refs(second)[:2]
    assert (first[:8], second[:8]) == ("v000001-", "v000002-")
    card = storage.read_json(f"datasets/{second}/card.json")
    body = storage.read(f"datasets/{second}/manifest.jsonl")
    assert card == {
        "version": second,
        "parent": first,
        "sha256": hashlib.sha256(body).hexdigest(),
        "batch": "two",
        "images": 3,
        "auto": 1,
        "human": 2,
        "train": 1,
        "judge": 1,
    }
    assert card["sha256"].startswith(second[-8:])
    assert datasets.current().version == storage.read_pointer("datasets/current").value["version"] == second


def test_publishing_the_same_again_changes_nothing(aws) -> None:
    added = [line("a.jpg"), line("b.jpg", human=False)]
    version = datasets.publish(added, {})
    keys = sorted(storage.keys(""))
    assert datasets.publish(added, {}) == datasets.publish(added[:1], {}) == datasets.publish([], {}) == version
    assert sorted(storage.keys("")) == keys


@pytest.mark.fault("G01")
def test_two_concurrent_publishers_lose_nothing(aws, monkeypatch) -> None:
    """Another batch publishes after this one has read the pointer: the flip meets 412, and the lines are rebased."""
    datasets.publish([line("old.jpg")], {})
    flip, overtaken = storage.flip_pointer, []

    def meet_another(key, value, seen):
        if not overtaken:
            overtaken.append(True)
            overtaken.append(datasets.publish([line("theirs.jpg")], {"batch": "theirs"}))
        return flip(key, value, seen)

    monkeypatch.setattr(storage, "flip_pointer", meet_another)
    mine = datasets.publish([line("mine.jpg")], {"batch": "mine"})
    theirs = overtaken[1]
    assert refs(mine) == [reference("mine.jpg"), reference("old.jpg"), reference("theirs.jpg")]
    assert refs(theirs) == [reference("old.jpg"), reference("theirs.jpg")]
    assert storage.read_json(f"datasets/{mine}/card.json")["parent"] == theirs
    assert (theirs[:7], mine[:7]) == ("v000002", "v000003") and datasets.current().version == mine


def test_two_that_publish_first_lose_nothing_either(aws, monkeypatch) -> None:
    flip, calls = storage.flip_pointer, itertools.count()

    def meet_another(key, value, seen):
        if next(calls) == 0:
            datasets.publish([line("theirs.jpg")], {})
        return flip(key, value, seen)

    monkeypatch.setattr(storage, "flip_pointer", meet_another)
    assert refs(datasets.publish([line("mine.jpg")], {})) == [reference("mine.jpg"), reference("theirs.jpg")]


@pytest.mark.fault("G02")
def test_a_publisher_that_died_before_the_flip_is_repeated_without_trace(aws, monkeypatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(storage, "flip_pointer", lambda *_: (_ for _ in ()).throw(TimeoutError("killed")))
        with pytest.raises(TimeoutError):
            datasets.publish([line("a.jpg")], {})
    assert datasets.current().version == ""
    version = datasets.publish([line("a.jpg")], {})
    assert datasets.current().version == version and version.startswith("v000001-")
    assert {key.split("/")[1] for key in storage.keys("datasets/v")} == {version}


def test_who_never_gets_a_turn_may_try_again(aws, monkeypatch) -> None:
    monkeypatch.setattr(storage, "flip_pointer", lambda *_: False)
    with pytest.raises(TransientError, match="nothing was lost, try again"):
        datasets.publish([line("a.jpg")], {})
    assert datasets.current().version == ""


@pytest.mark.fault("G05")
def test_a_human_label_replaces_any_and_a_machine_label_never_a_human_one() -> None:
    human, later_human = line("a.jpg"), line("a.jpg", boxes=2)
    machine, later_machine = line("a.jpg", human=False), line("a.jpg", human=False, boxes=2)
    assert datasets.merge([machine], [human]) == [human]
    assert datasets.merge([human], [machine]) == [human]
    assert datasets.merge([human], [later_human]) == [later_human]
    assert datasets.merge([machine], [later_machine]) == [later_machine]
    assert datasets.merge([], [human, machine]) == datasets.merge([], [machine, human]) == [human]


def test_a_label_of_a_replaced_image_gives_way_to_that_of_its_new_content_in_whatever_order_they_come() -> None:
    before = line("a.jpg", role="judge", sha256="1" * 64)
    for human in (False, True):
        after = line("a.jpg", human=human, sha256="2" * 64).replace("2026-11-20T", "2026-11-21T")
        assert datasets.merge([before], [after]) == [after]
        assert datasets.merge([after], [before]) == [after], "a batch that is merged again is older than that"
        assert datasets.merge([after], [line("a.jpg", human=False, sha256="1" * 64)]) == [after]
    same = line("a.jpg", human=False, sha256="1" * 64).replace("2026-11-20T", "2026-11-21T")
    assert datasets.merge([before], [same]) == [before], "another batch of the same content"


def test_a_label_that_nothing_is_there_counts_as_a_label() -> None:
    nothing = line("a.jpg", boxes=0)
    assert datasets.merge([line("a.jpg", human=False)], [nothing]) == [nothing]


@given(lines, lines)
def test_merging_keeps_every_image_once_in_order_and_is_idempotent(parent, added) -> None:
    parent = datasets.merge([], parent)
    merged = datasets.merge(parent, added)
    references = [json.loads(text)["source-ref"] for text in merged]
    assert references == sorted({json.loads(text)["source-ref"] for text in [*parent, *added]})
    assert datasets.merge(merged, added) == merged
    known_to_people = {json.loads(text)["source-ref"] for text in [*parent, *added] if datasets.is_human(text)}
    assert {json.loads(text)["source-ref"] for text in merged if datasets.is_human(text)} == known_to_people


def test_machine_labels_have_no_role() -> None:
    counted = datasets.count_labels([line("a.jpg", role="judge"), line("b.jpg", human=False)])
    assert counted == {"images": 2, "auto": 1, "human": 1, "train": 0, "judge": 1}


def test_keys_with_line_separators_stay_one_line(aws) -> None:
    version = datasets.publish([line("a\u2028b.jpg"), line("c.jpg")], {})
    assert refs(version) == [f"s3://{BUCKET}/incoming/b/a\u2028b.jpg", reference("c.jpg")]
