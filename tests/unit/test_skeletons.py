import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import PRESETS, USUAL_BOX_FACTOR, Skeleton, skeleton, told_pairs

WHOLE = {
    "names": ["nose", "left_eye", "right_eye"],
    "pairs": [["left_eye", "right_eye"]],
    "bones": [["nose", "left_eye"]],
    "sigmas": [0.026, 0.025, 0.025],
    "box_factor": 1.4,
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_skeleton_of_pairs_and_bones_that_a_document_can_give_too(name) -> None:
    known = skeleton(f" {name} ")
    assert len(known.names) == len(known.sigmas) == len(set(known.names))
    assert len(known.pairs) == sum(point.startswith("left_") for point in known.names)
    assert {point for bone in known.bones for point in bone} == set(known.names)
    document = json.dumps(known.to_json())
    assert skeleton(document) == known
    assert len(document.encode()) < 4000


def test_coco_s_sigmas_are_those_of_pycocotools() -> None:
    from pycocotools.cocoeval import Params

    assert list(skeleton("coco-17").sigmas) == pytest.approx(Params("keypoints").kpt_oks_sigmas)


def test_in_a_cabin_a_point_has_coco_s_sigma_if_coco_knows_it() -> None:
    coco, cabin = skeleton("coco-17"), skeleton("in-cabin")
    told = dict(zip(cabin.names, cabin.sigmas, strict=True))
    assert {name: told.pop(name) for name in ("mouth", "neck")} == {"mouth": 0.035, "neck": 0.079}
    assert told == {name: coco.sigma(name) for name in told} and len(told) == 15


def test_the_head_s_points_are_those_of_drawn_scenes() -> None:
    from demo.scenes.heads import KEYPOINTS

    known = skeleton("head")
    assert known.names == tuple(KEYPOINTS) and set(known.sigmas) == {0.1}


def test_names_alone_have_the_usual_sigma_and_are_paired_by_left_and_right() -> None:
    known = skeleton(" nose , left-eye,right-eye,left ear,right_ear,,left_foot")
    assert known.names == ("nose", "left-eye", "right-eye", "left ear", "right_ear", "left_foot")
    assert known.pairs == (("left-eye", "right-eye"),) and known.bones == ()
    assert set(known.sigmas) == {0.1} and known.box_factor == USUAL_BOX_FACTOR


def test_a_document_gives_all_or_the_names_alone() -> None:
    whole = skeleton(json.dumps(WHOLE))
    assert whole == Skeleton(
        ("nose", "left_eye", "right_eye"),
        (("left_eye", "right_eye"),),
        (("nose", "left_eye"),),
        (0.026, 0.025, 0.025),
        1.4,
    )
    assert skeleton(json.dumps({"names": WHOLE["names"]})) == skeleton("nose,left_eye,right_eye")
    assert skeleton(json.dumps({**WHOLE, "pairs": []})).pairs == ()
    assert whole.sigma("left_eye") == 0.025 and whole.sigma("tail") == 0.1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "'names' is empty"),
        (" , ", "'names' is empty"),
        ("nose,nose", "lists 'nose' more than once"),
        ("nose,eye #2", "'eye #2'"),
        ("eye,eye (occluded)", "'eye (occluded)'"),
        ("nose,top-left", "'top-left'"),
        ("nose,bottom-right", "'bottom-right'"),
        ("nose,box", "has 'box', but"),
        ("a" * 65, "a name of 65 characters"),
        ('["nose"]', "field '(all)' must be an object"),
        ("{", "not JSON"),
        ({"names": "nose"}, "field 'names' must be a list"),
        ({"names": ["nose", " "]}, "field 'names'"),
        ({"names": ["nose", 5]}, "field 'names'"),
        ({"names": [" nose"]}, "field 'names'"),
        ({"names": ["a\nb"]}, "control character"),
        ({**WHOLE, "sigma": 0.1}, "field 'sigma' is none of names"),
        ({**WHOLE, "sigmas": [0.1]}, "'sigmas' has 1 numbers, and must have one for each of 3 names"),
        ({**WHOLE, "sigmas": [0.1, 0.1, 0]}, "field 'sigmas[2]' must be at least 0.0001"),
        ({**WHOLE, "sigmas": [0.1, "x", 0.1]}, "field 'sigmas[1]' must be a number"),
        ({**WHOLE, "sigmas": [0.1, 1.5, 0.1]}, "field 'sigmas[1]' must be a number from 0 to 1"),
        ({**WHOLE, "sigmas": 0.1}, "field 'sigmas' must be a list"),
        ({**WHOLE, "box_factor": 0.9}, "field 'box_factor' must be a number from 1 to 10"),
        ({**WHOLE, "box_factor": True}, "field 'box_factor'"),
        ({**WHOLE, "pairs": [["left_eye", "tail"]]}, "field 'pairs' must be one of nose, left_eye, right_eye"),
        ({**WHOLE, "pairs": [["left_eye"]]}, "field 'pairs[0]' must be a list of two"),
        ({**WHOLE, "pairs": [["nose", "nose"]]}, "field 'pairs[0]' must be a list of two different"),
        ({**WHOLE, "pairs": [["left_eye", "right_eye"], ["nose", "right_eye"]]}, "'pairs', lists 'right_eye' more"),
        ({**WHOLE, "bones": [["nose", 4]]}, "field 'bones' must be one of"),
        ({**WHOLE, "bones": {}}, "field 'bones' must be a list"),
    ],
)
def test_a_skeleton_that_cannot_be_is_refused_by_its_field(given, said) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(said)) as refusal:
        skeleton(given if isinstance(given, str) else json.dumps(given))
    assert str(refusal.value).startswith("parameter KeyPoints")


names = st.lists(st.from_regex(r"[a-zé]([a-z _-]{0,8}[a-z])?", fullmatch=True), min_size=1, max_size=9, unique=True)


@given(names, st.data())
def test_every_skeleton_is_read_back_from_its_document(listed, data) -> None:
    sigmas = data.draw(st.lists(st.floats(0.001, 1), min_size=len(listed), max_size=len(listed)))
    shuffled = data.draw(st.permutations(listed))
    pairs = tuple(zip(shuffled[::2], shuffled[1::2], strict=False))
    known = Skeleton(tuple(listed), pairs, pairs[:1], tuple(sigmas), data.draw(st.floats(1, 10)))
    assert skeleton(json.dumps(known.to_json())) == known


def test_pairs_are_told_in_one_spelling_of_a_name_only() -> None:
    assert told_pairs(("left_eye", "right-eye", "right_eye", "leftover")) == (("left_eye", "right_eye"),)
    assert skeletons.named(["right_eye", "left_eye"]).pairs == (("left_eye", "right_eye"),)


@pytest.mark.parametrize("text", ["COCO-17", " coco-17,", "Head"])
def test_a_preset_is_known_however_its_name_is_written(text) -> None:
    assert skeleton(text) in PRESETS.values()
