"""Wrong labels of boxes for honeypots: never the truth, in the image, and as wrong as they have to be."""

from dataclasses import replace
from random import Random

from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.tasks import disturbed_boxes
from labelloop.tasks.quality import image_quality

NAMES = ("head", "bag")
WIDTH, HEIGHT = 640, 480


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    width, height = draw(st.integers(8, WIDTH)), draw(st.integers(8, HEIGHT))
    left, top = draw(st.integers(0, WIDTH - width)), draw(st.integers(0, HEIGHT - height))
    return Box(draw(st.sampled_from(NAMES)), left, top, width, height)


def image(*drawn: Box) -> Annotation:
    return replace(annotation("a.jpg", role="judge"), width=WIDTH, height=HEIGHT, marks=drawn)


images = st.lists(boxes(), max_size=5).map(lambda drawn: image(*drawn))
seeds = st.randoms(use_true_random=False)


@given(images, seeds)
def test_a_wrong_label_lies_in_the_image_is_of_known_classes_and_is_never_the_truth(label, random) -> None:
    for wrong in (
        disturbed_boxes.disturbed(label, NAMES, random),
        disturbed_boxes.spoiled(label, NAMES, random),
    ):
        assert image_quality(wrong, label.boxes) < 1
        assert {box.label for box in wrong} <= set(NAMES)
        for box in wrong:
            assert box.width >= 1 and box.height >= 1
            assert box.left >= 0 and box.left + box.width <= WIDTH + 1e-6
            assert box.top >= 0 and box.top + box.height <= HEIGHT + 1e-6


@given(boxes(), seeds)
def test_every_edge_of_a_disturbed_box_is_a_pixel_off_at_least_and_a_quarter_of_its_side_at_most(box, random) -> None:
    for moved in disturbed_boxes.disturbed(image(box), NAMES, random):
        horizontal = moved.left - box.left, moved.left + moved.width - box.left - box.width
        vertical = moved.top - box.top, moved.top + moved.height - box.top - box.height
        for shift, side in [(each, box.width) for each in horizontal] + [(each, box.height) for each in vertical]:
            assert 1 - 1e-6 <= abs(shift) <= max(1.0, disturbed_boxes.LARGEST_EDGE_SHIFT * side) + 1e-6


@given(st.lists(boxes(), min_size=1, max_size=5), seeds)
def test_a_spoiled_label_lacks_one_true_box_or_has_it_beside_its_object(drawn, random) -> None:
    wrong = disturbed_boxes.spoiled(image(*drawn), NAMES, random)
    rest = list(drawn)
    strange = []
    for box in wrong:
        if box in rest:
            rest.remove(box)
        else:
            strange.append(box)
    assert len(rest) == 1 and len(strange) <= 1, "all the others are as they were"
    for box in strange:
        (missing,) = rest
        assert abs(box.left - missing.left) == missing.width / 2
        assert (box.label, box.top, box.width, box.height) == (
            missing.label, missing.top, missing.width, missing.height,
        )  # fmt: skip


def test_a_box_that_has_no_room_beside_itself_is_left_out() -> None:
    whole = Box("head", 0, 0, WIDTH, HEIGHT)
    assert all(disturbed_boxes.spoiled(image(whole), NAMES, Random(seed)) == [] for seed in range(20))


@given(seeds)
def test_an_empty_image_gets_exactly_one_box(random) -> None:
    for make in (disturbed_boxes.disturbed, disturbed_boxes.spoiled):
        (phantom,) = make(image(), NAMES, random)
        assert phantom.width >= 0.1 * WIDTH and phantom.height >= 0.1 * HEIGHT, "plainly to be seen"


def test_some_boxes_are_overlooked_and_the_same_seed_overlooks_the_same() -> None:
    label = image(*(Box("head", 60.0 * place, 20, 40, 40) for place in range(10)))
    left = [len(disturbed_boxes.disturbed(label, NAMES, Random(seed))) for seed in range(100)]
    assert 700 < sum(left) < 900, "one in five is missing"
    assert left == [len(disturbed_boxes.disturbed(label, NAMES, Random(seed))) for seed in range(100)]
