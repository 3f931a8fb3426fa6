"""Which entry of 'images' means which file of the folder, and in whose pixels its labels are. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelloop.people.image_names import Names, normal

from demo.coco.entries import CocoError, Ids, Notes, Size, number_of, place_of


@dataclass
class Shown:
    """One picture of the folder and what is marked in it. `turned`: the labels were made on pixels as stored, not on
    the upright picture; None where its size tells neither.
    """

    name: str
    width: int
    height: int
    size: Size | None = None
    turned: bool | None = False
    boxes: list[dict[str, Any]] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)

    @property
    def labelled_size(self) -> tuple[int, int]:
        """Width and height, pixels, of the picture as its labels were made on it."""
        return (self.size.width, self.size.height) if self.turned and self.size else (self.width, self.height)


@dataclass
class Listed:
    """`by_file`: name on disk -> its entries (place, entry); `ids`: image id -> name on disk, empty for none."""

    ids: Ids
    by_file: dict[str, list[tuple[str, Mapping[str, Any]]]]

    def entries_of(self, names: Iterable[str]) -> int:
        return sum(len(self.by_file[name]) for name in names)


def find(entries: Sequence[Mapping[str, Any]], where: str, pictures: Sequence[str], notes: Notes) -> Listed:
    """Which entry of 'images' means which file: by its name, else by the same name in another spelling or place."""
    names = Names({name: name for name in pictures}, {name: name for name in pictures})
    meant: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for index, entry in enumerate(entries):
        place = place_of("images", index, entry)
        if not isinstance(entry.get("file_name"), str) or not entry["file_name"].strip():
            notes.add("Entries of 'images' without a file_name were left out", place)
            continue
        fitting = names.fitting(entry["file_name"])
        if len(fitting) > 1:
            either = " or ".join(map(repr, sorted(fitting)[:2]))
            raise CocoError(
                f"{where}: {place} {entry['file_name']!r} may be {either}: give its path in the folder as file_name."
            )
        if fitting:
            meant[next(iter(fitting))].append((place, entry))
        else:
            notes.add("Pictures that are not in the folder were left out", f"{place} {entry['file_name']!r}")
    by_file = {name: _same(name, found, where, notes) for name, found in meant.items()}
    _refuse_some_below_others(by_file, where)
    ids, file_of = Ids("images"), {place: name for name, found in by_file.items() for place, _ in found}
    for index, entry in enumerate(entries):
        place = place_of("images", index, entry)
        name = file_of.get(place, "")
        before = ids.add(entry.get("id"), f"{where}: {place}", name)
        if before is not None and before != name:
            other = repr(before) if before else "one that is not in the folder"
            raise CocoError(
                f"{where}: {place} {entry.get('file_name')!r} has the id of another picture, {other}: whose the "
                "annotations are cannot be told. Give every picture its own id."
            )
    return Listed(ids, by_file)


def _same(
    name: str, found: list[tuple[str, Mapping[str, Any]]], where: str, notes: Notes
) -> list[tuple[str, Mapping[str, Any]]]:
    """The entries that mean this file: one, or one listed repeatedly; the exact ones where names are similar."""
    plain = [entry["file_name"].replace("\\", "/").removeprefix("./") for _, entry in found]
    exact = [each for each, given in zip(found, plain, strict=True) if given == name]
    if exact:
        what = "Pictures that are not in the folder were left out, although it has a file of a similar name"
        for place, entry in (each for each in found if each not in exact):
            notes.add(what, f"{place} {entry['file_name']!r}")
        found = exact
    if not exact and len({normal(given) for given in plain}) > 1:
        (one, first), (other, second) = found[0], found[1]
        raise CocoError(
            f"{where}: {one} {first['file_name']!r} and {other} {second['file_name']!r} may both be the file {name!r}: "
            "give the folder that their paths begin in."
        )
    if not exact:
        notes.add(
            "File names were found in another spelling or place",
            f"{found[0][0]} {found[0][1]['file_name']!r} is {name!r}",
        )
    if len(found) > 1:
        notes.add(
            "Pictures that are listed more than once count once, with all their annotations", f"{found[1][0]} {name!r}"
        )
    return found


def _refuse_some_below_others(by_file: Mapping[str, list[tuple[str, Mapping[str, Any]]]], where: str) -> None:
    """A path may begin above the folder. Where others begin in it, so does this one, and its file is not there."""
    whole: list[tuple[str, str, str]] = []
    below: list[tuple[str, str, str]] = []
    for name, ((place, entry), *_) in by_file.items():
        given = normal(entry["file_name"])
        stripped = given != normal(name) and given.endswith(f"/{normal(name)}")
        (below if stripped else whole).append((place, entry["file_name"], name))
    if whole and below:
        (place, given, name), (other, its_name, _) = below[0], whole[0]
        raise CocoError(
            f"{where}: {place} {given!r} is not in the folder, and whether it is the file {name!r} cannot be told: "
            f"{other} {its_name!r} lies where its path says. Put such files ({len(below)}) where their paths "
            "say, or mend their file_name."
        )


def shown(name: str, entries: Sequence[tuple[str, Mapping[str, Any]]], size: Size | None, notes: Notes) -> Shown | None:
    """The picture in upright pixels; None where the file's size is another than the labels were made on."""
    told = {(_side(entry.get("width")), _side(entry.get("height"))) for _, entry in entries} - {(0, 0)}
    place = f"{entries[0][0]} {name!r}"
    complete = {pair for pair in told if all(pair)}
    if len(complete) > 1 or (size is None and not complete):
        notes.add("Pictures whose size nobody knows were left out", place)
        return None
    if size is None:
        notes.add("Files cannot be opened as pictures; the loop will say what they are", place)
        return Shown(name, *complete.pop())
    if not complete:
        notes.add("Sizes that are missing were taken from the pictures", place)
        return Shown(name, *size.upright, size, turned=None if size.orientation > 1 else False)
    labelled = complete.pop()
    if labelled == size.upright:
        either = size.orientation > 1 and labelled == (size.width, size.height)
        return Shown(name, *size.upright, size, turned=None if either else False)
    if labelled == (size.width, size.height):
        notes.add("Labels were turned with their pictures, which are stored on their side (EXIF)", place)
        return Shown(name, *size.upright, size, turned=True)
    notes.add(
        "Pictures were left out, because their labels were made on another size",
        f"{place} is labelled at {labelled[0]} x {labelled[1]} and has {size.upright[0]} x {size.upright[1]} pixels",
    )
    return None


def settle(pictures: Mapping[str, Shown], notes: Notes) -> None:
    """What a picture's size does not tell (it is a square, upside down, mirrored), others of the same file do: the tool
    that made it follows EXIF, or does not.
    """
    certain = {
        each.turned
        for each in pictures.values()
        if each.size and each.turned is not None and each.size.upright != (each.size.width, each.size.height)
    }
    for name, picture in pictures.items():
        if picture.turned is not None:
            continue
        picture.turned = certain == {True}
        if picture.turned:
            what = "Labels were turned with their pictures (EXIF), because those of others of the file were"
            notes.add(what, repr(name))
        elif certain != {False}:
            notes.add(
                "Nothing tells whether labels were made on the upright picture or as it is stored (EXIF); they were "
                "taken as made on the upright one, look at them",
                repr(name),
            )


def _side(value: object) -> int:
    """A width or height in pixels; 0 for none."""
    number = number_of(value)
    return int(number) if number is not None and 1 <= number < 1e7 and number.is_integer() else 0
