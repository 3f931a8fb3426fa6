"""What people say about a sample of the labels that a round accepted, before these are published.

The sample is drawn with the judgement and asked about in the round's jobs. Once they have ended, what it says is pinned
beside the round: a round that is merged again publishes the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labelloop import tasks
from labelloop.batch import rounds
from labelloop.batch.batches import Image
from labelloop.contracts.adjustments import UNADJUSTED
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Decision
from labelloop.contracts.settings import settings
from labelloop.people.collected import HumanLabel
from labelloop.store import immutable, notices
from labelloop.store.observability import count, logger
from labelloop.trust import audit, judgement, own_verdicts
from labelloop.trust.audit import Finding, Looked
from labelloop.trust.policies import Rule

CONTRADICTED = "audit-contradicted"
CONFIRMED, CORRECTED = VERDICTS = ("confirmed", "corrected")  # what an audited label says of people's look at it


@dataclass(frozen=True)
class Audit:
    """Of one round: how many accepted labels were drawn, and what was found by the policy that accepted them."""

    round: int
    model: str
    drawn: int = 0
    findings: Mapping[str, Finding] = field(default_factory=dict)

    def refuses(self, policy: str) -> bool:
        """Whether nothing of what this policy accepted in the round may be published."""
        found = self.findings.get(policy)
        return found is not None and found.contradicted

    @property
    def contradicted(self) -> bool:
        return any(map(self.refuses, self.findings))


def draw(files: Files, number: int, decided: Iterable[Decision], open_images: Mapping[str, Image]) -> list[Decision]:
    """The decisions, those marked whose accepted label people look at. `open_images` go by source-ref."""
    knobs, made = settings(), list(decided)
    accepted = [each.source_ref for each in made if each.decision == "auto"]
    items = {reference: open_images[reference].item for reference in accepted}
    places = {reference: audit.place(knobs.seed, item.key, item.etag) for reference, item in items.items()}
    before = sum(earlier.drawn for earlier in of_rounds(files, number - 1))
    drawn = audit.draw(places, knobs.audit_rate, knobs.audit_minimum, before)
    return [replace(each, audit=True) if each.source_ref in drawn else each for each in made]


def standing(files: Files, number: int, model: str, rule: Rule | None) -> tuple[Rule | None, bool]:
    """(the rule as far as it still counts in the batch, whether an audit took that away): a model of which accepted
    labels were found to miss the target is not trusted again in the batch.
    """
    taken = any(earlier.contradicted and earlier.model == model for earlier in of_rounds(files, number - 1))
    return (replace(rule, threshold=None) if rule and taken else rule), taken


def explained(decided: Iterable[Decision]) -> list[Decision]:
    """The decisions of a round whose model is not trusted any more, which say so."""
    return [
        replace(each, reasons=(*each.reasons, CONTRADICTED))
        if each.score is not None and judgement.SAMPLED not in each.reasons
        else each
        for each in decided
    ]


def settle(
    files: Files,
    number: int,
    pinned: Mapping[str, Any],
    accepted: Sequence[Decision],
    answers: Mapping[str, HumanLabel],
    predictions: Mapping[str, Prediction],
) -> Audit:
    """What the answers about the `accepted` labels say, written once; nothing is written where none was drawn.

    Of the accepted labels those count that can be published: no copies, and none whose image or prediction is gone.
    """
    found = immutable.find_json(files.audit(number))
    if found is None and not any(each.audit for each in accepted):
        return Audit(number, pinned["model"])
    if found is None:
        found = immutable.create_json(
            files.audit(number), _to_json(_found(number, pinned, accepted, answers, predictions))
        )
    return _from_json(found)


def of_rounds(files: Files, last: int) -> list[Audit]:
    """The audits of the rounds up to `last` that had one."""
    records = (immutable.find_json(files.audit(number)) for number in range(1, last + 1))
    return [_from_json(record) for record in records if record]


def is_left(answer: HumanLabel, prediction: Prediction, label_rule: LabelRule) -> bool:
    """Whether people left the machine's label as it is: all of it was shown, and nothing was changed."""
    shown, label = answer.proposed, judgement.machine_label(prediction, label_rule)
    complete = shown is not None and len(shown.marks) == len(label)
    return shown is not None and complete and tasks.changes(shown, answer.annotation).status == UNADJUSTED


