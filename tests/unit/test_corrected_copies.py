"""A label that people correct: what has the same bytes follows the correction, and nothing replaces it."""

import itertools
import json

import people
import pytest
from batch_rounds import merge, run_round
from handling import PREFIX, execution, handle, mark, picture, registered
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.store import datasets, storage
from made_up_stack import BUCKET
from same_bytes import ELSEWHERE, batch_of, dated, image

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


@pytest.fixture(autouse=True)
def everybody_is_asked(aws, change_setting) -> None:
    change_setting("HUMAN_BUDGET", "9")


def supplied(box: Box, key: str, name: str) -> str:
    """A batch of this picture of shade 10 with a label that came with it; merged."""
    prefix, _, file = key.rpartition("/")
    storage.write(key, picture(10))
    label = Annotation(file, None, *people.SIZE, (box,), True, "2026-01-01T00:00:00", "job").to_line(("head", "bag"))
    storage.write(f"{prefix}/labels.manifest", label.encode())
    batch = registered(mark(b'{"labels": "labels.manifest"}', prefix=f"{prefix}/"), name)["batch"]["id"]
    handle("import_labels", batch_id=batch, labels_uri=f"s3://{BUCKET}/{prefix}/labels.manifest")
    merge(batch, 0)
    return batch


CORRECTION = Box("bag", 40, 20, 10, 10)


def lefts_in_dataset() -> dict[str, list[int]]:
    lines = map(json.loads, datasets.current().lines)
    return {
        line["source-ref"].rpartition("/")[2]: [box["left"] for box in line["boxes"]["annotations"]] for line in lines
    }


@pytest.mark.fault("K07")
def test_a_copy_of_what_was_corrected_meanwhile_does_not_replace_the_correction() -> None:
    run_round(first := batch_of({"a.png": 10}), 1)
    handle("report_batch", batch_id=first, execution=execution("report"))
    second = batch_of({"a.png": 10, "z.png": 77}, PREFIX, "two")
    handle("begin_round", batch_id=second, round=1)
    handle("judge_batch", batch_id=second, round=1)
    supplied(CORRECTION, f"{PREFIX}a.png", "three")
    assert lefts_in_dataset() == {"a.png": [40]}
    people.answer_round(second, 1)
    assert merge(second, 1)["human"] == 2
    assert lefts_in_dataset()["a.png"] == [40]


@pytest.mark.fault("K07")
@pytest.mark.parametrize("name", ["a.png", "z.png"])
def test_copies_follow_the_correction_of_the_label_that_they_got(name) -> None:
    """Also one that was pinned before the correction and is merged after it."""
    run_round(first := batch_of({name: 10}), 1)
    handle("report_batch", batch_id=first, execution=execution("report"))
    run_round(batch_of({"b.png": 10, "c.png": 10, "other.png": 20}, ELSEWHERE, "two"), 1)
    third = batch_of({"d.png": 10, "e.png": 77}, "incoming/week 3/", "three")
    handle("begin_round", batch_id=third, round=1)
    handle("judge_batch", batch_id=third, round=1)
    correction = supplied(CORRECTION, PREFIX + name, "four")
    drawn = people.DRAWN[0].left
    assert lefts_in_dataset() == {name: [40], "b.png": [40], "c.png": [40], "other.png": [drawn]}
    people.answer_round(third, 1)
    merge(third, 1)
    follow, others = (name, "b.png", "c.png", "d.png"), ("other.png", "e.png")
    assert lefts_in_dataset() == {**{each: [40] for each in follow}, **{each: [drawn] for each in others}}
    lines = {line["source-ref"].rpartition("/")[2]: line for line in map(json.loads, datasets.current().lines)}
    for copy in (lines["b.png"], lines["d.png"]):
        told = {"source-ref": f"s3://{BUCKET}/{PREFIX}{name}", "batch": correction, "round": 0}
        assert copy["provenance"]["same-as"] == told and copy["provenance"]["batch"] != correction
        assert copy["provenance"]["role"] == lines[name]["provenance"]["role"]
        assert Annotation.from_line(json.dumps(copy)).boxes[0].label == "bag"
    merge(third, 1)
    assert datasets.current().lines == tuple(datasets.merge(datasets.current().lines, datasets.current().lines))


@pytest.mark.fault("K07")
def test_a_copy_follows_neither_other_bytes_under_the_key_it_names_nor_a_machine() -> None:
    told = {"source-ref": "s3://b/a", "batch": "one", "round": 1}
    copy = dated("b", "02", **{"same-as": told, "batch": "two", "round": 1})
    before = dated("a", "01", batch="one", round=1)
    for later in ({"sha256": "B"}, {"same-as": {"source-ref": "s3://b/c"}}):
        after = dated("a", "03", **{"batch": "three", "round": 0, **later})
        assert copy in datasets.merge([before, copy], [after])
    machines = dated("a", "03", batch="three", round=1).replace('"human-annotated": "yes"', '"human-annotated": "no"')
    assert machines in datasets.merge([copy], [machines]) and copy in datasets.merge([copy], [machines])
    assert copy in datasets.merge([before, copy], []) and copy in datasets.merge([copy], []), "nothing was corrected"


@pytest.mark.fault("K07")
@pytest.mark.parametrize("places", list(itertools.permutations(["a", "m", "z"])))
def test_the_newest_label_that_people_gave_a_content_trains_and_is_copied_wherever_it_lies(places) -> None:
    from labelloop.batch import copies

    old, new, copy = (
        dated(place, date, **of)
        for place, date, of in zip(places, ("01", "02", "03"), ({}, {}, {"same-as": {}}), strict=True)
    )
    lines = sorted([old, new, copy], key=lambda line: json.loads(line)["source-ref"])
    assert datasets.evidence(lines) == [("train", new)]
    assert [each.label for each in copies.find([image("x.png", "A", False)], lines, ("head",), "boxes")] == [new]
