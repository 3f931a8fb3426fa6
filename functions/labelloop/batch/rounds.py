"""What a round worked with: the model and the rule by which its labels were accepted, as the round pinned them."""

from collections.abc import Mapping
from typing import Any

from labelloop.contracts import label_rules
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.store import immutable, storage
from labelloop.trust import fitting, policies, spending
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


def judged(pinned: Mapping[str, Any], rule: Rule) -> list[tuple[float, float]]:
    """(score, quality) of the judge images that the round's rule accepts; none where older thresholds do not tell."""
    uri = pinned["thresholds_uri"]
    fitted = (immutable.find_json(storage.own_key(uri)) if uri else None) or {}
    return [(score, quality) for score, quality in fitted.get("scored", ()) if rule.accepts(score)]


def pin(files: Files, number: int, thresholds_uri: str, open_images: int) -> dict[str, Any]:
    """What a round that begins now pins of settings and model, so that it accepts by the same rules to its end.
    `open_images`: how many the machine may label, which people are not to see anyway.
    """
    knobs = settings()
    question = {
        "thresholds_uri": thresholds_uri,
        "accept_policy": policies.of(knobs.accept_policy).name,
        "target": knobs.target_mean_iou,
    }
    earlier = pins(files, number - 1)
    return {
        **question,
        **spending.terms(earlier, _registered(files), question, open_images),
        "accept_threshold": knobs.accept_threshold,
        "label_rule": label_rules.of_record(_fitted(thresholds_uri), knobs.keep_confidence).to_json(),
    }


def accepting_rounds(files: Files, number: int) -> int:
    """How many rounds of the batch may accept labels, as this round pins it."""
    return spending.settled(pins(files, number - 1), _registered(files))


def may_accept(files: Files, number: int) -> bool:
    """Whether a model that is trained after this round may still accept labels in the batch."""
    knobs = settings()
    if knobs.judge_function_arn or not policies.of(knobs.accept_policy).spends:
        return True
    return spending.may_ask(pins(files, number), _registered(files))


def pins(files: Files, last: int) -> list[dict[str, Any]]:
    """What the rounds up to `last` pinned, in their order."""
    found = (immutable.find_json(files.round(number)) for number in range(1, last + 1))
    return [pinned for pinned in found if pinned]


def _registered(files: Files) -> int:
    """How many rounds may accept, as the batch's estimate says; the pin of the first round holds it for good."""
    estimate = storage.find_json(files.estimate) or {}
    return int(estimate.get("accepting_rounds", spending.ACCEPTING_ROUNDS))


def label_rule(pinned: Mapping[str, Any]) -> LabelRule:
    """Which boxes are the round's labels. Version 0.1 pinned a confidence, or nothing: then it is the stack's."""
    return label_rules.of_record(pinned, settings().keep_confidence)


def _fitted(thresholds_uri: str) -> Fitted:
    return fitting.of_now(immutable.read_json(storage.own_key(thresholds_uri)))
