"""From what an engine sees, boxes or people, to Predictions: the same way in the endpoint and in the training job."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dataset import clipped, read_pixels
from labelloop.contracts.augmented import BOXES, KEY_POINTS
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, SeenPerson, SeenPoint, dump_line
from labelloop.contracts.skeletons import Skeleton
from labelloop.pictures.pixels import RejectedImage
from labelloop.tasks import oks
from labelloop.tasks.quality import map50, map50_95
from people_matching import is_alone
from PIL import Image

CONFIDENCE_FLOOR = 0.05
Told = TypeVar("Told", Prediction, Annotation)


class Engine(Protocol):
    """What `load(model_dir)` of an engine module returns; it is called from one thread at a time.

    `skeleton` is that of the people whom it sees; an engine of boxes has None, or no such attribute.
    """

    batch_size: int

    def predict(self, images: Sequence[Image.Image]) -> Sequence[Sequence[Box] | Sequence[SeenPerson]]: ...

    def describe(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Look:
    """One image on its way to a prediction: its canonical pixels, or why it has none."""

    source_ref: str
    pixels: Image.Image | None
    reason: str | None = None


def predictions(engine: Engine, looks: Sequence[Look], model: str) -> list[Prediction]:
    """One Prediction per look, in order. All looks with pixels go to the engine in one call."""
    seen = [look.pixels for look in looks if look.pixels is not None]
    found = iter(engine.predict(seen) if seen else [])
    return [_prediction(look, found, model, skeleton_of(engine) is not None) for look in looks]


def skeleton_of(engine: Engine) -> Skeleton | None:
    return getattr(engine, "skeleton", None)


def score(
    engine: Engine, labelled: Sequence[Annotation], images_dir: Path, model: str, scores: Path
) -> dict[str, float | int | None]:
    """Writes a Prediction line for each image to `scores`; returns map50 and map50_95 of boxes (None without truth) and
    images, of people also oks_map50, oks_map50_95, how many are seen and how many of them by the main network alone.
    """
    found: list[Prediction] = []
    for start in range(0, len(labelled), engine.batch_size):
        looks = [_look(annotation, images_dir) for annotation in labelled[start : start + engine.batch_size]]
        found += predictions(engine, looks, model)
    write_predictions(scores, found)
    return {**_figures(found, labelled, skeleton_of(engine)), "images": len(labelled)}


def write_predictions(path: Path, found: Iterable[Prediction]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(dump_line(prediction.to_json()) + "\n" for prediction in found), "utf-8")


def _figures(
    found: Sequence[Prediction], labelled: Sequence[Annotation], skeleton: Skeleton | None
) -> dict[str, float | int | None]:
    seen, true = [_with_boxes(prediction) for prediction in found], [_with_boxes(truth) for truth in labelled]
    of_boxes: dict[str, float | int | None] = {"map50": map50(seen, true), "map50_95": map50_95(seen, true)}
    if skeleton is None:
        return of_boxes
    people = [person for prediction in found for person in prediction.people or ()]
    return {
        **of_boxes,
        "oks_map50": oks.oks_map50(found, labelled, skeleton),
        "oks_map50_95": oks.oks_map50_95(found, labelled, skeleton),
        "people": len(people),
        "people_alone": sum(map(is_alone, people)),
    }


def _with_boxes(told: Told) -> Told:
    """With the boxes of its people in the place of the people."""
    if told.people is None:
        return told
    return replace(told, marks=tuple(person.box for person in told.people), task=BOXES)


def _look(annotation: Annotation, images_dir: Path) -> Look:
    try:
        return Look(annotation.source_ref, read_pixels(annotation, images_dir).rgb)
    except RejectedImage as refusal:
        print(f"warning: {annotation.source_ref} cannot be scored: {refusal}", flush=True)
        return Look(annotation.source_ref, None, refusal.reason)


def _prediction(look: Look, found: Iterator[Sequence[Any]], model: str, of_people: bool) -> Prediction:
    if look.pixels is None:
        return Prediction(look.source_ref, "rejected", None, None, model, (), look.reason)
    width, height = look.pixels.size
    if of_people:
        people = _presentable_people(next(found), width, height)
        return Prediction(look.source_ref, "ok", width, height, model, people, task=KEY_POINTS)
    boxes = (_presentable(box, width, height) for box in next(found))
    ranked = sorted((box for box in boxes if box is not None), key=_place)
    return Prediction(look.source_ref, "ok", width, height, model, tuple(ranked))


def _presentable_people(seen: Sequence[SeenPerson], width: int, height: int) -> tuple[SeenPerson, ...]:
    """Those whose box can be presented, with every point inside the image."""
    people = []
    for person in seen:
        # A network that is broken says NaN, which is no JSON.
        finite = all(isfinite(number) for at in person.points for number in (at.x, at.y, at.main, at.additional))
        if finite and (box := _presentable(person.box, width, height)) is not None:
            points = tuple(_inside(point, width, height) for point in person.points)
            people.append(SeenPerson(box, points))
    return tuple(sorted(people, key=lambda person: _place(person.box)))


def _presentable(box: Box, width: int, height: int) -> Box | None:
    """Inside the image, with an area after rounding, at or above the floor; None where it is not."""
    inside = clipped(box, width, height)
    if inside is None or box.confidence is None:
        return None
    left, top = round(inside.left, 2), round(inside.top, 2)
    # Rounding all four sides on their own could end 0.01 pixel outside.
    side_x = round(min(inside.width, width - left), 2)
    side_y = round(min(inside.height, height - top), 2)
    confidence = round(box.confidence, 4)
    if not (side_x > 0 and side_y > 0 and confidence >= CONFIDENCE_FLOOR):
        return None
    return replace(inside, left=left, top=top, width=side_x, height=side_y, confidence=confidence)


def _inside(point: SeenPoint, width: int, height: int) -> SeenPoint:
    x, y = round(min(max(point.x, 0.0), float(width)), 2), round(min(max(point.y, 0.0), float(height)), 2)
    return replace(point, x=x, y=y, main=round(point.main, 4), additional=round(point.additional, 4))


def _place(box: Box) -> tuple[float, float, float, str]:
    """Most confident first."""
    return (-(box.confidence or 0), box.left, box.top, box.label)
