"""One object of a payload: which of its answers count, and about which size of its image."""

import pytest
from answer_forms import (
    boxes,
    drawn,
    item,
    label,
    labels,
    size,
)

HEAD = {"class_id": 0, "left": 10, "top": 20, "width": 30, "height": 40}


@pytest.mark.parametrize("forms", [(boxes(drawn()), boxes()), (boxes(), boxes(drawn()))])
def test_of_two_answers_of_one_worker_the_later_one_counts_whatever_their_order(forms) -> None:
    twice = item([("a", form) for form in forms])
    for annotation, second in zip(twice["annotations"], "12", strict=True):
        annotation["submissionTime"] = f"2026-11-20T10:00:0{second}.000Z"
    backwards = {**twice, "annotations": twice["annotations"][::-1]}
    assert labels([twice]) == labels([backwards]) == [label(forms[1])]


def test_of_two_image_sizes_that_as_many_state_the_trusted_ones_count_and_else_the_larger() -> None:
    small, large = boxes(image=size(320, 240)), boxes(drawn())
    for answers in ((small, large), (large, small)):
        assert label(*answers)["annotations"] == [HEAD]
    assert label(large, small, reliability={"b": 0.9})["image_size"] == [{"width": 320, "height": 240, "depth": 3}]
    assert label(large, small, small, reliability={"a": 0.9, "b": 0.1, "c": 0.1})["workers"] == 2, "most decide first"
