"""What a model of key points says: the label that is made of it, its trust and quality, and the rule that is fitted."""

from dataclasses import replace
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.visibility_rules import VisibilityRule
from labelloop.tasks import seen_people
from labelloop.tasks.people_quality import people_quality
from made_up_people import SKELETON, seen, truth

RULE = LabelRule(0.25)
TRUTHS = [truth(number, people=1 + number % 3) for number in range(40)]


def test_a_point_is_where_the_model_puts_it_unless_it_is_outside() -> None:
    known = truth(3, people=2)
    label = seen_people.label(seen(known, off=0), RULE)
    assert [person.box.confidence for person in label] == [0.9, 0.9]
    for person, true in zip(label, known.people or (), strict=True):
        assert [(point.visibility, point.x, point.y) for point in person.points] == [
            (point.visibility, point.x, point.y) for point in true.points
        ]
        assert all(point.confidence is not None and 0 <= point.confidence <= 1 for point in person.points)


def test_thresholds_of_the_rule_decide_what_can_be_seen() -> None:
    prediction = seen(truth(3))
    nothing = VisibilityRule(dict.fromkeys(SKELETON.names, 1.0), {})
    blind = VisibilityRule(dict.fromkeys(SKELETON.names, 0.0), dict.fromkeys(SKELETON.names, 1.0))
    for rule, said in ((nothing, "outside"), (blind, "occluded")):
        (person,) = seen_people.label(prediction, replace(RULE, visibility=rule))
        assert {point.visibility for point in person.points} == {said}


def test_people_whom_the_rule_does_not_keep_are_not_in_the_label() -> None:
    prediction = seen(truth(3, people=2))
    assert seen_people.label(prediction, LabelRule(0.95)) == ()
    twice = replace(prediction, marks=(*prediction.people, replace(prediction.people[0])))
    assert len(seen_people.label(twice, RULE)) == 3 and len(seen_people.label(twice, LabelRule(0.25, 0.5))) == 2


@given(st.integers(0, 20), st.integers(0, 4), st.floats(0, 30), st.floats(0.5, 1))
def test_qualities_by_many_rules_are_those_of_the_labels_one_by_one(number, people, off, told) -> None:
    known = truth(number, people)
    prediction = seen(known, off, told)
    fitted = replace(RULE, visibility=VisibilityRule({"nose": 0.7}, {"nose": 0.2}))
    rules = [RULE, LabelRule(0.95), LabelRule(0.25, 0.5), fitted, LabelRule(0.1)]
    measured = seen_people.qualities(prediction, known.people, rules, SKELETON)
    expected = [people_quality(seen_people.label(prediction, rule), known.people, SKELETON) for rule in rules]
    assert measured == expected
    assert all(0 <= trust.factor <= 1 for trust in seen_people.trusts(prediction, rules))


def test_a_label_is_trusted_more_where_both_networks_are_sure() -> None:
    known = truth(1, people=2)
    sure, unsure, guessing = (seen_people.trusts(seen(known, 1, told), [RULE])[0] for told in (0.99, 0.8, 0.6))
    assert sure.factor > unsure.factor > guessing.factor > 0


def test_nobody_seen_is_an_empty_label() -> None:
    prediction = seen(truth(1, people=0))
    (trust,) = seen_people.trusts(prediction, [RULE])
    assert trust.empty and seen_people.label(prediction, RULE) == ()
    assert seen_people.qualities(prediction, (), [RULE], SKELETON) == [1.0]


def test_thresholds_are_fitted_to_the_people_whom_the_rule_keeps() -> None:
    # Two networks that are right, but whose confidences lie a little low.
    low = [(shifted(seen(known), 0.66), known) for known in TRUTHS]
    fitted = seen_people.taught(low, RULE).visibility
    assert fitted is not None and set(fitted.t1) == set(SKELETON.names)
    assert all(threshold < 0.6 for threshold in fitted.t1.values())
    before = sum(seen_people.qualities(prediction, known.people, [RULE], SKELETON)[0] for prediction, known in low)
    after = sum(
        seen_people.qualities(prediction, known.people, [replace(RULE, visibility=fitted)], SKELETON)[0]
        for prediction, known in low
    )
    assert after > before
    assert seen_people.taught(low, LabelRule(0.95)).visibility == VisibilityRule(), "nobody is kept"


def test_no_image_helps_to_fit_the_rule_that_judges_it() -> None:
    images = [(seen(known), known) for known in TRUTHS]
    rules = seen_people.cross_taught(images, RULE)
    assert len({id(rule.visibility) for rule in rules}) <= 5
    place = 7
    other = [(shifted(one, 0.5), known) if n == place else (one, known) for n, (one, known) in enumerate(images)]
    assert seen_people.cross_taught(other, RULE)[place].visibility == rules[place].visibility
    assert seen_people.taught(other, RULE).visibility != seen_people.taught(images, RULE).visibility


def test_figures_tell_how_well_visibility_is_told() -> None:
    told = seen_people.figures([(seen(known), known) for known in TRUTHS], RULE)
    assert told["visibility_accuracy"] == told["visibility_balanced"] == 1
    chance = seen_people.figures([(seen(known, told=0.5), known) for known in TRUTHS], RULE)
    assert chance["visibility_accuracy"] < told["visibility_accuracy"]
    assert isclose(told["visibility_always_visible"], chance["visibility_always_visible"])
    assert seen_people.figures([], RULE)["visibility_accuracy"] is None


def shifted(prediction, factor):
    return replace(
        prediction,
        marks=tuple(
            replace(
                person,
                points=tuple(
                    replace(point, main=point.main * factor, additional=point.additional * factor)
                    for point in person.points
                ),
            )
            for person in prediction.people
        ),
    )


@pytest.mark.parametrize(("main", "additional", "expected"), [(0.9, 0.8, 0.72), (0.9, 0.2, 0.72), (0.3, 0.9, 0.7)])
def test_a_point_is_as_sure_as_both_networks_together(main, additional, expected) -> None:
    point = replace(seen(truth(1)).people[0].points[0], main=main, additional=additional)
    assert seen_people.sureness(point, VisibilityRule()) == pytest.approx(expected)
