"""What an ended labelling job comes to: matched by source-ref, and every odd line costs one image."""

import json
import random
from dataclasses import replace

import people
import pytest
from annotation_lines import CLASSES
from labelloop.contracts.records import Box, dump_line
from labelloop.people.collected import collect
from labelloop.tasks.proposals import proposal_line

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
    assert list(found.labels) == REFS[:1] and (found.unanswered, found.unusable) == (2, 1)
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
        assert set(found.labels) == {REFS[0], REFS[3]}
        assert (found.unanswered, found.unusable, found.strange_lines) == (1, 1, 1)
        assert any("did not ask about the image" in why for why in found.problems)
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
    assert (found.rejected, found.unanswered, found.unusable) == ((REFS[1],), 1, 1)
    assert found.problems == ("everybody cannot judge",)


@pytest.mark.parametrize("value", [{"verdict": "maybe"}, {"verdict": None}, {}, {"verdict": "accept", "workers": 0}])
def test_a_verdict_that_is_none_leaves_the_image_open(value) -> None:
    given = asked(REFS[0])
    found = verified(given, answered(given, {"verified-boxes": value}))
    assert not found.labels and not found.rejected and found.problems
    assert (found.unanswered, found.unusable) == (0, 1)


def test_nothing_can_be_accepted_where_nothing_was_proposed() -> None:
    given = asked(REFS[0], proposed=False)
    found = verified(given, answered(given, people.verdict("accept")))
    assert found.unusable == 1 and "nothing was proposed" in found.problems[0]


WRONG = {
    "of another size": (people.boxes(size=(640, 480)), "about an image of 640 x 480 pixels, but this one has 64 x 48"),
    "turned": (people.boxes(size=(48, 64)), "about an image of 48 x 64 pixels, but this one has 64 x 48"),
    "of an unknown class": (people.boxes([Box("head", 1, 2, 3, 4), Box("bag", 1, 2, 3, 4)]), "'class'"),
    "outside": (people.boxes([Box("head", 60, 2, 30, 4)]), "box 0: field 'width'"),
    "far outside": (people.boxes([Box("head", 1e9, 2, 30, 4)]), "box 0: field 'width'"),
    "without area": (people.boxes([Box("head", 6, 2, 0, 4)]), "box 0: field 'width'"),
    "of a negative size": (
        {
            **people.boxes(),
            "human-boxes": {**people.boxes()["human-boxes"], "annotations": [{"class_id": 0, "width": -1}]},
        },
        "annotations[0]: field 'left'",
    ),
    "without a list of boxes": (
        {**people.boxes(), "human-boxes": {"image_size": [{"width": 64, "height": 48, "depth": 3}]}},
        "'annotations' must be a list",
    ),
    "of a class that nothing names": (
        {**people.boxes(), "human-boxes": {**people.boxes()["human-boxes"], "annotations": [{"class_id": 9}]}},
        "'class_id' is '9'",
    ),
    "refused by Consolidate": (
        {**people.boxes(), "human-boxes": {"error": "no usable answer among 1: answer: field 'label' must be ..."}},
        "no usable answer among 1",
    ),
    "not consolidated": (failed("ClientError: The consolidation function failed: timeout"), "consolidation function"),
}


def read(given: list[str], output: list[str], kind: str = "annotate", attribute: str = "human-boxes"):
    """As Collect Labels reads it; what came before knew of no sizes."""
    sizes = dict.fromkeys(REFS, people.SIZE)
    try:
        return collect("job", kind, attribute, given, output, ("head",), (), sizes)
    except TypeError:
        return collect("job", kind, attribute, given, output, ("head",), ())


@pytest.mark.fault("K03")
@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_that_does_not_fit_is_no_label_and_told_as_what_it_is(wrong) -> None:
    given = asked(proposed=False)
    found = read(given, answered(given, people.boxes(), WRONG[wrong][0], None, people.boxes([])))
    assert list(found.labels) == [REFS[0], REFS[3]], found.labels.keys()
    assert (getattr(found, "unusable", None), found.unanswered) == (1, 1)
    (why,) = found.problems
    assert WRONG[wrong][1] in why


