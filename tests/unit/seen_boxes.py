"""What a model saw, for tests of what is made of it."""

from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box


def seen(*confidences, ref="s3://b/k"):
    """A prediction whose boxes do not overlap."""
    boxes = [Box("head", index * 50.0, 0, 40, 40, confidence) for index, confidence in enumerate(confidences)]
    return Prediction(ref, "ok", 640, 480, "v1", tuple(boxes))
