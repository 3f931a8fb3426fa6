"""What a user's own judgement function is told about images, and what its answers mean (docs/judge-function.md).

Pure. Somebody else wrote the function, so whatever it answers leaves each image with exactly one verdict: where an
answer is missing or cannot be used, a person looks at that image, and the reason says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Decision, dump_line

VERSION = 1
ANSWERS = ("accept", "ask", "defer")
# Of a policy in decisions and labels: an own function judged. What it may answer stands behind it.
PREFIX = "own-judge/"
LONGEST_REASON = 200
MOST_IMAGES = 500
MOST_BYTES = 4_000_000  # Lambda takes 6 MB
SAID = {"accept": "own-judge-accepted", "ask": "own-judge-asked", "defer": "own-judge-deferred"}
MISSING = "own-judge-missing"
JUNK = "own-judge-junk"
DUPLICATE = "own-judge-duplicate"
WRONG_VERSION = "own-judge-wrong-version"
TOO_LARGE = "own-judge-too-large"


@dataclass(frozen=True)
class Verdict:
    """What becomes of one image: accept, ask or defer, and why. `failed`: the function said nothing that could be used.
    The decision notes it under `policy`.
    """

    answer: str
    reason: str
    failed: bool = False
    policy: str = ""


@dataclass(frozen=True)
class Question:
    """One image that the function is asked about, with what the round's policy would do."""

    prediction: Prediction
    decided: Decision

    def to_json(self) -> dict[str, Any]:
        return {
            "source-ref": self.decided.source_ref,
            "prediction": self.prediction.to_json(),
            "score": self.decided.score,
            "decision": self.decided.decision,
            "reasons": list(self.decided.reasons),
        }


def policy_name(function_arn: str, policy_version: str) -> str:
    """As decisions and labels name it: the function with its qualifier, and the policy it was told about."""
    return f"{PREFIX}{function_arn.partition(':function:')[2]}, {policy_version}"


def pages(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """The images of each invocation: at most 500, and at most 4 MB of JSON. One that is larger by itself is a page of
    its own, which `is_too_large`.
    """
    page: list[Question] = []
    size = 0
    for question in questions:
        length = _bytes(question) + 1
        if page and (len(page) == MOST_IMAGES or size + length > MOST_BYTES):
            yield page
            page, size = [], 0
        page.append(question)
        size += length
    if page:
        yield page


def is_too_large(page: Sequence[Question]) -> bool:
    return len(page) == 1 and _bytes(page[0]) > MOST_BYTES


def read(body: bytes, asked: Collection[str]) -> tuple[dict[str, Verdict], int]:
    """(source-ref -> verdict for each image that was asked about, how many entries were about something else)."""
    try:
        answer = fields.parse_json(body.decode("utf-8"), "answer")
        version = fields.mapping(answer, "answer", "answer").get("version")
        if type(version) is not int or version != VERSION:
            return failed(asked, WRONG_VERSION), 0
        entries = fields.sequence(answer, "answers", "answer")
    except (InvalidInputError, UnicodeDecodeError):
        return failed(asked, JUNK), 0
    references = [entry.get("source-ref") if isinstance(entry, dict) else None for entry in entries]
    known = Counter(each for each in references if isinstance(each, str) and each in asked)
    verdicts = failed(asked, MISSING)
    for reference, entry in zip(references, entries, strict=True):
        if isinstance(reference, str) and known[reference] == 1:
            verdicts[reference] = _verdict(entry)
        elif isinstance(reference, str) and known[reference] > 1:
            verdicts[reference] = Verdict("ask", DUPLICATE, failed=True)
    return verdicts, len(entries) - known.total()


def failed(references: Iterable[str], reason: str) -> dict[str, Verdict]:
    """People look at all of these images."""
    return {reference: Verdict("ask", reason, failed=True) for reference in references}


def told(decisions: Iterable[Decision]) -> str:
    """What the report says about a round that an own function judged; empty where none did."""
    judged = [decision for decision in decisions if is_own(decision.policy)]
    given = (reason.partition(":")[0] for decision in judged for reason in decision.reasons)
    reasons = Counter(reason for reason in given if reason.startswith("own-judge-"))
    if not judged:
        return ""
    counts = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    return f"{_function(judged[0].policy)} judged {len(judged)} image{'' if len(judged) == 1 else 's'}: {counts}"


def accepted(labels: Iterable[Annotation]) -> dict[str, int]:
    """How many of these labels each own function accepted, by the policy they are noted under."""
    policies = (str(label.provenance.get("policy", "")) for label in labels if not label.human)
    return dict(Counter(filter(is_own, policies)))


def not_audited(policy: str) -> str:
    """In the place of an estimate: how good labels are that this policy accepted."""
    return (
        f"quality unknown, because {_function(policy)} accepted them and it is not asked about the random sample. "
        "Have people look at some of them"
    )


def is_own(policy: str) -> bool:
    return policy.startswith(PREFIX)


def _function(policy: str) -> str:
    return f"the function {policy.removeprefix(PREFIX).partition(',')[0]}"


def _verdict(entry: Mapping[str, Any]) -> Verdict:
    try:
        answer = fields.choice(entry, "answer", "answer", ANSWERS)
        why = fields.optional_text(entry, "reason", "answer") or ""
    except InvalidInputError:
        return Verdict("ask", JUNK, failed=True)
    if len(why) > LONGEST_REASON or not why.isprintable():
        return Verdict("ask", JUNK, failed=True)
    return Verdict(answer, f"{SAID[answer]}: {why}" if why else SAID[answer])


def _bytes(question: Question) -> int:
    return len(dump_line(question.to_json()).encode("utf-8"))
