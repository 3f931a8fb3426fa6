"""From an engine's boxes to Predictions, the same way in the endpoint and in the training job."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from dataset import clipped, read_pixels
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, Prediction, dump_line
from labelloop.pictures.pixels import RejectedImage
from labelloop.tasks.quality import map50, map50_95
from PIL import Image

CONFIDENCE_FLOOR = 0.05


class Engine(Protocol):
    """What `load(model_dir)` of an engine module returns; it is called from one thread at a time."""

    batch_size: int

    def predict(self, images: Sequence[Image.Image]) -> list[list[Box]]: ...

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
    boxes = iter(engine.predict(seen) if seen else [])
    return [_prediction(look, boxes, model) for look in looks]


def score(
    engine: Engine, labelled: Sequence[Annotation], images_dir: Path, model: str, scores: Path
) -> dict[str, float | int | None]:
    """Writes a Prediction line for each image to `scores`; returns map50, map50_95 (None without truth) and images."""
    found: list[Prediction] = []
    for start in range(0, len(labelled), engine.batch_size):
        looks = [_look(annotation, images_dir) for annotation in labelled[start : start + engine.batch_size]]
        found += predictions(engine, looks, model)
    write_predictions(scores, found)
    return {"map50": map50(found, labelled), "map50_95": map50_95(found, labelled), "images": len(labelled)}


def write_predictions(path: Path, found: Iterable[Prediction]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(dump_line(prediction.to_json()) + "\n" for prediction in found), "utf-8")


def _look(annotation: Annotation, images_dir: Path) -> Look:
    try:
        return Look(annotation.source_ref, read_pixels(annotation, images_dir).rgb)
    except RejectedImage as refusal:
        print(f"warning: {annotation.source_ref} cannot be scored: {refusal}", flush=True)
        return Look(annotation.source_ref, None, refusal.reason)


def _prediction(look: Look, boxes: Iterator[list[Box]], model: str) -> Prediction:
    if look.pixels is None:
        return Prediction(look.source_ref, "rejected", None, None, model, (), look.reason)
    width, height = look.pixels.size
    return Prediction(look.source_ref, "ok", width, height, model, _presentable(next(boxes), width, height))


def _presentable(boxes: list[Box], width: int, height: int) -> tuple[Box, ...]:
    """Inside the image, with an area after rounding, at or above the floor, most confident first."""
    rounded = []
    for box in boxes:
        inside = clipped(box, width, height)
        if inside is None or box.confidence is None:
            continue
        left, top = round(inside.left, 2), round(inside.top, 2)
        # Rounding all four sides on their own could end 0.01 pixel outside.
        side_x = round(min(inside.width, width - left), 2)
        side_y = round(min(inside.height, height - top), 2)
        confidence = round(box.confidence, 4)
        if side_x > 0 and side_y > 0 and confidence >= CONFIDENCE_FLOOR:
            rounded.append(replace(inside, left=left, top=top, width=side_x, height=side_y, confidence=confidence))
    return tuple(sorted(rounded, key=lambda box: (-(box.confidence or 0), box.left, box.top, box.label)))
