"""Label manifests that people bring along: read in the forms they really have, refused with a reason otherwise.

Pure. The form is SageMaker's augmented manifest (developer guide, sms-data-output), one label per image; what the file
itself may look like is in supplied_files. Boxes and points are in canonical pixels.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelloop import tasks
from labelloop.contracts import fields, marks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.in_image import Size
from labelloop.contracts.manifests import Annotation, Failed, Labelled, read_labeled
from labelloop.contracts.marks import Mark, label_attributes
from labelloop.people.image_names import Names, normal

MOST_MARKS = 2_000
ROUNDING = 1e-6  # pixels that are lost where shares of a side are written
LINES_SHOWN = 5
REASONS_TOLD = 3
VERIFICATION = "groundtruth/label-verification"
# A verification job names its own categories. Any other word than these may say that the label is wrong.
ACCEPTED = frozenset(
    ["accept", "accepted", "approve", "approved", "correct", "good", "ok", "okay", "pass", "right", "yes"]
)


@dataclass(frozen=True)
class Refused:
    """A line that was not imported. `kind` groups lines that were refused for the same reason."""

    line: int
    error: str
    kind: str


def attribute_of(line: str, wanted: str) -> str | None:
    """The attribute to read: the one the marker names; else the only one with a label; else the last adjustment.

    A chained job adds its attribute to those of the jobs before it, and says `adjustment-status` in its metadata.
    Raises InvalidInputError where that does not tell, naming the attributes.
    """
    record = fields.mapping(fields.parse_line(line, "manifest line"), "manifest line", "(the line)")
    context = f"line of {fields.text(record, 'source-ref', 'manifest line')}"
    names = label_attributes(record)
    if wanted:
        if wanted not in names:
            known = ", ".join(names) or "none"
            raise InvalidInputError(
                f"{context}: it has no label under '{wanted}', which the marker names (it has {known})"
            )
        return wanted
    if len(names) < 2:
        return names[0] if names else None
    metadata = {name: record[f"{name}-metadata"] for name in names}
    adjusted = [name for name in names if "adjustment-status" in metadata[name]]
    dates = {name: str(metadata[name].get("creation-date", "")) for name in adjusted}
    newest = [name for name in adjusted if dates[name] == max(dates.values())]
    if len(newest) == 1:
        return newest[0]
    raise InvalidInputError(
        f"{context}: several attributes hold labels ({', '.join(names)}); name one in the marker: "
        '{"labels": "...", "attribute": "..."}'
    )


def read(line: str, wanted: str, names: Sequence[str], task: str = "") -> Annotation:
    """The human label of a line, its class names as the stack spells them; `task`: boxes | key-points, or either.

    Raises InvalidInputError.
    """
    attribute = attribute_of(line, wanted)
    # The line's own class map alone tells what a class id means: the stack's order of classes says nothing about it.
    result = read_labeled(line, attribute) if attribute else None
    if isinstance(result, Failed):
        raise InvalidInputError(f"its labelling failed: {result.reason}")
    if not isinstance(result, Labelled):
        raise InvalidInputError("it holds no label of boxes or key points")
    annotation = result.annotation
    if task and tasks.of(annotation.task) is not tasks.of(task):
        raise InvalidInputError(f"it holds no {task}, which is what the parameter Task asks for")
    if not annotation.human:
        raise InvalidInputError("a machine made this label (human-annotated: no); only people's labels are imported")
    if verdict := _not_accepted(line, annotation.creation_date):
        raise InvalidInputError(
            f"people verified this label as '{verdict}', which is none of {', '.join(sorted(ACCEPTED))}: adjust it, or "
            "take the verification out of the line"
        )
    if len(annotation.marks) > MOST_MARKS:
        raise InvalidInputError(f"it has more than {MOST_MARKS:,} marks")
    spelled = _spellings(names)
    kind = marks.of(annotation.task)
    known = (kind.renamed(mark, lambda label: _known(label, spelled, names)) for mark in annotation.marks)
    return replace(annotation, marks=tuple(kind.whole(mark, names) for mark in known))


def fitted(annotation: Annotation, size: Size, names: Sequence[str]) -> Annotation:
    """The label with its marks inside the image of this (width, height); up to a pixel over the edge is cut.

    Raises InvalidInputError naming the field.
    """
    labelled = (annotation.width, annotation.height)
    if labelled != size:
        turned = (
            " (turned: the label was made on pixels as stored, and people see them upright)"
            if labelled == size[::-1]
            else ""
        )
        raise InvalidInputError(
            f"field 'image_size' is {labelled[0]} x {labelled[1]}, but the upright image has {size[0]} x {size[1]} "
            f"pixels{turned}"
        )
    kind = marks.of(annotation.task)
    fitting = (kind.inside(mark, size, names, number) for number, mark in enumerate(annotation.marks))
    return replace(annotation, marks=tuple(fitting))


def read_mended(line: str, wanted: str, names: Sequence[str], task: str = "") -> tuple[Annotation, tuple[str, ...]]:
    """As `read`, without the boxes that have no numbers for sides; and what was wrong with each of those."""
    try:
        return read(line, wanted, names, task), ()
    except InvalidInputError:
        cleaned, lost = _without_nonsense(line)
        if not lost:
            raise
        return read(cleaned, wanted, names, task), lost


def mended(
    annotation: Annotation, size: Size, names: Sequence[str], lost: Sequence[str] = ()
) -> tuple[Annotation, tuple[str, ...]]:
    """As `fitted`, but one impossible box does not cost the others: what of it is outside the image is cut, and one of
    which nothing is left is left out. Returns the label and a sentence for each box that was mended, `lost` ones too.

    Raises InvalidInputError where most of the boxes are impossible: then the label is of something else.
    """
    if not tasks.of(annotation.task).separable or (annotation.width, annotation.height) != size:
        return fitted(annotation, size, names), tuple(lost)
    kind, kept = marks.of(annotation.task), []
    told = [f"{why}: it was left out" for why in lost]
    first: str = lost[0] if lost else ""
    for number, mark in enumerate(annotation.marks):
        try:
            kept.append(kind.inside(mark, size, names, number))
        except InvalidInputError as error:
            visible = kind.visible(mark, size)
            kept += [visible] if visible else []
            told.append(f"{error}: it was {'cut at the edge' if visible else 'left out'}")
            first = first or str(error)
    if 2 * len(told) > len(annotation.marks) + len(lost):
        raise InvalidInputError(first)
    return replace(annotation, marks=tuple(kept)), tuple(told)


Lines = Mapping[str, tuple[int, Annotation]]  # source-ref -> line number and label


def unambiguous(named: Mapping[str, Lines], names: Names) -> tuple[dict[str, Annotation], list[Refused]]:
    """The label of each image (of `named`), and the lines that do not count.

    Where several names mean one image, exact ones do, the last line of them; where none is exact, nobody knows which.
    """
    found, refused = {}, []
    for image, lines in named.items():
        sure = [name for name in lines if names.is_exact(name)] or (list(lines) if len(lines) == 1 else [])
        last = max(sure, key=lambda name: lines[name][0], default=None)
        if last is not None:
            found[image] = lines[last][1]
        for name, (number, _) in lines.items():
            if name in sure and last is not None and name != last:
                refused.append(repeated(number, lines[last][0]))
            elif name != last:
                other = next(each for each in (*sure, *lines) if each != name)
                error = f"it means the same image as {other!r}: name their whole keys"
                refused.append(Refused(number, error, kind_of(error)))
    return found, refused


def agreeing(
    found: Mapping[str, Annotation], named: Mapping[str, Lines], contents: Mapping[str, str]
) -> tuple[dict[str, Annotation], list[Refused]]:
    """The labels without those that contradict an earlier line about an image with the same bytes, and those lines.

    `found` is what `unambiguous` found in `named`; `contents`: image -> hash of its bytes.
    """
    line_of = {image: max(line for line, label in named[image].values() if label is found[image]) for image in found}
    first: dict[str, str] = {}
    kept, refused = {}, []
    for image in sorted(found, key=lambda image: line_of[image]):
        earlier = first.setdefault(contents[image], image)
        if marked_in(found[earlier]) == marked_in(found[image]):
            kept[image] = found[image]
        else:
            error = (
                f"line {line_of[earlier]} labels an image with the same bytes, {earlier!r}, otherwise, and that counts"
            )
            refused.append(Refused(line_of[image], error, kind_of(error)))
    return kept, refused


def marked_in(label: Annotation) -> Counter[Mark]:
    """What a label marks, in no order, and however sure somebody was."""
    return Counter(marks.of(label.task).sure(mark, lambda: None) for mark in label.marks)


def repeated(line: int, again: int) -> Refused:
    error = f"line {again} labels the same image again, and the last label counts"
    return Refused(line, error, kind_of(error))


def reasons(refused: Iterable[Refused]) -> list[dict[str, Any]]:
    """One row for each kind of reason, the most frequent first: reason, count and the first lines."""
    grouped: dict[str, list[Refused]] = defaultdict(list)
    for each in refused:
        grouped[each.kind].append(each)
    ordered = sorted(grouped.values(), key=lambda group: (-len(group), group[0].line))
    return [
        {"reason": group[0].error, "count": len(group), "lines": [each.line for each in group[:LINES_SHOWN]]}
        for group in ordered
    ]


def why(told: Mapping[str, Any]) -> str:
    """The most frequent reasons of import.json, for a sentence; empty where nothing was refused."""
    rows = [f"{row['reason']} ({row['count']:,} lines, e.g. {row['lines'][0]})" for row in told["reasons"]]
    more = [f"and {len(rows) - REASONS_TOLD} other reasons"] if len(rows) > REASONS_TOLD else []
    return "; ".join(rows[:REASONS_TOLD] + more)


def sentence(told: Mapping[str, Any]) -> str:
    """What import.json says, for a notice."""
    refused = f", {told['refused']:,} lines were refused: {why(told)}" if told["refused"] else ""
    boxes = sum(row["count"] for row in told.get("mended", ()))
    cut = f", {boxes:,} of their boxes were cut or left out: {told['mended'][0]['reason']}" if boxes else ""
    return f"{told['labels']:,} supplied labels were imported{cut}{refused}."


def kind_of(error: str) -> str:
    """What an error says, without what differs from line to line."""
    without_image = error.partition(": ")[2] if error.startswith("line of ") else error
    return re.sub(r"\d+", "#", re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", without_image))[:80]


def _spellings(names: Sequence[str]) -> dict[str, str]:
    """Loose spelling -> the stack's, where only one fits."""
    often = Counter(_class(name) for name in names)
    return {_class(name): name for name in names if often[_class(name)] == 1}


