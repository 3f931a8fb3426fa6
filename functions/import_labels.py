"""Import Labels: a manifest of human labels, named by the marker, becomes round 0 of the batch."""

import json
from collections import defaultdict
from typing import Any

from labelloop import batches, immutable, ledger, limits, refusals, storage, supplied
from labelloop.augmented import own_attribute
from labelloop.batches import Files, Image
from labelloop.errors import InvalidInputError
from labelloop.labeling import ANSWER_ATTRIBUTE
from labelloop.manifests import Annotation
from labelloop.observability import count, entry, logger
from labelloop.records import Decision
from labelloop.refusals import InaccessibleObjectError
from labelloop.settings import settings
from labelloop.supplied import Names, Refused

ANSWERS = {"boxes": ANSWER_ATTRIBUTE, "key-points": "human-key-points"}


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Raises InvalidInputError, before anybody is asked, where not one label can be imported.

    Once for a batch: a restart and a resume go on with what was imported, whatever became of the manifest since.
    """
    files, facts = Files(event["batch_id"]), ledger.batch(event["batch_id"])
    before = storage.find_json(files.imported)
    if before and immutable.find_lines(files.decisions(0)) is not None:
        return {"labels": before["labels"], "refused": before["refused"]}
    everything = {image.source_ref: image for image in batches.images(files.batch_id, 0) if image.readable}
    names = _names_of(everything, facts["prefix"])
    labels, refused, mended = _read(event["labels_uri"], everything, names, facts.get("labels_attribute", ""))
    told = {
        "labels": len(labels),
        "refused": len(refused),
        "reasons": supplied.reasons(refused),
        "mended": supplied.reasons(mended),
    }
    errors = [{"file": event["labels_uri"], "line": each.line, "error": each.error} for each in refused]
    storage.write_lines(f"{files.labeling(0)}/import-errors.jsonl", errors)
    storage.write_json(files.imported, told)
    count("LabelsImported", len(labels))
    count("LabelsRefused", len(refused))
    logger.info("labels imported", labels=len(labels), refused=len(refused))
    if not labels:
        raise InvalidInputError(_nothing(event["labels_uri"], told))
    taken = immutable.create_lines(files.imported_labels, [_answer(everything[ref], label) for ref, label in labels])
    immutable.create_lines(files.decisions(0), [_decision(everything[line["source-ref"]]).to_json() for line in taken])
    return {"labels": len(labels), "refused": len(refused)}


def _read(
    labels_uri: str, everything: dict[str, Image], names: Names, attribute: str
) -> tuple[list[tuple[str, Annotation]], list[Refused], list[Refused]]:
    """Good labels by source-ref, in its order, the lines that were refused, and the boxes that were cut or left out. Of
    several lines with one name the last counts.
    """
    named: dict[str, dict[str, tuple[int, Annotation]]] = defaultdict(dict)
    refused, mended = [], []
    try:
        with refusals.reading(labels_uri):
            body = storage.read(storage.own_key(labels_uri), most=supplied.MOST_BYTES)
        lines = supplied.objects(body)
        limits.check_labels(len(lines))
    except InaccessibleObjectError as error:
        raise InvalidInputError(
            f"{labels_uri} may not be read: put the manifest beside the images, below incoming/, or give it a name "
            f"that ends in .manifest. Nobody was asked; put the marker again. {error}"
        ) from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{labels_uri}: {error}. Nobody was asked; put the marker again") from error
    for number, line in lines:
        try:
            label, lost = supplied.read_mended(line, attribute, settings().label_names, settings().task)
            reference = names.find(label.source_ref)
            fitted, cut = supplied.mended(label, everything[reference].size, settings().label_names, lost)
            mended += [Refused(number, why, supplied.kind_of(why)) for why in cut]
        except InvalidInputError as error:
            refused.append(Refused(number, str(error), supplied.kind_of(str(error))))
            continue
        earlier = named[reference].get(label.source_ref)
        if earlier and earlier[1] != fitted:
            refused.append(supplied.repeated(earlier[0], number))
        named[reference][label.source_ref] = (number, fitted)
    found, unclear = supplied.unambiguous(named, names)
    return sorted(found.items()), sorted([*refused, *unclear], key=lambda each: each.line), mended


def _names_of(everything: dict[str, Image], prefix: str) -> Names:
    """An image may be named by its URI, by its canonical rendition, or relative to the batch's prefix."""
    exact, relative = {}, {}
    for reference, image in everything.items():
        below = image.item.key.removeprefix(prefix)
        exact.update(dict.fromkeys((reference, storage.uri(image.item.key), below), reference))
        relative[below] = reference
    return Names(exact, relative, storage.uri(""))


def _nothing(labels_uri: str, told: dict[str, Any]) -> str:
    return (
        f"none of the {told['refused']:,} lines of {labels_uri} could be imported: "
        f"{supplied.why(told) or 'the file is empty'}. Nobody was asked; put the marker again with a manifest that "
        "fits, or without one"
    )


def _answer(image: Image, label: Annotation) -> dict[str, Any]:
    attribute, line = ANSWERS[settings().task], json.loads(label.to_line(settings().label_names))
    name = own_attribute(line)
    metadata = line[f"{name}-metadata"] | {"human-annotated": "yes"}
    return {"source-ref": image.source_ref, attribute: line[name], f"{attribute}-metadata": metadata}


def _decision(image: Image) -> Decision:
    return Decision(image.source_ref, "human", None, ("imported",), image.item.inclusion_probability, "imported", 0)
