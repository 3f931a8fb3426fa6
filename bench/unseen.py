"""What one model saw in labelled images that it was not trained on, as the loop would judge by them.

The loop's own functions fit label rule and scores to whichever of the images are drawn to judge; how good each image's
label is under each label rule is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.tasks import Truth
from labelloop.trust import fitting

KEEP_CONFIDENCE = 0.25


class Unseen:
    def __init__(self, predictions: Iterable[Prediction], truths: Iterable[Truth]) -> None:
        self.images = fitting.seen(predictions, truths)
        self._rules = fitting.candidates(LabelRule(KEEP_CONFIDENCE))
        self._labels = [fitting.labels(prediction, truth, self._rules) for prediction, truth in self.images]
        self._scored = cache(self._scores)

    def __len__(self) -> int:
        return len(self.images)

    def rule(self, judges: Sequence[int]) -> LabelRule:
        """The label rule that these images, by their places, fit; an image may be drawn twice."""
        return fitting.best(self._rules, [self._labels[place] for place in judges], fitting.quality_of_surest)

    def scored(self, rule: LabelRule) -> list[tuple[float, float]]:
        """(score, quality) of every image under this rule, in the order of their places."""
        return self._scored(rule)

    def _scores(self, rule: LabelRule) -> list[tuple[float, float]]:
        plain = LabelRule(rule.keep_confidence, rule.nms_iou)
        column = self._rules.index(plain)
        labels = [of_image[column] for of_image in self._labels]
        return [(trust.score(rule.empty_score), quality) for quality, trust in labels]
