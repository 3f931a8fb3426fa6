"""What an ended labelling job comes to: matched by source-ref, and every odd line costs one image."""

import json
import random

import people
import pytest
from annotation_lines import CLASSES
from labelloop.collected import collect
from labelloop.proposals import proposal_line
from labelloop.records import Box, dump_line

SHOWN = Box("head", 3, 4, 20, 10, 0.9)
REFS = [f"s3://b/{name}.png" for name in "abcd"]


def asked(*refs: str, proposed: bool = True) -> list[str]:
    boxes = [SHOWN] if proposed else None
    return [dump_line(proposal_line(ref, *people.SIZE, boxes, CLASSES, "model")) for ref in refs or REFS]


def answered(lines: list[str], *answers: dict | None) -> list[str]:
    return [dump_line({**json.loads(line), **(said or {})}) for line, said in zip(lines, answers, strict=True)]


def adjusted(given: list[str], output: list[str], **more):
    return collect("job", "adjust", "human-boxes", given, output, CLASSES, **more)


def verified(given: list[str], output: list[str]):
    return collect("job", "verify", "verified-boxes", given, output, CLASSES)


def failed(reason: str) -> dict:
    return {"human-boxes-metadata": {"failure-reason": reason, "human-annotated": "yes"}}


def test_a_label_comes_with_what_people_were_shown() -> None:
    given = asked(REFS[0])
    (label,) = adjusted(given, answered(given, people.boxes([Box("bag", 1, 2, 3, 4)]))).labels.values()
    assert (label.annotation.boxes[0].label, label.job, label.kind) == ("bag", "job", "adjust")
    assert [box.label for box in label.proposed.boxes] == ["head"]
    bare = asked(REFS[0], proposed=False)
    assert adjusted(bare, answered(bare, people.boxes())).labels[REFS[0]].proposed is None


def test_failed_unlabelled_and_broken_lines_leave_their_images_open_and_the_others_labelled() -> None:
    """F12: a failure-reason line is one image without a label."""
    given = asked()
    broken = {"human-boxes": {"annotations": 7}, "human-boxes-metadata": {"human-annotated": "yes"}}
    found = adjusted(given, answered(given, people.boxes(), failed("ClientError: expired"), None, broken))
    assert list(found.labels) == REFS[:1] and found.unanswered == 3
    assert "ClientError: expired" in found.problems and any("image_size" in problem for problem in found.problems)


def test_lines_may_be_missing_cut_off_repeated_extra_or_in_another_order() -> None:
    """F11: what an output manifest is, is found by source-ref; what nobody asked for is not taken."""
    given = asked()
    output = answered(given, *[people.boxes()] * 4)
    extra = answered(asked("s3://b/uninvited.png"), people.boxes())
    untidy = [output[2][: len(output[2]) // 2], output[3], *extra, output[0], output[0]]
    for seed in range(5):
        random.Random(seed).shuffle(untidy)
        found = adjusted(given, untidy)
        assert set(found.labels) == {REFS[0], REFS[3]} and found.unanswered == 2
    assert adjusted(given, []).unanswered == 4


def test_honeypots_are_neither_labels_nor_unanswered() -> None:
    given = asked()
    found = adjusted(given, answered(given, *[people.boxes()] * 3, None), ignored={REFS[0], REFS[3]})
    assert set(found.labels) == set(REFS[1:3]) and found.unanswered == 0


def test_an_accepted_proposal_is_the_label_and_a_rejected_one_is_none() -> None:
    given = asked()
    error = {"verified-boxes": {"error": "everybody cannot judge"}}
    found = verified(given, answered(given, people.verdict("accept"), people.verdict("reject"), error, None))
    label = found.labels[REFS[0]]
    assert label.annotation == label.proposed and label.annotation.boxes == (SHOWN,)
    assert (label.workers, label.agreement) == (1, 1.0)
    assert (found.rejected, found.unanswered, found.problems) == ((REFS[1],), 2, ("everybody cannot judge",))


@pytest.mark.parametrize("value", [{"verdict": "maybe"}, {"verdict": None}, {}, {"verdict": "accept", "workers": 0}])
def test_a_verdict_that_is_none_leaves_the_image_open(value) -> None:
    given = asked(REFS[0])
    found = verified(given, answered(given, {"verified-boxes": value}))
    assert not found.labels and not found.rejected and found.unanswered == 1 and found.problems


def test_nothing_can_be_accepted_where_nothing_was_proposed() -> None:
    given = asked(REFS[0], proposed=False)
    found = verified(given, answered(given, people.verdict("accept")))
    assert found.unanswered == 1 and "nothing was proposed" in found.problems[0]
