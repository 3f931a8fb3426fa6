"""Dataset versions: immutable and checksummed.

A version is written once, then published by flipping the pointer `datasets/current`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import origins
from labelloop.contracts.errors import ChangedObjectError, TransientError
from labelloop.contracts.marks import own_attribute
from labelloop.store import immutable, ledger, storage
from labelloop.store.observability import count, logger
from labelloop.store.storage import MissingObjectError, Pointer

CURRENT = "datasets/current"
REBASES = 20


@dataclass(frozen=True)
class Dataset:
    """A version with its manifest lines, sorted by source-ref; the empty dataset has no version."""

    version: str
    lines: tuple[str, ...]

    @property
    def number(self) -> int:
        return int(self.version[1:7]) if self.version else 0


def current() -> Dataset:
    return _at(pointer())


def current_version() -> str:
    """Empty before the first publication."""
    seen = pointer()
    return str(seen.value["version"]) if seen else ""


def size() -> int:
    """How many images of all batches the current version holds, by its card. 0 as well where pointer or card is gone or
    was changed: that stops the merge, which says what to do.
    """
    try:
        version = current_version()
        return int(card_of(version)["images"]) if version else 0
    except (MissingObjectError, ChangedObjectError):
        return 0


def load(version: str) -> Dataset:
    """Raises MissingObjectError or ChangedObjectError unless the manifest is the one that was published."""
    return _load(version, str(card_of(version)["sha256"]))


def versions() -> list[str]:
    """Every version that exists, oldest first."""
    return sorted(key.split("/")[1] for key in storage.keys("datasets/v") if key.endswith("/card.json"))


def card_of(version: str) -> dict[str, Any]:
    """What was noted of a version when it was published: its parent, its hash, its labels by kind."""
    return origins.counts(immutable.read_json(f"datasets/{version}/card.json"))


def go_back(version: str, seen: Pointer, facts: Mapping[str, Any]) -> None:
    """Makes a version that exists the current one; later ones stay, and the next publication builds on this one.

    `facts` stand beside it in the pointer. Raises MissingObjectError or ChangedObjectError unless the manifest is the
    one that was published, TransientError when somebody moved the pointer since it was `seen`.
    """
    load(version)
    value = {"version": version, "sha256": str(card_of(version)["sha256"]), **facts}
    if not storage.flip_pointer(CURRENT, value, seen):
        raise TransientError("the pointer of the current dataset moved meanwhile: look again, then decide")


def publish(added: Iterable[str], facts: Mapping[str, Any]) -> str:
    """The version that holds the current dataset and the added lines. Publishing the same lines again changes nothing.

    When somebody else published meanwhile, the lines are merged onto their version: no label is lost.
    Raises TransientError when that happens again and again.
    """
    added = list(added)
    for _ in range(REBASES):
        seen = pointer()
        parent = _at(seen)
        lines = merge(parent.lines, added)
        if lines == list(parent.lines):
            return parent.version
        body = storage.text_bytes(lines)
        checksum = hashlib.sha256(body).hexdigest()
        version = f"v{parent.number + 1:06d}-{checksum[:8]}"
        card = {"version": version, "parent": parent.version, "sha256": checksum, **count_labels(lines), **facts}
        immutable.create(f"datasets/{version}/manifest.jsonl", body, "application/jsonlines")
        immutable.create_json(f"datasets/{version}/card.json", card)
        if storage.flip_pointer(CURRENT, {"version": version, "sha256": checksum}, seen):
            ledger.index_version("dataset", version, card)
            count("DatasetPublished")
            followed = len(set(lines) - {*parent.lines, *added})
            count("CopiesCorrected", followed)
            logger.info(
                "dataset published", dataset=version, parent=parent.version, images=len(lines), followed=followed
            )
            return version
    raise TransientError(f"{REBASES} other publications came first; nothing was lost, try again")


def pointer() -> Pointer | None:
    """None before the first publication. Raises MissingObjectError where the pointer is gone: the next publication
    would begin anew, without the labels that are there.
    """
    found = storage.read_pointer(CURRENT)
    later = None if found else next(storage.keys("datasets/v000002-"), None)
    if later:
        raise MissingObjectError(
            f"{storage.uri(CURRENT)} is gone, although dataset versions exist ({later}): put it back with the version "
            'and sha256 of the newest card.json ({"version": ..., "sha256": ...}), then start the same again'
        )
    return found


def _at(seen: Pointer | None) -> Dataset:
    return _load(seen.value["version"], seen.value.get("sha256", "")) if seen else Dataset("", ())


def _load(version: str, sha256: str) -> Dataset:
    return Dataset(version, tuple(immutable.read_text_lines(f"datasets/{version}/manifest.jsonl", sha256)))


def merge(parent: Iterable[str], added: Iterable[str]) -> list[str]:
    """Lines by source-ref, sorted by it: a human label replaces any, a machine label only a machine label.

    A copy of a label replaces no label of the same content that people gave by looking at it, and no newer one: it was
    pinned when its round began, and people may have corrected the label since.
    Labels of two contents that were stored under one key do not compete: that of the later batch counts.
    The copies of a label that was corrected get the correction.
    """
    lines = {_source_ref(line): line for line in parent}
    for line in added:
        known = lines.get(_source_ref(line))
        if known is None or _replaces(line, known):
            lines[_source_ref(line)] = line
    return [line for _, line in sorted(origins.followed(lines).items())]


def count_labels(lines: Iterable[str]) -> dict[str, int]:
    counts, lines = dict.fromkeys(("images", "auto", "human", origins.TRAIN, origins.JUDGE), 0), list(lines)
    for line in lines:
        counts["images"] += 1
        counts["human" if is_human(line) else "auto"] += 1
    for role, _ in evidence(lines):
        counts[role] += 1
    return counts


def evidence(lines: Iterable[str]) -> list[tuple[str, str]]:
    """(role, line) of the labels that train or judge, in their order: each content once, however often it was uploaded,
    with its best label (`rank`), of several the first.
    """
    found: dict[str, tuple[tuple[bool, str], int, str, str]] = {}
    for number, line in enumerate(lines):
        record = json.loads(line)
        provenance = record.get("provenance", {})
        if role := origins.role_of(provenance):
            content, ranked = provenance.get("sha256") or f"line {number}", rank(record)
            if content not in found or ranked > found[content][0]:
                found[content] = ranked, number, role, line
    return [(role, line) for _, _, role, line in sorted(found.values(), key=lambda each: each[1])]


def rank(record: Mapping[str, Any]) -> tuple[bool, str]:
    """Orders the labels of one content, the best last: copies come before what people saw of the image itself, then the
    older before the newer.
    """
    date = record[f"{own_attribute(record)}-metadata"].get("creation-date", "")
    return origins.SAME_AS not in record.get("provenance", {}), str(date)


def is_human(line: str) -> bool:
    record = json.loads(line)
    return bool(record[f"{own_attribute(record)}-metadata"]["human-annotated"] == "yes")


def _replaces(line: str, known: str) -> bool:
    content, known_content = _sha256(line), _sha256(known)
    if content and known_content and content != known_content:
        return _creation_date(line) >= _creation_date(known)
    if is_human(line) and is_human(known) and _is_copied(line):
        return rank(json.loads(line)) >= rank(json.loads(known))
    return is_human(line) or not is_human(known)


def _is_copied(line: str) -> bool:
    return origins.SAME_AS in json.loads(line).get("provenance", {})


def _sha256(line: str) -> str:
    return str(json.loads(line).get("provenance", {}).get("sha256", ""))


def _creation_date(line: str) -> str:
    """The date of the batch's marker, in a form that sorts."""
    record = json.loads(line)
    return str(record[f"{own_attribute(record)}-metadata"]["creation-date"])


def _source_ref(line: str) -> str:
    return str(json.loads(line)["source-ref"])
