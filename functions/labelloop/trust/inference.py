"""How long and how often a round asks the model, and what its silence means.

Pure. An endpoint that is out of order must cost hours, not weeks, and must not send to people what a model should look
at first; an image that kills the model's process must cost that image alone. Both look alike: no answer. They are told
apart by a control: an image the model has answered about before, asked alone after the last of those in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MOST_SECONDS = 4 * 3600
# Attempt 1 runs a few single requests at a time; attempt 2 one at a time, so that an image that kills the worker
# takes no other with it.
CONCURRENCY = {1: 4, 2: 1}
# More than this missing is not a poison image but a broken endpoint.
MOST_SINGLE_REQUESTS = 500
GAVE_NOTHING = "inference-gave-nothing"


@dataclass(frozen=True)
class Silence:
    """What a round knows when the requests it made have ended: how many images have no answer, how many shards were
    asked, whether anything was answered in this round, and by the control; whether time has run out.
    """

    missing: int
    shards: int
    any_answer: bool
    has_control: bool
    control_answered: bool
    overdue: bool


def what_next(silence: Silence, attempt: int) -> Literal["complete", "ask", "poison", "outage"]:
    """`attempt` counts from 1, when the shards have been asked. `ask`: the missing ones, one by one; `poison`: the
    endpoint answers, but never about these; `outage`: it does not answer, they wait for a later round.
    """
    if not silence.missing:
        return "complete"
    alone = silence.shards == 1 and attempt == 1  # one shard alone may hold an image that kills the worker
    silent = not silence.any_answer and not alone and not silence.has_control
    if silence.overdue or silent or silence.missing > MOST_SINGLE_REQUESTS:
        return "outage"
    if attempt in CONCURRENCY:
        return "ask"
    return "poison" if silence.control_answered else "outage"


def window_seconds(request_seconds: int) -> int:
    """How long after its begin a round still makes requests, each of which may take `request_seconds`.

    A request made at the last moment ends within 4 hours of the begin, or, where the stack's own parameters leave one
    request more than half of that, within twice its time: the round can always try once more.
    """
    return max(MOST_SECONDS - request_seconds, request_seconds)


def longest_seconds(request_seconds: int) -> int:
    """The time after which no request of a round is open."""
    return window_seconds(request_seconds) + request_seconds


def control_of(answered: Sequence[str], known: Sequence[str]) -> str:
    """An image that the model has answered about, in this round if there is one; empty where there is none."""
    return min(answered, default="") or min(known, default="")
