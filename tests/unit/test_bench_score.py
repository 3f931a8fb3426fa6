"""How much of the gap a score closes."""

import random

import pytest
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from made_up_seen import seen
from seen_boxes import seen as boxes_seen

from bench import score

KEEP = LabelRule(0.4)


def test_the_order_of_the_truth_closes_the_gap_and_its_reverse_opens_it():
    qualities = [number / 50 for number in range(50)]
    assert score.gap_closed([(quality, quality) for quality in qualities]) == 1
    assert score.gap_closed([(-quality, quality) for quality in qualities]) == pytest.approx(-1)
    mixed = [
        score.gap_closed([(random.Random(f"{seed} {quality}").random(), quality) for quality in qualities])
        for seed in range(200)
    ]
    assert sum(mixed) / 200 == pytest.approx(0, abs=0.05)
    assert score.gap_closed([(0.3, 0.5), (0.9, 0.5)]) == 1, "there is no gap"


def test_the_former_score_is_that_of_version_0_1():
    assert score.former_score(boxes_seen(), KEEP) == 0.5
    assert score.former_score(boxes_seen(0.9, 0.5), KEEP) == pytest.approx(0.6)
    assert score.former_score(boxes_seen(0.9, 0.5, 0.2), KEEP) == pytest.approx(0.48)
    twice = Prediction("a", "ok", 64, 48, "m", (Box("head", 0, 0, 40, 40, 0.9), Box("head", 2, 0, 40, 40, 0.3)))
    assert score.former_score(twice, KEEP) == pytest.approx(0.9)


def test_a_row_tells_both_scores_of_a_model_and_the_report_their_means():
    rows = [score.row("made-up", seen("coco-060-1", 80, sharpness)) for sharpness in (0.8, 0.4)]
    assert all(-1 <= row["closed"] <= 1 and row["model"] == "coco-060-1" for row in rows)
    told = score.report([{"closed": 0.6, "former": 0.4}, {"closed": 0.5, "former": 0.3}])
    assert (told["goal"], told["value"], told["holds"], told["detail"]["former"]) == ("S15.score", 0.55, True, 0.35)
