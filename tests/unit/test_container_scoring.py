"""What becomes of people whom an engine sees: Predictions of them, presentable ones."""

from dataclasses import replace

import pytest
from container_fixtures import encoded, store_image
from drawn_people import SKELETON, face, labelled, picture
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, SeenPerson, SeenPoint
from PIL import Image
from scoring import Look, predictions, score


class GivenPeople:
    batch_size = 4
    skeleton = SKELETON

    def __init__(self, *people: SeenPerson) -> None:
        self.people = people

    def predict(self, images):
        return [self.people for _ in images]

    def describe(self):
        return {}


def person(left: float, sure: float, x: float = 20.0) -> SeenPerson:
    points = tuple(SeenPoint(name, x, 7.777, 0.51239, 0.00004) for name in SKELETON.names)
    return SeenPerson(Box("person", left, 5, 30, 30, sure), points)


def test_people_are_clipped_rounded_filtered_and_sorted_by_their_boxes_and_points_stay_inside() -> None:
    engine = GivenPeople(person(-5.004, 0.4), person(80, 0.90009, x=104.2), person(120, 0.99), person(10, 0.0499))
    look = Look("s3://b/1", Image.new("RGB", (100, 50)))
    seen, refused = predictions(engine, [look, Look("s3://b/2", None, "empty")], "m")
    assert seen.people is not None and seen.boxes == () and seen.task == "key-points"
    assert [(one.box.left, one.box.width, one.box.confidence) for one in seen.people] == [
        (80, 20, 0.9001),
        (0, 25.0, 0.4),
    ]
    assert [one.points[0].x for one in seen.people] == [100, 20]
    assert {(point.y, point.main, point.additional) for one in seen.people for point in one.points} == {
        (7.78, 0.5124, 0)
    }
    assert [point.label for point in seen.people[0].points] == list(SKELETON.names)
    assert Prediction.from_json(seen.to_json()) == seen, "what is written is what was scored"
    assert (refused.status, refused.reason) == ("rejected", "empty")


def test_a_picture_without_people_has_an_answer_of_nobody() -> None:
    (seen,) = predictions(GivenPeople(), [Look("s3://b/1", Image.new("RGB", (10, 10)))], "m")
    assert seen.people == () and seen.to_json()["people"] == []


def test_of_people_boxes_and_points_are_judged(tmp_path) -> None:
    """The box is right, and the nose is off by so much that its similarity is below each of COCO's thresholds."""
    person = face(10, 10, 30)
    data = encoded(picture([person]), "PNG")
    store_image(tmp_path, "a.png", data)
    truth = labelled("a.png", [person], data)
    right = SeenPerson(
        replace(person.box, confidence=0.9),
        tuple(SeenPoint(point.label, point.x, point.y, 0.9, 0.9) for point in person.points),
    )
    wrong = replace(right, points=(*right.points[:2], replace(right.points[2], x=0.0)))
    for seen, similar in ((right, 1.0), (wrong, pytest.approx(0.4, abs=0.01))):
        figures = score(GivenPeople(seen), [truth], tmp_path / "input/data/images", "m", tmp_path / "scores.jsonl")
        judged = {"map50": 1, "map50_95": 1, "oks_map50": 1, "oks_map50_95": similar}
        assert figures == {**judged, "people": 1, "people_alone": 0, "images": 1}


def test_whom_the_main_network_alone_sees_is_counted(tmp_path) -> None:
    data = encoded(picture([]), "PNG")
    store_image(tmp_path, "a.png", data)
    alone = person(10, 0.9)
    both = replace(alone, points=(replace(alone.points[0], additional=0.4), *alone.points[1:]))
    truth, images = labelled("a.png", [], data), tmp_path / "input/data/images"
    figures = score(GivenPeople(alone, both), [truth], images, "m", tmp_path / "scores.jsonl")
    assert (figures["people"], figures["people_alone"]) == (2, 1)


def test_where_nobody_is_there_is_no_figure(tmp_path) -> None:
    data = encoded(picture([]), "PNG")
    store_image(tmp_path, "a.png", data)
    truth = labelled("a.png", [], data)
    figures = score(GivenPeople(), [truth], tmp_path / "input/data/images", "m", tmp_path / "scores.jsonl")
    assert {figures[name] for name in ("map50", "map50_95", "oks_map50", "oks_map50_95")} == {None}
