"""What may be expected of a batch, and when a second model of it can pay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.trust import forecast
from labelloop.trust.forecast import ALWAYS, NEVER, WHEN_IT_PAYS

ORDINARY = {
    "images": 1000,
    "sampled": 150,
    "judges": 0,
    "wanted": 50,
    "champion": None,
    "target": 0.7,
    "answers": 1,
    "price_per_label": 0.1,
    "machine_dollars": 5.0,
    "audit_rate": 0.02,
    "audit_minimum": 20,
}
CURVE = {"attainable": [[0.6, 0.9], [0.7, 0.5], [0.8, 0.1]]}


def told(**changed):
    return forecast.forecast(**{**ORDINARY, **changed})


def test_a_first_batch_is_told_a_range_with_and_without_a_model():
    found = told()
    assert (found.low, found.high) == (127, 510)
    assert (found.dollars_low, found.dollars_high, found.dollars_without) == (56.0, 94.3, 100.0)
    assert found.sentence == (
        "forecast, no promise: the model labels about 127 to 510 of the images (13% to 51%); all in all about $56.00 "
        "to $94.30 with it, $100.00 without"
    )
    assert "$" not in told(price_per_label=0.0).sentence


@pytest.mark.parametrize("changed", [{"images": 110, "sampled": 110}, {"images": 60, "sampled": 40}])
def test_where_the_sample_is_all_or_too_few_can_judge_people_label_everything(changed):
    found = told(**changed)
    assert found.high == 0 and "people label all images" in found.sentence


def test_what_was_fitted_to_the_serving_model_says_more_than_other_peoples_photographs():
    found, few = told(champion=CURVE, judges=150), told(champion=CURVE, judges=0)
    assert found.low <= 0.5 * 850 <= found.high and found.high - found.low < few.high - few.low
    assert told(champion=CURVE, target=0.75).high < found.low
    unable = told(champion=CURVE, target=0.9)
    assert unable.low == 0 < unable.high, "a better model may come"
    assert told(champion={"accept": 0.3}) == told(), "an older record has no curve"


@given(
    st.integers(1, 5000),
    st.integers(0, 5000),
    st.integers(0, 500),
    st.sampled_from([None, CURVE]),
    st.floats(0.3, 0.95),
)
def test_a_forecast_stays_within_the_batch(images, sampled, judges, champion, target):
    found = told(images=images, sampled=min(sampled, images), judges=judges, champion=champion, target=target)
    assert 0 <= found.low <= found.high <= images - min(sampled, images)
    assert found.dollars_low <= found.dollars_high <= found.dollars_without + 5 + 1e-6


def test_two_rounds_may_accept_where_a_second_model_can_pay():
    for setting, expected in ((WHEN_IT_PAYS, (1, 2)), (ALWAYS, (2, 2)), (NEVER, (1, 1))):
        assert tuple(forecast.accepting_rounds(images, setting) for images in (399, 400)) == expected


@pytest.mark.parametrize(
    ("images", "setting", "trained", "accepted", "said"),
    [
        (399, WHEN_IT_PAYS, True, 5, "with 399 images, fewer than 400"),
        (399, WHEN_IT_PAYS, False, 0, ""),
        (399, WHEN_IT_PAYS, True, 0, ""),
        (400, WHEN_IT_PAYS, True, 5, ""),
        (20, ALWAYS, True, 5, ""),
        (9000, NEVER, True, 0, "because SecondTraining is never"),
        (9000, NEVER, False, 0, ""),
    ],
)
def test_a_second_model_is_trained_where_it_can_pay(images, setting, trained, accepted, said):
    why = forecast.why_no_second_training(images, setting, trained=trained, accepted=accepted)
    assert said in why and bool(said) == bool(why)
