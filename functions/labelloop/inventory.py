"""The inventory of a batch: which versions of which objects it works on, what of them is sampled, and what it may cost.

An object belongs to one batch. Later markers of a prefix get what earlier ones have not, and take over batches that
were given up.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from labelloop import aws, batches, datasets, immutable, ledger, limits, markers, naming, sampling, storage
from labelloop.batches import Files, write_shards
from labelloop.errors import TransientError
from labelloop.limits import NOTHING_BEFORE, Before
from labelloop.markers import Marker
from labelloop.observability import logger
from labelloop.records import InventoryItem
from labelloop.settings import settings

# A prefix may hold what earlier markers brought, and other files; beyond this, listing it would take too long.
MOST_LISTED = 5 * limits.MOST_IMAGES


@dataclass
class _Others:
    """Objects as (key, version): what the other deliveries of the prefix keep, and what those that were given up leave;
    `given_up` names those that nobody has taken over yet.
    """

    known: set[tuple[str, str]]
    left: set[tuple[str, str]]
    given_up: list[str]


def pin(batch_id: str, facts: dict[str, Any], prefix: str, delivery: int, marker: Marker) -> list[dict[str, Any]]:
    """The objects of this delivery, pinned by version; written once, so a restart works on the same images.

    Raises InvalidInputError where the upload is not complete, the batch too large or too dear, before anything is taken
    over from earlier batches that were given up; TransientError while an earlier marker of the prefix is registered.
    """
    bucket = facts["bucket"]
    files, knobs = Files(batch_id), settings()
    inventory = immutable.find_lines(files.inventory)
    if inventory is None:
        listed = _list(prefix, marker)
        others = _other_deliveries(bucket, prefix, delivery)
        items = _items(files, listed, others)  # refuses too many before anything is taken over
        if others.given_up:
            _take_over(others.given_up, batch_id)
            others = _other_deliveries(bucket, prefix, delivery)
            items = _items(files, listed, others)
        if left := _left_behind(marker, listed, others):
            logger.warning("images of batches that were given up are not named by this marker", images=left)
            ledger.note_batch(batch_id, {**facts, "left_behind": left})
        inventory = immutable.create_lines(files.inventory, [item.to_json() for item in items])
    else:  # it goes on: with as many rounds again, and perhaps with other settings
        _check_cost(files, len(inventory), sum(record["sampled"] for record in inventory), _before(files))
    write_shards(files, "inspect", inventory, knobs.shard_size)
    return inventory


def _items(files: Files, listed: list[dict[str, Any]], others: _Others) -> list[InventoryItem]:
    """The objects that no other delivery has, with their place in the draw. Raises InvalidInputError for too many."""
    knobs = settings()
    objects = [entry for entry in listed if _identity(entry) not in others.known]
    limits.check_size(len(objects))
    limits.check_room(len(objects), datasets.size(), knobs.shard_size)
    items = [
        InventoryItem(entry["Key"], entry.get("VersionId"), entry["ETag"], entry["Size"], _draw(entry), False, 0.0)
        for entry in objects
    ]
    items = sampling.draw_sample(items, knobs.sample_rate, knobs.sample_minimum, knobs.sample_maximum)
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
        before=before,
    )
    storage.write_json(files.estimate, estimated.to_json())
    logger.info("estimate", batch_id=files.batch_id, sentence=estimated.sentence)
    limits.check_cost(estimated, knobs.max_batch_cost)


def _before(files: Files) -> Before:
    asked = settled = last = 0
    for last in batches.decided_rounds(files.batch_id):
        decided = Counter(decision.decision for decision in batches.round_decisions(files.batch_id, last))
        asked += decided["human"] if last else 0  # nobody was asked about what was imported
        if storage.exists(files.round_annotations(last)):
            settled += len(immutable.find_text_lines(files.round_annotations(last))) + decided["rejected"]
        else:
            settled += decided.total() - decided["deferred"]
    return Before(asked, settled, last)


def _draw(entry: dict[str, Any]) -> float:
    # The ETag, not the version id, which is random: the same files draw the same sample, in whichever bucket.
    return sampling.draw(settings().seed, entry["Key"], entry["ETag"])


def _list(prefix: str, marker: Marker) -> list[dict[str, Any]]:
    """The newest version of every object under the prefix in key order, without markers, folders and the label
    manifest.
    """
    pages = (
        aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=settings().data_bucket, Prefix=prefix)
    )
    wanted = None if marker.names is None else {prefix + name for name in marker.names}
    newest: list[dict[str, Any]] = []
    for page in pages:
        latest = (entry for entry in page.get("Versions", ()) if entry["IsLatest"])
        newest += [_object(entry) for entry in latest if wanted is None or entry["Key"] in wanted]
        if len(newest) > MOST_LISTED:
            limits.check_size(len(newest), counted_all=False)
    manifest = labels_uri(marker, prefix)
    images = [
        entry
        for entry in newest
        if not entry["Key"].endswith(("/" + naming.READY, "/")) and storage.uri(entry["Key"]) != manifest
    ]
    markers.check_complete(marker, [entry["Key"].removeprefix(prefix) for entry in images], prefix)
    return sorted(images, key=lambda entry: str(entry["Key"]))


def _object(entry: dict[str, Any]) -> dict[str, Any]:
    """What is pinned of a listed version; the rest of it would take most of the memory of a long listing."""
    version = entry.get("VersionId")
    return {
        "Key": entry["Key"],
        "VersionId": None if version in (None, "null") else version,
        "ETag": entry["ETag"].strip('"'),
        "Size": entry["Size"],
    }


def _other_deliveries(bucket: str, prefix: str, delivery: int) -> _Others:
    """What other marker versions of the prefix have pinned, later ones too: no object is labelled twice.

    An earlier batch that was given up keeps what it has labelled. Of two that are at work at the same time the earlier
    pins first: TransientError tells the later to wait for it.
    """
    others = _Others(set(), set(), [])
    for number in ledger.batches_of(bucket, prefix):
        batch_id = naming.batch_id(bucket, prefix, number)
        if number == delivery:
            continue
        standing = ledger.standing(batch_id)  # asked first: it may pin, and end, meanwhile
        given_up = number < delivery and standing == "given-up"
        if given_up:
            others.given_up.append(batch_id)
        inventory = immutable.find_lines(Files(batch_id).inventory)
        if inventory is None and number < delivery and standing == "at-work":
            raise TransientError(
                f"an earlier marker of {prefix} is being registered as batch {batch_id} and may take the same objects: "
                "wait until it has listed them, then try again"
            )
        taken_over = given_up or standing == "superseded"
        done = batches.labelled_keys(batch_id) if taken_over and inventory is not None else None
        for record in inventory or ():
            kept = done is None or record["key"] in done
            (others.known if kept else others.left).add((record["key"], record.get("version-id") or record["etag"]))
    return others


def _left_behind(marker: Marker, listed: list[dict[str, Any]], others: _Others) -> int:
    """How many images lose their batch and get none: a marker that names its images may leave some out."""
    named = {entry["Key"] for entry in listed}
    left = {key for key, _ in others.left - others.known}
    return 0 if marker.names is None else len(left - named)


def _take_over(given_up: list[str], successor: str) -> None:
    for batch_id in given_up:
        if not ledger.supersede(batch_id, successor):
            raise TransientError(f"batch {batch_id}, which was given up, is at work again: look at it once more")
        logger.info("batch taken over", superseded=batch_id)


def _identity(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["Key"], entry.get("VersionId") or entry["ETag"]


def labels_uri(marker: Marker, prefix: str) -> str:
    """The manifest of supplied labels that the marker names; empty where it names none."""
    if not marker.labels or marker.labels.startswith("s3://"):
        return marker.labels
    return storage.uri(prefix + marker.labels)
