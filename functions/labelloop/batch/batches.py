"""What the files of a batch say together about each of its images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import naming, predictions
from labelloop.contracts.in_image import Size
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Seen
from labelloop.contracts.records import Decision, Inspection, InventoryItem, dump_line
from labelloop.contracts.settings import settings
from labelloop.store import immutable, storage
from labelloop.store.observability import logger
from labelloop.trust import conservation


@dataclass(frozen=True)
class Image:
    """One object of the batch: its place in the draw, and what inspection found (None: it was lost)."""

    item: InventoryItem
    inspection: Inspection | None

    @property
    def source_ref(self) -> str:
        return self.inspection.source_ref if self.inspection else storage.uri(self.item.key)

    @property
    def readable(self) -> bool:
        return self.inspection is not None and self.inspection.status == "ok"

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a readable image."""
        found = self.inspection
        assert found is not None and found.width is not None and found.height is not None
        return found.width, found.height


def write_shards(files: Files, stem: str, records: list[dict[str, Any]], size: int) -> str:
    """Splits records into shard files and writes the list of Distributed Map items; returns the list's key."""
    items = []
    for start in range(0, len(records), size):
        shard = records[start : start + size]
        name = shard_name(stem, shard)
        items.append({"shard": name, "uri": storage.write_lines(files.shard(name), shard)})
    storage.write_lines(files.shard(stem), items)
    return files.shard(stem)


def shard_name(stem: str, records: Iterable[Mapping[str, Any]]) -> str:
    """Named by what is in it: a restart that asks for other images, or splits them otherwise, neither changes what an
    open request reads nor takes the answer to another question for its own.
    """
    return f"{stem}-{naming.digest(*map(dump_line, records), length=10)}"


def control_shard(number: int, until: int) -> str:
    """The name of the request that only shows whether the endpoint still answers; `until` tells executions apart."""
    return f"control-{number}-{until}"


def images(batch_id: str, number: int | None = None) -> list[Image]:
    """Every object of the inventory, in key order, with its inspection and the name it has in round `number`, which is
    that of all earlier rounds it was open in, or its newest one. What a round wrote is read under the names it used.
    """
    files = Files(batch_id)
    inspections = {}
    for key in storage.keys(files.inspections):
        if number is not None and files.moved_later(key, number):
            continue
        moved = files.moved_later(key, 0)  # a round that is begun again writes them again
        for record in storage.read_lines(key) if moved else immutable.read_lines(key):
            inspection = Inspection.from_json(record)
            inspections[inspection.key] = inspection
    items = (InventoryItem.from_json(record) for record in immutable.read_lines(files.inventory))
    return [Image(item, inspections.get(item.key)) for item in items]


def sizes(everything: Iterable[Image]) -> dict[str, Size]:
    """source-ref -> (width, height) of the readable images."""
    return {image.source_ref: image.size for image in everything if image.readable}


def labelled_keys(batch_id: str) -> set[str]:
    """Keys of the objects that have their final outcome, in whatever round."""
    everything = images(batch_id)
    final = dict(final_outcomes(batch_id, everything, max(decided_rounds(batch_id), default=0)))
    return {image.item.key for image in everything if image.source_ref in final}


def outcomes(batch_id: str, everything: Iterable[Image], last_round: int) -> dict[str, str]:
    """source-ref -> auto | human | rejected | deferred after `last_round` (0 counts: imported labels).

    A label is final once it stands in a round's annotations; an image without one is deferred, unless it was rejected.
    """
    found = {image.source_ref: "deferred" for image in everything}
    found.update(final_outcomes(batch_id, everything, last_round))
    return found


def final_outcomes(batch_id: str, everything: Iterable[Image], last_round: int) -> list[tuple[str, str]]:
    """(source-ref, outcome) of every rejection and every label that was made, each as often as it was made."""
    found = [(image.source_ref, "rejected") for image in everything if image.inspection and not image.readable]
    _check_complete(batch_id, last_round)
    for number in range(last_round + 1):
        rejected = [decision for decision in round_decisions(batch_id, number) if decision.decision == "rejected"]
        found += [(decision.source_ref, "rejected") for decision in rejected]
        labelled = round_annotations(batch_id, number)
        found += [(annotation.source_ref, "human" if annotation.human else "auto") for annotation in labelled]
    return found


