"""model.json is believed field by field: each has its kind and range, and what has not is refused by its name."""

import json

import pytest
from adopted_models import adopt
from hostile_models import FIELDS
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import Vocabulary
from labelloop.engines import model_descriptions
from labelloop.engines.model_descriptions import ModelDescription
from made_up_models import description, model, packed

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.mark.fault("J01")
@pytest.mark.parametrize("field", dict(FIELDS))
def test_a_field_of_the_wrong_kind_or_range_is_refused_by_its_name(field) -> None:
    for value in (value for name, value in FIELDS if name == field):
        with pytest.raises(InvalidInputError, match=rf"model\.json: .*{field}"):
            adopt(packed(model(**{field: value})))


@pytest.mark.fault("J01")
@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b"7", b"{", b"\xff\xfe", b'{"classes": NaN}', b"[" * 100_000, b'"' + b"a" * 2_000_000 + b'"'],
    ids=lambda text: text[:12].decode("latin-1"),
)
def test_a_description_that_is_none_is_refused_in_one_sentence(text) -> None:
    with pytest.raises(InvalidInputError, match=r"model\.json"):
        adopt(packed({**model(), "model.json": text}))


visible = st.characters(min_codepoint=33, exclude_characters="\x7f", exclude_categories=["C", "Z"])
descriptions = st.builds(
    ModelDescription,
    classes=st.lists(st.text(visible, min_size=1, max_size=20), min_size=1, max_size=5, unique=True).map(tuple),
    image_size=st.sampled_from(model_descriptions.IMAGE_SIZES),
    engine=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,63}", fullmatch=True),
    architecture=st.text(visible, max_size=model_descriptions.LONGEST_ARCHITECTURE),
    weights_sha256=st.from_regex(r"([0-9a-f]{64})?", fullmatch=True),
    skeleton=st.sampled_from([None, *skeletons.PRESETS.values()]),
)


@given(descriptions)
def test_what_is_written_is_read_again_whatever_else_was_written_beside_it(described) -> None:
    text = json.dumps(described.to_json({"trained-on": "v000001-0123abcd", "note": ["for people"]}))
    assert ModelDescription.from_text(text, "model.json") == described


def test_a_model_that_was_trained_elsewhere_need_not_tell_of_which_weights_and_from_whose() -> None:
    told = description(**{"weights-sha256": "absent"})
    described = ModelDescription.from_text(json.dumps(told), "model.json")
    assert (described.classes, described.image_size, described.engine) == (("head", "bag"), 64, "detector")
    assert (described.architecture, described.weights_sha256, described.short_name) == ("", "", "unnamed")


def test_a_model_without_a_version_is_named_by_the_start_of_its_hash() -> None:
    described = ModelDescription.from_text(json.dumps(description(**{"weights-sha256": "ab" * 32})), "model.json")
    assert described.short_name == "ab" * 6


def test_a_class_that_is_named_twice_is_told() -> None:
    with pytest.raises(InvalidInputError, match=r"m: field 'classes' names 'bag' twice"):
        ModelDescription.from_text(json.dumps(description(classes=["head", "bag", "bag"])), "m")


def test_a_skeleton_that_is_none_is_told_by_its_field() -> None:
    told = description(skeleton={"names": ["nose"], "sigmas": [0.1, 0.2]})
    with pytest.raises(InvalidInputError, match=r"m, field 'skeleton': field 'sigmas' has 2 numbers"):
        ModelDescription.from_text(json.dumps(told), "m")


def of_people(skeleton):
    return Vocabulary("key-points", skeleton.names, skeleton)


def test_a_model_fits_a_stack_that_marks_what_it_sees() -> None:
    heads, points = (skeletons.skeleton(text) for text in ("head", "coco-17"))
    boxes = ModelDescription(("head", "bag"), 160, "detector", "tiny", "")
    people = ModelDescription(("person",), 160, "pose", "tiny", "", heads)
    assert boxes.fits(Vocabulary("boxes", ("head", "bag"))) and people.fits(of_people(heads))
    assert people.fits(of_people(skeletons.named(heads.names))), "another sigma needs no other model"
    assert not boxes.fits(Vocabulary("boxes", ("bag", "head"))) and not people.fits(of_people(points))
    assert not boxes.fits(of_people(heads)) and not people.fits(Vocabulary("boxes", ("person",)))
    assert boxes.sees == "the classes head and bag" and people.sees.startswith("the key points nose, left_eye")