def tell(files: Files, number: int) -> None:
    """People hear, once, that what the round accepted does not keep the promise."""
    record = immutable.find_json(files.audit(number))
    found = _from_json(record) if record else Audit(number, "")
    for policy, finding in filter(lambda each: each[1].contradicted, found.findings.items()):
        count("AcceptanceContradicted", finding.accepted)
        logger.warning("accepted labels miss the target and are not published", policy=policy, labels=finding.accepted)
        notices.tell(
            f"audit-contradicted/{files.batch_id}/{number}/{policy}",
            "Accepted labels miss the target",
            f"Batch {files.batch_id}, round {number}: {audit.told(finding)}. What people corrected of these labels is "
            f"kept, the other images wait for the next round, and model {found.model} accepts nothing more in this "
            "batch. Lower TargetMeanIou where labels like these will do; more labels of people make a better model.",
        )


def counts(files: Files, number: int, labels: Iterable[Annotation]) -> dict[str, Any]:
    """Of the round, for its row in the report: how many accepted labels people looked at, how many of those they
    corrected, and whether that contradicted the promise; `labels` are those that the round made.
    """
    record = immutable.find_json(files.audit(number))
    found = _from_json(record) if record else Audit(number, "")
    verdicts = [label.provenance["audit"]["verdict"] for label in labels if "audit" in label.provenance]
    looked = sum(finding.audited for finding in found.findings.values())
    return {"audited": looked, "corrected": verdicts.count(CORRECTED), "contradicted": found.contradicted}


def told(
    files: Files, numbers: Iterable[int], labels: Sequence[Annotation], agreeing: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """A row of the report for each round and policy that accepted labels which were audited; `labels` are those of all
    rounds, `agreeing` tells how far people agree with one another.
    """
    published = Counter(_origin(label) for label in labels if not label.human)
    return [
        {
            "round": found.round,
            "model": found.model,
            "policy": policy,
            "auto_labels": published[found.round, policy],
            "images": finding.audited,
            "judge_images": finding.judged,
            "mean_iou": finding.mean,
            "low": finding.low,
            "high": finding.high,
            "target": finding.target,
            "contradicted": finding.contradicted,
            "sentence": audit.told(finding, agreeing["quality"] if agreeing else None),
        }
        for found in of_rounds(files, max(numbers, default=0))
        for policy, finding in found.findings.items()
    ]


def _origin(label: Annotation) -> tuple[int, str]:
    return int(label.provenance.get("round", 0)), str(label.provenance.get("policy", ""))


def _found(
    number: int,
    pinned: Mapping[str, Any],
    accepted: Sequence[Decision],
    answers: Mapping[str, HumanLabel],
    predictions: Mapping[str, Prediction],
) -> Audit:
    rule, label_rule = rounds.rule(pinned), rounds.label_rule(pinned)
    assert rule is not None  # a label was accepted, so there is a model
    by_policy: defaultdict[str, list[Decision]] = defaultdict(list)
    for decision in accepted:
        by_policy[decision.policy].append(decision)
    findings = {}
    for policy, decisions in sorted(by_policy.items()):
        looked = [
            _looked(each, answers[each.source_ref], predictions[each.source_ref], label_rule)
            for each in decisions
            if each.audit and each.source_ref in answers
        ]
        judged = [] if own_verdicts.is_own(policy) else rounds.judged(pinned, rule)
        findings[policy] = audit.find([_score(each) for each in decisions], looked, judged, rule.target)
    return Audit(number, pinned["model"], sum(each.audit for each in accepted), findings)


def _looked(decision: Decision, answer: HumanLabel, prediction: Prediction, label_rule: LabelRule) -> Looked:
    quality = judgement.label_quality(prediction, answer.annotation, label_rule, settings().skeleton)
    return Looked(_score(decision), quality, is_left(answer, prediction, label_rule))


def _score(decision: Decision) -> float:
    assert decision.score is not None  # an accepted label has one
    return decision.score


def _to_json(found: Audit) -> dict[str, Any]:
    findings = [{"policy": policy, **finding.to_json()} for policy, finding in found.findings.items()]
    return {"round": found.round, "model": found.model, "drawn": found.drawn, "findings": findings}


def _from_json(record: Mapping[str, Any]) -> Audit:
    findings = {each["policy"]: Finding.from_json(each) for each in record["findings"]}
    return Audit(record["round"], record["model"], record["drawn"], findings)
