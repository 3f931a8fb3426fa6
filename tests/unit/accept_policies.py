"""The settings that the accept policies' tests work with."""

from dataclasses import replace
from typing import Any

from labelloop.contracts.settings import Settings
from made_up_stack import SETTINGS

KNOBS = replace(
    Settings.from_environment(SETTINGS),
    accept_policy="target-quality",
    accept_threshold=0.6,
    keep_confidence=0.4,
    judge_minimum=2,
)


def nothing() -> Any:
    raise AssertionError("this policy needs nothing that stands beside the model")
