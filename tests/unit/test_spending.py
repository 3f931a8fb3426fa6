"""The rounds of a batch that may accept are counted once for all: no order of resumes and redrives spends more."""

from hypothesis import given
from hypothesis import strategies as st
from labelloop.trust import spending
from labelloop.trust.policies.bounded import ALPHA


def asked(model="m1", target=0.7, policy="certified"):
    return {"thresholds_uri": f"s3://b/{model}.json", "accept_policy": policy, "target": target}


def pin(earlier, question, open_images=400, rounds=2):
    return {"model": "m", **question, **spending.terms(earlier, rounds, question, open_images)}


COLD = {"model": "", "thresholds_uri": "", "accepting_rounds": 2}


def test_two_rounds_share_what_may_go_wrong_and_the_third_gets_nothing():
    pins = [COLD]
    for model in ("m1", "m2", "m3"):
        pins.append(pin(pins, asked(model)))
    assert [each.get("alpha") for each in pins] == [None, ALPHA / 2, ALPHA / 2, 0.0]
    assert [spending.may_ask(pins[:count], 2) for count in range(1, 5)] == [True, True, False, False]


def test_one_accepting_round_gets_all_of_it():
    only = pin([], asked("m1"), rounds=1)
    assert only["alpha"] == ALPHA and pin([only], asked("m2"), rounds=1)["alpha"] == 0


def test_how_many_rounds_may_accept_stands_in_the_first_pin():
    assert pin([COLD], asked(), rounds=5)["accepting_rounds"] == 2
    assert spending.settled([{"model": ""}], 1) == 1


def test_the_same_question_gets_the_same_answer_for_nothing():
    first = pin([], asked("m1"), open_images=400)
    again = pin([first], asked("m1"), open_images=250)
    assert again == first, "of the images that were open then"
    assert pin([first, again], asked("m2"), open_images=250) == {**first, **asked("m2"), "open": 250}
    other_target = pin([first], asked("m1", target=0.6))
    assert other_target["alpha"] == ALPHA / 2 and pin([first, other_target], asked("m2"))["alpha"] == 0


def test_rounds_of_an_earlier_version_pinned_no_alpha_and_spent_theirs():
    old = {"model": "m0", "thresholds_uri": "s3://b/m0.json", "accept_policy": "target-quality"}
    assert pin([old], asked("m1"))["alpha"] == ALPHA / 2
    assert pin([old, {**old, "thresholds_uri": "s3://b/m00.json"}], asked("m1"))["alpha"] == 0


@given(
    st.lists(st.tuples(st.sampled_from(["", "m1", "m2", "m3", "m4"]), st.sampled_from([0.6, 0.7]))), st.integers(1, 3)
)
def test_however_rounds_come_all_together_spend_no_more_than_there_is(rounds, accepting):
    pins = []
    for model, target in rounds:
        question = asked(model, target)
        pins.append(pin(pins, question, rounds=accepting) if model else {"model": "", "thresholds_uri": ""})
    questions = {(each["thresholds_uri"], each["target"]): each["alpha"] for each in pins if each.get("alpha")}
    assert sum(questions.values()) <= ALPHA + 1e-12
    assert len(questions) <= accepting
