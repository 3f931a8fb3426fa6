"""What one model saw in labelled images that it was not trained on, as the loop would judge by them.

The loop's own functions fit label rule and scores to whichever of the images are drawn to judge; how good each image's
label is under each label rule is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from labelloop import tasks
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.records import Prediction
from labelloop.tasks.quality import Truth
from labelloop.trust import fitting
from labelloop.trust.judgement import image_score

KEEP_CONFIDENCE = 0.25


class Unseen:
    def __init__(self, predictions: Iterable[Prediction], truths: Iterable[Truth]) -> None:
        self.images = fitting.seen(predictions, truths)
        self._rules = fitting.candidates(LabelRule(KEEP_CONFIDENCE))
        self._qualities = [
            tasks.of_prediction(prediction).qualities(prediction, truth.boxes, self._rules)
            for prediction, truth in self.images
        ]
        self._scored = cache(self._scores)

    def __len__(self) -> int:
        return len(self.images)

    def rule(self, judges: Sequence[int]) -> LabelRule:
        """The label rule that these images, by their places, fit; an image may be drawn twice."""
        return fitting.best(
            self._rules, [self._qualities[place] for place in judges], [self.images[place][0] for place in judges]
        )

    def scored(self, rule: LabelRule) -> list[tuple[float, float]]:
        """(score, quality) of every image under this rule, in the order of their places."""
        return self._scored(rule)

    def _scores(self, rule: LabelRule) -> list[tuple[float, float]]:
        plain = LabelRule(rule.keep_confidence, rule.nms_iou)
        column = self._rules.index(plain)
        return [
            (image_score(prediction, rule), qualities[column])
            for (prediction, _), qualities in zip(self.images, self._qualities, strict=True)
        ]
