"""The arithmetic of `make bench NAME=promise`: what is drawn, what counts as a miss, and which cells have a goal."""

import pytest
from test_bench_unseen import images

from bench import promise
from bench.promise import GOAL, KEPT, Draw, Question, draw, draws, shares, summary, violations
from bench.unseen import Unseen


def unseen(seed: int = 1) -> Unseen:
    made = images(150, seed)
    return Unseen([prediction for prediction, _ in made], [truth for _, truth in made])


def test_a_draw_is_what_the_policy_would_accept_of_all_unseen_images() -> None:
    everything = unseen()
    found = draw(everything, Question("target-quality"), 60, 0.6, seed=3)
    assert 0 < found.share < 1 and found.mean is not None and abs(found.mean - 0.6) < 0.1
    assert draw(everything, Question("target-quality"), 60, 0.6, seed=3) == found
    assert draw(everything, Question("target-quality"), 60, 0.6, seed=4) != found
    assert draw(everything, GOAL, 60, 0.6, seed=3).share <= found.share


def test_a_target_that_nothing_reaches_accepts_nothing_and_misses_nothing(monkeypatch) -> None:
    monkeypatch.setattr(promise, "DRAWS", 4)
    made = draws([unseen(1), unseen(2)], GOAL, 60, target=0.99)
    assert made == [Draw(0.0, None)] * 4
    assert summary(made, 0.99) == {"share": 0.0, "violations": 0.0, "nothing": 1.0}


def test_a_summary_counts_draws_whose_labels_lie_below_the_target() -> None:
    made = [Draw(0.5, 0.66), Draw(0.7, 0.64), Draw(0.0, None), Draw(0.4, 0.65)]
    assert summary(made, 0.65) == {"share": 0.4, "violations": 0.25, "nothing": 0.25}


def cells(violated: float, shared: float) -> promise.Cells:
    goal = {judges: {"share": goal * shared, "violations": 0.0} for judges, goal in promise.SHARES.items()}
    small = {judges: {"share": 0.0, "violations": violated} for judges in promise.SHARES}
    other = {judges: {"share": 0.9, "violations": 0.5} for judges in promise.SHARES}
    return dict(zip([asked.name for asked in (*KEPT, Question("target-quality"))], [goal, small, other], strict=True))


@pytest.mark.parametrize(("violated", "kept"), [(0.0, True), (0.126, True), (0.128, False)])
def test_the_promise_is_kept_up_to_two_standard_errors_by_every_model_and_others_have_no_goal(violated, kept) -> None:
    found = violations(cells(violated, 1.0))
    assert (found["goal"], found["value"], found["holds"]) == ("S14.violations", violated, kept)
    assert found["target"] == pytest.approx(0.1268)


@pytest.mark.parametrize(("shared", "enough"), [(1.0, True), (1.2, True), (0.99, False)])
def test_the_share_is_measured_in_parts_of_its_goals(shared, enough) -> None:
    found = shares(cells(0.0, shared))
    assert (found["goal"], found["holds"]) == ("S14.share", enough) and found["value"] == pytest.approx(shared)
