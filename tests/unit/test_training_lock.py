"""One execution trains at a time; whoever lost the lock publishes nothing, and the fencing number only grows."""

import pytest
from fake_service import refused
from handling import stop
from hypothesis import given
from hypothesis import strategies as st
from labelloop.store import ledger, training_lock
from labelloop.store.training_lock import LockLostError


def at(monkeypatch, seconds: int) -> None:
    monkeypatch.setattr(training_lock.time, "time", lambda: seconds)


def test_one_execution_trains_at_a_time(run) -> None:
    first, second = run("first"), run("second")
    assert training_lock.take(first, 3600) == 1
    assert training_lock.take(first, 3600) == 1  # a retry of the same step
    assert training_lock.take(second, 3600) is None
    training_lock.release(second)  # not its lock
    assert training_lock.take(second, 3600) is None
    training_lock.release(first)
    assert training_lock.take(second, 3600) == 2


def test_the_lock_is_taken_over_when_its_owner_died(run) -> None:
    dead, second = run("dead"), run("second")
    training_lock.take(dead, 3600)
    stop(dead)
    assert training_lock.take(second, 3600) == 2
    with pytest.raises(LockLostError, match="fence 2"):
        training_lock.check(dead, 1)
    training_lock.check(second, 2)


def test_a_lease_ends_also_for_an_owner_that_still_runs(run, monkeypatch) -> None:
    slow, second = run("slow"), run("second")
    at(monkeypatch, 1_000)
    training_lock.take(slow, 60)
    at(monkeypatch, 1_059)
    assert training_lock.take(second, 60) is None
    at(monkeypatch, 1_060)
    assert training_lock.take(second, 60) == 2
    with pytest.raises(LockLostError):
        training_lock.check(slow, 1)


def test_of_two_that_take_over_the_lock_one_gets_it(run, monkeypatch) -> None:
    dead, second, third = run("dead"), run("second"), run("third")
    training_lock.take(dead, 3600)
    stop(dead)
    asked = []

    def overtaken(execution):
        asked.append(execution)
        if len(asked) == 1:
            assert training_lock.take(third, 3600) == 2
        return "ABORTED"

    monkeypatch.setattr(ledger, "execution_status", overtaken)
    assert training_lock.take(second, 3600) is None
    training_lock.check(third, 2)


def test_whether_a_training_runs_is_told_of_a_live_owner_alone(run) -> None:
    assert training_lock.owner() == "" and training_lock.since() == 0 and not training_lock.training_runs()
    dying = run("dying")
    training_lock.take(dying, 3600)
    assert training_lock.owner() == dying and training_lock.since() > 0 and training_lock.training_runs()
    stop(dying)
    assert training_lock.owner() == dying and not training_lock.training_runs()
    training_lock.release(dying)
    assert training_lock.owner() == "" and not training_lock.training_runs()


def test_an_old_fence_of_the_same_execution_does_not_hold(run) -> None:
    first = run("first")
    training_lock.take(first, 3600)
    training_lock.release(first)
    with pytest.raises(LockLostError):
        training_lock.check(first, 1)
    assert training_lock.take(first, 3600) == 2
    with pytest.raises(LockLostError):
        training_lock.check(first, 1)


def test_without_a_lock_nothing_may_be_published(aws) -> None:
    with pytest.raises(LockLostError):
        training_lock.check("anybody", 1)
    training_lock.release("anybody")
    assert ledger.running_batches() == []


def test_the_labels_of_the_last_verdict_are_remembered(aws) -> None:
    assert training_lock.labels_at_last_training() == 0
    training_lock.note_training("v000002-abcdef01", 120, "job")
    assert training_lock.labels_at_last_training() == 120


@pytest.mark.fault("H03")
@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["take", "release"])), max_size=12))
def test_the_fence_only_grows_and_has_one_holder(steps) -> None:
    """Against a table in memory with DynamoDB's conditions: whoever holds the lock holds the highest fence."""
    table = LockTable()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "table", lambda: table)
        patch.setattr(ledger, "execution_status", lambda _: "RUNNING")
        highest, holder = 0, ""
        for who, step in steps:
            if step == "release":
                training_lock.release(who)
                holder = "" if holder == who else holder
                continue
            fence = training_lock.take(who, 3600)
            if holder in ("", who):
                assert fence == (highest if holder == who else highest + 1)
                highest, holder = fence, who
                training_lock.check(who, fence)
            else:
                assert fence is None


class LockTable:
    """The lock's row alone; the conditions are those training_lock.py states."""

    def __init__(self) -> None:
        self.row: dict[str, object] = {}

    def get_item(self, **_):
        return {"Item": dict(self.row)} if self.row else {}

    def put_item(self, Item, ExpressionAttributeValues, **_):
        if self.row and (self.row["fence"], self.row["owner"]) != (
            ExpressionAttributeValues[":seen"],
            ExpressionAttributeValues[":owner"],
        ):
            self._refuse()
        self.row = dict(Item)

    def update_item(self, ExpressionAttributeValues, **_):
        if self.row.get("owner") != ExpressionAttributeValues[":execution"]:
            self._refuse()
        self.row.update(owner="", lease_until=0)

    def _refuse(self):
        raise refused("ConditionalCheckFailedException")
