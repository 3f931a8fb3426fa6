"""COCO files as people have them: mended and told, or refused by name before anything is deployed."""

import copy
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelloop.pictures import pixels
from PIL import Image

from demo import page, pictures
from demo.annotators import parse_truth
from demo.errors import DemoFailed

PREFIX = pictures.PREFIX
Own = Callable[..., pictures.Pictures]
ABOVE = (
    *("C:\\Users\\me\\photos\\a.jpg", "/mnt/photos/a.jpg", "photos/a.jpg", "https://example.com/x/a.jpg"),
    "../photos/sub/./a.jpg",
)
NFC, NFD = unicodedata.normalize("NFC", "Müller 1.jpg"), unicodedata.normalize("NFD", "Müller 1.jpg")


class Set:
    """A folder with pictures of 64 x 48 and a COCO file of them; tests spoil both."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "photos", folder / "coco.json"
        self.coco: dict[str, Any] = {
            "images": [image(0, "a.jpg"), image(1, "b.jpg"), image(2, "c.jpg")],
            "annotations": [box(10, 0, 1), box(11, 1, 2), box(12, 2, 1)],
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        }
        self.put("a.jpg", "b.jpg", "c.jpg")

    def put(self, *names: str, size: tuple[int, int] = (64, 48), **options: Any) -> None:
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(self.folder / name, "JPEG", **options)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink()

    def rename(self, index: int, name: str) -> None:
        self.coco["images"][index]["file_name"] = name

    def write(self, body: bytes | None = None) -> None:
        self.file.write_bytes(json.dumps(self.coco).encode() if body is None else body)

    def read(self, limit: int | None = None) -> pictures.Pictures:
        """As the demo does; whatever else than a sentence comes out is shown as one."""
        try:
            return pictures.read_own(self.folder, self.file, limit)
        except DemoFailed:
            raise
        except Exception as error:
            pytest.fail(f"the reader crashed: {error!r}")

    def own(self) -> pictures.Pictures:
        self.write()
        return self.read()

    def refused(self) -> str:
        self.write()
        try:
            found = self.read()
        except DemoFailed as refusal:
            return str(refusal)
        return f"not refused: {found.truth}"


def image(number: object, name: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": 64, "height": 48, **more}


def box(number: object, picture: object, category: object, bbox: Any = (10, 12, 20, 16), **more: Any) -> dict[str, Any]:
    bbox = list(bbox) if isinstance(bbox, tuple) else bbox
    return {"id": number, "image_id": picture, "category_id": category, "bbox": bbox, **more}


def notes(own: pictures.Pictures) -> str:
    return "\n".join(getattr(own, "notes", ()))


def boxes(own: pictures.Pictures, name: str) -> list[tuple[Any, ...]]:
    known = own.truth.images[PREFIX + name]
    return [(each.label, each.left, each.top, each.width, each.height) for each in known.boxes]


@pytest.fixture
def set_of(tmp_path: Path) -> Set:
    return Set(tmp_path)


def test_a_clean_file_is_taken_as_it_is_without_a_word(set_of: Set) -> None:
    own = set_of.own()
    assert own.names == ("a.jpg", "b.jpg", "c.jpg") and notes(own) == ""
    assert boxes(own, "b.jpg") == [("dog", 10, 12, 20, 16)]


# --- names of files


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


# --- ids


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


# --- classes


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
    assert len(pictures.stack_parameters(own.truth.classes, [64], 3)["Classes"]) == 3999
    template = (Path(__file__).parents[2] / "template.yaml").read_text()
    assert "    MaxLength: 4000" in template.partition("\n  Classes:\n")[2].partition("\n  KeyPoints:")[0]


# --- boxes


SQUARE = [[10, 12, 30, 12, 30, 28, 10, 28]]
RUNS = {"size": [48, 64], "counts": [48 * 10 + 12, 16, *([32, 16] * 19), 20 + 48 * 34]}
MENDED = {
    "text": ("10, 12, 20, 16", "written as text"),
    "a list as text": ("[10, 12, 20, 16]", "written as text"),
    "numbers as text": (["10", "12", "20", "16"], "written as text"),
    "negative sides": ([30, 28, -20, -16], "negative side"),
    "one negative side": ([30, 12, -20, 16], "negative side"),
}


@pytest.mark.fault("K06")
@pytest.mark.parametrize("name", MENDED)
def test_a_box_that_can_mean_one_thing_only_is_mended_and_told(set_of: Set, name: str) -> None:
    given, told = MENDED[name]
    set_of.coco["annotations"][0]["bbox"] = given
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert told in notes(own) and "annotations[0] (id 10)" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize("bbox", ["none", None, [], "", [0, 0, 0, 0], [1, 2, 3], [float("nan"), 1, 2, 3]])
@pytest.mark.parametrize("outline", [SQUARE, SQUARE[0], [[10, 12, 30, 12, 30, 28], [10, 28, 12, 20, 15, 15]], RUNS])
def test_without_a_box_it_is_that_of_the_outline(set_of: Set, bbox: Any, outline: Any) -> None:
    entry = {**box(10, 0, 1, bbox), "segmentation": outline}
    if bbox == "none":
        del entry["bbox"]
    set_of.coco["annotations"][0] = entry
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "made from outlines: annotations[0] (id 10)" in notes(own)


def test_a_compressed_mask_has_the_box_that_pycocotools_says(set_of: Set) -> None:
    from pycocotools import mask

    encoded = mask.frPyObjects(RUNS, 48, 64)
    outline = {"size": [48, 64], "counts": encoded["counts"].decode()}
    set_of.coco["annotations"][0] = {"id": 10, "image_id": 0, "category_id": 1, "segmentation": outline}
    assert boxes(set_of.own(), "a.jpg") == [("cat", 10, 12, 20, 16)]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=127), max_size=40), st.integers(1, 64), st.integers(1, 64))
def test_no_text_that_says_it_is_a_mask_reads_beyond_its_end(counts: str, height: int, width: int) -> None:
    from demo.coco.entries import LeftOut
    from demo.coco.outlines import box_of_outline

    try:
        left, top, across, down = box_of_outline({"size": [height, width], "counts": counts}, (width, height))
    except LeftOut:
        return
    assert 0 <= left <= left + across <= width and 0 <= top <= top + down <= height


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    "outline",
    [
        {"size": [24, 32], "counts": [24 * 5 + 6, 8, 24 * 27 - 14]},
        {"size": [64, 48], "counts": [64 * 10 + 12, 16, 64 * 38 - 28]},
        {"size": [999_999, 999_999], "counts": [999_998_000_001]},
    ],
    ids=["half", "sides swapped", "huge"],
)
def test_a_mask_of_another_size_than_its_picture_is_left_out_and_told(set_of: Set, outline: Any) -> None:
    set_of.coco["annotations"].append({"id": 13, "image_id": 0, "category_id": 2, "segmentation": outline})
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "their mask has another size than their picture: annotations[3] (id 13) of 'a.jpg'" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize("counts", [[100_000 * 100_000], "o"])
def test_a_mask_of_a_size_that_nothing_can_hold_is_left_out_and_told(set_of: Set, counts: Any) -> None:
    (set_of.folder / "a.jpg").write_bytes(b"no picture")
    set_of.coco["images"][0].update(width=100_000, height=100_000)
    mask = {"size": [100_000, 100_000], "counts": counts}
    set_of.coco["annotations"].append({"id": 13, "image_id": 0, "category_id": 2, "segmentation": mask})
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and "annotations[3] (id 13) of 'a.jpg'" in notes(own)


def test_the_mask_of_a_picture_labelled_as_it_is_stored_has_that_size(set_of: Set) -> None:
    set_of.put("a.jpg", exif=oriented(6))
    set_of.coco["annotations"][0] = {"id": 10, "image_id": 0, "category_id": 1, "segmentation": RUNS}
    assert boxes(set_of.own(), "a.jpg") == [("cat", 20, 10, 16, 20)]


IMPOSSIBLE = {
    "no area": [10, 12, 0, 16],
    "outside": [100, 12, 20, 16],
    "outside, negative": [-50, -50, 20, 16],
    "NaN": [float("nan"), 12, 20, 16],
    "infinite": [10, 12, float("inf"), 16],
    "infinite as text": ["10", "12", "Infinity", "16"],
    "three numbers": [10, 12, 20],
    "six numbers": [10, 12, 20, 16, 0.5, 1],
    "no numbers": ["a", "b", "c", "d"],
    "nothing": None,
    "a tiny one": [10, 12, 0.01, 0.01],
    "more than a double": [10, 12, 10**400, 16],
    "yes and no": [True, 12, 20, 16],
    "an object": {"x": 10, "y": 12, "width": 20, "height": 16},
}


@pytest.mark.fault("K06")
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_box_costs_itself_and_is_told(set_of: Set, name: str) -> None:
    set_of.coco["annotations"].insert(1, box("odd", 0, 2, IMPOSSIBLE[name]))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert boxes(own, "b.jpg") == [("dog", 10, 12, 20, 16)]
    (told,) = notes(own).split("\n")
    assert "were left out, because" in told and "annotations[1] (id \"odd\") of 'a.jpg'" in told


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("given", "cut"),
    [
        ([-10, 12, 30, 16], (0, 12, 20, 16)),
        ([50, 40, 100, 100], (50, 40, 14, 8)),
        ([-1e300, -5, 1e308, 1e308], (0, 0, 64, 48)),
        ([10, 12, 1e9, 16], (10, 12, 54, 16)),
        ([10, 12, 54.6, 16], (10, 12, 54, 16)),
    ],
)
def test_a_box_that_reaches_out_is_what_can_be_seen_of_it(
    set_of: Set, given: list[float], cut: tuple[float, ...]
) -> None:
    set_of.coco["annotations"][0]["bbox"] = given
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", *cut)]
    assert ("cut at the edge" in notes(own)) == (given[2] > 55 or given[0] < 0 or given[2] == 100)


@pytest.mark.fault("K06")
def test_boxes_that_were_written_as_corners_are_refused(set_of: Set) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (30, 24, 60, 44)) for n in range(3)]
    assert "yours seem to be [left, top, right, bottom]" in set_of.refused()


@pytest.mark.fault("K06")
@pytest.mark.parametrize("odd", [(60, 24, 60, 44), (30, 24, 65.5, 44), (30, 44, 60, 44), (5, 5, 3, 3)])
def test_one_odd_box_does_not_hide_that_the_others_are_corners(set_of: Set, odd: tuple[float, ...]) -> None:
    set_of.coco["annotations"] = [box(n, n % 3, 1, (30 + n / 2, 24, 60, 44)) for n in range(20)]
    set_of.coco["annotations"].append(box(99, 0, 1, odd))
    assert "yours seem to be [left, top, right, bottom]" in set_of.refused()


@pytest.mark.fault("K06")
def test_corners_inside_the_picture_are_known_by_their_area(set_of: Set) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (5, 4, 15, 14), area=100) for n in range(3)]
    assert "have the area that they have as corners" in set_of.refused()


@pytest.mark.parametrize("area", [None, 0, 150, 210, "210", 77.5])
def test_areas_of_boxes_and_of_outlines_are_no_corners(set_of: Set, area: object) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (5, 4, 15, 14), area=area) for n in range(3)]
    assert boxes(set_of.own(), "a.jpg") == [("cat", 5, 4, 15, 14)]


@pytest.mark.fault("K06")
def test_boxes_in_shares_of_the_picture_are_refused(set_of: Set) -> None:
    set_of.coco["annotations"] = [box(n, n, 1, (0.1, 0.2, 0.3, 0.3)) for n in range(3)]
    said = set_of.refused()
    assert (
        "no annotation can be used" in said
        and "smaller than a pixel: annotations[0] (id 0) of 'a.jpg' and 2 more" in said
    )


@pytest.mark.fault("K06")
def test_crowds_repeats_and_strays_are_left_out_and_told(set_of: Set) -> None:
    set_of.coco["annotations"] += [
        box(13, 0, 1, (0, 0, 50, 40), iscrowd=1, segmentation=RUNS),
        copy.deepcopy(set_of.coco["annotations"][0]),
        box(15, 77, 1),
        {"id": 16, "category_id": 1, "bbox": [1, 1, 9, 9]},
    ]
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    told = notes(own)
    assert "Crowd regions are not boxes and were left out: annotations[3] (id 13)" in told
    assert "repeat another count once: annotations[4] (id 10)" in told
    assert "pictures that are not listed were left out: annotations[5] (id 15), image_id 77 and 1 more" in told


@pytest.mark.fault("K06")
@pytest.mark.parametrize("more", [{"iscrowd": "true"}, {"iscrowd": "True "}, {"ignore": 1}, {"ignore": True}], ids=str)
def test_what_is_marked_as_crowd_or_to_be_ignored_in_any_way_is_left_out_and_told(set_of: Set, more: Any) -> None:
    set_of.coco["annotations"].append(box(13, 0, 1, (0, 0, 60, 40), **more))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "left out: annotations[3] (id 13)" in notes(own)


@pytest.mark.parametrize("no", [0, False, None, "0", "false", "", 0.0])
def test_what_is_no_crowd_and_not_to_be_ignored_stays(set_of: Set, no: object) -> None:
    set_of.coco["annotations"][0].update(iscrowd=no, ignore=no)
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("rotation", "around"),
    [
        (90, (12, 10, 16, 20)),
        ("270", (12, 10, 16, 20)),
        (-90.0, (12, 10, 16, 20)),
        (45, (7.272, 7.272, 25.456, 25.456)),
    ],
)
def test_a_rotated_box_becomes_the_upright_one_around_it_and_is_told(set_of: Set, rotation: Any, around) -> None:
    set_of.coco["annotations"][0]["attributes"] = {"rotation": rotation, "occluded": False}
    own = set_of.own()
    assert boxes(own, "a.jpg")[0][1:] == pytest.approx(around, abs=0.001)
    assert "rotated became the upright boxes around them: annotations[0] (id 10)" in notes(own)


@pytest.mark.parametrize("attributes", [{"rotation": 0.0}, {"rotation": 180}, {"rotation": "x"}, {}, None, []])
def test_a_box_that_is_not_rotated_stays(set_of: Set, attributes: Any) -> None:
    set_of.coco["annotations"][0]["attributes"] = attributes
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


# --- sizes


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    "said", [{}, {"width": None, "height": None}, {"width": 0, "height": 0}, {"width": "64", "height": "48"}]
)
def test_a_missing_size_is_that_of_the_picture(set_of: Set, said: dict[str, Any]) -> None:
    set_of.coco["images"][0] = {"id": 0, "file_name": "a.jpg", **said}
    known = set_of.own().truth.images[f"{PREFIX}a.jpg"]
    assert (known.width, known.height) == (64, 48)


@pytest.mark.fault("K06")
def test_a_picture_of_another_size_than_its_labels_is_left_out_and_told(set_of: Set) -> None:
    set_of.put("a.jpg", size=(640, 480))
    own = set_of.own()
    assert own.names == ("b.jpg", "c.jpg") and "1 more left out" in own.source
    assert "images[0] (id 0) 'a.jpg' is labelled at 64 x 48 and has 640 x 480 pixels" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("orientation", "turned"), [(5, (4, 2, 5, 10)), (6, (39, 2, 5, 10)), (7, (39, 52, 5, 10)), (8, (4, 52, 5, 10))]
)
def test_labels_made_on_a_picture_as_it_is_stored_are_turned_with_it(set_of: Set, orientation: int, turned) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    set_of.put("a.jpg", exif=exif)
    set_of.coco["annotations"][0]["bbox"] = [2, 4, 10, 5]
    own = set_of.own()
    known = own.truth.images[f"{PREFIX}a.jpg"]
    assert (known.width, known.height) == (48, 64)
    assert boxes(own, "a.jpg") == [("cat", *turned)]
    assert "stored on their side (EXIF): images[0] (id 0) 'a.jpg'" in notes(own)


def test_labels_made_on_the_upright_picture_stay(set_of: Set) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    set_of.put("a.jpg", size=(48, 64), exif=exif)
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.fault("K06")
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("labelled", ["upright", "as stored"])
def test_any_format_is_turned_as_the_loop_turns_it(set_of: Set, kind: str, labelled: str) -> None:
    set_of.remove("a.jpg")
    name = f"a.{kind.lower()}"
    Image.new("RGB", (48, 64)).save(set_of.folder / name, kind, exif=oriented(6))
    set_of.rename(0, name)
    if labelled == "as stored":
        set_of.coco["images"][0].update(width=48, height=64)
        set_of.coco["annotations"][0]["bbox"] = [12, 34, 16, 20]
    own = set_of.own()
    shown = pixels.canonicalise((set_of.folder / name).read_bytes())
    known = own.truth.images[PREFIX + name]
    assert (known.width, known.height) == (shown.width, shown.height) == (64, 48)
    assert boxes(own, name) == [("cat", 10, 12, 20, 16)]
    assert ("stored on their side" in notes(own)) == (labelled == "as stored")


XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
LONG_VALUE = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


@pytest.mark.fault("K06")
@pytest.mark.parametrize("block", [XMP, LONG_VALUE], ids=["XMP", "LONG"])
def test_an_orientation_that_the_loop_does_not_follow_turns_no_labels(set_of: Set, block: bytes) -> None:
    path = set_of.folder / "a.jpg"
    body = path.read_bytes()
    path.write_bytes(body[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2) + block + body[2:])
    shown = pixels.canonicalise(path.read_bytes())
    own = set_of.own()
    known = own.truth.images[f"{PREFIX}a.jpg"]
    assert (known.width, known.height) == (shown.width, shown.height) == (64, 48)
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


UPSIDE_DOWN = [(2, (52, 4, 10, 5)), (3, (52, 39, 10, 5)), (4, (2, 39, 10, 5))]


@pytest.mark.fault("K06")
@pytest.mark.parametrize(("orientation", "turned"), UPSIDE_DOWN)
def test_upside_down_pictures_are_labelled_as_the_others_of_the_file(set_of: Set, orientation: int, turned) -> None:
    set_of.put("a.jpg", exif=oriented(orientation))
    set_of.put("b.jpg", exif=oriented(6))
    set_of.coco["annotations"][0]["bbox"] = [2, 4, 10, 5]
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", *turned)]
    assert "because those of others of the file were: 'a.jpg'" in notes(own)


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(5, (4, 2, 5, 10)), (6, (39, 2, 5, 10)), (7, (39, 36, 5, 10)), (8, (4, 36, 5, 10))],
)
def test_a_square_picture_is_labelled_as_the_others_of_the_file(set_of: Set, orientation: int, turned) -> None:
    set_of.put("a.jpg", size=(48, 48), exif=oriented(orientation))
    set_of.put("b.jpg", exif=oriented(8))
    set_of.coco["images"][0]["width"] = 48
    set_of.coco["annotations"][0]["bbox"] = [2, 4, 10, 5]
    assert boxes(set_of.own(), "a.jpg") == [("cat", *turned)]


@pytest.mark.fault("K06")
def test_where_the_tool_follows_exif_an_upside_down_picture_stays(set_of: Set) -> None:
    set_of.put("a.jpg", exif=oriented(3))
    set_of.put("b.jpg", size=(48, 64), exif=oriented(6))
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)] and notes(own) == ""


@pytest.mark.fault("K06")
@pytest.mark.parametrize("sizes", ["told", "missing"])
def test_where_nothing_tells_how_a_turned_picture_was_labelled_people_are_told(set_of: Set, sizes: str) -> None:
    set_of.put("a.jpg", exif=oriented(3))
    if sizes == "missing":
        set_of.coco["images"][0] = {"id": 0, "file_name": "a.jpg"}
    own = set_of.own()
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert "Nothing tells whether labels were made on the upright picture" in notes(own) and "'a.jpg'" in notes(own)


def test_a_file_that_cannot_be_opened_is_uploaded_for_the_loop_to_say_what_it_is(set_of: Set) -> None:
    (set_of.folder / "a.jpg").write_bytes(b"no picture")
    own = set_of.own()
    assert "a.jpg" in own.names and "cannot be opened" in notes(own)


# --- key points


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([5, 6, 2, 0, 0, 0], [("nose", 5, 6, "visible"), ("tail", None, None, "outside")]),
        ([5, 6, "2", 7, 8, 1.0], [("nose", 5, 6, "visible"), ("tail", 7, 8, "occluded")]),
        ([5, 6, 2, 500, 8, 2], [("nose", 5, 6, "visible"), ("tail", None, None, "outside")]),
        ([5, 6, 2], []),
        ([5, 6, 2, 7, 8, 1, 9, 9, 1], []),
        ([5, 6, 3, 7, 8, 1], []),
        ([5, float("nan"), 2, 7, 8, 1], []),
        ({"nose": [5, 6]}, []),
    ],
)
def test_key_points_are_taken_whole_or_left_out(set_of: Set, given: Any, kept: list[tuple[Any, ...]]) -> None:
    set_of.coco["categories"][0]["keypoints"] = ["nose", "tail"]
    set_of.coco["annotations"][0]["keypoints"] = given
    own = set_of.own()
    known = own.truth.images[f"{PREFIX}a.jpg"]
    assert [(each.label, each.x, each.y, each.visibility) for each in known.key_points] == kept
    assert boxes(own, "a.jpg") == [("cat", 10, 12, 20, 16)]
    assert kept or "Key points were left out" in notes(own)


# --- the file itself


@pytest.mark.fault("K06")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_any_unicode_encoding_is_read(set_of: Set, encoding: str) -> None:
    set_of.write(json.dumps(set_of.coco).encode(encoding))
    assert len(set_of.read().names) == 3


@pytest.mark.fault("K06")
@pytest.mark.parametrize("part", ["annotations", "images", "bbox"])
def test_a_key_that_stands_twice_in_one_object_is_refused(set_of: Set, part: str) -> None:
    body = json.dumps(set_of.coco)
    again = '"bbox": [1, 2, 3, 4], "bbox"' if part == "bbox" else f'"{part}": [], "{part}"'
    set_of.write(body.replace(f'"{part}"', again, 1).encode())
    try:
        said = f"not refused: {set_of.read().truth}"
    except DemoFailed as refusal:
        said = str(refusal)
    assert f'the key "{part}" twice' in said and str(set_of.file) in said


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is not a COCO file"),
        (b"{", "is not a COCO file"),
        (b"null", "it is a JSON value"),
        (b"[" * 100_000, "is not a COCO file"),
        (b"\xff\xfe\xfa", "is not a COCO file"),
        (b"PK\x03\x04rest", "is compressed: unpack it"),
        (b"\x1f\x8brest", "is compressed: unpack it"),
        (b"<?xml version='1.0'?><annotation><folder>x</folder></annotation>", "Pascal VOC"),
        (b"0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.05 0.05\n", "for YOLO"),
        (b'[{"id": 1, "data": {"image": "x"}, "annotations": []}]', "Label Studio"),
        (b'[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', "COCO results"),
        (b'{"shapes": [], "imagePath": "a.jpg"}', "LabelMe"),
        (b'{"a.jpg123": {"filename": "a.jpg", "regions": []}}', "VIA"),
        (b'{"source-ref": "s3://b/a.jpg"}\n{"source-ref": "s3://b/b.jpg"}\n', "augmented manifest"),
        (b'{"images": []}', "it has no 'annotations' and no 'categories'"),
    ],
)
def test_another_format_is_called_by_its_name(set_of: Set, body: bytes, said: str) -> None:
    set_of.write(body)
    with pytest.raises(DemoFailed) as refused:
        set_of.read()
    assert said in str(refused.value) and len(str(refused.value)) < 600
    assert "export your labels as 'COCO detection'" in str(refused.value) or "unpack" in said


@pytest.mark.fault("K06")
def test_a_file_that_does_not_fit_into_memory_is_refused_in_a_sentence(set_of: Set, monkeypatch) -> None:
    set_of.write()

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(json, "loads", full)
    with pytest.raises(DemoFailed, match="does not fit into this machine's memory"):
        set_of.read()


# --- whatever the file says

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["1", "a.jpg", "", " cat ", "../b.jpg"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=6,
)
FIELDS = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "keypoints"),
    "categories": ("id", "name", "keypoints"),
}
SPOILT = st.tuples(
    st.sampled_from([(part, name) for part, names in FIELDS.items() for name in names]), st.integers(0, 2), VALUES
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SPOILT, min_size=1, max_size=4))
def test_whatever_the_fields_hold_it_is_mended_or_refused_and_every_box_can_be_drawn(set_of: Set, spoilt) -> None:
    before = copy.deepcopy(set_of.coco)
    for (part, name), index, value in spoilt:
        set_of.coco[part][index % len(set_of.coco[part])][name] = value
    set_of.write()
    set_of.coco = before
    try:
        own = set_of.read()
    except DemoFailed as refusal:
        assert "\n" not in str(refusal)
        return
    assert parse_truth(json.loads(json.dumps(pictures.truth_document(own.truth), allow_nan=False))) == own.truth
    drawn = 0
    for known in own.truth.images.values():
        for each in known.boxes:
            assert 0 <= each.left < each.left + each.width <= known.width + 1e-6
            assert 0 <= each.top < each.top + each.height <= known.height + 1e-6
        drawn += len(known.boxes)
    assert drawn == 3 or notes(own), "what is not drawn is told"


@pytest.mark.fault("K06")
def test_the_report_of_the_demo_tells_it_too(set_of: Set) -> None:
    set_of.coco["annotations"][0]["bbox"] = [30, 28, -20, -16]
    own = set_of.own()
    assert notes(own)
    told = page._truth({"truth_notes": list(own.notes)})
    assert "Boxes with a negative side were turned round: annotations[0] (id 10)" in told


def test_at_most_so_many_are_taken_in_the_order_of_their_names(set_of: Set) -> None:
    set_of.write()
    own = set_of.read(limit=1)
    assert own.names == ("a.jpg",) and "2 more left out" in own.source
