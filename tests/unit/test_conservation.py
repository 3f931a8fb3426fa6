import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import ConservationError
from labelloop.contracts.records import DECISIONS
from labelloop.trust.conservation import check

batches = st.dictionaries(st.text(max_size=5), st.sampled_from(DECISIONS), max_size=12)


@given(batches, st.randoms())
def test_a_complete_batch_is_counted_in_any_order(batch, random):
    outcomes = random.sample(list(batch.items()), len(batch))
    counts = check(batch, outcomes)
    assert list(counts) == list(DECISIONS)
    assert sum(counts.values()) == len(batch)
    assert all(count == list(batch.values()).count(decision) for decision, count in counts.items())


@given(batches.filter(bool), st.data())
def test_one_lost_invented_or_repeated_object_is_found_and_named(batch, data):
    key = data.draw(st.sampled_from(sorted(batch)))
    outcomes = list(batch.items())
    lost = [(other, decision) for other, decision in outcomes if other != key]
    for wrong, problem in (
        (lost, "without an outcome"),
        ([*outcomes, (key, "auto")], "with more than one outcome"),
        ([*outcomes, (key + "new", "auto")], "not in the inventory" if key + "new" not in batch else "more than one"),
        ([*lost, (key, "perhaps")], "unknown outcome"),
    ):
        with pytest.raises(ConservationError, match=problem):
            check(batch, wrong)


def test_at_most_five_keys_are_listed():
    with pytest.raises(ConservationError) as raised:
        check([f"key{index}" for index in range(9)], [])
    assert "9 without an outcome" in str(raised.value)
    assert "'key4', ..." in str(raised.value)
    assert "key5" not in str(raised.value)


def test_a_key_listed_twice_in_the_inventory_is_found():
    with pytest.raises(ConservationError, match="more than once in the inventory"):
        check(["a", "a"], [("a", "auto")])
