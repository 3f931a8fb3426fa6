"""Compare With Champion: a challenger wins when it is shown to be better, and fails closed."""

import pytest
from handling import MODEL, handle
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import models
from labelloop.store import storage
from training_files import JOB, assembled, judge, metrics, results

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_the_first_model_is_better_than_none_when_it_is_good_enough() -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_judge=judge()))
    assert verdict["better"] and verdict["model_version"].startswith("v000001-")
    told = storage.read_json(storage.own_key(verdict["comparison_uri"]))
    assert told["challenger_map50"] == 1.0 and told["images"] == 2
    stored = storage.read_lines(f"training/{JOB}/scores/challenger-judge.jsonl")
    assert [each["source-ref"] for each in stored] == [each["source-ref"] for each in judge()]


def test_a_challenger_that_is_not_surely_better_does_not_win() -> None:
    assembled()
    given = results(metrics(0.9, 0.9), challenger_judge=judge(shift=2), champion_judge=judge())
    verdict = handle("compare_with_champion", champion=MODEL, **given)
    assert not verdict["better"] and "is not shown to be better" in verdict["reason"]


@pytest.mark.parametrize(
    "stated",
    [metrics(None), {}, {"judge": {}}, b'{"judge": {"challenger": {"map50": NaN}}}', metrics(1.5), {"judge": None}],
)
def test_a_missing_or_impossible_metric_fails_closed(stated) -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(stated, challenger_judge=judge()))
    assert not verdict["better"] and "no usable mAP50" in verdict["reason"]


def test_a_job_that_wrote_no_metrics_at_all_fails_closed() -> None:
    assembled()
    with pytest.raises(InvalidInputError, match=r"no metrics\.json"):
        handle("compare_with_champion", champion="", **results(None, challenger_judge=judge()))


def test_a_model_that_was_not_scored_on_every_judge_image_does_not_win() -> None:
    assembled()
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_judge=judge()[:1]))
    assert not verdict["better"] and "not scored on 1 of the 2 judge images" in verdict["reason"]


def test_versions_are_numbered_on_from_what_exists() -> None:
    assembled()
    storage.write("models/v000041-ffffffff/card.json", b"{}")
    verdict = handle("compare_with_champion", champion="", **results(metrics(), challenger_judge=judge()))
    assert verdict["model_version"].startswith("v000042-") and models.next_number() == 42
