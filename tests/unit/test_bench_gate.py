"""The benchmark of the gate: which model is better, how often it is promoted, and what becomes of a lost class."""

import pytest
from made_up_seen import seen

from bench import gate
from bench.gate import Pair

SHARP, DULL = seen("coco-060-1", 60, 0.95), seen("coco-020-1", 60, 0.6)


@pytest.fixture(scope="module")
def both() -> dict[bool, Pair]:
    """By whether the challenger is better."""
    return {pair.difference > 0: pair for pair in gate.pairs([SHARP, DULL])}


def test_two_models_meet_in_both_roles_on_the_pictures_that_neither_was_trained_on(both):
    assert both[True].challenger is SHARP and both[False].challenger is DULL
    assert both[True].difference == -both[False].difference > gate.TRULY
    fewer = gate.replace(DULL, truths=DULL.truths[10:])
    assert all(len(pair.truths) == 50 for pair in gate.pairs([SHARP, fewer]))


def test_the_better_one_is_promoted_and_the_worse_one_is_not(both):
    rows = gate.table(list(both.values()), "better", 3)
    assert [row["difference"] > 0 for row in rows] == [True, False]
    better, worse, beside = gate.reports({"better": rows})[0], gate.reports({"better": rows})[1], rows[0]
    assert beside["20"] == beside["50"] == 1.0 and better["holds"] and worse["holds"]
    assert (better["goal"], worse["goal"]) == ("S12.better", "S12.worse")


def test_a_challenger_that_lost_a_rare_class_is_never_promoted(both):
    lost = gate.lost_classes(both[True], 4)
    assert lost["plate"]["draws"] > 0 and lost["cell"]["promoted"] == lost["plate"]["promoted"] == 0
    assert gate.report_of_lost({"pair": lost})["holds"]
    assert not gate.report_of_lost({"pair": {"plate": {"draws": 0, "promoted": 0}}})["holds"], "nothing was tried"


def test_models_that_are_all_alike_give_no_figures():
    with pytest.raises(SystemExit, match="train others"):
        gate.reports({"better": []})


def test_remembering_changes_no_verdict(both):
    told = gate.table([both[True]], "better", 2)
    with gate.remembered():
        assert gate.table([both[True]], "better", 2) == told
