"""What the loop decided, held against the truth that it never sees. Pure; marks in canonical pixels.

The per-image quality is that of the label's task: of boxes quality.image_quality (one-to-one overlaps of boxes of the
same class, summed, over the larger number of boxes), of people people_quality.people_quality; 1 where there is nothing
and nothing was labelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from labelloop import tasks
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, Person
from labelloop.trust import conservation

from demo.annotators import ImageTruth, Truth

BINS = 10


@dataclass(frozen=True)
class Judged:
    """One labelled image beside its truth, which is boxes or people, as the label is; `quality` is 0..1."""

    key: str
    label: Annotation
    truth: tuple[Box | Person, ...]
    quality: float


def key_of(label: Annotation) -> str:
    """The key of the upload: where a canonical rendition was labelled, that of the original."""
    return (label.original_ref or label.source_ref).removeprefix("s3://").partition("/")[2]


def judge(labels: Iterable[Annotation], truth: Truth) -> list[Judged]:
    """In the order of the labels. An image that the truth does not know is taken to show nothing."""
    judged = []
    for label in labels:
        key = key_of(label)
        known = true_marks(label, truth.images.get(key))
        quality = tasks.of(label.task).quality(label.marks, known, truth.skeleton)
        judged.append(Judged(key, label, known, quality))
    return judged


def true_marks(label: Annotation, image: ImageTruth | None) -> tuple[Box | Person, ...]:
    """Of the kind that the label has."""
    if image is None:
        return ()
    return image.boxes if label.people is None else image.people


def mean_quality(judged: Sequence[Judged]) -> float | None:
    return fmean(image.quality for image in judged) if judged else None


def histogram(judged: Iterable[Judged]) -> list[int]:
    """Images per tenth of quality; 1.0 counts in the last tenth."""
    counts = [0] * BINS
    for image in judged:
        counts[min(BINS - 1, int(image.quality * BINS))] += 1
    return counts


def count_outcomes(
    uploaded: Iterable[str], labels: Iterable[Annotation], rejected: Iterable[str], deferred: int
) -> dict[str, int]:
    """Images per outcome, counted anew from the merged manifest and the list of rejected keys.

    Raises ConservationError when an upload has no outcome or two, or when the batch's own number of deferred images
    is not what is left.
    """
    keys = list(uploaded)
    outcomes = [(key_of(label), "human" if label.human else "auto") for label in labels]
    outcomes += [(key, "rejected") for key in rejected]
    known = {key for key, _ in outcomes}
    left = [key for key in keys if key not in known]
    if len(left) == deferred:
        outcomes += [(key, "deferred") for key in left]
    return conservation.check(keys, outcomes)
