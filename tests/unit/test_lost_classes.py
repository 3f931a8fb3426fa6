"""No class is lost: by how much of a common one, and by what of a rare one a challenger may fall behind."""

from dataclasses import replace

import pytest
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.tasks.boxes import Boxes
from labelloop.trust import lost_classes
from labelloop.trust.lost_classes import Labelled

from tests.support.strategies import Seen

RULE = LabelRule(0.4)


def truths_with(bags: int) -> list[Seen]:
    """60 pictures of one object each; the last ones are bags."""
    labels = ["head"] * (60 - bags) + ["bag"] * bags
    return [Seen(f"s3://b/{n:04d}", (Box(label, 100, 100, 100, 100),)) for n, label in enumerate(labels)]


def finding(truths: list[Seen], bags: int, confidence: float = 0.9, label: str = "bag", sure: int = 0) -> Labelled:
    """A model that finds every head and so many bags; `sure`: how many bags it sees where there are none."""
    predicted = {}
    for number, truth in enumerate(truths):
        boxes = [replace(box, confidence=0.9) for box in truth.marks if box.label == "head"]
        for box in truth.marks:
            if box.label == "bag" and bags > 0:
                boxes.append(replace(box, label=label, confidence=confidence))
                bags -= 1
        if number < sure:
            boxes.append(Box("bag", 400, 100, 100, 100, 0.95))
        predicted[truth.source_ref] = Prediction(truth.source_ref, "ok", 640, 480, "m", tuple(boxes))
    return Labelled(predicted, RULE)


def lost(new: Labelled, old: Labelled, truths: list[Seen]) -> str | None:
    return lost_classes.first(new, old, truths, Boxes())


@pytest.mark.fault("H10")
@pytest.mark.parametrize(
    ("bags", "before", "after", "blocks"),
    [
        (6, 6, 0, True),
        (1, 1, 0, True),  # recall falls from 1 to 0
        (9, 5, 0, True),
        (9, 4, 0, True),  # less than half, but none of several
        (9, 1, 0, False),  # one of many was chance
        (6, 6, 1, False),  # with few objects nothing but their loss can be told
        (6, 0, 0, False),
        (6, 2, 6, False),
        (12, 12, 0, True),
        (12, 12, 8, True),  # AP50 falls by a third
        (12, 12, 11, False),
        (40, 3, 0, True),
    ],
)
def test_a_class_is_lost(bags, before, after, blocks):
    truths = truths_with(bags)
    told = lost(finding(truths, after), finding(truths, before), truths)
    assert (told is not None) is blocks, told
    if told:
        assert "class 'bag'" in told and f"{bags} judge objects" in told


def test_a_common_class_is_lost_by_false_boxes_as_well_although_every_object_is_found():
    truths = truths_with(12)
    told = lost(finding(truths, 12, sure=6), finding(truths, 12), truths)
    assert told is not None and "falls from 1.000 to 0." in told


def test_a_rare_class_that_gets_another_name_is_lost():
    truths = truths_with(6)
    assert lost(finding(truths, 6, label="head"), finding(truths, 6), truths)


def test_what_is_below_the_models_own_label_rule_is_no_part_of_its_label():
    truths = truths_with(6)
    faint = finding(truths, 6, confidence=0.1)
    assert lost(faint, finding(truths, 6), truths)
    assert lost(replace(faint, rule=LabelRule(0.1)), finding(truths, 6), truths) is None


def test_an_image_that_a_model_refused_has_an_empty_label():
    truths = truths_with(6)
    old = finding(truths, 6)
    refused = {ref: Prediction(ref, "rejected", None, None, "m", (), "truncated") for ref in old.predicted}
    assert lost(Labelled(refused, RULE), old, truths)
