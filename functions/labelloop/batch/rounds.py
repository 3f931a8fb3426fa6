"""What a round worked with: the model and the rule by which its labels were accepted, as the round pinned them."""

from collections.abc import Mapping
from typing import Any

from labelloop.contracts import label_rules
from labelloop.contracts.label_rules import LabelRule
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
    """What a round that begins now pins of settings and model, so that it accepts by the same rules to its end."""
    knobs = settings()
    return {
        "accept_policy": policies.of(knobs.accept_policy).name,
        "accept_threshold": knobs.accept_threshold,
        "label_rule": label_rules.of_record(_fitted(thresholds_uri), knobs.keep_confidence).to_json(),
    }


def label_rule(pinned: Mapping[str, Any]) -> LabelRule:
    """Which boxes are the round's labels. Version 0.1 pinned a confidence, or nothing: then it is the stack's."""
    return label_rules.of_record(pinned, settings().keep_confidence)


def _fitted(thresholds_uri: str) -> Fitted:
    """What was fitted before there were label rules fits another score than today's: then nothing is accepted, until
    the next training has fitted the model again.
    """
    fitted = immutable.read_json(storage.own_key(thresholds_uri))
    return fitted if "label_rule" in fitted else {**fitted, "accept": None}
