"""The pictures of the batch that no model trained on, and the last model, which is asked about all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction

from demo.annotators import ImageTruth, Truth
from demo.people_figures import Unseen
from demo.results import Results


def last_model(versions: Sequence[str], promoted: Sequence[str]) -> str:
    """The one that serves at the end; where none ever did, the last one trained, or none."""
    return next(iter((*reversed(promoted), *reversed(versions))), "")


def images(results: Results, truth: Truth, dataset: str) -> dict[str, tuple[Annotation, ImageTruth]]:
    """By source-ref: the picture as the container reads it, and what is really in it. Pictures of which a model
    learned, or might have, are left out, and so are those that were rejected.
    """
    trained = results.trained_keys(dataset)
    found = {}
    for key, inspection in sorted(results.inspected().items()):
        known = truth.images.get(key)
        if known is None or key in trained or inspection.width is None or inspection.height is None:
            continue
        size = (inspection.width, inspection.height)
        place = (inspection.source_ref, inspection.original_ref, *size)
        line = Annotation(*place, (), True, "", "truth", task="key-points")
        found[inspection.source_ref] = (line, known)
    return found


def seen(
    results: Results, model: str, asked: Mapping[str, tuple[Annotation, ImageTruth]], said: Sequence[Prediction]
) -> Unseen:
    return Unseen(model, results.label_rule(model), tuple(said), {ref: known for ref, (_, known) in asked.items()})
