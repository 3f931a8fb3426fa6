"""Votes of several people become classes and confusion matrices, on made-up people and on recorded ones."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.people.answers import Choice, read_answer
from labelloop.tasks.dawid_skene import dawid_skene

from tests.support.strategies import CLASSES

BIRDS = Path(__file__).parents[2] / "../shared/data/aws-fixtures/groundtruth/ic-birds-worker-responses"

votes_of_some = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(CLASSES), min_size=1), min_size=1, max_size=8
)

reliabilities = st.dictionaries(st.sampled_from("abcd"), st.floats(1e-9, 1))


@given(votes_of_some, st.randoms())
def test_neither_the_order_of_items_nor_of_workers_matters(votes, random) -> None:
    one = dawid_skene(dict(enumerate(votes)), CLASSES)
    shuffled = {
        number: dict(random.sample(list(votes[number].items()), len(votes[number])))
        for number in random.sample(range(len(votes)), len(votes))
    }
    other = dawid_skene(shuffled, CLASSES)
    assert other == one
    assert all(other.label(number) == one.label(number) for number in range(len(votes)))


@given(votes_of_some)
def test_posteriors_confusions_and_prevalence_are_distributions(votes) -> None:
    found = dawid_skene(dict(enumerate(votes)), CLASSES)
    rows = [row for matrix in found.confusion.values() for row in matrix.values()]
    for distribution in (*found.posteriors.values(), found.prevalence, *rows):
        assert set(distribution) == set(CLASSES)
        assert all(0 <= share <= 1 for share in distribution.values())
        assert sum(distribution.values()) == pytest.approx(1)


@given(st.sampled_from(CLASSES), st.integers(1, 5), st.integers(1, 5))
def test_people_who_agree_are_believed(label, workers, items) -> None:
    votes = {item: {f"w{worker}": label for worker in range(workers)} for item in range(items)}
    found = dawid_skene(votes, CLASSES)
    assert all(found.label(item) == label and found.posteriors[item][label] > 0.7 for item in votes)


@given(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=8), st.integers(2, 4), reliabilities)
def test_people_who_agree_are_believed_however_unreliable_they_are(labels, workers, reliability) -> None:
    votes = {item: dict.fromkeys("abcd"[:workers], label) for item, label in enumerate(labels)}
    found = dawid_skene(votes, CLASSES, reliability)
    assert [found.label(item) for item in votes] == labels


def test_who_is_right_by_chance_only_is_outvoted_by_anybody_better_and_among_such_people_most_votes_win() -> None:
    votes = {0: {"a": "head", "b": "hand", "c": "hand"}}
    for unreliable in (0.01, 0.2, 1 / 3):
        assert dawid_skene(votes, CLASSES, {"a": 0.5, "b": unreliable, "c": unreliable}).label(0) == "head"
        assert dawid_skene(votes, CLASSES, dict.fromkeys("abc", unreliable)).label(0) == "hand"


def test_strangers_vote_with_equal_weight_and_a_tie_goes_to_the_first_class() -> None:
    assert dawid_skene({0: {"a": "hand", "b": "hand", "c": "head"}}, CLASSES).label(0) == "hand"
    assert dawid_skene({0: {"a": "bottle", "b": "hand"}}, CLASSES).label(0) == "hand"
    assert dawid_skene({0: {"a": "bottle", "b": "hand"}}, CLASSES[::-1]).label(0) == "bottle"


def test_a_reliable_worker_outvotes_two_unreliable_ones() -> None:
    votes = {0: {"a": "head", "b": "hand", "c": "hand"}}
    assert dawid_skene(votes, CLASSES, {"a": 0.95, "b": 0.4, "c": 0.4}).label(0) == "head"
    assert dawid_skene(votes, CLASSES).label(0) == "hand"
    assert dawid_skene(votes, CLASSES, {"a": 1.0, "b": 1e-9, "c": 0.0}).label(0) == "head"


def test_one_class_and_no_votes_at_all() -> None:
    assert dawid_skene({0: {"a": "head"}}, ["head"]).posteriors == {0: {"head": 1.0}}
    assert dawid_skene({}, CLASSES).posteriors == {}
    with pytest.raises(KeyError):
        dawid_skene({0: {"a": "tail"}}, CLASSES)


def test_a_worker_who_swaps_two_classes_is_found_out_and_then_is_worth_as_much_as_a_good_one() -> None:
    random = Random(5)
    truth = {item: random.choice(CLASSES[:2]) for item in range(200)}
    swapped = dict(zip(CLASSES[:2], CLASSES[1::-1], strict=True))

    def say(true, right):
        return true if random.random() < right else swapped[true]

    votes = {
        item: {"good": say(true, 0.9), "fair": say(true, 0.8), "swaps": swapped[true]} for item, true in truth.items()
    }
    found = dawid_skene(votes, CLASSES[:2])
    assert found.confusion["swaps"]["head"]["hand"] > 0.8
    assert sum(found.label(item) == true for item, true in truth.items()) >= 190


def test_recorded_answers_consolidate_at_least_as_well_as_ground_truth_did() -> None:
    """97 people, five answers per image, ten birds: Ground Truth's own label is right for 272 of 302."""
    if not BIRDS.exists():
        pytest.skip("the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
    truth = {entry["ImageId"]: entry["Label"] for entry in json.loads((BIRDS / "true_labels.json").read_text())}
    classes = sorted(set(truth.values()))
    lines = [json.loads(line) for line in (BIRDS / "output.manifest").read_text().splitlines()]
    images = [Path(line["source-ref"]).stem for line in lines]
    theirs = [line["birds-open-images-clone-metadata"]["class-name"] for line in lines]
    votes = {}
    for path in (BIRDS / "worker-response").glob("*/*/*.json"):
        answers = json.loads(path.read_text())["answers"]
        read = {entry["workerId"]: read_answer(entry["answerContent"], (), (), classes) for entry in answers}
        assert len(read) == 5 and all(isinstance(choice, Choice) for choice in read.values())
        votes[images[int(path.parent.name)]] = {worker: choice.label for worker, choice in read.items()}
    found = dawid_skene(votes, classes)
    right = sum(found.label(image) == truth[image] for image in images)
    assert (len(votes), sum(label == truth[image] for label, image in zip(theirs, images, strict=True))) == (302, 272)
    assert right >= 272