def _class(name: str) -> str:
    return " ".join(normal(name).split())


def _known(label: str, spelled: Mapping[str, str], names: Sequence[str]) -> str:
    if label in names:
        return label
    if found := spelled.get(_class(label)):
        return found
    raise InvalidInputError(f"field 'label' must be one of {', '.join(names)}, but is {fields.shown(label)}")


def _not_accepted(line: str, created: str) -> str:
    """What a verification job said of a label created then, where it did not accept it.

    A verification before that time is of an earlier label.
    """
    for metadata in json.loads(line).values():
        if not isinstance(metadata, dict) or metadata.get("type") != VERIFICATION:
            continue
        verdict, verified = str(metadata.get("class-name", "")), str(metadata.get("creation-date", ""))
        older = verified and created and verified < created
        if not older and verdict.strip().casefold() not in ACCEPTED:
            return verdict or "(no verdict)"
    return ""


def _without_nonsense(line: str) -> tuple[str, tuple[str, ...]]:
    """The line without boxes whose sides are not numbers, and why; it is read leniently, NaN and all."""
    try:
        record = json.loads(line) if len(line) <= fields.LONGEST_LINE else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return line, ()
    lost: list[str] = []
    for name in record:
        value = record[name]
        listed = value.get("annotations") if isinstance(value, dict) else None
        if not isinstance(listed, list) or len(listed) > MOST_MARKS:
            continue
        wrong = {number: why for number, each in enumerate(listed) if (why := _nonsense(each, number))}
        metadata = record.get(f"{name}-metadata")
        for holder, part in ((value, "annotations"), (value, "objects"), (metadata, "objects")):
            if isinstance(holder, dict) and isinstance(holder.get(part), list):
                holder[part] = [each for number, each in enumerate(holder[part]) if number not in wrong]
        lost += wrong.values()
    return json.dumps(record, ensure_ascii=False), tuple(lost)


def _nonsense(mark: Any, number: int) -> str:
    """Why this is not a box, although it is written as one; empty for a box, and for what is none."""
    if not isinstance(mark, dict) or not {"left", "top", "width", "height"} <= set(mark):
        return ""
    try:
        for side, least in (("left", None), ("top", None), ("width", 0), ("height", 0)):
            fields.number(mark, side, f"box {number}", *([] if least is None else [least]))
    except InvalidInputError as error:
        return str(error)
    return ""
