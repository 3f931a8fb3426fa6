"""Which marks a rule keeps and how far their label is trusted; that of boxes is tested with the task, test_boxes.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.records import Box
from labelloop.tasks import kept_marks

FAR_APART = st.lists(st.floats(0.05, 1), max_size=5).map(
    lambda sures: [Box("person", 100.0 * place, 0, 50, 50, sure) for place, sure in enumerate(sures)]
)
RULES = [LabelRule(keep, nms) for keep in (0.1, 0.3, 0.6) for nms in (1.0, 0.5)]


@given(FAR_APART)
def test_marks_far_from_each_other_are_kept_by_their_confidence_alone(boxes: list[Box]) -> None:
    for rule, places in zip(RULES, kept_marks.kept(boxes, RULES), strict=True):
        assert places == [place for place, box in enumerate(boxes) if kept_marks.sure(box) >= rule.keep_confidence]


@given(FAR_APART, st.floats(0, 1))
def test_what_a_mark_is_worth_scales_the_trust_in_a_label_with_marks(boxes: list[Box], share: float) -> None:
    plain = kept_marks.trusts(boxes, RULES)
    scaled = kept_marks.trusts(boxes, RULES, lambda place, rule: share * kept_marks.sure(boxes[place]))
    for one, other in zip(plain, scaled, strict=True):
        assert one.empty == other.empty
        assert other.factor == pytest.approx(one.factor * (1 if one.empty else share))


@given(FAR_APART)
def test_trust_lies_in_0_to_1(boxes: list[Box]) -> None:
    assert all(0 <= trust.factor <= 1 for trust in kept_marks.trusts(boxes, RULES))


def test_a_faint_mark_on_a_kept_one_is_no_missed_object_and_one_beside_it_is() -> None:
    sure, on_it = Box("person", 0, 0, 50, 50, 0.9), Box("person", 2, 2, 50, 50, 0.2)
    beside = Box("person", 200, 0, 50, 50, 0.2)
    alone, twice, other = (
        kept_marks.trusts(boxes, [LabelRule(0.5)])[0].factor for boxes in ([sure], [sure, on_it], [sure, beside])
    )
    assert alone == twice > other