def _check_complete(batch_id: str, last_round: int) -> None:
    """Raises MissingObjectError where labels of an ended round are gone: people would be asked for them again."""
    files = Files(batch_id)
    for number in range(1, last_round + 1):
        for key in (files.decisions(number), files.round_annotations(number)):
            if storage.was_written(key) and not storage.exists(key):
                raise storage.MissingObjectError(f"{storage.uri(key)} is gone. {storage.restoring(key)}")


def pin_uninspected(batch_id: str, number: int, everything: Iterable[Image]) -> None:
    """Keeps which images the round begins without, because their inspection was lost; written once.

    A restart may inspect them after the round was judged: then no decision of the round tells that they are deferred.
    """
    lost = [{"key": image.item.key} for image in everything if image.inspection is None]
    if lost:
        immutable.create_lines(Files(batch_id).uninspected(number), lost)


def check_conservation(batch_id: str, everything: Sequence[Image], last_round: int) -> dict[str, int]:
    """Counts per outcome (promise I1). Raises ConservationError when the files of the batch do not add up.

    What is deferred is read from what was decided, not inferred from what is left: a lost image is found.
    """
    final = final_outcomes(batch_id, everything, last_round)
    done = {reference for reference, _ in final}
    decided = {decision.source_ref for decision in round_decisions(batch_id, last_round)}
    if last_round == 0:  # an import decides only on the images it has labels for
        decided |= {image.source_ref for image in everything if image.readable}
    begun_without = {record["key"] for record in immutable.find_lines(Files(batch_id).uninspected(last_round)) or ()}
    open_images = decided | {
        image.source_ref for image in everything if image.inspection is None or image.item.key in begun_without
    }
    deferred = [(reference, "deferred") for reference in sorted(open_images - done)]
    return conservation.check((image.source_ref for image in everything), final + deferred)


def decided_rounds(batch_id: str) -> list[int]:
    """The rounds that were judged, in order, also those whose decisions are gone; 0 is an import of supplied labels."""
    prefix = f"{Files(batch_id).root}/decisions/"
    return sorted(int(key.removeprefix(prefix).removesuffix(".jsonl")) for key in storage.keys_ever(prefix))


def round_decisions(batch_id: str, number: int) -> list[Decision]:
    return [Decision.from_json(record) for record in immutable.find_lines(Files(batch_id).decisions(number)) or ()]


def round_annotations(batch_id: str, number: int) -> list[Annotation]:
    return [Annotation.from_line(line) for line in immutable.find_text_lines(Files(batch_id).round_annotations(number))]


def seen(batch_id: str, model: str, last_round: int, everything: Iterable[Image]) -> Seen:
    """What this model saw in all rounds up to `last_round` that worked with it; nothing for no model."""
    files, found = Files(batch_id), Seen()
    if not model:
        return found
    known = sizes(everything)
    for number in _rounds_of(files, model, last_round):
        for key in sorted(storage.keys(files.predictions(number))):
            found.add(storage.find_text_lines(key), known, settings().vocabulary, model)
    if found.refused or found.strange_lines:
        one = next(iter(found.refused.values()), "")
        logger.warning("predictions were refused", refused=len(found.refused), other=found.strange_lines, first=one)
    return found


def note_inference(files: Files, number: int, asked: int, outage: str, poison: Iterable[str] = ()) -> None:
    """What the judgement and later rounds need to know: whom the endpoint owes an answer, and which images kill it.

    What was found to be poison stays so when the round is started again.
    """
    known = (storage.find_json(files.inference(number)) or {"poison": []})["poison"]
    storage.write_json(files.inference(number), {"asked": asked, "outage": outage, "poison": sorted({*known, *poison})})


def poison(batch_id: str, model: str, last_round: int) -> set[str]:
    """The images that this model's process never answered about, although it answered about others."""
    files = Files(batch_id)
    records = (storage.find_json(files.inference(number)) for number in _rounds_of(files, model, last_round))
    return {reference for record in records if record for reference in record.get("poison", ())}


def _rounds_of(files: Files, model: str, last_round: int) -> list[int]:
    pins = ((number, immutable.find_json(files.round(number))) for number in range(1, last_round + 1))
    return [number for number, pinned in pins if pinned and pinned["model"] == model]


def answered(batch_id: str, number: int) -> set[str]:
    """The images about which the endpoint said something in this round, whatever it is worth."""
    lines = (line for key in storage.keys(Files(batch_id).predictions(number)) for line in storage.find_text_lines(key))
    return {reference for line in lines if (reference := predictions.reference_of(line))}
