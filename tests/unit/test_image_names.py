"""Which image of a batch a name means: in every spelling that people and tools give it, and never another image."""

import unicodedata
from urllib.parse import quote

import pytest
from handling import PREFIX, mark, picture, registered
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.people.image_names import Names, normal
from labelloop.store import storage
from made_up_stack import BUCKET
from supplied_labels import NAMES, boxes, imported, lines, record

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")
HOME = f"s3://{BUCKET}/"
parts = st.text("aBü+é~2", min_size=1, max_size=5)
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)


@loop
@pytest.mark.parametrize(
    "spell",
    [
        lambda name: f" {name} ",
        lambda name: f"s3://{BUCKET}/{PREFIX}{name}\r",
        lambda name: f"\ufeff{name}",
        lambda name: f"s3://{BUCKET}/{PREFIX}{name}",
        lambda name: f"s3://another-bucket/{PREFIX}{name}",
        lambda name: f"s3://another-bucket/some/where/{name}",
        lambda name: name.upper(),
        lambda name: f"./{name}",
        lambda name: name.replace(" ", "%20").replace("+", "%2B"),
        lambda name: unicodedata.normalize("NFD", name),
        lambda name: f"images\\{name}",
    ],
)
def test_an_image_is_found_under_the_names_that_other_tools_give_it(spell) -> None:
    told = imported(lines(*(record(spell(name)) for name in NAMES)))
    assert (told["labels"], told["errors"]) == (3, [])


@loop
def test_a_name_that_fits_two_images_is_refused() -> None:
    for folder in ("a", "b"):
        storage.write(f"{PREFIX}{folder}/same.png", picture(77))
    told = imported(lines(record("same.png"), record("b/same.png"), record("x/b/same.png", box={"left": 9})), count=1)
    assert told["labels"] == 1
    assert "2 images of this batch fit" in told["errors"][0] and "means the same image as" in told["errors"][1]


@loop
@pytest.mark.parametrize(
    "elsewhere", [f"s3://{BUCKET}/incoming/week 0/{NAMES[0]}", f"s3://{BUCKET}/{NAMES[0]}", "b/00.png"]
)
def test_an_image_of_another_folder_or_batch_is_none_of_this_one(elsewhere) -> None:
    storage.write(f"{PREFIX}a/00.png", picture(77))
    told = imported(lines(record(elsewhere), record("a/00.png", box={"left": 9})), count=1)
    assert [box["left"] for box in boxes(told)] == [9]
    assert "no readable image of this batch has that source-ref" in told["errors"][0]


@loop
def test_the_exact_name_of_an_image_wins_over_a_similar_one_wherever_it_stands() -> None:
    near, exact = record("cats/" + NAMES[0], box={"left": 9}), record(NAMES[0])
    told = imported(lines(near, exact, record("cats/" + NAMES[1]), record("dogs/" + NAMES[1])))
    assert [box["left"] for box in boxes(told)] == [1], "and of two similar names nobody knows which is meant"
    assert len(told["errors"]) == 3 and all("means the same image as" in error for error in told["errors"])


UNREADABLE = b"\x89PNG and nothing more"


@loop
@pytest.mark.fault("K06")
@pytest.mark.parametrize("named", ["train/1.png", "s3://another-bucket/data/train/1.png"])
@pytest.mark.parametrize("whose", ["nobody's", "another batch's", "not named by the marker"])
def test_the_label_of_an_image_that_this_batch_has_not_goes_to_no_other(whose, named) -> None:
    storage.write(f"{PREFIX}train/1.png", UNREADABLE if whose == "nobody's" else picture(30))
    if whose == "another batch's":
        registered(mark(prefix=f"{PREFIX}train/"), "nested")
    for name in ("1.png", "2.png", "@eaDir/2.png"):
        storage.write(PREFIX + name, picture(10))
    marker = {"images": ["1.png", "2.png"]} if whose == "not named by the marker" else {}
    told = imported(lines(record(named), record("x/2.png")), count=0, **marker)
    assert [line["source-ref"] for line in told["made"]] == [f"s3://{BUCKET}/{PREFIX}2.png"]
    assert len(told["errors"]) == 1 and "no readable image of this batch has that source-ref" in told["errors"][0]


@loop
@pytest.mark.fault("K06")
@pytest.mark.parametrize("other", [UNREADABLE, None], ids=["unreadable", "not there"])
@pytest.mark.parametrize("uri", ["{}IMG.png", "{}im%67.png", "{}./img.png", "\ufeff{}IMG.png", " {}IMG.png"])
def test_a_uri_of_the_data_bucket_means_that_object_to_the_letter(uri, other) -> None:
    for name, body in {"img.png": picture(10), "2.png": picture(20), "IMG.png": other}.items():
        if body:
            storage.write(PREFIX + name, body)
    named = uri.format(f"s3://{BUCKET}/{PREFIX}")
    told = imported(lines(record(named), record("2.png")), count=0)
    assert [line["source-ref"] for line in told["made"]] == [f"s3://{BUCKET}/{PREFIX}2.png"]
    assert "no readable image of this batch has that source-ref" in told["errors"][0]


def of(*files: str) -> Names:
    """A batch of these files below its prefix; the id of an image is its file."""
    return Names({HOME + PREFIX + file: file for file in files}, {file: file for file in files}, HOME)


@given(paths)
def test_a_name_without_what_tools_write_differently_has_nothing_more_to_lose(path) -> None:
    plain = normal(path)
    assert normal(plain) == plain
    for spelled in (f"./{path}", path.replace("/", "//"), path.replace("/", "\\"), f"\ufeff{path} ", path.upper()):
        assert normal(spelled) == plain
    assert normal(quote(path)) == normal(quote(path, safe="")) == normal(unicodedata.normalize("NFD", path)) == plain


@given(st.lists(paths, min_size=1, max_size=4, unique_by=normal), st.data())
def test_the_uri_of_an_image_means_it_alone_and_no_uri_of_the_data_bucket_means_another(files, data) -> None:
    names = of(*files)
    file = data.draw(st.sampled_from(files))
    uri = HOME + PREFIX + file
    assert names.is_exact(uri) and names.find(uri) == file and names.find(f" {uri} ") == file
    for strange in (HOME + file, HOME + PREFIX + "not/" + file, uri + "x"):
        assert names.fitting(strange) == set()


@given(st.lists(paths, min_size=1, max_size=4, unique_by=normal), st.data())
def test_the_name_below_the_prefix_fits_its_image_whatever_lies_above_it_elsewhere(files, data) -> None:
    names = of(*files)
    file = data.draw(st.sampled_from(files))
    assert file in names.fitting(file), "and where another one ends alike, people are told"
    for elsewhere in (f"s3://another/{PREFIX}{file}", f"/data/of mine/{file}"):
        assert names.fitting(elsewhere) == {file}


def test_a_folder_below_the_prefix_is_part_of_a_name_and_one_above_is_not() -> None:
    names = of("cats/1.png", "dogs/1.png", "2.png")
    assert names.find("cats/1.png") == names.find("s3://another/x/cats/1.png") == "cats/1.png"
    assert names.find("any/where/2.png") == "2.png"
    assert names.fitting("1.png") == {"cats/1.png", "dogs/1.png"}
    with pytest.raises(InvalidInputError, match=r"2 images of this batch fit '1\.png': name its whole key"):
        names.find("1.png")
    for strange in ("birds/1.png", "3.png", "", "cats", f"{HOME}2.png"):
        with pytest.raises(InvalidInputError, match="no readable image of this batch"):
            names.find(strange)
