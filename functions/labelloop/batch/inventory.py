"""The inventory of a batch: which versions of which objects it works on, what of them is sampled, and what it may cost.

An object belongs to one batch (neighbours.py). Later markers of a prefix, and of folders above and below it, get what
earlier ones have not, and take over batches that were given up.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from labelloop.batch import batches, copies, forecasts, neighbours, roles, side_files
from labelloop.batch.batches import write_shards
from labelloop.batch.neighbours import Neighbours
from labelloop.contracts import limits, markers, naming
from labelloop.contracts.layout import Files
from labelloop.contracts.limits import NOTHING_BEFORE, Before
from labelloop.contracts.markers import Marker
from labelloop.contracts.records import InventoryItem
from labelloop.contracts.settings import settings
from labelloop.store import aws, datasets, immutable, ledger, storage
from labelloop.store.observability import logger
from labelloop.trust import sampling

# A prefix may hold what earlier markers brought, and other files; beyond this, listing it would take too long.
MOST_LISTED = 5 * limits.MOST_IMAGES
SIDE_FILES_SHOWN = 20


@dataclass(frozen=True)
class _Listing:
    """What lies under a prefix: the images in key order, what else does (key, kind), and the folders that hold a marker
    of their own.
    """

    images: list[dict[str, Any]]
    side_files: list[tuple[str, str]]
    below: set[str]


def pin(batch_id: str, facts: dict[str, Any], prefix: str, delivery: int, marker: Marker) -> list[dict[str, Any]]:
    """The objects of this delivery, pinned by version; written once, so a restart works on the same images.

    Raises InvalidInputError where the upload is not complete, the batch too large or too dear, before anything is taken
    over from earlier batches that were given up; TransientError while an earlier marker of the prefix is registered.
    """
    bucket = facts["bucket"]
    files, knobs = Files(batch_id), settings()
    inventory = immutable.find_lines(files.inventory)
    if inventory is None:
        number = ledger.queue_up(batch_id)  # before it looks at what others have
        listed = _list(prefix, marker)
        others = neighbours.look(bucket, prefix, delivery, listed.below, number)
        items = _items(files, listed.images, others)  # refuses too many before anything is taken over
        if others.given_up:
            neighbours.take_over(others.given_up, batch_id)
            others = neighbours.look(bucket, prefix, delivery, listed.below, number)
            items = _items(files, listed.images, others)
        if left := _left_behind(marker, listed.images, others):
            logger.warning("images of batches that were given up are not named by this marker", images=left)
            ledger.note_batch(batch_id, {**facts, "left_behind": left})
        _note_beside(files, listed, others)
        inventory = immutable.create_lines(files.inventory, [item.to_json() for item in items])
    else:  # it goes on: with as many rounds again, and perhaps with other settings
        _check_cost(files, len(inventory), sum(record["sampled"] for record in inventory), _before(files))
    write_shards(files, "inspect", inventory, knobs.shard_size)
    return inventory


def _items(files: Files, listed: list[dict[str, Any]], others: Neighbours) -> list[InventoryItem]:
    """The objects that no other delivery has, with their place in the draw. Raises InvalidInputError for too many."""
    knobs = settings()
    objects = [entry for entry in listed if _identity(entry) not in others.known]
    limits.check_size(len(objects))
    limits.check_room(len(objects), datasets.size(), knobs.shard_size)
    items = [
        InventoryItem(entry["Key"], entry.get("VersionId"), entry["ETag"], entry["Size"], _draw(entry), False, 0.0)
        for entry in objects
    ]
    least = sampling.fewest(knobs.sample_minimum, roles.judges(), knobs.judge_images)
    items = sampling.draw_sample(items, knobs.sample_rate, least, knobs.sample_maximum)
    _check_cost(files, len(items), sum(item.sampled for item in items))
    return items


def _check_cost(files: Files, images: int, sampled: int, before: Before = NOTHING_BEFORE) -> None:
    """Says what the batch may cost, before anything is started; raises InvalidInputError where that is too much."""
    knobs = settings()
    estimated = limits.estimate(
        images=images,
        sampled=sampled,
        budget=knobs.human_budget,
        rounds=ledger.rounds_done(files.batch_id) + knobs.max_rounds - before.rounds,
        workers=knobs.workers_per_object,
        price_per_label=knobs.price_per_label,
        honeypot_rate=knobs.honeypot_rate,
        verify_score=knobs.verify_score,
        audit_rate=knobs.audit_rate,
        audit_minimum=knobs.audit_minimum,
        double_label_rate=knobs.double_label_rate,
        before=before,
    )
    told = {**estimated.to_json(), **forecasts.of_batch(images, sampled)}
    told["sentence"] = f"{estimated.sentence}; {told['forecast']['sentence']}"
    storage.write_json(files.estimate, told)
    logger.info("estimate", batch_id=files.batch_id, sentence=told["sentence"])
    limits.check_cost(estimated, knobs.max_batch_cost)


def _before(files: Files) -> Before:
    asked = settled = last = 0
    for last in batches.decided_rounds(files.batch_id):
        decisions = batches.round_decisions(files.batch_id, last)
        decided = Counter(decision.decision for decision in decisions)
        asked += sum(map(copies.asks_people, decisions)) if last else 0  # not about what was imported
        if storage.exists(files.round_annotations(last)):
            settled += len(immutable.find_text_lines(files.round_annotations(last))) + decided["rejected"]
        else:
            settled += decided.total() - decided["deferred"]
    return Before(asked, settled, last)


def _draw(entry: dict[str, Any]) -> float:
    # The ETag, not the version id, which is random: the same files draw the same sample, in whichever bucket.
    return sampling.draw(settings().seed, entry["Key"], entry["ETag"])


def _list(prefix: str, marker: Marker) -> _Listing:
    """The newest version of every object under the prefix: images apart from side files; markers and the label manifest
    are neither. Raises InvalidInputError where the upload is not what the marker announces.
    """
    pages = (
        aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=settings().data_bucket, Prefix=prefix)
    )
    wanted = None if marker.names is None else {prefix + name for name in marker.names}
    manifest = labels_uri(marker, prefix)
    found = _Listing([], [], set())
    for page in pages:
        for entry in page.get("Versions", ()):
            key = entry["Key"]
            if key.endswith("/" + naming.READY):
                found.below.add(key.removesuffix(naming.READY))  # older versions, too: they have had a batch
            elif entry["IsLatest"] and (wanted is None or key in wanted) and storage.uri(key) != manifest:
                kind = side_files.kind(key.removeprefix(prefix))
                if kind and (wanted is None or key.endswith("/")):
                    found.side_files.append((key, kind))
                else:  # whoever names a file means it
                    found.images.append(_object(entry))
        if len(found.images) + len(found.side_files) > MOST_LISTED:
            limits.check_size(len(found.images) + len(found.side_files), counted_all=False)
    found.below.discard(prefix)
    found.images.sort(key=lambda entry: str(entry["Key"]))
    names = [entry["Key"].removeprefix(prefix) for entry in found.images]
    markers.check_complete(marker, names, prefix, len(found.side_files))
    return found


def _object(entry: dict[str, Any]) -> dict[str, Any]:
    """What is pinned of a listed version; the rest of it would take most of the memory of a long listing."""
    version = entry.get("VersionId")
    return {
        "Key": entry["Key"],
        "VersionId": None if version in (None, "null") else version,
        "ETag": entry["ETag"].strip('"'),
        "Size": entry["Size"],
    }


def _left_behind(marker: Marker, listed: list[dict[str, Any]], others: Neighbours) -> int:
    """How many images lose their batch and get none: a marker that names its images may leave some out."""
    named = {entry["Key"] for entry in listed}
    left = {key for key, _ in others.left - others.known.keys()}
    return 0 if marker.names is None else len(left - named)


def _note_beside(files: Files, listed: _Listing, others: Neighbours) -> None:
    """For the report: what under the prefix is not a picture, and what other batches have."""
    kinds = Counter(kind for _, kind in listed.side_files)
    shown = [key for key, _ in sorted(listed.side_files)][:SIDE_FILES_SHOWN]
    misspelt = [key for key, _ in listed.side_files if side_files.misspelt_marker(key)][:SIDE_FILES_SHOWN]
    told = {"count": len(listed.side_files), "kinds": dict(sorted(kinds.items())), "first": shown}
    elsewhere = others.elsewhere(map(_identity, listed.images))
    storage.write_json(files.beside, {"side_files": told, "misspelt_markers": misspelt, "elsewhere": elsewhere})
    if listed.side_files:
        storage.write_lines(files.side_files, [{"key": key, "kind": kind} for key, kind in sorted(listed.side_files)])
        logger.info("side files are not pictures", files=len(listed.side_files), first=shown[0])


def _identity(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["Key"], entry.get("VersionId") or entry["ETag"]


def labels_uri(marker: Marker, prefix: str) -> str:
    """The manifest of supplied labels that the marker names; empty where it names none."""
    if not marker.labels or marker.labels.startswith("s3://"):
        return marker.labels
    return storage.uri(prefix + marker.labels)
