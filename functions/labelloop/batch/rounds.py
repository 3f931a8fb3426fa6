"""What a round worked with: the model and the rule by which its labels were accepted, as the round pinned them."""

from collections.abc import Mapping
from typing import Any

from labelloop.contracts.settings import settings
from labelloop.store import immutable, storage
from labelloop.trust.judgement import Policy


def policy(pinned: Mapping[str, Any]) -> Policy | None:
    """The accept rule of a round, from its pin; None without a model. A model whose thresholds were never calibrated
    accepts nothing under target-quality. Version 0.1 pinned no rule: then it is the stack's.
    """
    if not pinned["model"]:
        return None
    if pinned.get("accept_policy", settings().accept_policy) == "fixed":
        threshold = float(pinned.get("accept_threshold", settings().accept_threshold))
        return Policy("fixed", threshold, f"fixed/{threshold}@{pinned['model']}")
    thresholds = immutable.read_json(storage.own_key(pinned["thresholds_uri"]))
    return Policy(
        "target-quality",
        thresholds["accept"],
        f"target-quality/{thresholds['target']}@{pinned['model']}/{thresholds['dataset']}",
    )


def rule(thresholds_uri: str) -> dict[str, Any]:
    """What a round that begins now pins of the settings. How sure the model must be of a box for it to be part of its
    label is, where thresholds decide, what they were fitted with: they fit no other scores.
    """
    knobs = settings()
    keep = knobs.keep_confidence
    if knobs.accept_policy != "fixed":
        keep = immutable.read_json(storage.own_key(thresholds_uri)).get("keep_confidence", keep)
    return {
        "accept_policy": knobs.accept_policy,
        "accept_threshold": knobs.accept_threshold,
        "keep_confidence": float(keep),
    }


def keep_confidence(pinned: Mapping[str, Any]) -> float:
    """From which confidence on a box is part of the round's labels. Version 0.1 pinned none: then it is the stack's."""
    return float(pinned.get("keep_confidence", settings().keep_confidence))
