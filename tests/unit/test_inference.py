"""How long and how often a round asks the model, and what its silence means."""

from hypothesis import given
from hypothesis import strategies as st

FOUR_HOURS = 4 * 3600


@given(st.integers(190, 25_320))
def test_whatever_the_parameters_a_round_ends_within_four_hours_or_twice_one_request(request_seconds) -> None:
    from labelloop.trust import inference

    assert inference.longest_seconds(request_seconds) <= max(FOUR_HOURS, 2 * request_seconds)
    assert inference.window_seconds(request_seconds) >= request_seconds, "once more is always possible"


@given(
    st.integers(0, 2_000), st.integers(1, 9), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
    st.integers(1, 9),
)  # fmt: skip
def test_a_round_asks_at_most_twice_more_and_never_for_many(missing, shards, some, control, alive, late, attempt):
    from labelloop.trust.inference import MOST_SINGLE_REQUESTS, Silence, what_next

    step = what_next(Silence(missing, shards, some, control, alive, late), attempt)
    if step == "ask":
        assert attempt <= 2 and 0 < missing <= MOST_SINGLE_REQUESTS and not late
    if step == "poison":
        assert alive, "only an endpoint that answers says something about an image"
    assert (step == "complete") == (missing == 0)
