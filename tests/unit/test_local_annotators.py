"""Simulated annotators: what they answer, how they err, and that they always answer the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.annotators import Noise, Truth, TruthError, answer, image_key, parse_noise, parse_truth, worker_names

KEY = "incoming/b 1/ü+%20.jpg"


def truth(boxes: int = 3, classes: tuple[str, ...] = ("head", "bag")) -> Truth:
    listed = [{"class": "head", "left": 10 * n, "top": 20, "width": 8, "height": 9} for n in range(boxes)]
    image = {"width": 100, "height": 60, "boxes": listed}
    return parse_truth({"classes": list(classes), "images": {KEY: image}})


def boxes(noise: Noise, worker: str = "w", known: Truth | None = None) -> list[dict[str, Any]]:
    given_answer = answer(known or truth(), noise, worker, KEY)
    assert given_answer is not None
    found: list[dict[str, Any]] = given_answer["annotatedResult"]["boundingBoxes"]
    return found


def test_without_noise_the_truth_comes_back_in_the_crowd_element_shape() -> None:
    assert answer(truth(1), Noise(), "w", KEY) == {
        "annotatedResult": {
            "boundingBoxes": [{"height": 9, "label": "head", "left": 0, "top": 20, "width": 8}],
            "inputImageProperties": {"height": 60, "width": 100},
        }
    }


def test_an_image_without_boxes_is_answered_with_none_and_an_unknown_image_not_at_all() -> None:
    assert boxes(Noise(), known=truth(0)) == []
    assert answer(truth(), Noise(), "w", "another") is None


def test_every_kind_of_noise_shows() -> None:
    assert boxes(Noise(miss_rate=1.0)) == []
    assert len(boxes(Noise(phantom_rate=1.0))) == 4
    assert {box["label"] for box in boxes(Noise(wrong_class_rate=1.0))} == {"bag"}
    assert boxes(Noise(jitter_px=3.0)) != boxes(Noise())


def test_a_single_class_cannot_be_mistaken() -> None:
    assert {box["label"] for box in boxes(Noise(wrong_class_rate=1.0), known=truth(classes=("head",)))} == {"head"}


def test_answers_differ_between_workers_and_seeds_and_never_between_runs() -> None:
    noise = Noise(jitter_px=3.0, seed=1)
    assert boxes(noise, "a") == boxes(noise, "a")
    assert boxes(noise, "a") != boxes(noise, "b")
    assert boxes(noise, "a") != boxes(Noise(jitter_px=3.0, seed=2), "a")


@given(
    st.floats(0, 200), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 9), st.sampled_from(["a", "b"])
)
def test_every_box_is_integer_and_inside_the_image(
    jitter: float, miss: float, phantom: float, wrong: float, seed: int, worker: str
) -> None:
    for box in boxes(Noise(jitter, miss, phantom, wrong, seed), worker):
        assert all(type(box[name]) is int for name in ("left", "top", "width", "height"))
        assert 0 <= box["left"] < box["left"] + box["width"] <= 100
        assert 0 <= box["top"] < box["top"] + box["height"] <= 60


def test_rates_are_rates_on_average() -> None:
    known = truth(9)
    kept = sum(len(boxes(Noise(miss_rate=0.3), f"w{n}", known)) for n in range(300)) / (300 * 9)
    assert kept == pytest.approx(0.7, abs=0.03)


def test_the_key_is_that_of_the_original_object() -> None:
    assert image_key({"source-ref": "s3://b/canonical/x.png", "original-ref": f"s3://b/{KEY}"}) == KEY
    assert image_key({"source-ref": f"s3://b/{KEY}"}) == KEY
    assert image_key({"source": "text"}) is None


def test_workers_have_ground_truth_ids_and_are_always_the_same_people() -> None:
    names = worker_names(3)
    assert len(set(names)) == 3
    assert names[:2] == worker_names(2)
    assert all(name.startswith("private.us-east-1.") and len(name.rsplit(".", 1)[1]) == 26 for name in names)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"classes": ["head"]},
        {"classes": "head", "images": {}},
        {"classes": ["head"], "images": {"k": {"width": 1, "height": 1}}},
        {"classes": ["head"], "images": {"k": {"width": 0, "height": 1, "boxes": []}}},
        {
            "classes": ["head"],
            "images": {
                "k": {
                    "width": 9,
                    "height": 9,
                    "boxes": [{"class": "cat", "left": 0, "top": 0, "width": 1, "height": 1}],
                }
            },
        },
    ],
)
def test_malformed_truth_is_refused(document: Any) -> None:
    with pytest.raises(TruthError):
        parse_truth(document)


@pytest.mark.parametrize("document", [{"jitter": 1}, {"miss_rate": 1.5}, {"jitter_px": -1}, []])
def test_malformed_noise_is_refused(document: Any) -> None:
    with pytest.raises(ValueError):
        parse_noise(document)
