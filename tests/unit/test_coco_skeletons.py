"""The key points of COCO files as a skeleton that a stack takes."""

import pytest
from labelloop.contracts.skeletons import PRESETS, Skeleton

from demo.coco.classes import Category
from demo.coco.entries import Notes
from demo.coco.skeletons import skeleton_of

COCO = PRESETS["coco-17"]


def of(*categories):
    notes = Notes()
    return skeleton_of(categories, notes), " ".join(notes.sentences())


@pytest.mark.parametrize("bones", [(), COCO.bones, tuple(bone[::-1] for bone in reversed(COCO.bones))])
def test_names_of_a_preset_are_the_preset(bones):
    assert of(Category("cat", ()), Category("person", COCO.names, bones=bones)) == (COCO, "")


def test_a_preset_takes_the_bones_of_the_file():
    found, _ = of(Category("person", COCO.names, bones=(("nose", "left_eye"),)))
    assert (found.sigmas, found.bones) == (COCO.sigmas, (("nose", "left_eye"),))


def test_other_names_have_the_usual_sigmas_and_pairs_by_their_names():
    found, told = of(Category("bird", ("beak", "left_wing", "right_wing"), bones=(("beak", "left_wing"),)))
    pairs, bones = (("left_wing", "right_wing"),), (("beak", "left_wing"),)
    assert found == Skeleton(("beak", "left_wing", "right_wing"), pairs, bones, (0.1, 0.1, 0.1)) and not told


def test_without_key_points_there_is_none():
    assert of(Category("cat", ())) == (None, "")


def test_key_points_of_two_kinds_and_names_that_no_stack_takes_are_told():
    several, told = of(Category("person", ("nose",)), Category("dog", ("tail",)))
    assert several is None and "have different ones: 'person', 'dog'" in told
    odd, told = of(Category("person", ("nose #2",)))
    assert odd is None and "Key points cannot be used" in told and "'nose #2'" in told
