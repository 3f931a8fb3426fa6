"""Import Labels: a manifest or COCO file of human labels, named by the marker, becomes round 0 of the batch."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from labelloop import tasks
from labelloop.batch import batches, side_files
from labelloop.batch.batches import Image
from labelloop.contracts import limits
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.marks import own_attribute
from labelloop.contracts.records import Decision
from labelloop.contracts.settings import settings
from labelloop.people import supplied, supplied_coco, supplied_files
from labelloop.people.image_names import Names
from labelloop.people.supplied import Refused
from labelloop.store import immutable, ledger, refusals, storage
from labelloop.store.observability import count, entry, logger
from labelloop.store.refusals import InaccessibleObjectError


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Raises InvalidInputError, before anybody is asked, where not one label can be imported.

    Once for a batch: a restart and a resume go on with what was imported, whatever became of the manifest since.
    """
    files, facts = Files(event["batch_id"]), ledger.batch(event["batch_id"])
    before = storage.find_json(files.imported)
    if before and immutable.find_lines(files.decisions(0)) is not None:
        return {"labels": before["labels"], "refused": before["refused"]}
    pinned = batches.images(files.batch_id, 0)
    everything = {image.source_ref: image for image in pinned if image.readable}
    names = _names_of(pinned, facts["prefix"])
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
    mended = []
    try:
        with refusals.reading(labels_uri):
            body = storage.read(storage.own_key(labels_uri), most=supplied_files.MOST_BYTES)
        lines, refused = supplied_coco.unfolded(supplied_files.objects(body), settings().task, settings().skeleton)
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
            reference = _readable(names.find(label.source_ref), label.source_ref, everything)
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
    contents = {ref: image.inspection.sha256 or ref for ref, image in everything.items() if image.inspection}
    found, contradicting = supplied.agreeing(found, named, contents)
    return sorted(found.items()), sorted([*refused, *unclear, *contradicting], key=lambda each: each.line), mended


def _names_of(pinned: Iterable[Image], prefix: str) -> Names:
    """An image may be named by its URI, by its canonical rendition, or relative to the batch's prefix.

    What else lies under the prefix has its names, too: unreadable images, those of other batches, and those that the
    marker leaves out. A label of one of them is not that of an image with a similar name.
    """
    exact, relative, keys = {}, {}, set()
    for image in pinned:
        below = image.item.key.removeprefix(prefix)
        exact.update(dict.fromkeys((image.source_ref, storage.uri(image.item.key), below), image.source_ref))
        relative[below] = image.source_ref
        keys.add(image.item.key)
    for key in storage.keys(prefix):
        below = key.removeprefix(prefix)
        if key not in keys and not side_files.kind(below):
            exact.update(dict.fromkeys((storage.uri(key), below), storage.uri(key)))
            relative[below] = storage.uri(key)
    return Names(exact, relative, storage.uri(""))


def _readable(reference: str, named: str, everything: Mapping[str, Image]) -> str:
    if reference not in everything:
        raise InvalidInputError(
            f"no readable image of this batch has that source-ref: {named!r} means {reference!r}, which is unreadable "
            "or not of this batch"
        )
    return reference


def _nothing(labels_uri: str, told: dict[str, Any]) -> str:
    return (
        f"none of the {told['refused']:,} lines of {labels_uri} could be imported: "
        f"{supplied.why(told) or 'the file is empty'}. Nobody was asked; put the marker again with a manifest that "
        "fits, or without one"
    )


def _answer(image: Image, label: Annotation) -> dict[str, Any]:
    attribute, line = tasks.of(settings().task).answer, json.loads(label.to_line(settings().label_names))
    name = own_attribute(line)
    metadata = line[f"{name}-metadata"] | {"human-annotated": "yes"}
    return {"source-ref": image.source_ref, attribute: line[name], f"{attribute}-metadata": metadata}


def _decision(image: Image) -> Decision:
    return Decision(image.source_ref, "human", None, ("imported",), image.item.inclusion_probability, "imported", 0)
