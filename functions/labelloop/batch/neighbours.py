"""Other batches that may have the objects of this one: of other marker versions of its prefix, and of markers in
folders above and below it.

An object, a version of a key, belongs to the batch that pins it first, wherever its marker lies. So that two that are
registered at the same time do not both list it, they queue: every batch draws a number before it looks at the others,
and waits for those before it until they have pinned their objects or ended.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labelloop.batch import batches
from labelloop.contracts import naming
from labelloop.contracts.errors import TransientError
from labelloop.contracts.layout import Files
from labelloop.store import immutable, ledger
from labelloop.store.observability import logger

Identity = tuple[str, str]
BATCHES_TOLD = 5


@dataclass
class Neighbours:
    """Objects as (key, version): what other batches keep, with the batch that does, and what those that were given up
    leave; `given_up` names those that nobody has taken over yet.
    """

    known: dict[Identity, str] = field(default_factory=dict)
    left: set[Identity] = field(default_factory=set)
    given_up: list[str] = field(default_factory=list)

    def elsewhere(self, identities: Iterable[Identity]) -> dict[str, object]:
        """How many of these objects other batches have, and the names of some of those batches."""
        owners = [self.known[identity] for identity in identities if identity in self.known]
        return {"count": len(owners), "batches": sorted(set(owners))[:BATCHES_TOLD]}


def look(bucket: str, prefix: str, delivery: int, below: Iterable[str], number: int) -> Neighbours:
    """What the others have; `below` are the folders within the prefix that hold a marker, `number` is this batch's
    place in the queue.

    A batch that was given up keeps what it has labelled. What else it had is free where its prefix is this one or lies
    within it: a marker further up keeps its claim, because this batch would leave the rest of it without one.
    Raises TransientError while one that came earlier is being registered.
    """
    found = Neighbours()
    for place, other, batch_id in _others(bucket, prefix, delivery, below):
        standing = ledger.standing(batch_id)  # asked first: it may pin, and end, meanwhile
        mine = place != prefix or other < delivery
        given_up = standing == "given-up" and mine and place.startswith(prefix)
        if given_up:
            found.given_up.append(batch_id)
        inventory = immutable.find_lines(Files(batch_id).inventory)
        if inventory is None and standing == "at-work" and ledger.place_in_queue(batch_id) < number:
            raise TransientError(
                f"an earlier marker, of {place}, is being registered as batch {batch_id} and may take the same "
                "objects: wait until it has listed them, then try again"
            )
        taken_over = given_up or standing == "superseded"
        done = batches.labelled_keys(batch_id) if taken_over and inventory is not None else None
        for record in inventory or ():
            identity = record["key"], record.get("version-id") or record["etag"]
            if done is None or record["key"] in done:
                found.known[identity] = batch_id
            else:
                found.left.add(identity)
    return found


def take_over(given_up: Iterable[str], successor: str) -> None:
    """Raises TransientError where one of them is at work again."""
    for batch_id in given_up:
        if not ledger.supersede(batch_id, successor):
            raise TransientError(f"batch {batch_id}, which was given up, is at work again: look at it once more")
        logger.info("batch taken over", superseded=batch_id)


def above(prefix: str) -> list[str]:
    """The folders above `incoming/<prefix>/` in which a marker may lie, the nearest first."""
    parts = prefix[:-1].split("/")  # a key may have slashes in a row
    return ["/".join(parts[:end]) + "/" for end in range(len(parts) - 1, 1, -1)]


def _others(bucket: str, prefix: str, delivery: int, below: Iterable[str]) -> Iterator[tuple[str, int, str]]:
    """(prefix, delivery, batch id) of every batch whose objects may be this one's."""
    for place in (prefix, *above(prefix), *sorted(set(below))):
        for other in ledger.batches_of(bucket, place):
            if (place, other) != (prefix, delivery):
                yield place, other, naming.batch_id(bucket, place, other)
