import contextlib
import io
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, Person
from labelloop.tasks.average_precision import COCO_THRESHOLDS
from labelloop.tasks.quality import (
    image_quality,
    iou,
    map50,
    map50_95,
    match_boxes,
    mean_average_precision,
    qualities_of_parts,
    surest_of_each,
)

from tests.support import strategies
from tests.support.strategies import Seen


def predicted(ref, *boxes):
    return Prediction(ref, "ok", 640, 480, "v1", boxes)


@given(strategies.boxes(max_size=2), strategies.boxes(max_size=2))
def test_overlap_is_bounded_and_symmetric_and_whole_with_itself(some, others):
    for one in some:
        assert iou(one, one) == 1
        for other in others:
            assert 0 <= iou(one, other) == iou(other, one) <= 1


def test_overlap_of_known_boxes():
    assert iou(Box("a", 0, 0, 2, 2), Box("b", 1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert iou(Box("a", 0, 0, 2, 2), Box("a", 2, 0, 2, 2)) == 0
    assert iou(Box("a", 0, 0, 0, 0), Box("a", 0, 0, 0, 0)) == 0


@given(strategies.boxes(), strategies.boxes(), st.randoms())
def test_image_quality_is_bounded_symmetric_and_independent_of_order(some, others, random):
    quality = image_quality(some, others)
    assert 0 <= quality <= 1
    assert image_quality(others, some) == quality
    random.shuffle(some)
    random.shuffle(others)
    assert image_quality(some, others) == quality


@given(strategies.boxes(), strategies.boxes())
def test_matches_are_one_to_one_and_of_one_class(some, others):
    matches = match_boxes(some, others)
    assert len({i for _, i, _ in matches}) == len({j for _, _, j in matches}) == len(matches)
    assert all(some[i].label == others[j].label and iou(some[i], others[j]) == overlap for overlap, i, j in matches)


@given(strategies.boxes(), strategies.boxes(), st.data())
def test_the_quality_of_a_part_is_that_of_the_boxes_alone(some, others, data):
    parts = data.draw(st.lists(st.sets(st.sampled_from(range(len(some))) if some else st.nothing()), max_size=4))
    alone = [image_quality([some[place] for place in sorted(part)], others) for part in parts]
    assert list(qualities_of_parts(some, others, parts)) == alone


@given(strategies.boxes(), strategies.confidences, strategies.confidences, st.randoms())
def test_suppression_leaves_the_surest_of_boxes_that_overlap_whichever_faint_ones_are_dropped(some, most, keep, random):
    left = [some[place] for place in surest_of_each(some, most)]
    for box in some:
        surer = [other for other in left if other.confidence >= box.confidence and other.label == box.label]
        assert box in left or any(iou(box, other) > most for other in surer)
    assert not any(
        iou(one, other) > most and one.label == other.label for n, one in enumerate(left) for other in left[:n]
    )
    sure = [box for box in some if box.confidence >= keep]
    assert [sure[place] for place in surest_of_each(sure, most)] == [box for box in left if box.confidence >= keep]
    mixed = random.sample(some, len(some))
    assert sorted(map(repr, (mixed[place] for place in surest_of_each(mixed, most)))) == sorted(map(repr, left))


def test_image_quality_of_known_labels():
    head, hand = Box("head", 0, 0, 10, 10), Box("hand", 0, 0, 10, 10)
    assert image_quality([], []) == 1
    assert image_quality([head], []) == image_quality([], [head]) == image_quality([hand], [head]) == 0
    assert image_quality([head, hand], [head]) == 0.5
    assert image_quality([Box("head", 0, 0, 10, 5), head], [head]) == 0.5


def test_without_truth_there_is_no_figure():
    image = predicted("a", Box("head", 0, 0, 10, 10, 0.9))
    assert map50([image], []) is None
    assert map50([image], [Seen("a", ())]) is None
    of_another_task = (Person(Box("person", 0, 0, 10, 10), ()),)
    assert map50([image], [Seen("a", of_another_task)]) is None


def test_classes_without_truth_are_skipped_and_rejected_predictions_see_nothing():
    head = Box("head", 0, 0, 10, 10, 0.9)
    truths = [Seen("a", (head,)), Seen("b", (head,))]
    both = [predicted("a", head, Box("hand", 0, 0, 9, 9, 0.9)), predicted("b", head)]
    assert map50(both, truths) == map50({p.source_ref: p for p in both}, truths) == 1
    refused = Prediction("b", "rejected", None, None, "v1", (), "truncated")
    assert map50([both[0], refused], truths) == pytest.approx(51 / 101)
    assert map50([both[0], predicted("elsewhere", head)], truths) == pytest.approx(51 / 101)


def test_two_truths_for_one_image_are_refused():
    with pytest.raises(InvalidInputError, match="source-ref"):
        map50([], [Seen("a", ()), Seen("a", ())])


def random_images(random, images, grid):
    """Truth and predictions with jitter, misses, inventions, wrong classes, and (on a grid) many exact ties."""

    def box(confidence=None):
        numbers = [random.uniform(0, 300), random.uniform(0, 300), random.uniform(20, 200), random.uniform(20, 200)]
        if grid:
            numbers = [max(20, round(number / 20) * 20) for number in numbers]
        return Box(random.choice(strategies.CLASSES), *map(float, numbers), confidence)

    truths, predictions = [], []
    for index in range(images):
        ref = f"s3://b/{index:05d}.png"
        true = [box() for _ in range(random.randint(0, 6))]
        found = [box(random.random()) for _ in range(random.randint(0, 2))]
        for one in true:
            if random.random() < 0.8:
                spread = random.choice([0, 3, 10, 25])
                shift = [random.gauss(0, spread) if not grid else random.choice([0, 0, 20]) for _ in range(4)]
                label = one.label if random.random() < 0.9 else random.choice(strategies.CLASSES)
                confidence = round(random.random(), 1 if grid else 9)
                size = max(5.0, one.width + shift[2]), max(5.0, one.height + shift[3])
                found.append(Box(label, one.left + shift[0], one.top + shift[1], *size, confidence))
        truths.append(Seen(ref, tuple(true)))
        predictions.append(predicted(ref, *found))
    return predictions, truths


def coco_map(predictions, truths, thresholds):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools, the reference, is not installed")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    numpy = pytest.importorskip("numpy")
    ids = {truth.source_ref: index for index, truth in enumerate(truths, start=1)}
    categories = {label: index for index, label in enumerate(strategies.CLASSES, start=1)}

    def rectangle(box):
        return {"category_id": categories[box.label], "bbox": [box.left, box.top, box.width, box.height]}

    annotations = [
        {"image_id": ids[truth.source_ref], **rectangle(box), "area": box.width * box.height, "iscrowd": 0}
        for truth in truths
        for box in truth.marks
    ]
    detections = [
        {"image_id": ids[prediction.source_ref], **rectangle(box), "score": box.confidence}
        for prediction in predictions
        for box in prediction.boxes
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = coco.COCO()
        reference.dataset = {
            "images": [{"id": index} for index in ids.values()],
            "annotations": [{"id": index, **annotation} for index, annotation in enumerate(annotations, start=1)],
            "categories": [{"id": index, "name": label} for label, index in categories.items()],
            "info": {},
        }
        reference.createIndex()
        run = evaluation.COCOeval(reference, reference.loadRes(detections), "bbox")
        run.params.iouThrs = numpy.array(thresholds)
        run.params.maxDets = [100]
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"]
    return float(precision[precision > -1].mean())


@pytest.mark.parametrize("grid", [False, True], ids=["continuous", "ties"])
@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_pycocotools(seed, grid):
    predictions, truths = random_images(Random(seed), 30, grid)
    for thresholds, value in (
        ((0.5,), map50(predictions, truths)),
        (COCO_THRESHOLDS, map50_95(predictions, truths)),
    ):
        assert value == pytest.approx(coco_map(predictions, truths, thresholds), abs=1e-9)
        assert 0 < value < 1


def test_only_the_hundred_most_confident_detections_of_an_image_count_as_in_pycocotools():
    true = tuple(Box("head", 30.0 * column, 30.0 * row, 25, 25) for column in range(12) for row in range(12))
    found = [Box("head", box.left, box.top, 25, 25, 0.2 + index / 1000) for index, box in enumerate(true)]
    predictions, truths = [predicted("a", *found)], [Seen("a", true)]
    assert map50(predictions, truths) == pytest.approx(coco_map(predictions, truths, (0.5,)), abs=1e-9)
    assert map50(predictions, truths) < 0.75


@given(st.integers(0, 10**6), st.randoms())
def test_the_mean_does_not_depend_on_the_order_of_the_images(seed, random):
    predictions, truths = random_images(Random(seed), 4, False)
    value = mean_average_precision(predictions, truths, (0.5, 0.75))
    random.shuffle(predictions)
    random.shuffle(truths)
    assert mean_average_precision(predictions, truths, (0.5, 0.75)) == value


def test_a_thousand_images_take_less_than_two_seconds():
    predictions, truths = random_images(Random(1), 1000, False)
    started = time.process_time()
    map50_95(predictions, truths)
    for prediction, truth in zip(predictions, truths, strict=True):
        image_quality(prediction.boxes, truth.marks)
    assert time.process_time() - started < 2
