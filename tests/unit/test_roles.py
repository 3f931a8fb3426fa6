"""Who judges and who trains, fixed for good, also by merges that run at the same time, or stop and are repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from annotation_lines import line
from botocore.exceptions import ClientError
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from labelloop.batch import roles
from labelloop.contracts.errors import TransientError
from labelloop.contracts.settings import settings
from labelloop.store import datasets, ledger

WANTED = 5


class Stopped(Exception):
    """The function was ended in the middle of its work."""


class Table:
    """DynamoDB's conditional writes as the ledger uses them. `between` runs before each transaction, as another merge
    that comes first would.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.between: list[Callable[[], None]] = []
        self.meta = SimpleNamespace(client=self)

    def get_item(self, Key: dict[str, str], **_: Any) -> dict[str, Any]:
        return {"Item": dict(self.rows[Key["id"]])} if Key["id"] in self.rows else {}

    def put_item(self, Item: dict[str, Any], **_: Any) -> None:
        if Item["id"] in self.rows:
            raise refused("ConditionalCheckFailedException")
        self.rows[Item["id"]] = dict(Item)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((name, request),) = RequestItems.items()
        wanted = [key["id"] for key in request["Keys"]]
        return {"Responses": {name: [dict(self.rows[each]) for each in wanted if each in self.rows]}}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:
        assert len(TransactItems) <= 100
        while self.between:
            self.between.pop()()
        *puts, counted = TransactItems
        given = counted["Update"]["ExpressionAttributeValues"]
        tally = self.rows["roles"]
        stale = (tally["answered"], tally["judges"]) != (given[":answered_before"], given[":judges_before"])
        if stale or any(put["Put"]["Item"]["id"] in self.rows for put in puts):
            raise refused("TransactionCanceledException")
        self.rows |= {put["Put"]["Item"]["id"]: dict(put["Put"]["Item"]) for put in puts}
        self.rows["roles"] = {"id": "roles", "answered": given[":answered"], "judges": given[":judges"]}

    def roles(self) -> dict[str, str]:
        return {each.removeprefix("role#"): row["role"] for each, row in self.rows.items() if each.startswith("role#")}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Put")


CONTENTS = st.sets(st.integers(0, 60).map(lambda number: f"{number:064x}"), max_size=25)


