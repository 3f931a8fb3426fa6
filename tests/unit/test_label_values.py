"""What a custom task's label value says beside its marks."""

import json

from hypothesis import given
from hypothesis import strategies as st
from labelloop.tasks.label_values import consolidated

shares = st.floats(0, 1)


@given(st.lists(st.tuples(st.none() | shares, shares)), st.lists(st.text(), unique=True), st.integers(1, 9), shares)
def test_every_object_and_class_keeps_its_place_and_every_share_four_digits(marks, names, workers, agreement) -> None:
    told = json.loads(json.dumps(consolidated(marks, names, workers, agreement), allow_nan=False))
    assert [told["class-map"][str(place)] for place in range(len(names))] == names
    assert len(told["class-map"]) == len(names) and len(told["objects"]) == len(marks)
    for said, (confidence, agreed) in zip(told["objects"], marks, strict=True):
        assert abs(said["confidence"] - (confidence or 0)) <= 5e-5 + 1e-12
        assert abs(said["agreement"] - agreed) <= 5e-5 + 1e-12
    assert told["workers"] == workers and abs(told["agreement"] - agreement) <= 5e-5 + 1e-12


def test_a_mark_without_a_confidence_is_stated_as_unsure() -> None:
    assert consolidated([(None, 0.25)], ["head"], 3, 1 / 3) == {
        "objects": [{"confidence": 0.0, "agreement": 0.25}],
        "class-map": {"0": "head"},
        "workers": 3,
        "agreement": 0.3333,
    }
