"""Faults a test asks for, taken one by one by the code that simulates them. Set through `PUT /_labelloop/faults`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True)
class Faults:
    """All off by default. Counters and the `fail_*` entries are used up, the others stay until the next PUT.

    drop_success_notices: so many success notices are never published.
    duplicate_success_notices: every success notice is published so many times (1 = normal).
    invocation_failures: so many invocations fail as if the model had answered 500; the container is not called.
    outage: once `healthy_invocations` more have been answered, every invocation fails as if the container had died.
    fail_training: reasons; the next training jobs fail with them, one job each.
    fail_labeling: the next labelling jobs end as told, one job each: "Failed" (nothing labelled), "Stopped" (half of
    the objects labelled) or {"objects": n} (the first n objects fail).
    refuse_labeling: error codes; the next requests for a labelling job are refused with them, one request each.
    hold_labeling: tasks are offered, but nobody answers while this is true.
    answers_before_hold: so many objects of a held job are answered all the same.
    drop_events: detail-types of EventBridge events that are never published.
    """

    drop_success_notices: int = 0
    duplicate_success_notices: int = 1
    invocation_failures: int = 0
    outage: bool = False
    healthy_invocations: int = 0
    fail_training: tuple[str, ...] = ()
    fail_labeling: tuple[Any, ...] = ()
    refuse_labeling: tuple[str, ...] = ()
    hold_labeling: bool = False
    answers_before_hold: int = 0
    drop_events: tuple[str, ...] = ()


@dataclass
class FaultBox:
    """The faults in force; take_* use one up."""

    current: Faults = field(default_factory=Faults)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, faults: Faults) -> None:
        with self._lock:
            self.current = faults

    def take_count(self, name: str) -> bool:
        """True, and one less next time, while the counter is positive."""
        with self._lock:
            left = int(getattr(self.current, name))
            if left > 0:
                changes: dict[str, Any] = {name: left - 1}
                self.current = replace(self.current, **changes)
            return left > 0

    def take_next(self, name: str) -> Any:
        """The next entry of a list of faults; None when there is none."""
        with self._lock:
            entries = tuple(getattr(self.current, name))
            if not entries:
                return None
            changes: dict[str, Any] = {name: entries[1:]}
            self.current = replace(self.current, **changes)
            return entries[0]


def parse_faults(document: Any) -> Faults:
    """Read the JSON of a PUT. A single value stands for a list of one. Raises ValueError naming what is wrong."""
    known = {item.name: item.default for item in fields(Faults)}
    if not isinstance(document, dict) or not set(document) <= set(known):
        raise ValueError(f"faults are an object with some of {sorted(known)}")
    values = {name: _typed(name, value, known[name]) for name, value in document.items()}
    for entry in values.get("fail_labeling", ()):
        counted = isinstance(entry, dict) and set(entry) == {"objects"} and isinstance(entry["objects"], int)
        if entry not in ("Failed", "Stopped") and not counted:
            raise ValueError(f'fail_labeling entries are "Failed", "Stopped" or {{"objects": n}}, not {entry!r}')
    return Faults(**values)


def _typed(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(value) if isinstance(value, list) else (value,)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} is a number >= 0")
    return type(default)(value)
