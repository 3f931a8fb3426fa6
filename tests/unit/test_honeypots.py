"""Honeypots: as many as asked for, like the other lines of their job, with a truth that the line does not tell."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from statistics import fmean

import pytest
from annotation_lines import CLASSES, annotation, line
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, dump_line
from labelloop.people import honeypots
from labelloop.people.answers import VERDICTS, Answer, Choice, Marked
from labelloop.people.collected import proposal_of
from labelloop.people.honeypots import Honeypot
from labelloop.people.workers import History, honeypot_quality, is_unreliable
from labelloop.tasks.proposals import proposal_line
from labelloop.tasks.quality import image_quality
from made_up_stack import SETTINGS

JUDGES = [annotation(f"{number:03d}.jpg", role="judge", boxes=number % 4) for number in range(40)]
BOUND = float(SETTINGS["WORKER_MINIMUM_QUALITY"])


def made(kind: str, seed: int = 7, images: Sequence[Annotation] = JUDGES) -> list[Honeypot]:
    return honeypots.make("job-1", kind, images, CLASSES, "model-1", seed)


def is_caught(pots: Sequence[Honeypot], answers: Iterable[Answer]) -> bool:
    qualities = [honeypot_quality(answer, pot.known) for pot, answer in zip(pots, answers, strict=True)]
    return is_unreliable(History(len(qualities), fmean(qualities)), BOUND, minimum=1)


def shown(pot: Honeypot) -> tuple[Box, ...]:
    proposal = proposal_of(dump_line(pot.line), CLASSES)
    assert proposal is not None
    return proposal.boxes


def test_only_gold_labels_of_people_are_honeypots_and_none_that_people_are_asked_about() -> None:
    lines = [line("a.jpg", role="judge"), line("b.jpg", role="train"), line("c.jpg", human=False)]
    lines.append(line("d.jpg", role="judge"))
    found = honeypots.candidates(lines, "boxes", {annotation("d.jpg").source_ref})
    assert [image.source_ref for image in found] == [annotation("a.jpg").source_ref]
    assert honeypots.candidates(lines, "key-points") == [], "a label of another task says nothing about this one"


@given(st.integers(1, 100_000), st.floats(0, 0.5))
def test_a_job_with_its_honeypots_is_no_larger_than_allowed(most, rate) -> None:
    objects = honeypots.most_objects(most, rate)
    assert objects >= 1 and (objects == 1 or objects + honeypots.share(objects, rate) <= most)


@pytest.mark.parametrize(("objects", "rate", "count"), [(20, 0.05, 1), (21, 0.05, 2), (10, 0.1, 1), (10, 0, 0)])
def test_the_rate_is_per_image_of_the_job(objects, rate, count) -> None:
    assert honeypots.share(objects, rate) == count


def test_no_honeypot_comes_twice_before_all_were_shown_and_a_job_has_each_once() -> None:
    first, second, third = honeypots.chosen(JUDGES, [15, 15, 200], 7, "batch/1")
    refs = [image.source_ref for image in (*first, *second)]
    assert len(set(refs)) == 30 and len({image.source_ref for image in third}) == len(third) == len(JUDGES)
    assert honeypots.chosen(JUDGES, [15], 7, "batch/1") != honeypots.chosen(JUDGES, [15], 7, "batch/2")
    assert honeypots.chosen([], [3], 7, "batch/1") == [[]]


@pytest.mark.parametrize("kind", ["annotate", "adjust", "verify"])
def test_a_honeypot_has_the_keys_of_the_other_lines_of_its_job(kind) -> None:
    boxes = None if kind == "annotate" else [Box("head", 1, 2, 3, 4, 0.5)]
    other = proposal_line("s3://b/k", 100, 60, boxes, CLASSES, "model-1")

    def keys(record: object) -> object:
        return {name: keys(value) for name, value in record.items()} if isinstance(record, dict) else None

    for pot in made(kind):
        assert keys(dict(pot.line)) == keys(other)
        if kind != "annotate":
            assert pot.line["proposed-boxes-metadata"]["job-name"] == "model-1"
            stated = [each["confidence"] for each in pot.line["proposed-boxes-metadata"]["objects"]]
            assert all(0 < confidence < 1 for confidence in stated)


def test_what_is_to_be_adjusted_is_near_the_truth_and_never_the_truth() -> None:
    for pot in made("adjust"):
        assert {box.label for box in shown(pot)} <= set(CLASSES)
        assert image_quality(shown(pot), pot.marks) < 1 and pot.verdict is None
    assert sum(image_quality(shown(pot), pot.marks) for pot in made("adjust") if pot.marks) > 0.4 * 30


@pytest.mark.parametrize("count", range(1, 11))
def test_who_gives_every_verdict_the_same_way_is_caught(count) -> None:
    pots = made("verify", images=JUDGES[:count])
    for said in VERDICTS:
        caught = is_caught(pots, [Choice(said)] * count)
        assert caught or (said, count) == ("reject", 1), "one wrong proposal cannot tell who always rejects"
    assert not is_caught(pots, [Choice(str(pot.verdict)) for pot in pots])


def test_who_guesses_verdicts_is_caught_and_one_mistake_in_five_is_forgiven() -> None:
    pots = made("verify")
    random = Random(3)
    assert is_caught(pots, [Choice(random.choice(VERDICTS)) for _ in pots])
    wrong = dict(zip(VERDICTS, reversed(VERDICTS), strict=True))
    said = [wrong[str(pot.verdict)] if place % 5 == 0 else str(pot.verdict) for place, pot in enumerate(pots)]
    assert not is_caught(pots, map(Choice, said))


@pytest.mark.parametrize("seed", range(10))
def test_who_submits_what_is_shown_is_caught_and_who_corrects_it_with_care_is_not(seed) -> None:
    images = [gold_of_many_sizes(Random(f"{seed}/{number}"), number) for number in range(10)]
    pots = made("adjust", seed, images)
    assert is_caught(pots, [Marked("boxes", shown(pot), 640, 480) for pot in pots])
    assert all(honeypot_quality(Marked("boxes", shown(pot), 640, 480), pot.known) == 0 for pot in pots)
    assert all(honeypot_quality(Marked("boxes", pot.marks, 640, 480), pot.known) == 1 for pot in pots)
    random = Random(seed)
    assert not is_caught(
        pots, [Marked("boxes", tuple(careful(box, random) for box in pot.marks), 640, 480) for pot in pots]
    )


def gold_of_many_sizes(random: Random, number: int) -> Annotation:
    sides = [(random.randint(40, 180), random.randint(40, 180)) for _ in range(random.randint(1, 6))]
    boxes = tuple(Box("head", random.randint(0, 640 - w), random.randint(0, 480 - h), w, h) for w, h in sides)
    return replace(JUDGES[number], width=640, height=480, marks=boxes)


def careful(box: Box, random: Random) -> Box:
    """Every edge some 3 pixels off."""
    left, top, right, bottom = (random.gauss(0, 3) for _ in range(4))
    return replace(
        box, left=box.left + left, top=box.top + top, width=box.width + right - left, height=box.height + bottom - top
    )


def test_half_of_what_is_to_be_verified_is_right_and_half_plainly_wrong() -> None:
    pots = made("verify")
    assert [pot.verdict for pot in pots].count("accept") == len(pots) / 2
    for pot in pots:
        quality = image_quality(shown(pot), pot.marks)
        assert quality == 1 if pot.verdict == "accept" else quality < 0.9


@pytest.mark.parametrize("kind", ["annotate", "adjust", "verify"])
def test_a_honeypot_is_read_back_as_it_was_written_and_made_again_the_same(kind) -> None:
    assert [Honeypot.from_json(pot.to_json()) for pot in made(kind)] == made(kind)
    if kind != "annotate":
        assert made(kind, seed=8) != made(kind)


@given(st.integers(0, 30), st.integers(0, 10), st.integers(0, 9))
def test_mixing_keeps_the_order_of_the_lines_and_loses_nothing(lines, pots, seed) -> None:
    own, mixed_in = [f"line {n}" for n in range(lines)], [f"pot {n}" for n in range(pots)]
    mixed = honeypots.mixed(own, mixed_in, seed, "job")
    assert [each for each in mixed if each in own] == own and sorted(mixed) == sorted([*own, *mixed_in])
    assert mixed == honeypots.mixed(own, mixed_in, seed, "job")
