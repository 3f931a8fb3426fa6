"""Key points as a model saw them beside the true ones, made up."""

from random import Random

from coco_people import NAMES
from labelloop.contracts.records import SeenPoint
from labelloop.tasks.visibility import JudgedPoint


def made_up(seed, images, visible=0.8, occluded=0.3):
    """Images of one person in view: the additional confidences of visible and of occluded points lie around these."""
    chance, judged = Random(seed), {}
    for number in range(images):
        judged[f"s3://b/{seed}-{number}"] = points = []
        for name in NAMES:
            kind = chance.choice(["visible", "visible", "occluded"])
            additional = chance.gauss(visible if kind == "visible" else occluded, 0.1)
            points.append(JudgedPoint(name, kind, SeenPoint(name, 0.0, 0.0, 0.9, min(1.0, max(0.0, additional)))))
    return judged
