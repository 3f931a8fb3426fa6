"""When a point is visible: the rule of the two thresholds, and that it is read back as it was written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.visibility_rules import USUAL, VisibilityRule

from tests.support import strategies

thresholds = st.dictionaries(st.sampled_from(strategies.KEY_POINTS), strategies.confidences)
rules = st.builds(VisibilityRule, thresholds, thresholds)


@given(rules)
def test_a_rule_is_read_back_as_it_was_written(rule):
    assert VisibilityRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


@pytest.mark.parametrize(
    ("main", "additional", "said"),
    [
        (0.5, 0.9, "outside"),
        (0.51, 0.4, "occluded"),
        (0.51, 0.41, "visible"),
        (1.0, 0.0, "occluded"),
        (0.0, 1.0, "outside"),
    ],
)
def test_a_point_is_what_its_two_confidences_say(main, additional, said):
    rule = VisibilityRule({"nose": 0.5, "left eye": 0.9}, {"nose": 0.4, "left eye": 0.0})
    assert rule.visibility("nose", main, additional) == said


def test_a_point_without_thresholds_of_its_own_has_the_usual_ones():
    rule = VisibilityRule(t1={"nose": 0.2})
    assert rule.visibility("nose", 0.3, USUAL) == "occluded"
    assert rule.visibility("left eye", USUAL, 1.0) == "outside"
    assert rule.visibility("left eye", 0.61, 0.61) == "visible"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"t1": {"nose": 0.5}}, "t2"),
        ({"t1": [0.5], "t2": {}}, "t1"),
        ({"t1": {"nose": 1.1}, "t2": {}}, "nose"),
        ({"t1": {}, "t2": {"nose": None}}, "nose"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_the_name_of_its_field(record, field):
    with pytest.raises(InvalidInputError, match=field):
        VisibilityRule.from_json(record)
