import itertools

import pytest
from labelloop.tasks import people_labels
from marked_people import NAMES, person


def test_a_page_offers_each_point_visible_and_occluded_and_two_corners_for_every_person() -> None:
    assert people_labels.offered(("nose", "tail"), 2) == [
        *("nose", "nose (occluded)", "tail", "tail (occluded)", "top-left", "bottom-right"),
        *("nose #2", "nose #2 (occluded)", "tail #2", "tail #2 (occluded)", "top-left #2", "bottom-right #2"),
    ]


@pytest.mark.parametrize(
    ("number", "name", "seen"), [*itertools.product((1, 2, 9, 10, 99), NAMES, ("visible", "occluded"))]
)
def test_a_label_means_what_it_was_made_of(number, name, seen) -> None:
    assert people_labels.meaning(people_labels.label(name, number, seen), NAMES) == (number, name, seen)


def test_a_corner_is_a_label_of_a_box() -> None:
    assert people_labels.meaning("top-left", NAMES) == (1, "top-left", "visible")
    assert people_labels.meaning("bottom-right #12", NAMES) == (12, "bottom-right", "visible")


@pytest.mark.parametrize(
    "text",
    [
        *("", "tail", "nose#2", "nose #1", "nose #0", "nose #02", "nose #100", "nose #x", "nose  #2", "nose #2 #3"),
        *("nose (occluded) #2", "nose (occluded) (occluded)", "top-left (occluded)", "top-left #2 (occluded)", "#2"),
    ],
)
def test_what_is_no_label_means_nothing(text) -> None:
    assert people_labels.meaning(text, NAMES) is None


@pytest.mark.parametrize("people", [1, 2, 6])
def test_the_names_of_a_page_are_told_by_its_labels(people) -> None:
    assert people_labels.names_of(people_labels.offered(NAMES, people)) == NAMES
    assert people_labels.is_of_people(people_labels.offered(NAMES, people)) and not people_labels.is_of_people(NAMES)


def test_a_person_is_shown_by_the_points_in_view_and_the_corners_of_a_box_that_was_drawn() -> None:
    drawn = person(1, 2, 30.5, 40, (5, 6.25), None, (7, 8, "occluded"))
    assert people_labels.marks(drawn, 2) == [
        {"label": "nose #2", "x": 5, "y": 6.25},
        {"label": "right eye #2 (occluded)", "x": 7, "y": 8},
        {"label": "top-left #2", "x": 1, "y": 2},
        {"label": "bottom-right #2", "x": 31.5, "y": 42},
    ]
    assert people_labels.marks(person(1, 2, 30, 40, (5, 6), derived=True), 1) == [{"label": "nose", "x": 5, "y": 6}]