class Merges(RuleBasedStateMachine):
    """Batches bring contents; the lower half of all is of the random sample. What was fixed is known to `fixed`."""

    @initialize(judges=st.integers(0, 6), trained=st.integers(0, 6))
    def of_0_1(self, judges: int, trained: int) -> None:
        self.patch, self.table = pytest.MonkeyPatch(), Table()
        self.patch.setattr(ledger, "table", lambda: self.table)
        self.patch.setattr(roles, "settings", lambda: SimpleNamespace(judge_images=WANTED, seed=7, ledger_table="l"))
        self.patch.setattr(ledger, "settings", lambda: SimpleNamespace(ledger_table="l"))
        self.patch.setattr(roles.time, "sleep", lambda _: None)
        self.patch.setattr(roles, "MOST_IN_A_TRANSACTION", 4)
        self.older = [f"a{number:063x}" for number in range(judges + trained)]
        older = {each: ("gold" if place < judges else "train") for place, each in enumerate(self.older)}
        for content, role in older.items():
            self.table.rows[f"role#{content}"] = {"id": f"role#{content}", "role": role}
        lines = tuple(line(f"{each}.jpg", role=role, sha256=each, sampled=True) for each, role in older.items())
        self.patch.setattr(datasets, "current", lambda: datasets.Dataset("v000001-00000000", lines))
        self.fixed = {each: "judge" if role == "gold" else role for each, role in older.items()}
        self.judges_of_0_1 = judges

    def merge(self, contents: set[str]) -> None:
        found = roles.fix(contents, {each for each in contents if sampled(each)})
        assert set(found) == contents
        for content, role in found.items():
            assert self.fixed.setdefault(content, role) == role, "a role changed"

    @rule(contents=CONTENTS, again=st.booleans())
    def one_merge(self, contents: set[str], again: bool) -> None:
        self.merge(contents)
        if again:
            self.merge(contents)

    @rule(first=CONTENTS, second=CONTENTS, third=CONTENTS)
    def merges_at_the_same_time(self, first: set[str], second: set[str], third: set[str]) -> None:
        self.table.between = [lambda: self.merge(second), lambda: self.merge(third)]
        self.merge(first)
        self.table.between = []

    @rule(contents=CONTENTS, after=st.integers(0, 3))
    def a_merge_that_stops_half_way_and_is_repeated(self, contents: set[str], after: int) -> None:
        real, left = self.table.transact_write_items, iter(range(after))

        def until_stopped(**request: Any) -> None:
            if next(left, None) is None:
                raise Stopped
            real(**request)

        self.table.transact_write_items = until_stopped  # type: ignore[method-assign]
        try:
            self.merge(contents)
        except Stopped:
            pass
        finally:
            self.table.transact_write_items = real  # type: ignore[method-assign]
        self.merge(contents)

    @rule(content=CONTENTS)
    def people_saw_an_old_one_again(self, content: set[str]) -> None:
        self.merge({*content, *self.older[:3]})

    @invariant()
    def of_what_was_sampled_the_first_and_then_half_judge_and_nothing_else_does(self) -> None:
        if not hasattr(self, "table") or "roles" not in self.table.rows:
            return
        of_sample = {each: role for each, role in self.fixed.items() if sampled(each)}
        judges = Counter(of_sample.values())["judge"]
        assert judges == self.due(len(of_sample))
        if not self.older:
            assert judges == min(len(of_sample), max(WANTED, len(of_sample) // 2))
        assert all(role == "train" for each, role in self.fixed.items() if not sampled(each))
        stored = {each: "judge" if role == "gold" else role for each, role in self.table.roles().items()}
        assert stored == self.fixed
        tally = self.table.rows["roles"]
        assert (tally["answered"], tally["judges"]) == (len(of_sample), judges)

    def due(self, answered: int) -> int:
        """What version 0.1 left stays; from there on, one judges wherever too few do."""
        judges = self.judges_of_0_1
        for count in range(len(self.older) + 1, answered + 1):
            judges += judges < max(WANTED, count // 2)
        return judges

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()


def sampled(content: str) -> bool:
    return content.startswith("a") or int(content, 16) < 40


@pytest.mark.fault("G07")
def test_a_role_never_changes_and_as_many_judge_as_shall_whatever_merges_do() -> None:
    """They come again, stop half-way, run at the same time, and find what version 0.1 left."""
    run_state_machine_as_test(
        Merges, settings=hypothesis_settings(max_examples=40, stateful_step_count=12, deadline=None)
    )
    assert {"merges_at_the_same_time", "a_merge_that_stops_half_way_and_is_repeated"} <= vars(Merges).keys()


def test_the_first_that_people_label_judge_and_of_more_every_second(aws, change_setting) -> None:
    change_setting("JUDGE_IMAGES", "3")
    contents = [f"{number:064x}" for number in range(10)]
    fixed = roles.fix(contents, contents[:8])
    assert Counter(fixed[each] for each in contents[:8]) == {"judge": 4, "train": 4}
    assert {fixed[each] for each in contents[8:]} == {"train"}
    assert (roles.judges(), roles.fix(contents, contents)) == (4, fixed)
    more = [f"{number:064x}" for number in range(20, 320)]  # in several transactions
    assert Counter(roles.fix(more, more).values()) == {"judge": 150, "train": 150}


@pytest.mark.parametrize("older", ["calibration", "gold"])
def test_what_judged_in_version_0_1_judges_and_is_counted(aws, change_setting, older) -> None:
    change_setting("JUDGE_IMAGES", "2")
    ledger.table().put_item(Item={"id": "role#a", "role": older})
    lines = [line("a.jpg", role=older, sha256="a"), line("b.jpg", role="train", sha256="b", sampled=True)]
    datasets.publish([*lines, line("c.jpg", role="train", sha256="c", sampled=False)], {})
    assert roles.judges() == 0, "nobody has counted"
    assert roles.fix({"a", "d"}, {"d"}) == {"a": "judge", "d": "judge"}
    assert ledger.table().get_item(Key={"id": "roles"})["Item"] == {"id": "roles", "answered": 3, "judges": 2}


def test_roles_are_fixed_several_at_a_time(environment, monkeypatch) -> None:
    """Those of 150,000 imported labels, one after the other, would take longer than a function may."""
    together = Barrier(8)
    put = SimpleNamespace(
        put_item=lambda **_: together.wait(timeout=20),
        batch_get_item=lambda **_: {"Responses": {}},
    )
    monkeypatch.setattr(ledger, "table", lambda: SimpleNamespace(meta=SimpleNamespace(client=put), **vars(put)))
    contents = [f"{number:064x}" for number in range(8)]
    assert roles.fix(contents, ()) == dict.fromkeys(contents, "train")


def test_who_never_comes_first_asks_to_be_started_again(environment, monkeypatch) -> None:
    table = Table()
    table.rows["roles"] = {"id": "roles", "answered": 0, "judges": 0}
    asked = []

    def never(**_: Any) -> None:
        asked.append(1)
        raise refused("TransactionCanceledException")

    monkeypatch.setattr(table, "transact_write_items", never)
    monkeypatch.setattr(ledger, "table", lambda: table)
    monkeypatch.setattr(roles.time, "sleep", lambda _: None)
    with pytest.raises(TransientError, match="other batches always came first"):
        roles.fix(["a"], ["a"])
    assert len(asked) == roles.TRIES and table.roles() == {}
    assert settings().judge_images == 1
