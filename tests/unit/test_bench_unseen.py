"""What a benchmark says of a model's unseen images is what the loop's own functions say, only faster."""

import random
from dataclasses import replace

from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box
from labelloop.trust import fitting
from labelloop.trust.judgement import image_score, label_quality

from bench.unseen import KEEP_CONFIDENCE, Unseen


def images(count: int, seed: int = 1) -> list[tuple[Prediction, Annotation]]:
    """Of one to five true boxes some are seen, surely or not, some beside their place, and some that are not there."""
    chance, made = random.Random(seed), []
    for number in range(count):
        truth = annotation(f"{number:03d}.jpg", boxes=chance.randint(0, 5))
        boxes = [replace(box, confidence=round(chance.random(), 2)) for box in truth.boxes]
        boxes = [replace(box, left=box.left + chance.random() * 3) for box in boxes if chance.random() < 0.9]
        boxes += [Box("bag", 70, 40, 9, 9, round(chance.random(), 2))] * (chance.random() < 0.3)
        made.append((Prediction(truth.source_ref, "ok", truth.width, truth.height, "m", tuple(boxes)), truth))
    return made


@given(st.integers(1, 50), st.data())
def test_rule_scores_and_qualities_are_the_loops(seed, data):
    made = images(20, seed)
    unseen = Unseen([prediction for prediction, _ in made], [truth for _, truth in made])
    drawn = data.draw(st.lists(st.integers(0, 19), min_size=1, max_size=30))
    rule = unseen.rule(drawn)
    assert rule == fitting.accepting_rule([made[place] for place in drawn], LabelRule(KEEP_CONFIDENCE))
    expected = [
        (image_score(*(prediction, rule)), label_quality(prediction, truth, rule)) for prediction, truth in made
    ]
    assert unseen.scored(rule) == expected and len(unseen) == 20
