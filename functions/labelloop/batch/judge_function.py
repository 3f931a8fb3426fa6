"""Asks a user's own judgement function (parameter JudgeFunctionArn) about the images that a round's rule would
decide about, page by page, within bounds of size and time. What it answered is pinned: a round that is judged again
decides the same and asks nobody.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.records import dump_line
from labelloop.contracts.settings import settings
from labelloop.store import aws, immutable
from labelloop.store.observability import count, logger
from labelloop.trust import judgement, own_verdicts
from labelloop.trust.judgement import Candidate
from labelloop.trust.own_verdicts import Question, Verdict
from labelloop.trust.policies import Rule

# Beside what Judge Batch takes itself for the largest batch (limits.PER_IMAGE), of its 900 s. The last pages begin
# within the first bound, and one ends within the other (aws.ONCE).
SECONDS_TO_BEGIN_IN = 180
PAGES_AT_ONCE = 4
LARGEST_ANSWER = 6_300_000  # bytes; what Lambda lets a function answer
PAUSES = (1, 3)  # seconds before a page is asked again that Lambda turned away: throttled, or a 5xx
UNREACHABLE = "own-judge-unreachable"
TIMEOUT = "own-judge-timeout"
REFUSALS = {
    "AccessDeniedException": "own-judge-denied",
    "RequestTooLargeException": own_verdicts.TOO_LARGE,
    "ResourceNotFoundException": "own-judge-not-found",
    "TooManyRequestsException": "own-judge-throttled",
}


def with_verdicts(
    files: Files, number: int, candidates: Sequence[Candidate], rule: Rule | None, label_rule: LabelRule
) -> list[Candidate]:
    """The candidates, those with a verdict that an own function was asked about; unchanged where the stack has none.

    It is asked about images with a prediction that were not drawn at random, rejected, or changed. One of them that
    the round did not ask about when it was judged first goes to people.
    """
    pinned = immutable.find_json(files.own_verdicts(number)) if rule else None
    function = pinned["function"] if pinned else settings().judge_function_arn
    if rule is None or not function:
        return list(candidates)
    questions = _questions(candidates, rule, label_rule)
    if pinned is None:
        pinned = immutable.create_json(files.own_verdicts(number), _ask(files, number, function, questions, rule))
    name, answers = own_verdicts.policy_name(function, rule.version), pinned["answers"]
    asked = {question.decided.source_ref for question in questions}
    return [
        replace(each, own=_verdict(answers.get(each.source_ref), name)) if each.source_ref in asked else each
        for each in candidates
    ]


def _verdict(pinned: Sequence[str] | None, policy: str) -> Verdict:
    answer, reason = pinned or ("ask", own_verdicts.MISSING)
    return Verdict(answer, reason, policy=policy)


def _questions(candidates: Sequence[Candidate], rule: Rule, label_rule: LabelRule) -> list[Question]:
    """What the policy would decide if people had time for everything."""
    decided = judgement.judge(candidates, rule, len(candidates), 0, label_rule)
    offered = {
        each.source_ref: each.prediction for each in candidates if each.prediction is not None and not each.sampled
    }
    return [
        Question(offered[each.source_ref], each)
        for each in decided
        if each.source_ref in offered and each.score is not None
    ]


def _ask(files: Files, number: int, function: str, questions: list[Question], rule: Rule) -> dict[str, Any]:
    """What is pinned: the function, and answer and reason for each image."""
    knobs = settings()
    about = {
        "version": own_verdicts.VERSION,
        "batch": files.batch_id,
        "round": number,
        "policy": rule.version,
        "task": knobs.task,
        "classes": list(knobs.label_names),
    }
    aws.client("lambda")  # made here, because threads that make one at once are in each other's way
    until = time.monotonic() + SECONDS_TO_BEGIN_IN
    with ThreadPoolExecutor(PAGES_AT_ONCE) as pool:
        answered = list(pool.map(partial(_ask_page, function, about, until), own_verdicts.pages(questions)))
    verdicts = {reference: verdict for page, _ in answered for reference, verdict in page.items()}
    ignored = sum(strange for _, strange in answered)
    unusable = {reference: verdict.reason for reference, verdict in verdicts.items() if verdict.failed}
    count("JudgeFunctionFailed", len(unusable))
    if unusable or ignored:
        first = next(iter(unusable.items()), ("", ""))
        logger.error(
            "the judge function did not answer as documented", images=len(unusable), ignored=ignored, first=first
        )
    answers = {reference: [verdict.answer, verdict.reason] for reference, verdict in sorted(verdicts.items())}
    return {"function": function, "ignored": ignored, "answers": answers}


def _ask_page(
    function: str, about: dict[str, Any], until: float, page: list[Question]
) -> tuple[dict[str, Verdict], int]:
    """A verdict for each image of the page, whatever happens, and how many entries were about something else."""
    asked = {question.decided.source_ref for question in page}
    if own_verdicts.is_too_large(page):
        return own_verdicts.failed(asked, own_verdicts.TOO_LARGE), 0
    event = {**about, "images": [question.to_json() for question in page]}
    body, reason = _invoke(function, dump_line(event).encode("utf-8"), until)
    return (own_verdicts.failed(asked, reason), 0) if reason else own_verdicts.read(body, asked)


def _invoke(function: str, payload: bytes, until: float) -> tuple[bytes, str]:
    """(the answer, why there is none)."""
    for pause in (*PAUSES, 0):
        if time.monotonic() >= until:
            return b"", "own-judge-out-of-time"
        try:
            answer = aws.client("lambda").invoke(FunctionName=function, Payload=payload)
            body = answer["Payload"].read(LARGEST_ANSWER + 1)
        except (ReadTimeoutError, ConnectTimeoutError):
            return b"", TIMEOUT
        except ClientError as error:
            reason = REFUSALS.get(aws.error_code(error), "own-judge-refused")
            if not aws.may_pass(error) or not pause:
                return b"", reason
            time.sleep(pause)
        except BotoCoreError:
            return b"", UNREACHABLE
        else:
            return body, _unusable(answer, body)
    raise AssertionError("the last attempt returns")


def _unusable(answer: dict[str, Any], body: bytes) -> str:
    if answer.get("FunctionError"):
        # Lambda words it so, whatever the runtime.
        return TIMEOUT if b"Task timed out after" in body else "own-judge-error"
    return own_verdicts.TOO_LARGE if len(body) > LARGEST_ANSWER else ""
