"""`make demo HUMAN=1`: the person at this machine as one of the workers; what waits there, and what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local import stack

SHARE = 12
# A job waits so long; then the loop stops it, keeps what was answered, and asks again.
JOB_SECONDS = 900
# Each round may wait for its person.
TIMEOUT_MINUTES = 240.0
TOTALS = ("asked", "answered", "handed_over", "expired", "stopped")


@dataclass(frozen=True)
class Waiting:
    """A job that the person is asked about: `open` of the `asked` images wait, for so many seconds at most."""

    job: str
    asked: int
    open: int
    seconds_left: float
    link: str = ""


class Person:
    def __init__(self, server: stack.Server, share: int = SHARE) -> None:
        self._server, self._share = server, share
        self._expected = True
        self._told, self._link = "", ""

    def arrive(self) -> None:
        stack.control(self._server, "PUT", "people", {"person": True, "share": self._share})

    def look(self) -> tuple[Waiting | None, list[str]]:
        """What waits now, and what to tell about it. Where nobody comes, the simulated annotators take over."""
        if not self._expected:
            return None, []
        desk = stack.control(self._server, "GET", "state")["desk"]
        if nobody_came(desk):
            self._expected = False
            stack.control(self._server, "PUT", "people", {})
            return None, ["nobody came to the labelling portal: the simulated annotators do the rest"]
        waiting = waits(desk)
        if waiting is None:
            return None, []
        told = []
        if waiting.job != self._told:
            self._told, self._link = waiting.job, stack.portal_link(self._server)
            told = [
                f"your turn: {waiting.open} images of {waiting.job} wait for you, for {waiting.seconds_left / 60:.0f} "
                "minutes at most (then they are asked again). Label them, or hand them over, at",
                self._link,
            ]
        return Waiting(waiting.job, waiting.asked, waiting.open, waiting.seconds_left, self._link), told

    def work(self) -> dict[str, int]:
        """How many images the person was asked about, and what became of them."""
        return together(stack.control(self._server, "GET", "state")["desk"])


def waits(desk: Mapping[str, Mapping[str, Any]]) -> Waiting | None:
    """The job that waits for people; `desk` is counts per job as GET /_labelloop/state gives them."""
    found = [Waiting(job, each["asked"], each["open"], each["seconds_left"]) for job, each in desk.items()]
    return next((each for each in found if each.open), None)


def nobody_came(desk: Mapping[str, Mapping[str, Any]]) -> bool:
    """Images ran out of time, and none was ever answered or handed over."""
    total = together(desk)
    return total["expired"] + total["stopped"] > 0 and total["answered"] + total["handed_over"] == 0


def together(desk: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {name: sum(each[name] for each in desk.values()) for name in TOTALS}
