"""Which marks are a label: the rule is read back as it was written, and what version 0.1 wrote is read as one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import label_rules
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.visibility_rules import VisibilityRule

from tests.support import strategies

shares = strategies.confidences
thresholds = st.dictionaries(st.sampled_from(["nose", "left eye"]), shares)
visibilities = st.none() | st.builds(VisibilityRule, thresholds, thresholds)
rules = st.integers(0, 50).flatmap(
    lambda empty: st.builds(LabelRule, shares, shares, st.floats(0, empty), st.just(empty), visibilities)
)


@given(rules)
def test_a_rule_is_read_back_as_it_was_written(rule):
    assert LabelRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule
    again = label_rules.of_record({"label_rule": rule.to_json(), "keep_confidence": 0.9}, 0.1)
    assert again == rule and hash(again) == hash(rule), "labels are counted by rules"


@given(rules)
def test_an_empty_label_is_trusted_between_nothing_and_fully(rule):
    assert 0 <= rule.empty_score <= 1


def test_empty_labels_are_trusted_as_far_as_those_of_judge_images_were_good():
    assert LabelRule(0.3).empty_score == pytest.approx(0.15)
    assert LabelRule(0.3, empty_images=8).empty_score == pytest.approx(0.03)
    assert LabelRule(0.3, empty_good=8.0, empty_images=8).empty_score == pytest.approx(0.83)


def test_records_of_version_0_1_held_a_confidence_or_nothing():
    assert label_rules.of_record({"keep_confidence": 0.3, "accept": None}, 0.25) == LabelRule(0.3, nms_iou=1.0)
    assert label_rules.of_record({"accept": 0.6}, 0.25) == LabelRule(0.25)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keep_confidence", 1.1),
        ("keep_confidence", None),
        ("nms_iou", "off"),
        ("empty_images", 1.5),
        ("empty_good", 4),
        ("visibility", 1),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_the_name_of_its_field(field, value):
    rule = LabelRule(0.25, 0.5, 2.5, 3).to_json()
    with pytest.raises(InvalidInputError, match=field):
        LabelRule.from_json({**rule, field: value})
