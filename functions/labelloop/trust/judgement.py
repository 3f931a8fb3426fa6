"""Who labels each image of a round: the machine, people, nobody (rejected), or a later round (deferred).

Pure: the same candidates in any order, rule and budget give the same decisions. Scores lie in 0..1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from labelloop import tasks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Decision
from labelloop.contracts.skeletons import Skeleton
from labelloop.tasks import Mark, Truth
from labelloop.trust.inference import GAVE_NOTHING
from labelloop.trust.own_verdicts import Verdict
from labelloop.trust.policies import Rule

COLD_START = "cold-start"
SAMPLED = "random-sample"


@dataclass(frozen=True)
class Candidate:
    """An image still open in the round (inspection has accepted it); prediction is None where there is none: because
    it was `refused` with this reason, or because the model could not be asked, and the image `waits` for it. An image
    whose bytes `changed` under its key waits for a round that works on those that were registered. What a user's `own`
    function said decides instead of the policy, where the policy would decide.
    """

    source_ref: str
    draw: float
    sampled: bool
    inclusion_probability: float
    prediction: Prediction | None = None
    refused: str = ""
    waits: bool = False
    changed: bool = False
    own: Verdict | None = None


def judge(
    candidates: Iterable[Candidate], rule: Rule | None, budget: int, round_number: int, label_rule: LabelRule
) -> list[Decision]:
    """One Decision per candidate, in source-ref order; `rule` is None while there is no model (cold start).

    People get the random sample, all of it, which the machine never accepts because it is what the machine is judged
    by. Where that leaves some of the `budget`, they get what the rule does not accept, the least sure first, an
    image without a prediction before all; in a cold start, the others in draw order. The rest is deferred, and so is,
    sampled or not, what the model should look at first and could not.
    Raises InvalidInputError for a source-ref that occurs twice, ValueError for a negative budget.
    """
    if budget < 0:
        raise ValueError(f"the budget is a number of images, at least 0, not {budget}")
    ordered = sorted(candidates, key=lambda candidate: candidate.source_ref)
    for one, other in itertools.pairwise(ordered):
        if one.source_ref == other.source_ref:
            raise InvalidInputError(f"candidate {one.source_ref}: field 'source-ref' occurs twice in the round")

    verdicts: dict[str, tuple[str, tuple[str, ...]]] = {}
    scores: dict[str, float] = {}
    queue: list[tuple[tuple[bool, float, float, str], str, tuple[str, ...]]] = []
    for candidate in ordered:
        ref, prediction = candidate.source_ref, candidate.prediction
        if candidate.changed or (rule is not None and candidate.waits):
            verdicts[ref] = ("deferred", (*_sample(candidate), "image-changed" if candidate.changed else GAVE_NOTHING))
            continue
        if rule is not None and prediction is not None:
            if prediction.status == "rejected":
                verdicts[ref] = ("rejected", (prediction.reason or "unreadable",))
                continue
            scores[ref] = image_score(prediction, label_rule)
        own = _own(candidate, ref in scores)
        if own and own.answer != "ask":
            verdicts[ref] = ("auto" if own.answer == "accept" else "deferred", (own.reason,))
            continue
        if rule is not None and not own and not candidate.sampled and ref in scores and rule.accepts(scores[ref]):
            verdicts[ref] = ("auto", (rule.explain(scores[ref]),))
            continue
        # The sample goes in draw order, so its place does not depend on any score.
        certainty = 0.0 if candidate.sampled else scores.get(ref, -1.0)
        place = (not candidate.sampled, certainty, candidate.draw, ref)
        queue.append((place, ref, (own.reason,) if own else _reasons(candidate, rule, scores.get(ref))))
    for position, ((unsampled, *_), ref, reasons) in enumerate(sorted(queue)):
        within = position < budget or not unsampled
        verdicts[ref] = ("human", reasons) if within else ("deferred", (*reasons, "over-budget"))

    version = COLD_START if rule is None else rule.version
    return [
        Decision(
            source_ref=candidate.source_ref,
            decision=verdicts[candidate.source_ref][0],
            score=scores.get(candidate.source_ref),
            reasons=verdicts[candidate.source_ref][1],
            inclusion_probability=candidate.inclusion_probability,
            policy=own.policy if (own := _own(candidate, candidate.source_ref in scores)) else version,
            round=round_number,
        )
        for candidate in ordered
    ]


def job_kind(prediction: Prediction | None, score: float | None, verify_score: float) -> str:
    """What people are asked for: to annotate where no model looked, to adjust its label, or, above `verify_score`,
    only to verify it. Scores reach at most 1, so a bound of 1 has nothing verified.
    """
    if prediction is None or prediction.status != "ok":
        return "annotate"
    return "verify" if score is not None and score > verify_score else "adjust"


def machine_label(prediction: Prediction, rule: LabelRule) -> tuple[Mark, ...]:
    """What the machine's label consists of: what the rule of the model keeps, in its order."""
    return tasks.of(prediction.task).label(prediction, rule)


def image_score(prediction: Prediction, rule: LabelRule) -> float:
    """How likely the machine's label of this image is acceptable as it stands, 0..1, rounded to 6 decimals."""
    (trust,) = tasks.of(prediction.task).trusts(prediction, [rule])
    return trust.score(rule.empty_score)


def label_quality(prediction: Prediction, truth: Truth, rule: LabelRule, skeleton: Skeleton | None = None) -> float:
    """How good the machine's label of this image is, 0..1; where the model refused the image it is empty. `skeleton`:
    the stack's, where key points are marked.
    """
    return tasks.of(prediction.task).quality(machine_label(prediction, rule), truth.marks, skeleton)


def _own(candidate: Candidate, scored: bool) -> Verdict | None:
    """What an own function said, where that counts: never about the random sample, nor without a prediction."""
    return candidate.own if scored and not candidate.sampled else None


def _reasons(candidate: Candidate, rule: Rule | None, score: float | None) -> tuple[str, ...]:
    sample = _sample(candidate)
    if rule is None:
        return (*sample, COLD_START)
    if candidate.refused:
        return (*sample, f"prediction-refused: {candidate.refused}")
    if score is None:
        return (*sample, "no-prediction")
    return sample or (rule.explain(score),)


def _sample(candidate: Candidate) -> tuple[str, ...]:
    return (SAMPLED,) if candidate.sampled else ()
