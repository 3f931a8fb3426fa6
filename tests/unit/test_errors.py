"""The errors that the state machines know by name: each means one thing, and the machines do with it what it says."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from labelloop.contracts import errors

from lint.project import Project, all_states, listed

ROOT = Path(__file__).resolve().parents[2]
ERRORS = {
    name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
}
STATES: dict[str, dict[str, Any]] = {
    f"{machine.path.name}: {name}": state
    for machine in Project(ROOT).machines
    for name, state in all_states(machine.definition)
}


def named(rule: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(state, its rule, error of ours) of every Retry or Catch that names one."""
    for name, state in STATES.items():
        for each in state.get(rule, []):
            yield from ((name, each, error) for error in listed(each["ErrorEquals"]) if error in ERRORS)


@pytest.mark.parametrize("name", ERRORS)
def test_no_error_is_taken_for_another_or_for_one_of_python(name: str) -> None:
    """`except InvalidInputError` or `except ValueError` must not take what is to be retried, or told to people."""
    assert ERRORS[name].__bases__ == (Exception,)
    assert ERRORS[name].__name__ == name, "Lambda reports it under this name"


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_raised_somewhere_and_tells_what_happened(name: str) -> None:
    raised = [
        node.exc
        for path in (ROOT / "functions").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) == name
    ]
    assert raised and all(len(each.args) == 1 for each in raised)


def test_what_may_pass_is_retried_by_whatever_calls_a_function_and_nothing_else_of_ours_is() -> None:
    calling = {name for name, state in STATES.items() if ":lambda:invoke" in str(state.get("Resource", ""))}
    retried = [(name, error) for name, _, error in named("Retry")]
    assert len(calling) > 20 and {name for name, error in retried if error == "TransientError"} == calling
    assert {error for _, error in retried} == {"TransientError"}


def test_a_limit_of_the_account_is_waited_for_and_then_the_same_is_asked_again() -> None:
    caught = [(name, each["Next"]) for name, each, error in named("Catch") if error == "LimitReachedError"]
    assert caught
    for name, following in caught:
        machine, _, asking = name.partition(": ")
        waiting = STATES[f"{machine}: {following}"]
        assert (waiting["Type"], waiting["Next"]) == ("Wait", asking)
