"""Simulated annotators: what they answer, how they err, and that they always answer the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.records import Box, KeyPoint

from demo.annotators import Noise, Truth, TruthError, answer, image_key, parse_noise, parse_truth, worker_names
from tests.support.pictures import KEY_POINTS, pictures
from tests.support.pictures import truth as truth_of

KEY = "incoming/b 1/ü+%20.jpg"
NOTE = '<crowd-checkbox name="cannot-judge" value="yes">?</crowd-checkbox><crowd-text-area name="note">'
BOXES_FORM = f'<crowd-form><crowd-bounding-box\n  name="drawn" src="{{{{ x }}}}">{NOTE}</crowd-form>'
POINTS_FORM = f'<crowd-keypoint name="placed"><crowd-checkbox name="nothing-here">none</crowd-checkbox>{NOTE}'
VERIFY_FORM = '<crowd-image-classifier name="verdict" categories=\'["accept","reject"]\'><crowd-text-area name="note">'
POINTS = [
    {"name": "nose", "x": 50, "y": 30, "visibility": "visible"},
    {"name": "left eye", "x": 60, "y": 20, "visibility": "occluded"},
    {"name": "right eye", "x": None, "y": None, "visibility": "outside"},
]
POINT_LABELS = [f"{point['name']}{suffix}" for point in POINTS for suffix in ("", " (occluded)")]
UNTOUCHED = {"cannot-judge": {"cannot-judge": False}, "note": ""}
WORKERS = worker_names(4)


def truth(boxes: int = 3, classes: tuple[str, ...] = ("head", "bag")) -> Truth:
    listed = [{"class": "head", "left": 10 * n, "top": 20, "width": 8, "height": 9} for n in range(boxes)]
    image = {"width": 100, "height": 60, "boxes": listed, "keypoints": POINTS}
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


# --- what the template asks for


def points(noise: Noise, worker: str = WORKERS[0], labels: list[str] = POINT_LABELS) -> dict[str, Any]:
    given_answer = answer(truth(), noise, worker, KEY, POINTS_FORM, {"labels": labels})
    assert given_answer is not None
    return given_answer


def verdict(boxes: list[dict[str, Any]], noise: Noise | None = None, worker: str = WORKERS[0]) -> str:
    overlay = {"boundingBox": {"labels": ["head", "bag"], "value": boxes}}
    given_answer = answer(truth(1), noise or Noise(), worker, KEY, VERIFY_FORM, {"overlay": overlay})
    assert given_answer is not None and set(given_answer) == {"verdict", "note"}
    return str(given_answer["verdict"]["label"])


def test_the_form_has_the_members_of_the_template() -> None:
    given_answer = answer(truth(1), Noise(), "w", KEY, BOXES_FORM, {"labels": ["head"], "initial": []})
    assert given_answer is not None
    assert given_answer == UNTOUCHED | {"drawn": given_answer["drawn"]}
    assert set(given_answer["drawn"]) == {"boundingBoxes", "inputImageProperties"}


def test_key_points_come_back_with_their_visibility_in_the_label() -> None:
    assert points(Noise()) == UNTOUCHED | {
        "placed": {
            "keypoints": [{"label": "nose", "x": 50, "y": 30}, {"label": "left eye (occluded)", "x": 60, "y": 20}],
            "inputImageProperties": {"height": 60, "width": 100},
        },
        "nothing-here": {"nothing-here": False},
    }


def test_only_asked_key_points_are_placed_and_none_is_said_to_be_none() -> None:
    assert [point["label"] for point in points(Noise(), labels=["nose"])["placed"]["keypoints"]] == ["nose"]
    nobody = points(Noise(miss_rate=1.0))
    assert nobody["placed"]["keypoints"] == [] and nobody["nothing-here"] == {"nothing-here": True}


def test_every_kind_of_noise_shows_in_key_points() -> None:
    def labels(noise: Noise) -> list[str]:
        return [point["label"] for point in points(noise)["placed"]["keypoints"]]

    assert labels(Noise(wrong_visibility_rate=1.0)) == ["nose (occluded)", "left eye"]
    assert labels(Noise(phantom_rate=1.0))[2].startswith("right eye")
    assert points(Noise(jitter_px=3.0)) != points(Noise())
    assert labels(Noise(jitter_px=3.0)) == labels(Noise())


@given(st.floats(0, 500), st.floats(0, 1), st.floats(0, 1), st.sampled_from(WORKERS), st.booleans())
def test_every_key_point_is_whole_inside_and_named_once(
    jitter: float, miss: float, phantom: float, worker: str, random: bool
) -> None:
    profiles = {"0": "adversarial"} if random else {}
    placed = points(Noise(jitter, miss, phantom, wrong_visibility_rate=0.5, workers=profiles), worker)["placed"]
    names = [point["label"].removesuffix(" (occluded)") for point in placed["keypoints"]]
    assert len(set(names)) == len(names) and {point["label"] for point in placed["keypoints"]} <= set(POINT_LABELS)
    for point in placed["keypoints"]:
        assert type(point["x"]) is type(point["y"]) is int
        assert 0 <= point["x"] <= 100 and 0 <= point["y"] <= 60


@pytest.mark.parametrize(
    ("width", "quality", "said"), [(8, 0.8, "accept"), (4, 0.8, "reject"), (4, 0.4, "accept"), (8, 1.0, "accept")]
)
def test_a_proposal_is_accepted_when_it_is_good_enough(width: int, quality: float, said: str) -> None:
    proposed = {"label": "head", "left": 0, "top": 20, "width": width, "height": 9}
    assert verdict([proposed], Noise(accept_quality=quality)) == said


def test_a_proposal_with_a_wrong_class_or_a_missing_box_is_rejected() -> None:
    box = {"label": "head", "left": 0, "top": 20, "width": 8, "height": 9}
    assert [verdict(proposed) for proposed in ([box], [], [box | {"label": "bag"}], [box, box])] == [
        "accept", "reject", "reject", "reject",
    ]  # fmt: skip


# --- workers with a profile


def test_a_careless_worker_submits_what_the_page_shows() -> None:
    noise = Noise(jitter_px=5, workers={"1": "careless"})
    shown = {"labels": ["head"], "initial": [{"label": "head", "left": 1, "top": 2, "width": 3, "height": 4}]}
    given_answer = answer(truth(), noise, WORKERS[1], KEY, BOXES_FORM, shown)
    assert given_answer is not None
    assert given_answer["drawn"]["boundingBoxes"] == shown["initial"]
    assert given_answer["drawn"]["initialValueModified"] is False
    tries = answer(truth(), noise, WORKERS[0], KEY, BOXES_FORM, shown)
    assert tries is not None and tries["drawn"]["initialValueModified"] is True
    assert verdict([], Noise(workers={"1": "careless"}), WORKERS[1]) == "accept"
    lazy = points(noise, WORKERS[1])
    assert lazy["placed"]["keypoints"] == [] and lazy["nothing-here"] == {"nothing-here": True}


def test_an_adversarial_worker_knows_nothing_of_the_truth_and_others_stay_as_they_are() -> None:
    noise = Noise(workers={"2": "adversarial"})
    assert boxes(noise, WORKERS[2]) != boxes(noise, WORKERS[1]) == boxes(Noise(), WORKERS[1])
    assert boxes(noise, WORKERS[2]) == boxes(noise, WORKERS[2], truth(0)), "nothing is read from the truth"
    box = {"label": "head", "left": 0, "top": 20, "width": 8, "height": 9}
    assert [verdict(proposed, noise, WORKERS[2]) for proposed in ([box], [])] == ["reject", "accept"]


def test_profiles_come_through_the_control_interface() -> None:
    assert parse_noise({"workers": {"2": "adversarial"}}).profile_of(WORKERS[2]) == "adversarial"
    assert parse_noise({"workers": {"2": "adversarial"}}).profile_of("a person") is None


# --- truth


def test_the_pictures_of_whole_stack_tests_have_key_points() -> None:
    drawn = pictures(20)
    known = parse_truth(truth_of("b", drawn))
    seen = [point for image in known.images.values() for person in image.people for point in person.points]
    assert {point.visibility for point in seen} == {"visible", "occluded", "outside"}
    for image in known.images.values():
        (person,) = image.people
        assert tuple(point.label for point in person.points) == KEY_POINTS and not person.derived
        placed = [point for point in person.points if point.x is not None]
        assert len(placed) == len(image.boxes)


def test_lists_of_key_points_are_people_with_boxes_round_them() -> None:
    image = {"width": 90, "height": 90, "boxes": [], "keypoints": [[], POINTS, POINTS[:1]]}
    whole, alone = parse_truth({"classes": [], "images": {"k": image}}).images["k"].people
    assert [point.label for point in whole.points] == ["nose", "left eye", "right eye"]
    assert (whole.points[2].x, whole.points[2].visibility) == (None, "outside")
    assert whole.derived and alone.derived and len(alone.points) == 1


def test_people_have_their_box_or_one_round_their_points_and_may_be_unlabelled() -> None:
    box = {"left": -5, "top": 1, "width": 20, "height": 30}
    unlabelled = [{"name": "nose", "x": 0, "y": 0, "visibility": "unlabelled"}]
    people = [{**box, "area": 70, "points": POINTS}, {"points": POINTS}, {**box, "points": unlabelled}]
    image = {"width": 90, "height": 90, "boxes": [], "people": [*people, {"points": unlabelled}]}
    drawn, derived, silent = parse_truth({"classes": [], "images": {"k": image}}).images["k"].people
    assert (drawn.box, drawn.area, drawn.derived) == (Box("person", 0, 1, 15, 30), 70, False)
    assert derived.derived and silent.points == (KeyPoint("nose", None, None, "unlabelled"),)


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
        *(
            {"classes": [], "images": {"k": {"width": 9, "height": 9, "boxes": [], "keypoints": points}}}
            for points in (
                7,
                [7],
                [{"name": "nose"}],
                [POINTS[0] | {"visibility": "?"}],
                [POINTS[0] | {"x": None}],
                [POINTS[0], POINTS[0]],
            )
        ),
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


NAN, INF = float("nan"), float("inf")


@pytest.mark.fault("K06")
@pytest.mark.parametrize("odd", [
        (500, 500, 20, 20), (-50, -50, 20, 20), (10, 10, 0, 20), (10, 10, 20, 0), (50, 50, -20, -20), (NAN, 1, 2, 3),
        (1, 2, INF, 3), (1e308, 10, 1e308, 20), (INF, INF, INF, INF), (160, 0, 10, 10), (0, 120, 10, 10),
    ],
)  # fmt: skip
def test_a_box_that_nobody_can_draw_costs_itself_and_is_told(odd: tuple[float, ...]) -> None:
    sides = ("left", "top", "width", "height")
    boxes = [{"class": "head", **dict(zip(sides, each, strict=True))} for each in (odd, (20, 20, 30, 30))]
    known = parse_truth({"classes": ["head"], "images": {"k": {"width": 160, "height": 120, "boxes": boxes}}})
    assert [(box.left, box.width) for box in known.images["k"].boxes] == [(20, 30)]
    (told,) = getattr(known, "left_out", ("nothing is told",))
    assert "boxes[0] of 'k'" in told
    drawn = answer(known, Noise(), worker_names(1)[0], "k")
    assert drawn is not None and len(drawn["annotatedResult"]["boundingBoxes"]) == 1


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("reaching_out", "visible"),
    [
        ((-30, 40, 60, 40), (0, 40, 30, 40)),
        ((100, 100, 1e9, 1e9), (100, 100, 60, 20)),
        ((-1, -1, 1e308, 9), (0, 0, 160, 8)),
    ],
)
def test_of_a_box_that_reaches_out_people_draw_what_they_see(reaching_out, visible) -> None:
    box = {"class": "head", **dict(zip(("left", "top", "width", "height"), reaching_out, strict=True))}
    known = parse_truth({"classes": ["head"], "images": {"k": {"width": 160, "height": 120, "boxes": [box]}}})
    (seen,) = known.images["k"].boxes
    assert (seen.left, seen.top, seen.width, seen.height) == visible and not getattr(known, "left_out", ())


@pytest.mark.parametrize("document", [
        {"jitter": 1}, {"miss_rate": 1.5}, {"jitter_px": -1}, [], {"wrong_visibility_rate": 2}, {"accept_quality": -1},
        {"workers": {"9": "careless"}}, {"workers": {"1": "lazy"}}, {"workers": ["careless"]},
    ],
)  # fmt: skip
def test_malformed_noise_is_refused(document: Any) -> None:
    with pytest.raises(ValueError):
        parse_noise(document)
