"""How far two people agree about the images that both labelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.people import agreement


def drawn(worker, *boxes, **more):
    marks = [dict(zip(("left", "top", "width", "height"), box, strict=True), label="head") for box in boxes]
    content = {"annotatedResult": {"boundingBoxes": marks, "inputImageProperties": {"width": 100, "height": 100}}}
    return {"workerId": worker, "answerContent": {**content, **more}}


def verdict(worker):
    return {"workerId": worker, "answerContent": {"verdict": {"label": "accept"}}}


def between(responses, **more):
    return agreement.between({image: {"answers": list(said)} for image, said in responses.items()}, ["head"], **more)


WHOLE, HALF, ELSEWHERE = (10, 10, 20, 20), (10, 10, 20, 10), (60, 60, 20, 20)


def test_two_drawings_of_an_image_are_held_against_each_other() -> None:
    assert between({"a": [drawn("x", WHOLE), drawn("y", WHOLE)]}) == [1.0]
    assert between({"a": [drawn("x", WHOLE), drawn("y", HALF)]}) == [0.5]
    assert between({"a": [drawn("x"), drawn("y")]}) == [1.0], "both say that nothing is there"
    assert between({"a": [drawn("x", WHOLE), drawn("y", HALF), drawn("z", ELSEWHERE)]}) == [pytest.approx(0.5 / 3)]
    assert between({"b": [drawn("x", WHOLE), drawn("y", HALF)], "a": [drawn("x", HALF), drawn("y", HALF)]}) == [1, 0.5]


@pytest.mark.parametrize(
    "said",
    [
        [drawn("x", WHOLE)],
        [drawn("x", WHOLE), drawn("x", HALF)],  # one person, twice
        [drawn("x", WHOLE), verdict("y")],
        [verdict("x"), verdict("y")],
        [drawn("x", WHOLE), drawn("y", HALF, **{"cannot-judge": {"cannot-judge": True}})],
        [drawn("x", WHOLE), {"workerId": "y", "answerContent": "no JSON"}],
        [],
    ],
)
def test_one_drawing_alone_tells_nothing(said) -> None:
    assert between({"a": said}) == []


def test_honeypots_do_not_count() -> None:
    both = [drawn("x", WHOLE), drawn("y", HALF)]
    assert between({"a": both, "pot": both}, ignored={"pot": 1}) == [0.5]


@given(st.permutations([drawn("x", WHOLE), drawn("y", HALF), drawn("z", ELSEWHERE, WHOLE)]))
def test_who_answered_first_changes_nothing(said) -> None:
    assert between({"a": said}) == between({"a": sorted(said, key=str)})


def test_over_all_jobs_every_image_counts_once() -> None:
    jobs = [
        {"double-labelled": 3, "people-agreement": 0.9},
        {"labelled": 7},
        {"double-labelled": 1, "people-agreement": 0.5},
    ]
    assert agreement.over_jobs(jobs) == {"images": 4, "quality": 0.8}
    assert agreement.over_jobs([{"labelled": 7}]) is None
