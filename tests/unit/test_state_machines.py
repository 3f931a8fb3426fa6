"""State machines against themselves and the functions: what a state reads was put there, on every way to it."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lint import vocabulary
from lint.project import Project, States, all_states, listed, state_groups, substitution

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {machine.path.name.split(".")[0]: machine for machine in Project(ROOT).machines}
OPAQUE = None  # a value whose fields are unknown, such as a handler's answer
Shape = dict[str, Any] | None

INPUTS: dict[str, Shape] = {
    "label_batch": OPAQUE,
    "train_model": {"batch_id": OPAQUE, "round": OPAQUE, "model_uri": OPAQUE, "settings": OPAQUE},
}


@pytest.mark.parametrize("name", MACHINES)
def test_every_path_that_a_state_reads_exists_on_every_way_to_it(name: str) -> None:
    missing = list(_unknown_paths(next(state_groups(MACHINES[name].definition)), INPUTS[name]))
    assert missing == []


def test_the_dataflow_check_sees_a_path_that_one_way_does_not_set() -> None:
    states = json.loads(json.dumps(MACHINES["train_model"].definition))
    states["States"]["Model Adopted"]["Parameters"].pop("comparison.$")
    missing = list(_unknown_paths(next(state_groups(states)), INPUTS["train_model"]))
    assert "Deploy Model reads $.comparison.model_version" in missing


def test_all_inputs_of_train_model_give_what_it_reads() -> None:
    """`model_uri` is only given to adopt a model; nothing but Adopt Model may read it."""
    inputs = [
        state["Parameters"]["Input"]
        for _, state in all_states(MACHINES["label_batch"].definition)
        if "Input" in state.get("Parameters", {})
    ]
    common = set.intersection(*(set(given) for given in inputs))
    assert {"batch_id.$", "settings.$"} <= common and len(inputs) == 3
    readers = [name for name, state in all_states(MACHINES["train_model"].definition) if "$.model_uri" in _paths(state)]
    assert readers == ["Adopt Model"]


@pytest.mark.parametrize("name", MACHINES)
def test_every_payload_gives_its_handler_what_it_reads(name: str) -> None:
    lacking = []
    for state_name, state in all_states(MACHINES[name].definition):
        title = substitution(str(state.get("Parameters", {}).get("FunctionName", ""))).removesuffix("FunctionArn")
        if not title:
            continue
        given = {key.removesuffix(".$") for key in state["Parameters"]["Payload"]}
        lacking += [f"{state_name} does not pass {key}" for key in sorted(_event_keys(title, given) - given)]
    assert lacking == []


@pytest.mark.parametrize("name", MACHINES)
def test_a_function_of_today_reads_no_more_than_version_0_1_passes(name: str) -> None:
    """Of an execution that 0.1.0 began: it calls functions by the names of then, some of which stand for others now."""
    definition = json.loads((ROOT / "tests" / "support" / f"{name}-0.1.0.asl.json").read_text(encoding="utf-8"))
    lacking, stood_for = [], set()
    for state_name, state in all_states(definition):
        title = substitution(str(state.get("Parameters", {}).get("FunctionName", ""))).removesuffix("FunctionArn")
        if title and title not in vocabulary.DONE_BY_THE_NEXT_STATE:
            given = {key.removesuffix(".$") for key in state["Parameters"]["Payload"]}
            keys = _event_keys(vocabulary.ALIASES.get(title, title), given)
            lacking += [f"{state_name} does not pass {key}" for key in sorted(keys - given)]
            stood_for |= {title} & set(vocabulary.ALIASES)
    assert lacking == []
    assert stood_for == (set(vocabulary.ALIASES) if name == "train_model" else set())


@pytest.mark.fault("D05")
def test_nothing_but_pointers_and_counts_stays_in_the_state() -> None:
    """Every result is selected or dropped: a handler's answer never lands in the state as it is."""
    kept = [
        name
        for machine in MACHINES.values()
        for name, state in all_states(machine.definition)
        if state["Type"] in ("Task", "Map")
        and state.get("ResultPath", "") is not None
        and "ResultSelector" not in state
    ]
    assert kept == []


@pytest.mark.parametrize(("name", "lane"), [("label_batch", "Record Failure"), ("train_model", "Record Failure")])
def test_every_task_ends_in_the_failure_lane(name: str, lane: str) -> None:
    """Except where the batch is reported already: what comes after must not make a failure of it."""
    top = MACHINES[name].definition["States"]
    for state_name, state in top.items():
        if state["Type"] in ("Task", "Map") and state_name != lane:
            last = state["Catch"][-1]
            assert last["ErrorEquals"] == ["States.ALL"] and last["ResultPath"] == "$.error", state_name
            assert last["Next"] == ("Batch Labeled" if state_name == "Start Training" else lane), state_name


def test_a_stopped_labelling_job_has_half_an_hour_to_reach_its_end() -> None:
    """Ground Truth first takes in what people answered; giving up earlier would fail the batch for nothing."""
    ladder = MACHINES["label_batch"].definition["States"]["Stop Labeling"]["Retry"]
    (still_stopping,) = [retry for retry in ladder if retry["ErrorEquals"] == ["TransientError"]]
    assert still_stopping.get("JitterStrategy", "NONE") == "NONE", "full jitter may wait for nothing at all"
    waits = [
        min(still_stopping["IntervalSeconds"] * still_stopping["BackoffRate"] ** n, still_stopping["MaxDelaySeconds"])
        for n in range(still_stopping["MaxAttempts"])
    ]
    assert sum(waits) >= 1800 and max(waits) <= 60, "long enough, and soon after it ended"


