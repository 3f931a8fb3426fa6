"""One worker's filled-in form: the template's elements by their names, as Ground Truth stores an answer.

Contract: developer guide, sms-ui-template-crowd-bounding-box, -keypoint, -image-classifier and -checkbox.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from labelloop.contracts import skeletons
from labelloop.contracts.records import Box
from labelloop.contracts.skeletons import Skeleton
from labelloop.people.answers import Marked, read_answer
from labelloop.tasks import people_labels
from labelloop.tasks.people_quality import people_quality
from labelloop.tasks.quality import image_quality

from demo.annotators import drawing
from demo.annotators.noise import ADVERSARIAL, CARELESS, Noise
from demo.annotators.truth import ImageTruth, Truth

_ELEMENT = re.compile(r'<(crowd-[a-z-]+)\b[^>]*?\sname="([^"]+)"')
_BOXES = "crowd-bounding-box"
_SIDES = ("left", "top", "width", "height")


def answer(
    truth: Truth,
    noise: Noise,
    worker: str,
    key: str,
    template: str = "",
    task_input: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """The worker's answer about the image stored under `key`; None when nothing is known about it.

    What is asked is told by the template's widget and the task input (labels, initial, overlay). A template without a
    widget asks for boxes of all classes.
    """
    image = truth.images.get(key)
    if image is None:
        return None
    elements = _ELEMENT.findall(template)
    widget, name = next(((tag, name) for tag, name in elements if tag in _FILLED_BY), (_BOXES, "annotatedResult"))
    random = Random(f"{noise.seed}/{worker}/{key}")
    page = _Page(image, task_input or {}, truth.classes, truth.skeleton, noise, noise.profile_of(worker), random)
    widget_answer = _FILLED_BY[widget](page)
    form: dict[str, Any] = {name: widget_answer}
    for tag, other in elements:
        if tag == "crowd-checkbox":
            form[other] = {other: other == "nothing-here" and widget_answer.get("keypoints") == []}
        elif tag in ("crowd-text-area", "crowd-input"):
            form[other] = ""
    return form


@dataclass(frozen=True)
class _Page:
    """What a worker sees and knows, and which mistakes the worker makes."""

    image: ImageTruth
    shown: Mapping[str, Any]
    known_classes: Sequence[str]
    known_skeleton: Skeleton | None
    noise: Noise
    profile: str | None
    random: Random

    @property
    def initial(self) -> list[dict[str, Any]]:
        return list(self.shown.get("initial") or ())


def _boxes(page: _Page) -> dict[str, Any]:
    classes = page.shown.get("labels") or page.known_classes
    if page.profile == ADVERSARIAL:
        boxes = drawing.random_boxes(page.image, classes, page.random)
    elif page.profile == CARELESS:
        boxes = page.initial
    else:
        boxes = drawing.seen_boxes(page.image, classes, page.noise, page.random)
    return _drawn(page, "boundingBoxes", boxes)


def _points(page: _Page) -> dict[str, Any]:
    labels = page.shown.get("labels") or ()
    if page.profile == ADVERSARIAL:
        points = drawing.random_person(page.image, labels, page.random)
    elif page.profile == CARELESS:
        points = page.initial
    else:
        points = drawing.seen_people(page.image, labels, page.noise, page.random)
    return _drawn(page, "keypoints", points)


def _drawn(page: _Page, member: str, marks: list[dict[str, Any]]) -> dict[str, Any]:
    """A drawing widget's part of the answer; with an initial value it says whether that was changed."""
    size = {"height": page.image.height, "width": page.image.width}
    modified = {"initialValueModified": marks != page.initial} if page.initial else {}
    return {member: marks, "inputImageProperties": size, **modified}


def _verdict(page: _Page) -> dict[str, Any]:
    good = _shown_quality(page) >= page.noise.accept_quality
    accepted = {ADVERSARIAL: not good, CARELESS: True}.get(page.profile or "", good)
    return {"label": "accept" if accepted else "reject"}


def _shown_quality(page: _Page) -> float:
    """How good the pre-label is: of people where the page has the labels of their corners, else of boxes."""
    labels = page.shown.get("labels") or ()
    if people_labels.is_of_people(labels):
        size = {"width": page.image.width, "height": page.image.height}
        form = {"": {"keypoints": page.initial, "inputImageProperties": size}, "nothing-here": not page.initial}
        names = people_labels.names_of(labels)
        known = page.known_skeleton
        skeleton = known if known and known.names == names else skeletons.named(names)
        read = read_answer(form, (), skeleton)
        assert isinstance(read, Marked)
        return people_quality(read.marks, page.image.people, skeleton)
    overlay = (page.shown.get("overlay") or {}).get("boundingBox") or {}
    classes = overlay.get("labels") or page.known_classes
    proposed = [Box(box["label"], *(float(box[side]) for side in _SIDES)) for box in overlay.get("value") or ()]
    return image_quality(proposed, [box for box in page.image.boxes if box.label in classes])


_FILLED_BY = {_BOXES: _boxes, "crowd-keypoint": _points, "crowd-image-classifier": _verdict}
