"""What a round worked with: the model and the rule by which its labels were accepted, as the round pinned them."""

from collections.abc import Mapping
from typing import Any

from labelloop.contracts.settings import settings
from labelloop.store import immutable, storage
from labelloop.trust import policies
from labelloop.trust.policies import Fitted, Rule


def rule(pinned: Mapping[str, Any]) -> Rule | None:
    """The accept rule of a round, from its pin; None without a model. Version 0.1 pinned no policy: then it is the
    stack's.
    """
    if not pinned["model"]:
        return None
    knobs = settings()
    policy = policies.of(pinned.get("accept_policy", knobs.accept_policy))
    return policy.of_round(pinned, knobs, lambda: _fitted(pinned["thresholds_uri"]))


def pin(thresholds_uri: str) -> dict[str, Any]:
    """What a round that begins now pins of the settings, so that it accepts by the same rule to its end."""
    knobs = settings()
    policy = policies.of(knobs.accept_policy)
    return {
        "accept_policy": policy.name,
        "accept_threshold": knobs.accept_threshold,
        "keep_confidence": policy.keep_confidence(knobs, lambda: _fitted(thresholds_uri)),
    }


def keep_confidence(pinned: Mapping[str, Any]) -> float:
    """From which confidence on a box is part of the round's labels. Version 0.1 pinned none: then it is the stack's."""
    return float(pinned.get("keep_confidence", settings().keep_confidence))


def _fitted(thresholds_uri: str) -> Fitted:
    return immutable.read_json(storage.own_key(thresholds_uri))
