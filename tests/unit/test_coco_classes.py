"""Categories of COCO files as people have them: classes, or a refusal before anything is deployed."""

import copy
import unicodedata
from pathlib import Path

import pytest
from coco_set import Set, box, boxes, notes

from demo import parameters
from demo.coco.classes import classes_of
from demo.coco.entries import Notes

NFC, NFD = unicodedata.normalize("NFC", "Müller 1.jpg"), unicodedata.normalize("NFD", "Müller 1.jpg")


@pytest.mark.fault("K06")
def test_categories_of_one_name_are_one_class_also_with_blanks_around_them(set_of: Set) -> None:
    set_of.coco["categories"] += [
        {"id": 3, "name": " cat "},
        {"id": 4, "name": "white\u00a0 cell"},
        {"id": 0, "name": "cat"},
    ]
    set_of.coco["annotations"] += [
        box(13, 2, 3, (1, 1, 9, 9)),
        box(14, 2, 4, (2, 2, 9, 9)),
        box(15, 2, 0, (3, 3, 9, 9)),
    ]
    own = set_of.own()
    assert own.truth.classes == ("cat", "dog", "white cell")
    assert [label for label, *_ in boxes(own, "c.jpg")] == ["cat", "cat", "white cell", "cat"]
    assert "of one name are one class: categories[2] (id 3) 'cat'" in notes(own)
    assert "without blanks" in notes(own) and "' cat '" in notes(own)


@pytest.mark.fault("K06")
def test_one_name_in_two_unicode_forms_is_one_class(set_of: Set) -> None:
    set_of.coco["categories"] = [{"id": 1, "name": "Mu\u0308cke"}, {"id": 2, "name": "M\u00fccke"}]
    assert set_of.own().truth.classes == ("M\u00fccke",)


@pytest.mark.fault("K06")
@pytest.mark.parametrize("twin", ["A b", "\uff41 b", "a_b", "a-B"])
def test_names_that_look_alike_are_classes_of_their_own_and_are_told(set_of: Set, twin: str) -> None:
    set_of.coco["categories"] = [{"id": 1, "name": "a b"}, {"id": 2, "name": twin}]
    own = set_of.own()
    assert own.truth.classes == ("a b", twin)
    assert f"differ only in how they are written are classes of their own: 'a b', {twin!r}" in notes(own)


@pytest.mark.parametrize("names", [("5", "-5"), ("C", "C++"), ("a+", "a-")])
def test_names_that_mean_different_things_are_taken_without_a_word(set_of: Set, names: tuple[str, str]) -> None:
    set_of.coco["categories"] = [{"id": 1, "name": names[0]}, {"id": 2, "name": names[1]}]
    assert notes(set_of.own()) == ""


ROBOFLOW = [
    {"id": 0, "name": "animals", "supercategory": "none"},
    {"id": 1, "name": "cat", "supercategory": "animals"},
    {"id": 2, "name": "dog", "supercategory": "animals"},
]


@pytest.mark.fault("K06")
def test_a_category_that_only_groups_the_others_is_no_class(set_of: Set) -> None:
    set_of.coco["categories"] = copy.deepcopy(ROBOFLOW)
    own = set_of.own()
    assert own.truth.classes == ("cat", "dog") and "that nothing is of, is not a class: 'animals'" in notes(own)


@pytest.mark.parametrize("spoil", ["used", "groups one only", "alone"])
def test_any_other_category_is_a_class_even_if_nothing_is_of_it(set_of: Set, spoil: str) -> None:
    categories = copy.deepcopy(ROBOFLOW)
    if spoil == "used":
        set_of.coco["annotations"].append(box(13, 0, "0", (1, 1, 9, 9)))
    if spoil == "groups one only":
        categories[2]["supercategory"] = "none"
    if spoil == "alone":
        categories[1:], set_of.coco["annotations"] = [], [box(10, 0, 0), box(11, 1, 0), box(12, 2, 0)]
    set_of.coco["categories"] = categories
    own = set_of.own()
    assert own.truth.classes[0] == "animals" and notes(own) == ""


@pytest.mark.fault("K06")
def test_without_category_ids_everything_is_of_the_only_class(set_of: Set) -> None:
    set_of.coco["categories"] = [{"id": 0, "name": "cell"}]
    set_of.coco["annotations"] = [
        {name: each[name] for name in ("id", "image_id", "bbox")} for each in set_of.coco["annotations"]
    ]
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cell", 10, 12, 20, 16)] and "of the only class" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize(("name", "count"), [("class number", 1203), ("\u8eca\u4e21\u8eca\u4e21", 300)])
def test_more_classes_than_the_stack_takes_are_refused_before_it_is_deployed(set_of: Set, name: str, count) -> None:
    set_of.coco["categories"] = [{"id": number, "name": f"{name} {number}"} for number in range(count)]
    said = set_of.refused()
    assert f"has {count} classes" in said and "the stack's parameter Classes holds 4000" in said


def test_as_many_classes_as_the_stack_takes_are_taken(set_of: Set) -> None:
    set_of.coco["categories"] = [{"id": number, "name": f"{number:07}"} for number in range(500)]
    own = set_of.own()
    assert len(parameters.stack_parameters(own.truth.classes, [64], 3, parameters.Choices(7))["Classes"]) == 3999
    template = (Path(__file__).parents[2] / "template.yaml").read_text()
    assert "    MaxLength: 4000" in template.partition("\n  Classes:\n")[2].partition("\n  KeyPoints:")[0]


@pytest.mark.fault("K06")
def test_bones_count_from_one_and_those_that_join_nothing_are_left_out() -> None:
    entry = {"id": 1, "name": "person", "keypoints": ["nose", "ear"], "skeleton": [[1, 2], [2, 3], [0, 1], [1, 1], "x"]}
    told = Notes()
    (category,) = classes_of([entry], "coco.json", told).values()
    assert category.bones == (("nose", "ear"),)
    assert told.sentences() == (
        "Bones of the skeleton that do not join two key points were left out: categories[0] (id 1), [2, 3] and 3 more",
    )
