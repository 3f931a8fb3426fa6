"""What a batch promises of its accepted labels stands in the summary, on the page and in the notice, in words."""

import pytest
from handling import MODEL
from judge_images import drawn
from labelloop.batch import promises, rounds
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.store import immutable, storage
from labelloop.trust import policies

FILES = Files("week-1")
HOSTILE = "<script>alert(1)</script>"
pytestmark = pytest.mark.usefixtures("aws")


def begun(number: int, model: str = MODEL) -> None:
    key = f"models/{model}/thresholds/d1.json"
    scored = [list(pair) for pair in drawn(200)]
    fitted = policies.of(settings().accept_policy).fit(drawn(200), settings())
    immutable.create_json(key, {**fitted, "dataset": "d1", "scored": scored})
    pin = {"model": model, **rounds.pin(FILES, number, storage.uri(key), 400)}
    immutable.create_json(FILES.round(number), pin)


def test_every_round_with_a_model_says_what_it_promises(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    change_setting("TARGET_MEAN_IOU", "0.6")
    immutable.create_json(FILES.round(1), {"model": "", "thresholds_uri": ""})
    begun(2)
    (told,) = promises.of_rounds(FILES, [0, 1, 2])
    assert (told["round"], told["model"], told["target"]) == (2, MODEL, 0.6)
    assert told["policy"].startswith("certified/0.6/") and told["accepts_from"] is not None
    assert "promised to be at least 0.60" in told["promise"]
    assert [0.6, pytest.approx(1.0, abs=0.1)] in told["attainable"]


def test_a_target_out_of_reach_is_told_after_the_first_model_with_what_could_be_reached(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    change_setting("TARGET_MEAN_IOU", "0.95")
    begun(2)
    told = promises.of_rounds(FILES, [2])
    sentence = promises.sentence(told)
    assert told[0]["accepts_from"] is None
    assert "below the target of 0.95" in sentence and "another target will. The highest target" in sentence
    page = promises.html(told)
    assert "below the target of 0.95" in page and "<th>0.95</th></tr>" in page and "<td>0%</td></tr>" in page


def test_where_no_round_had_a_model_nothing_is_promised() -> None:
    assert promises.of_rounds(FILES, [1, 2]) == [] and promises.sentence([]) == "" and promises.html([]) == ""


def test_a_policy_without_a_curve_shows_none_and_names_are_text(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    begun(1)
    told = promises.of_rounds(FILES, [1])
    page = promises.html([{**told[0], "model": HOSTILE, "promise": HOSTILE, "missing": HOSTILE}])
    assert "no promise" in promises.html(told) and "<table>" not in page
    assert "<script>" not in page and page.count("&lt;script&gt;") == 3


def test_a_round_that_has_nothing_left_to_ask_with_repeats_what_was_found(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    change_setting("TARGET_MEAN_IOU", "0.95")
    for number in (1, 2, 3, 4):
        begun(number, f"v{number}")
    told = promises.of_rounds(FILES, [1, 2, 3, 4])
    assert [each["promise"].split(":")[0] for each in told] == ["Nothing is accepted"] * 2 + [
        "Nothing more is accepted"
    ] * 2
    for each in told[2:]:
        assert each["missing"] == f"Round 2 said: {told[1]['promise']} {told[1]['missing']}"
    assert "below the target of 0.95" in promises.sentence(told)


def test_the_page_says_how_well_a_model_of_key_points_tells_visibility(change_setting) -> None:
    begun(1)
    figures = {
        "visibility_accuracy": 0.74,
        "visibility_always_visible": 0.615,
        "visibility_balanced": 0.6,
        "visibility_points": 330,
    }
    (told,) = promises.of_rounds(FILES, [1])
    assert told["figures"] == {} and "visible" not in promises.html([told])
    page = promises.html([{**told, "figures": figures}])
    assert "right for 74% of 330 points" in page and "calling each visible would be right for 62%" in page
    assert "visible" not in promises.html([{**told, "figures": {**figures, "visibility_accuracy": None}}])