def test_a_training_can_wait_for_the_lock_as_long_as_its_machine_may_run() -> None:
    """An execution ends at 25,000 events: 5 of Plan Training, 2 of Worth Training? and 2 of Wait For Lock each time."""
    import plan_training

    machine = MACHINES["train_model"].definition
    assert machine["States"]["Wait For Lock"]["SecondsPath"] == "$.plan.wait_seconds"
    turns = machine["TimeoutSeconds"] / plan_training.SECONDS_BETWEEN_ASKING
    assert turns * 9 < 0.8 * 25_000, "with room for retries and for the training itself"


def test_no_machine_ends_what_the_parameters_allow_to_run() -> None:
    """A training may wait for another one, then trains and deploys, at the largest values of the parameters."""
    from labelloop.contracts.settings import Settings
    from made_up_stack import SETTINGS

    most = {"TRAINING_TIMEOUT_SECONDS": "172800", "DEPLOYMENT_TIMEOUT_SECONDS": "86400"}
    knobs = Settings.from_environment({**SETTINGS, **most})
    one = knobs.training_wait_seconds + knobs.deployment_timeout_seconds
    assert MACHINES["train_model"].definition["TimeoutSeconds"] >= knobs.nested_timeout_seconds > 2 * one


def _event_keys(title: str, given: set[str]) -> set[str]:
    """What the handler reads of an event with these keys, also in functions of its file that it hands the event to."""
    stem = re.sub(r"(?<!^)(?=[A-Z])", "_", title).lower()
    tree = ast.parse((ROOT / "functions" / f"{stem}.py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return set(_read_of_event(functions["handler"].body, functions, given))


def _read_of_event(nodes: list[ast.AST], functions: dict[str, ast.FunctionDef], given: set[str]) -> Iterator[str]:
    for node in nodes:
        asked = re.fullmatch(r"'(\w+)' (not )?in event", ast.unparse(getattr(node, "test", node)))
        if isinstance(node, ast.If | ast.IfExp) and asked:
            branch = listed(node.orelse if (asked[1] in given) == bool(asked[2]) else node.body)
            yield from _read_of_event(branch, functions, given)
            if branch and isinstance(branch[-1], ast.Return):
                return
            continue
        if key := re.fullmatch(r"event\['(\w+)'\]", ast.unparse(node)):
            yield key[1]
        if isinstance(node, ast.Call) and "event" in map(ast.unparse, node.args):
            called = functions.get(ast.unparse(node.func))
            yield from _read_of_event(called.body if called else [], functions, given)
        yield from _read_of_event(list(ast.iter_child_nodes(node)), functions, given)


def _unknown_paths(group: States, given: Shape) -> Iterator[str]:
    entry: dict[str, Shape] = {group.start_at: given}
    waiting = [group.start_at]
    while waiting:
        name = waiting.pop()
        for target, shape in _leaving(group.states[name], entry[name]):
            known = _meet(entry[target], shape) if target in entry else shape
            if target not in entry or known != entry[target]:
                entry[target] = known
                waiting.append(target)
    for name, state in group.states.items():
        yield from (f"{name} reads {path}" for path in sorted(_paths(state)) if not _known(entry[name], path))
        if "ItemProcessor" in state:
            items = {key.removesuffix(".$"): OPAQUE for key in state["ItemSelector"]}
            yield from _unknown_paths(
                States(state["ItemProcessor"]["StartAt"], state["ItemProcessor"]["States"], state), items
            )


def _leaving(state: dict[str, Any], shape: Shape) -> Iterator[tuple[str, Shape]]:
    for catch in state.get("Catch", []):
        yield catch["Next"], _put(shape, catch.get("ResultPath", "$"), {"Error": OPAQUE, "Cause": OPAQUE})
    result: Shape = shape if state["Type"] in ("Choice", "Wait") else OPAQUE
    if state["Type"] == "Pass":
        result = _selected(state["Result"]) if "Result" in state else _selected(state["Parameters"])
    elif "ResultSelector" in state:
        result = _selected(state["ResultSelector"])
    path = state.get("ResultPath", "$")
    after = shape if path is None else _put(shape, path, result)
    targets = [choice["Next"] for choice in state.get("Choices", [])] + [
        state[key] for key in ("Next", "Default") if key in state
    ]
    yield from ((target, after) for target in targets)


def _selected(value: Any) -> Shape:
    if not isinstance(value, dict):
        return OPAQUE
    return {key.removesuffix(".$"): _selected(inner) for key, inner in value.items()}


def _put(shape: Shape, path: str, value: Shape) -> Shape:
    name = path.removeprefix("$").removeprefix(".")
    if not name:
        return value
    head, _, rest = name.partition(".")
    if shape is OPAQUE:
        return OPAQUE
    return {**shape, head: _put(shape.get(head), f"$.{rest}", value) if rest else value}


def _meet(one: Shape, other: Shape) -> Shape:
    if one is OPAQUE or other is OPAQUE:
        return other if one is OPAQUE else one
    return {key: _meet(one[key], other[key]) for key in one if key in other}


def _known(shape: Shape, path: str) -> bool:
    for part in path.removeprefix("$.").split("."):
        if shape is OPAQUE:
            return True
        if part not in shape:
            return False
        shape = shape[part]
    return True


def _paths(state: dict[str, Any]) -> set[str]:
    """What the state reads of its own input (not of its result, and not of the context object `$$`)."""
    own = {
        key: value
        for key, value in state.items()
        if key not in ("ItemProcessor", "ResultSelector", "ResultPath", "Catch", "Comment")
    }
    return set(re.findall(r"(?<![$\w])\$\.[A-Za-z_][\w.]*", json.dumps(own)))