@pytest.mark.fault("K03")
def test_one_fault_of_many_images_is_told_once_with_their_number_and_hides_no_other() -> None:
    refs = [f"s3://b/{number}.png" for number in range(50)]
    given = asked(*refs, proposed=False)
    output = answered(
        given, *[people.boxes(size=(640, 480 + number)) for number in range(49)], failed("ClientError: x")
    )
    found = collect("job", "annotate", "human-boxes", given, output, CLASSES, (), dict.fromkeys(refs, people.SIZE))
    assert (found.unusable, found.unanswered) == (49, 1)
    assert found.problems[0].endswith("(and 48 more images of this kind)") and found.problems[1] == "ClientError: x"


@pytest.mark.fault("K03")
def test_single_answers_that_consolidate_refused_are_counted_and_told_beside_the_label() -> None:
    given = asked(*REFS[:2], proposed=False)
    refused = [{"worker": "w", "reason": "answer: field 'inputImageProperties' says 1 x 1 pixels"}, {"worker": "v"}, 7]
    said = people.boxes()
    output = answered(given, {**said, "human-boxes": {**said["human-boxes"], "refused": refused}}, people.boxes())
    found = read(given, output)
    assert len(found.labels) == 2 and getattr(found, "refused_answers", None) == 1
    assert found.problems == ("one answer does not count: answer: field 'inputImageProperties' says 1 x 1 pixels",)


def test_an_accepted_proposal_that_does_not_fit_is_no_label() -> None:
    given = asked(*REFS[:2])
    given[1] = given[1].replace('"left":3', '"left":300')
    found = read(given, answered(given, *[people.verdict("accept")] * 2), "verify", "verified-boxes")
    assert list(found.labels) == REFS[:1] and (found.unusable, found.unanswered) == (1, 0)


def test_up_to_a_pixel_over_the_edge_is_cut() -> None:
    given = asked(REFS[0], proposed=False)
    found = read(given, answered(given, people.boxes([Box("head", -0.5, 2, 65, 46.5)])))
    (box,) = found.labels[REFS[0]].annotation.boxes
    assert (box.left, box.top, box.width, box.height) == (0, 2, 64, 46)


@pytest.mark.fault("K03")
@pytest.mark.fault("F11")
def test_of_lines_that_differ_about_an_image_none_counts_and_equal_ones_are_one() -> None:
    given = asked(*REFS[:3], proposed=False)
    some, other = Box("head", 1, 2, 3, 4), Box("head", 5, 6, 7, 8)
    output = answered(given, people.boxes([some]), people.boxes([some, other]), people.boxes([some]))
    again = answered(given, people.boxes([other]), people.boxes([other, replace(some, confidence=0.3)]), failed("x"))
    moved = answered(given, people.boxes([]), people.boxes([some, other]), None)
    lines = [*output, *again, *moved[:2]]
    for seed in range(20):
        random.Random(seed).shuffle(lines)
        found = read(given, lines)
        assert sorted(found.labels) == REFS[1:3] and len(found.labels[REFS[1]].annotation.boxes) == 2
        assert (found.unusable, found.unanswered) == (1, 0)
        (why,) = found.problems
        assert REFS[0] in why and "none of them counts" in why


@pytest.mark.fault("K03")
def test_what_people_both_accepted_and_rejected_is_neither() -> None:
    given = asked(*REFS[:2])
    accepted = answered(given, *[people.verdict("accept")] * 2)
    rejected = answered(given, people.verdict("reject"), people.verdict("accept"))
    for lines in ([*accepted, *rejected], [*rejected, *accepted]):
        found = verified(given, lines)
        assert (list(found.labels), found.rejected, found.unusable, found.unanswered) == ([REFS[1]], (), 1, 0)
        assert "none of them counts" in found.problems[0]
    both = verified(given[:1], [rejected[0], *answered(given[:1], {"verified-boxes": {"error": "x"}})])
    assert both.rejected == (REFS[0],), "a line that says nothing"
