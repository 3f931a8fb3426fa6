"""People's labels as the trainer reads them, and who of two networks' people are the same: no network is asked here."""

import json
from dataclasses import replace

from drawn_people import SIDE, SKELETON, face, written
from hypothesis import given
from hypothesis import strategies as st
from label_files import person_row, visible_only
from labelloop.contracts import skeletons
from labelloop.contracts.records import Box, SeenPerson, SeenPoint
from labelloop.tasks.quality import iou
from people_matching import is_alone, joined, within_view


def visibilities(line: str) -> list[str]:
    return line.split()[7::3]


def seen(left: float, sure: float, top: float = 0.0, label: str = "person") -> SeenPerson:
    points = tuple(SeenPoint(name, left, top, sure, 0.0) for name in SKELETON.names)
    return SeenPerson(Box(label, left, top, 10, 10, sure), points)


def additional(person: SeenPerson) -> set[float]:
    return {point.additional for point in person.points}


def test_a_row_has_the_box_and_each_point_as_shares_and_a_number_of_what_people_said() -> None:
    said = {"left-eye": "occluded", "nose": "outside"}
    columns = person_row(face(16, 32, 20, said), 0, SIDE, 128).split()
    assert [float(column) for column in columns[:5]] == [0, 26 / 64, 42 / 128, 20 / 64, 20 / 128]
    assert [float(column) for column in columns[5:8]] == [(16 + 0.7 * 20) / 64, (32 + 0.35 * 20) / 128, 1]
    assert columns[10] == "2" and columns[11:] == [*columns[1:3], "0"], "what has no place stands in the middle"


def test_what_nobody_labelled_is_told_from_what_is_outside() -> None:
    line = person_row(face(0, 0, 20, {"nose": "unlabelled", "right-eye": "outside"}), 0, SIDE, SIDE)
    assert visibilities(line) == ["2", "0", "3"]


def test_a_point_beyond_the_picture_is_outside() -> None:
    person = face(0, 0, 20)
    beyond = replace(person.points[0], x=-1.0)
    assert visibilities(person_row(replace(person, points=(beyond, *person.points[1:])), 0, SIDE, SIDE)) == [
        "0",
        "2",
        "2",
    ]


def test_the_additional_network_is_taught_visible_points_only(tmp_path) -> None:
    people = [face(0, 0, 20, {"left-eye": "occluded", "nose": "unlabelled"}), face(30, 30, 20, {"nose": "occluded"})]
    dataset = written(tmp_path / "all", [people, []])
    data_yaml = visible_only(dataset.data_yaml, tmp_path / "visible")
    labels = [(tmp_path / folder / "labels/0000000.txt").read_text().splitlines() for folder in ("all", "visible")]
    assert [[visibilities(line) for line in lines] for lines in labels] == [
        [["1", "2", "3"], ["2", "2", "1"]],
        [["0", "2", "3"], ["2", "2", "0"]],
    ]
    assert [line.split()[:7] for line in labels[0]] == [line.split()[:7] for line in labels[1]]
    assert (tmp_path / "visible/labels/0000001.txt").read_text() == ""
    pictures = [(tmp_path / folder / "images/0000001.png").read_bytes() for folder in ("all", "visible")]
    assert pictures[0] == pictures[1]
    told = json.loads(data_yaml.read_text())
    assert told == {**json.loads(dataset.data_yaml.read_text()), "path": str(tmp_path / "visible")}


def test_in_the_mirror_left_stands_where_right_was() -> None:
    assert SKELETON.mirrored == [1, 0, 2]
    assert skeletons.skeleton("coco-17").mirrored[:5] == [0, 2, 1, 4, 3]


def test_people_are_matched_by_their_boxes_the_nearest_first_and_never_by_their_order() -> None:
    main = [seen(0, 0.9), seen(4, 0.8), seen(50, 0.7)]
    people = joined(main, [seen(51, 0.1), seen(4.5, 0.2)])
    assert [additional(person) for person in people] == [{0.0}, {0.2}, {0.1}]
    assert [is_alone(person) for person in people] == [True, False, False]
    assert [person.box for person in people] == [person.box for person in main]
    assert [point.main for person in people for point in person.points] == [0.9] * 3 + [0.8] * 3 + [0.7] * 3


def test_a_person_of_less_than_half_overlap_or_another_class_has_no_partner() -> None:
    assert not any(map(is_alone, joined([seen(0, 0.9)], [seen(3.3, 0.5)])))
    people = joined([seen(0, 0.9), seen(50, 0.9)], [seen(3.4, 0.5), seen(50, 0.5, label="dummy")])
    assert [additional(person) for person in people] == [{0.0}, {0.0}] and all(map(is_alone, people))
    assert joined([], [seen(0, 0.5)]) == []


@given(
    st.lists(st.integers(0, 40), max_size=6, unique=True),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 99)), max_size=6, unique_by=(lambda s: s[0], lambda s: s[1])),
    st.randoms(),
)
def test_no_partner_serves_two_people_and_the_order_of_the_others_is_of_no_matter(lefts, others, chance) -> None:
    main = [seen(left, 0.9) for left in lefts]
    second = [seen(left, sure / 100) for left, sure in others]
    people = joined(main, second)
    used = [min(additional(person)) for person in people if additional(person) != {0.0}]
    assert len(set(used)) == len(used) == len(main) - sum(map(is_alone, people))
    for person in people:
        for other in second:
            if additional(person) == {other.points[0].main}:
                assert iou(person.box, other.box) >= 0.5
    chance.shuffle(second)
    assert joined(main, second) == people


def test_a_point_that_is_placed_beyond_the_border_is_not_in_the_picture() -> None:
    """Places are cut off at the border, so such a point lies on it."""
    inside, beyond = (12.0, 30.0), [(0.0, 30.0), (64.0, 30.0), (12.0, 0.0), (12.0, 48.0)]
    points = tuple(SeenPoint(f"p{n}", x, y, 0.9, 0.4) for n, (x, y) in enumerate([inside, *beyond]))
    person = SeenPerson(Box("person", 0, 0, 64, 48, 0.8), points)
    seen = within_view(person, 64, 48)
    assert [point.main for point in seen.points] == [0.9, 0, 0, 0, 0]
    assert [replace(point, main=0.9) for point in seen.points] == list(points), "nothing else changes"
