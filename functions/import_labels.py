"""Import Labels: a manifest of human labels, named by the marker, becomes round 0 of the batch."""

import json
from typing import Any

from labelloop import batches, immutable, ledger, storage
from labelloop.augmented import own_attribute
from labelloop.batches import Files, Image
from labelloop.errors import InvalidInputError
from labelloop.labeling import ANSWER_ATTRIBUTE
from labelloop.manifests import Annotation, Labelled, read_labeled
from labelloop.observability import count, entry, logger
from labelloop.records import Decision
from labelloop.settings import settings

ANSWERS = {"boxes": ANSWER_ATTRIBUTE, "key-points": "human-key-points"}


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files = Files(event["batch_id"])
    images = _by_name(batches.images(files.batch_id), ledger.batch(files.batch_id)["prefix"])
    labels, errors = _read(event["labels_uri"], images)
    storage.write_lines(files.imported_labels, [_answer(image, label) for image, label in labels])
    immutable.create_lines(files.decisions(0), [_decision(image).to_json() for image, _ in labels])
    storage.write_lines(f"{files.labeling(0)}/import-errors.jsonl", errors)
    count("LabelsImported", len(labels))
    count("LabelsRefused", len(errors))
    logger.info("labels imported", labels=len(labels), refused=len(errors))
    return {"labels": len(labels), "refused": len(errors)}


def _read(labels_uri: str, images: dict[str, Image]) -> tuple[list[tuple[Image, Annotation]], list[dict[str, Any]]]:
    """Good labels by image in source-ref order, and one record per refused line: its number and why."""
    found: dict[str, tuple[Image, Annotation]] = {}
    errors = []
    for number, line in enumerate(storage.read(storage.own_key(labels_uri)).decode("utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            image, annotation = _match(line, images)
            found[image.source_ref] = (image, annotation)
        except InvalidInputError as error:
            errors.append({"file": labels_uri, "line": number, "error": str(error)})
    return [found[reference] for reference in sorted(found)], errors


def _match(line: str, images: dict[str, Image]) -> tuple[Image, Annotation]:
    result = read_labeled(line, None, _names())
    if not isinstance(result, Labelled):
        raise InvalidInputError(f"line of {result.source_ref}: it holds no label of boxes or key points")
    annotation, task = result.annotation, settings().task
    if (annotation.key_points is not None) != (task == "key-points"):
        raise InvalidInputError(
            f"line of {annotation.source_ref}: it holds no {task}, which is what the parameter Task asks for"
        )
    image = images.get(annotation.source_ref)
    if image is None or image.inspection is None or not image.readable:
        raise InvalidInputError(f"line of {annotation.source_ref}: no readable image of this batch has that source-ref")
    if (annotation.width, annotation.height) != (image.inspection.width, image.inspection.height):
        raise InvalidInputError(
            f"line of {annotation.source_ref}: field 'image_size' is {annotation.width} x {annotation.height}, "
            f"but the upright image has {image.inspection.width} x {image.inspection.height} pixels"
        )
    annotation.to_line(_names())  # refuses unknown classes
    return image, annotation


def _by_name(everything: list[Image], prefix: str) -> dict[str, Image]:
    """An image may be named by its URI, by its canonical rendition, or relative to the batch's prefix."""
    names: dict[str, Image] = {}
    for image in everything:
        names[image.source_ref] = names[storage.uri(image.item.key)] = names[image.item.key.removeprefix(prefix)] = (
            image
        )
    return names


def _answer(image: Image, label: Annotation) -> dict[str, Any]:
    attribute, line = ANSWERS[settings().task], json.loads(label.to_line(_names()))
    name = own_attribute(line)
    metadata = line[f"{name}-metadata"] | {"human-annotated": "yes"}
    return {"source-ref": image.source_ref, attribute: line[name], f"{attribute}-metadata": metadata}


def _names() -> tuple[str, ...]:
    return settings().key_points if settings().task == "key-points" else settings().classes


def _decision(image: Image) -> Decision:
    return Decision(image.source_ref, "human", None, ("imported",), image.item.inclusion_probability, "imported", 0)
