"""Simulated people who label several people in a picture: what they answer, overlook, mistake and accept."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import KeyPoint
from labelloop.contracts.skeletons import PRESETS
from labelloop.people.answers import Marked, read_answer
from labelloop.tasks import people_labels
from labelloop.tasks.people_quality import people_quality

from demo.annotators import Noise, TruthError, answer, parse_truth, worker_names

KEY = "incoming/b/1.jpg"
HEAD = PRESETS["head"]
WORKER = worker_names(1)[0]
LABELS = people_labels.offered(HEAD.names, 3)
PLACE = '<crowd-keypoint name="placed"><crowd-checkbox name="nothing-here">'
VERIFY = '<crowd-image-classifier name="verdict">'


def points(left, top, **visibilities):
    places = {"nose": (20, 30), "left_eye": (30, 20), "right_eye": (10, 20), "left_ear": (40, 25), "right_ear": (0, 25)}
    said = {name: visibilities.get(name, "visible") for name in HEAD.names}
    placed = {name: said[name] in ("visible", "occluded") for name in said}
    return [
        {
            "name": name,
            "x": left + x if placed[name] else None,
            "y": top + y if placed[name] else None,
            "visibility": said[name],
        }
        for name, (x, y) in places.items()
    ]


def known(skeleton=HEAD):
    box = {"top": 10, "width": 40, "height": 50}
    people = [
        {"left": 10, **box, "points": points(10, 10, left_ear="occluded", right_ear="outside")},
        {"left": 100, **box, "points": points(100, 10, nose="unlabelled")},
        {"points": points(200, 10)},
    ]
    images = {KEY: {"width": 320, "height": 240, "boxes": [], "people": people}}
    return parse_truth({"classes": [], "skeleton": skeleton.to_json() if skeleton else None, "images": images})


def placed(noise, labels=LABELS, worker=WORKER):
    given_answer = answer(known(), noise, worker, KEY, PLACE, {"labels": labels})
    assert given_answer is not None
    read = read_answer(given_answer, (), HEAD)
    assert isinstance(read, Marked)
    return read.marks


def said_of(people, noise=None, truth=None):
    initial = [mark for number, person in enumerate(people, 1) for mark in people_labels.marks(person, number)]
    given_answer = answer(
        truth or known(), noise or Noise(), WORKER, KEY, VERIFY, {"labels": LABELS, "initial": initial}
    )
    assert given_answer is not None
    return given_answer["verdict"]["label"]


def test_without_noise_the_people_come_back_and_what_nobody_knows_is_left_out():
    truth = known().images[KEY].people
    assert people_quality(placed(Noise()), truth, HEAD) == 1.0
    told = [{point.label: point.visibility for point in person.points} for person in placed(Noise())]
    assert told[0]["left_ear"] == "occluded" and told[0]["right_ear"] == "outside"
    assert told[1]["nose"] == "outside", "a page has no way to say that nobody knows"
    assert [person.derived for person in placed(Noise())] == [False, False, True]


def test_people_beyond_those_that_the_page_offers_are_not_labelled():
    assert len(placed(Noise(), people_labels.offered(HEAD.names, 2))) == 2


def test_one_of_several_people_is_overlooked_now_and_then_and_numbers_stay_without_gaps():
    counts = [len(placed(Noise(miss_rate=0.3, seed=seed))) for seed in range(200)]
    assert {0, 1, 2, 3} >= set(counts) and 1.8 < sum(counts) / 200 < 2.4


def test_left_and_right_are_exchanged_for_a_whole_person():
    exchanged, right = placed(Noise(swap_rate=1.0)), placed(Noise())
    for wrong, person in zip(exchanged, right, strict=True):
        named = {point.label: point for point in person.points}
        for one, other in HEAD.pairs:
            found = next(point for point in wrong.points if point.label == one)
            assert found == replace(named[other], label=one)


def test_flags_are_mistaken():
    told = [point.visibility for person in placed(Noise(wrong_visibility_rate=1.0)) for point in person.points]
    assert told.count("occluded") == 12 and told.count("visible") == 1


@given(st.floats(0, 400), st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_whatever_they_answer_can_be_read(jitter, miss, wrong, seed):
    noise = Noise(jitter, miss, miss, seed=seed, wrong_visibility_rate=wrong, swap_rate=wrong)
    for person in placed(noise):
        assert person.box.left >= 0 and person.box.left + person.box.width <= 320
        assert [point.label for point in person.points] == list(HEAD.names)


def test_the_truth_is_accepted_and_a_missing_or_wrong_person_is_not():
    people = placed(Noise())
    hidden = [replace(point, visibility="occluded") for point in people[0].points if point.x is not None]
    hidden += [KeyPoint(point.label, None, None, "outside") for point in people[0].points if point.x is None]
    assert said_of(people) == "accept"
    assert said_of(people[:2]) == said_of(()) == "reject"
    assert said_of((replace(people[0], points=tuple(hidden)), *people[1:])) == "reject"
    assert said_of(people[:2], Noise(accept_quality=0.6)) == "accept"


def test_how_near_a_point_must_be_is_a_matter_of_the_skeleton():
    moved = tuple(
        replace(person, points=tuple(replace(point, x=point.x and point.x + 3) for point in person.points))
        for person in placed(Noise())
    )
    exact = replace(HEAD, sigmas=(0.02,) * 5)
    assert said_of(moved) == "accept" == said_of(moved, truth=known(None))
    assert said_of(moved, truth=known(exact)) == "reject"


@pytest.mark.parametrize("skeleton", [7, {}, {"names": ["a", "a"]}, {"names": ["a"], "sigmas": [0]}])
def test_a_skeleton_that_is_none_is_refused(skeleton):
    with pytest.raises(TruthError, match="skeleton of the truth"):
        parse_truth({"classes": [], "skeleton": skeleton, "images": {}})
