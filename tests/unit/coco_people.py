"""People in made-up images, and what COCO's own evaluation says of them."""

import contextlib
import io
import math
from dataclasses import dataclass, replace
from random import Random

import pytest
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, KeyPoint, Person, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import Skeleton

CLASSES = ("driver", "person")
NAMES = ("nose", "left eye", "right eye", "neck", "mouth")
SIGMAS = (0.1, 0.1, 0.1, 0.1, 0.1)
UNPLACED = ("outside", "unlabelled")


@dataclass(frozen=True)
class Peopled:
    """The truth of one image."""

    source_ref: str
    marks: tuple[Person, ...]


def skeleton(sigmas=SIGMAS, names=NAMES):
    return Skeleton(tuple(names), (), (), tuple(sigmas))


def person(label, box, places, area=None):
    """`places`: (x, y, visibility) of each point, in the order of NAMES."""
    points = tuple(
        KeyPoint(name, None if said in UNPLACED else x, None if said in UNPLACED else y, said)
        for name, (x, y, said) in zip(NAMES, places, strict=True)
    )
    return Person(Box(label, *map(float, box)), points, area=area)


def seen(label, confidence, box, places, sure=()):
    """`places`: (x, y) of each point; `sure`: its (main, additional) confidence."""
    sure = sure or [(0.9, 0.9)] * len(places)
    points = tuple(
        SeenPoint(name, float(x), float(y), *both) for name, (x, y), both in zip(NAMES, places, sure, strict=True)
    )
    return SeenPerson(Box(label, *map(float, box), confidence), points)


def predicted(source_ref, people):
    return Prediction(source_ref, "ok", 640, 480, "v1", marks=tuple(people), task="key-points")


def scene(seed, images, grid, most=4):
    """(predictions, truths, crowds): jitter, misses, inventions, people without points, and (on a grid) exact ties."""
    random = Random(seed)

    def somewhere(box):
        x, y = box[0] + random.random() * box[2], box[1] + random.random() * box[3]
        return (round(x / 20) * 20, round(y / 20) * 20) if grid else (x, y)

    def somebody():
        box = [random.uniform(0, 300), random.uniform(0, 300), random.uniform(20, 200), random.uniform(20, 200)]
        box = [max(20, round(side / 20) * 20) for side in box] if grid else box
        kinds = random.choice([("visible", "occluded"), ("visible", "occluded", *UNPLACED), UNPLACED])
        places = [(*somewhere(box), random.choice(kinds)) for _ in NAMES]
        area = random.choice([None, box[2] * box[3] * random.random(), 0.0 if random.random() < 0.1 else None])
        return person(random.choice(CLASSES), box, places, area)

    def found(one):
        spread = random.choice([0, 2, 10, 40])
        off = (lambda: random.choice([0, 0, 20])) if grid else (lambda: random.gauss(0, spread))
        box = one.box.left, one.box.top, one.box.width, one.box.height
        # What a model says of a point that the truth has no place for must not matter, wherever it is.
        places = [(p.x + off(), p.y + off()) if p.x is not None else somewhere(box) for p in one.points]
        label = one.box.label if random.random() < 0.9 else random.choice(CLASSES)
        return seen(label, round(random.random(), 1 if grid else 9), box, places)

    predictions, truths, crowds = [], [], {}
    for index in range(images):
        ref = f"s3://b/{index:05d}.png"
        people = [somebody() for _ in range(random.randint(0, most))]
        crowds[ref] = [somebody() for _ in range(random.choice([0, 0, 0, 1, 2]))]
        everybody = [*people, *crowds[ref], *(somebody() for _ in range(random.randint(0, 2)))]
        listed = [found(one) for one in everybody for _ in range(random.choice([0, 1, 1, 1, 2]))]
        truths.append(Peopled(ref, tuple(people)))
        predictions.append(predicted(ref, listed))
    return predictions, truths, crowds


def coco_map(predictions, truths, skeleton, thresholds, crowds=None):
    """pycocotools' mean average precision; None where no class has a person with a labelled point."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools, the reference, is not installed")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    numpy = pytest.importorskip("numpy")
    ids = {ref: index for index, ref in enumerate(sorted(truth.source_ref for truth in truths), start=1)}
    categories = {label: index for index, label in enumerate(CLASSES, start=1)}

    def annotation(ref, one, crowd):
        box, placed = one.box, [point for point in one.points if point.x is not None]
        return {
            "image_id": ids[ref],
            "category_id": categories[box.label],
            "bbox": [box.left, box.top, box.width, box.height],
            "area": 0.53 * box.width * box.height if one.area is None else one.area,
            "iscrowd": int(crowd),
            "num_keypoints": len(placed),
            "keypoints": [
                value
                for point in one.points
                for value in (
                    (point.x, point.y, 2 - (point.visibility == "occluded")) if point in placed else (0, 0, 0)
                )
            ],
        }

    annotations = [annotation(truth.source_ref, one, False) for truth in truths for one in truth.marks]
    annotations += [annotation(ref, one, True) for ref, listed in (crowds or {}).items() for one in listed]
    detections = [
        {
            "image_id": ids[each.source_ref],
            "category_id": categories[one.box.label],
            "keypoints": [value for point in one.points for value in (point.x, point.y, 1)],
            "score": one.box.confidence,
        }
        for each in predictions
        for one in each.people or ()
    ]
    if not detections:
        return 0.0 if any(one["num_keypoints"] and not one["iscrowd"] for one in annotations) else None
    with contextlib.redirect_stdout(io.StringIO()):
        reference = coco.COCO()
        reference.dataset = {
            "images": [{"id": index} for index in ids.values()],
            "annotations": [{"id": index, **each} for index, each in enumerate(annotations, start=1)],
            "categories": [{"id": index, "name": label} for label, index in categories.items()],
            "info": {},
        }
        reference.createIndex()
        run = evaluation.COCOeval(reference, reference.loadRes(detections), "keypoints")
        run.params.kpt_oks_sigmas = numpy.array(skeleton.sigmas)
        run.params.iouThrs = numpy.array(thresholds)
        run.params.areaRng, run.params.areaRngLbl = run.params.areaRng[:1], ["all"]
        run.evaluate()
        run.accumulate()
    assert run.params.maxDets == [20]
    precision = run.eval["precision"]
    return float(precision[precision > -1].mean()) if (precision > -1).any() else None


def shifted(one, fraction, sigma, size):
    """The person as a model sees it that is off by so many closeness lengths (2 sigma sqrt(area)) to the right."""
    off = fraction * 2 * sigma * math.sqrt(size)
    places = [(point.x + off, point.y) for point in one.points]
    return seen(one.box.label, 0.9, (one.box.left, one.box.top, one.box.width, one.box.height), places)


def without_places(one):
    return replace(one, points=tuple(KeyPoint(point.label, None, None, "unlabelled") for point in one.points))
