"""Average precision at an overlap of one half of images that are drawn with replacement, as a bootstrap draws them.

What costs time, matching, is done once; a resample only counts. With every image drawn once the figures are those of
`quality.map50` for boxes and of `oks.oks_map50` for people. Of an image that is drawn twice the detections follow one
another in the ranking, where either on copies would settle the tie by the copies' names; precision is read after the
last of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from labelloop.tasks.average_precision import ByClass, interpolated, ranking

OVERLAP = 0.5


class ResampledPrecision:
    """Called with how often each image is drawn, in the order of the truths' source-refs, it gives the average
    precision of each class with a true object among the drawn images.
    """

    def __init__(self, by_class: ByClass) -> None:
        self._true = {label: [(place, each.true) for place, each in images] for label, images in by_class.items()}
        self._ranking = {label: ranking(images, OVERLAP) for label, images in by_class.items()}

    def __call__(self, drawn: Sequence[int]) -> dict[str, float]:
        counted = {label: sum(drawn[image] * true for image, true in self._true[label]) for label in sorted(self._true)}
        return {label: self._precision(label, true, drawn) for label, true in counted.items() if true}

    def _precision(self, label: str, true: int, drawn: Sequence[int]) -> float:
        recalls, precisions, right, looked_at = [], [], 0, 0
        for image, hit in self._ranking[label]:
            if often := drawn[image]:
                looked_at += often
                right += often * hit
                recalls.append(right / true)
                precisions.append(right / looked_at)
        return interpolated(recalls, precisions)
