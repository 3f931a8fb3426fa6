"""Names and ids in COCO files as people have them: found and told, or refused by name."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from coco_set import Set, box, boxes, image, notes

ABOVE = (
    *("C:\\Users\\me\\photos\\a.jpg", "/mnt/photos/a.jpg", "photos/a.jpg", "https://example.com/x/a.jpg"),
    "../photos/sub/./a.jpg",
)
NFC, NFD = unicodedata.normalize("NFC", "Müller 1.jpg"), unicodedata.normalize("NFD", "Müller 1.jpg")


def test_a_clean_file_is_taken_as_it_is_without_a_word(set_of: Set) -> None:
    own = set_of.own()
    assert own.names == ("a.jpg", "b.jpg", "c.jpg") and notes(own) == ""
    assert boxes(own, "b.jpg") == [("dog", 10, 12, 20, 16)]


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("listed", "stored"),
    [
        ("./a.jpg", "a.jpg"),
        (".\\a.jpg", "a.jpg"),
        ("sub\\a.jpg", "sub/a.jpg"),
        ("C:\\Users\\me\\photos\\a.jpg", "a.jpg"),
        ("/mnt/photos/a.jpg", "a.jpg"),
        ("photos/a.jpg", "a.jpg"),
        ("a.jpg", "train/a.jpg"),
        ("A.JPG", "a.jpg"),
        ("a.jpg", "A.JPG"),
        (NFC, NFD),
        (NFD, NFC),
        ("a%20b.jpg", "a b.jpg"),
        ("https://example.com/x/a.jpg", "a.jpg"),
        ("sub//a.jpg", "sub/a.jpg"),
        ("../photos/sub/./a.jpg", "sub/a.jpg"),
    ],
)
def test_a_name_in_another_spelling_or_place_is_found_and_told(set_of: Set, listed: str, stored: str) -> None:
    set_of.remove("a.jpg")
    set_of.put(stored)
    set_of.rename(0, listed)
    if listed in ABOVE:
        set_of.rename(1, "photos/b.jpg")
        set_of.rename(2, "photos/c.jpg")
    own = set_of.own()
    assert stored in own.names and boxes(own, stored) == [("cat", 10, 12, 20, 16)]
    if listed not in ("./a.jpg", ".\\a.jpg", "sub\\a.jpg"):
        assert f"images[0] (id 0) {listed!r} is {stored!r}" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize("listed", ["train/a.jpg", "train\\a.jpg", "https://example.com/x/A.jpg"])
def test_a_picture_below_another_folder_is_not_taken_for_one_of_its_name(set_of: Set, listed: str) -> None:
    set_of.rename(0, listed)
    said = set_of.refused()
    assert f"images[0] (id 0) {listed!r} is not in the folder" in said and "the file 'a.jpg'" in said
    assert "images[1] (id 1) 'b.jpg' lies where its path says" in said


@pytest.mark.fault("K06")
def test_a_name_that_two_files_have_is_refused(set_of: Set) -> None:
    set_of.put("x/d.jpg", "y/d.jpg")
    set_of.rename(0, "d.jpg")
    said = set_of.refused()
    assert "images[0] (id 0) 'd.jpg' may be 'x/d.jpg' or 'y/d.jpg'" in said and "\n" not in said


@pytest.mark.fault("K06")
def test_two_pictures_that_may_be_one_file_are_refused(set_of: Set) -> None:
    set_of.rename(0, "train/a.jpg")
    set_of.rename(1, "val/a.jpg")
    said = set_of.refused()
    assert "images[0] (id 0) 'train/a.jpg' and images[1] (id 1) 'val/a.jpg' may both be the file 'a.jpg'" in said


@pytest.mark.fault("K06")
def test_a_picture_that_is_not_there_gets_no_place_beside_one_of_a_similar_name(set_of: Set) -> None:
    set_of.coco["images"].append(image(3, "A.jpg"))
    set_of.coco["annotations"].append(box(13, 3, 2, (0, 0, 5, 5)))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "images[3] (id 3) 'A.jpg'" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize("again", ["a.jpg", "./a.jpg"])
def test_a_file_that_is_listed_twice_has_all_its_boxes(set_of: Set, again: str) -> None:
    set_of.coco["images"].append(image(3, again))
    set_of.coco["annotations"].append(box(13, 3, 2, (0, 0, 5, 5)))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16), ("dog", 0, 0, 5, 5)]
    assert own.names == ("a.jpg", "b.jpg", "c.jpg")
    assert "listed more than once" in notes(own) and "images[3] (id 3)" in notes(own)


@pytest.mark.fault("K06")
def test_what_is_only_in_the_file_or_only_in_the_folder_is_told_by_number_and_name(set_of: Set) -> None:
    set_of.put("d.jpg", "e.jpg")
    set_of.put(".DS_Store", "labels.txt")
    set_of.coco["images"] += [image(3, "gone.jpg"), image(4, "gone too.jpg"), {"id": 5}]
    own = set_of.own()
    assert own.names == ("a.jpg", "b.jpg", "c.jpg") and "3 more left out" in own.source
    told = notes(own)
    assert "not in the folder" in told and "images[3] (id 3) 'gone.jpg' and 1 more" in told
    assert "without a file_name were left out: images[5] (id 5)" in told
    assert "does not list were left out: 'd.jpg' and 1 more" in told


@pytest.mark.fault("K06")
@pytest.mark.parametrize(("stored", "named"), [(1, "1"), ("1", 1), (1, 1.0), (1.0, "1"), ("1", 1.0), ("1.0", 1)])
def test_ids_of_another_type_mean_the_same(set_of: Set, stored: object, named: object) -> None:
    set_of.coco["images"][1]["id"] = set_of.coco["categories"][0]["id"] = stored
    set_of.coco["annotations"] = [box(10, named, named)]
    assert boxes(set_of.own(), "b.jpg") == [("cat", 10, 12, 20, 16)]


@pytest.mark.fault("K06")
def test_text_and_number_stay_apart_where_the_file_has_both(set_of: Set) -> None:
    set_of.coco["images"] = [image("1", "a.jpg"), image(1, "b.jpg"), image("01", "c.jpg")]
    set_of.coco["annotations"] = [box(10, "1", 1, (1, 1, 5, 5)), box(11, 1, 1, (2, 2, 5, 5)), box(12, "01", 1)]
    own = set_of.own()
    assert [boxes(own, name)[0][1] for name in ("a.jpg", "b.jpg", "c.jpg")] == [1, 2, 10]


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda coco: coco["images"][1].update(id=0),
            "images[1] (id 0) 'b.jpg' has the id of another picture, 'a.jpg'",
        ),
        (lambda coco: coco["images"][1].pop("id"), "images[1] has no usable id"),
        (lambda coco: coco["images"][1].update(id=True), "images[1] (id true) has no usable id"),
        (lambda coco: coco["images"][1].update(id=[1]), "images[1] (id [1]) has no usable id"),
        (lambda coco: coco["categories"][1].update(id=1), "categories[1] (id 1) 'dog' has the id of 'cat'"),
        (lambda coco: coco["categories"][1].pop("name"), "categories[1] (id 2) has no name"),
        (lambda coco: coco["categories"][1].update(name=None), "categories[1] (id 2) has no name"),
        (lambda coco: coco["annotations"][1].update(category_id=9), "annotations[1] (id 11) has the category_id 9"),
        (lambda coco: coco["annotations"][1].pop("category_id"), "annotations[1] (id 11) has the category_id null"),
        (
            lambda coco: coco.update(categories=[]),
            "annotations[0] (id 10) has the category_id 1, and 'categories' lists none",
        ),
        (lambda coco: coco.update(annotations=[]), "marks nothing in the pictures"),
        (lambda coco: coco.update(images=[]), "None of the 0 pictures"),
        (lambda coco: coco.update(images={}), "'images' is not a list"),
        (lambda coco: coco.update(annotations=None), "'annotations' is not a list"),
        (lambda coco: coco["annotations"].insert(1, None), "annotations[1] is null"),
        (lambda coco: coco["images"].insert(1, "b.jpg"), 'images[1] is "b.jpg"'),
        (lambda coco: coco.pop("categories"), "it has no 'categories'"),
        (lambda coco: coco["categories"][0].update(keypoints=["nose", "nose"]), "has the key point 'nose' twice"),
    ],
)
def test_what_means_nothing_is_refused_with_its_entry(set_of: Set, spoil: Callable[[Any], None], said: str) -> None:
    spoil(set_of.coco)
    refusal = set_of.refused()
    assert said in refusal and str(set_of.file) in refusal and "\n" not in refusal


@pytest.mark.fault("K06")
@pytest.mark.parametrize("part", ["image_id", "category_id"])
def test_an_id_that_has_lost_digits_as_a_float_is_refused(set_of: Set, part: str) -> None:
    one, other = 1_700_000_000_000_000_000, 1_700_000_000_000_000_001
    named = "images" if part == "image_id" else "categories"
    set_of.coco[named][0]["id"], set_of.coco[named][1]["id"] = one, other
    set_of.coco["annotations"] = [{**box(10, other, other), "image_id": 2, "category_id": 1, part: float(other)}]
    said = set_of.refused()
    assert "annotations[0] (id 10) names the id 1.7e+18, which stands for several" in said


@pytest.mark.fault("K06")
def test_a_large_id_as_a_whole_number_names_its_own_picture(set_of: Set) -> None:
    one, other = 1_700_000_000_000_000_000, 1_700_000_000_000_000_001
    set_of.coco["images"][0]["id"], set_of.coco["images"][1]["id"] = one, other
    set_of.coco["annotations"] = [box(10, str(other), 1), box(11, one, 2)]
    own = set_of.own()
    assert [boxes(own, name)[0][0] for name in ("a.jpg", "b.jpg")] == ["dog", "cat"]


@pytest.mark.fault("K06")
@pytest.mark.parametrize("part", ["images", "categories"])
def test_a_float_that_cannot_be_an_id_is_refused_where_ids_are_given(set_of: Set, part: str) -> None:
    set_of.coco[part][0]["id"] = 1.7e18
    set_of.coco["annotations"] = [box(10, 1, 2)]
    assert f"{part}[0] (id 1.7e+18) has no usable id" in set_of.refused()
