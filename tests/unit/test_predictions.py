"""Predictions are checked once, where they are read: what is wrong costs that prediction, its image goes to people."""

import json
import math

import made_up_people
import people
import pytest
from batch_rounds import merge, refs, run_round
from handling import MODEL, crown, handle, registered, upload
from hypothesis import given
from hypothesis import strategies as st
from labelloop.batch import batches
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.layout import Files
from labelloop.contracts.predictions import Prediction, check
from labelloop.contracts.skeletons import Vocabulary
from labelloop.store import ledger, storage

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")

BOX = {"class": "head", "left": 10.0, "top": 20.0, "width": 30.0, "height": 20.0, "confidence": 0.99}
GOOD = {"status": "ok", "width": 64, "height": 48, "model": MODEL, "boxes": [BOX]}


def box(**changed):
    return {**GOOD, "boxes": [{**BOX, **changed}]}


HEADS = Vocabulary("boxes", ("head",))
PEOPLE = Vocabulary("key-points", made_up_people.SKELETON.names, made_up_people.SKELETON)

WRONG = {
    "a box off the picture": box(left=5000.0, top=9000.0),
    "a box over the right edge": box(left=40.0, width=30.0),
    "a box over the left edge": box(left=-3.0),
    "a box over the bottom": box(top=40.0),
    "a box beside the picture": box(left=64.5, width=0.4),
    "no width": box(width=0.0),
    "no height": box(height=0.0),
    "a negative width": box(width=-4.0),
    "an enormous width": box(width=1e300),
    "a confidence above 1": box(confidence=1.7),
    "a confidence below 0": box(confidence=-1),
    "no confidence": {**GOOD, "boxes": [{name: value for name, value in BOX.items() if name != "confidence"}]},
    "a confidence in words": box(confidence="sure"),
    "an unknown class": box(**{"class": "person"}),
    "another letter case": box(**{"class": "Head"}),
    "another frame": {**GOOD, "width": 640, "height": 480},
    "a turned frame": {**GOOD, "width": 48, "height": 64},
    "another model": {**GOOD, "model": "v000099-ffffffff"},
    "no boxes at all": {name: value for name, value in GOOD.items() if name != "boxes"},
    "boxes in an object": {**GOOD, "boxes": {"0": BOX}},
    "too many boxes": {**GOOD, "boxes": [BOX] * 2_001},
    "an unknown status": {**GOOD, "status": "fine"},
}
RAW = {
    "NaN": json.dumps(box()).replace("0.99", "NaN"),
    "infinity": json.dumps(box()).replace("0.99", "Infinity"),
    "1e999": json.dumps(box()).replace("10.0", "1e999"),
    "cut off": json.dumps(box())[:-20],
    "HTML": "<html><body>502 Bad Gateway</body></html>",
    "a list": "[1, 2]",
    "nested too deeply": "[" * 100_000,
}


def batch_with_one(line: str | dict, count: int = 6) -> tuple[str, str]:
    """A batch whose champion sees everything well, but of one unsampled image says this; (batch, that image)."""
    upload(count)
    batch = registered()["batch"]["id"]
    crown(threshold=0.5)
    (odd, *_) = [image.source_ref for image in batches.images(batch) if not image.item.sampled]
    lines = [json.dumps({"source-ref": ref, **GOOD}) for ref in refs(batch) if ref != odd]
    text = line if isinstance(line, str) else json.dumps({"source-ref": odd, **line})
    storage.write(f"{Files(batch).predictions(1)}x.jsonl", "\n".join([*lines, text, ""]).encode())
    return batch, odd


@loop
@pytest.mark.fault("C15", "E08", "C12")
@pytest.mark.parametrize("line", [*WRONG.values(), *RAW.values()], ids=[*WRONG, *RAW])
def test_a_wrong_prediction_is_never_a_label_and_the_batch_goes_on(change_setting, line) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("ACCEPT_THRESHOLD", "0.5")
    change_setting("HUMAN_BUDGET", "6")
    batch, odd = batch_with_one(line)
    merged = run_round(batch, 1)
    decided = {each.source_ref: each for each in batches.round_decisions(batch, 1)}
    assert decided[odd].decision == "human", decided[odd]
    if isinstance(line, dict):
        assert any("prediction-refused: prediction of" in reason for reason in decided[odd].reasons)
    assert merged["auto"] + merged["human"] == 6 and merged["auto"] > 0
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    (row,) = storage.read_json(f"{Files(batch).root}/summary.json")["rounds"]
    assert row["refused_predictions"] == (1 if isinstance(line, dict) else 0)


@loop
@pytest.mark.fault("C14")
def test_extra_and_repeated_lines_of_one_answer_are_dropped_or_refused() -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    crown()
    once, twice, *others = refs(batch)
    lines = [{"source-ref": ref, **GOOD} for ref in (once, twice, twice, *others, "s3://elsewhere/x.png")]
    storage.write_lines(f"{Files(batch).predictions(1)}x.jsonl", lines)
    handle("begin_round", batch_id=batch, round=1)
    seen = batches.seen(batch, MODEL, 1, batches.images(batch))
    assert set(seen.usable) == {once, *others} and set(seen.refused) == {twice}
    assert seen.strange_lines == 1 and "more than once" in seen.refused[twice]


@loop
def test_a_request_that_is_answered_twice_changes_nothing_and_a_later_good_answer_counts() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    crown()
    first, second, third = refs(batch)
    handle("begin_round", batch_id=batch, round=1)
    folder = Files(batch).predictions(1)
    storage.write_lines(f"{folder}a.jsonl", [{"source-ref": first, **GOOD}, {"source-ref": second, **box(left=9999)}])
    storage.write_lines(f"{folder}b.jsonl", [{"source-ref": ref, **box(left=1.0)} for ref in (first, second, third)])
    seen = batches.seen(batch, MODEL, 1, batches.images(batch))
    assert [seen.usable[ref].boxes[0].left for ref in (first, second, third)] == [10.0, 1.0, 1.0] and not seen.refused


@pytest.mark.fault("C22")
@loop
def test_a_prediction_of_another_model_is_not_recorded_as_the_champions(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("ACCEPT_THRESHOLD", "0.5")
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    lines = [{"source-ref": ref, **GOOD, "model": "v000099-ffffffff"} for ref in refs(batch)]
    storage.write_lines(f"{Files(batch).predictions(1)}x.jsonl", lines)
    run_round(batch, 1)
    made = [json.loads(line) for line in storage.find_text_lines(Files(batch).round_annotations(1))]
    assert [line for line in made if line["boxes-metadata"]["human-annotated"] == "no"] == []


edge = st.floats(-3, 70, allow_nan=False)


@given(edge, edge, st.floats(-2, 70), st.floats(-2, 70), st.floats(-0.2, 1.2))
def test_what_is_usable_lies_inside_its_picture_with_a_confidence(left, top, width, height, confidence) -> None:
    from labelloop.contracts.predictions import Seen

    seen, reference = Seen(), "s3://b/k.png"
    record = {"source-ref": reference, **box(left=left, top=top, width=width, height=height, confidence=confidence)}
    seen.add([json.dumps(record)], {reference: (64, 48)}, HEADS, MODEL)
    assert (reference in seen.usable) != (reference in seen.refused)
    inside = left >= -1 and left + width <= 65 and top >= -1 and top + height <= 49 and 0 <= confidence <= 1
    for prediction in seen.usable.values():
        (found,) = prediction.boxes
        assert inside and found.left >= 0 and found.top >= 0 and found.width > 0 and found.height > 0
        assert found.left + found.width <= 64 + 1e-9 and found.top + found.height <= 48 + 1e-9
        assert math.isclose(found.left, max(left, 0.0)) and 0 <= found.confidence <= 1


@given(st.text(max_size=80), st.lists(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=5))))
def test_no_line_breaks_the_reader(line, records) -> None:
    from labelloop.contracts.predictions import Seen

    seen = Seen()
    seen.add([line, *map(json.dumps, records)], {"s3://b/k.png": (64, 48)}, HEADS, MODEL)
    assert not seen.usable


UNREADABLE = {
    "latin-1": '{"source-ref": "Größe"}\n'.encode("latin-1"),
    "UTF-16": '{"source-ref": "x"}\n'.encode("utf-16"),
    "gzip": b"\x1f\x8b\x08\x00\x00\xff\xfe\n",
    "half a character": "ü".encode()[:1],
}


@loop
@pytest.mark.fault("C12")
@pytest.mark.parametrize("broken", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("place", ["before", "after", "alone"])
def test_bytes_that_are_no_text_cost_their_line_and_not_the_batch(broken, place) -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    handle("begin_round", batch_id=batch, round=1)
    answered = refs(batch)[:-1]
    good = storage.lines_bytes({"source-ref": ref, **GOOD} for ref in answered)
    folder = Files(batch).predictions(1)
    storage.write(f"{folder}x.jsonl", {"before": broken + b"\n" + good, "after": good + broken, "alone": good}[place])
    if place == "alone":
        storage.write(f"{folder}y.jsonl", broken)
    assert handle("find_missing_predictions", batch_id=batch, round=1, attempt=0)["count"] == 1
    assert set(batches.seen(batch, MODEL, 1, batches.images(batch)).usable) == set(answered)
    merged = run_round(batch, 1)
    assert merged["human"] == 3 and merged["auto"] >= 1
    run_round(batch, 2)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))


@loop
def test_a_byte_order_mark_costs_nothing() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    crown()
    handle("begin_round", batch_id=batch, round=1)
    good = storage.lines_bytes({"source-ref": ref, **GOOD} for ref in refs(batch))
    storage.write(f"{Files(batch).predictions(1)}x.jsonl", b"\xef\xbb\xbf" + good)
    assert handle("find_missing_predictions", batch_id=batch, round=1, attempt=0)["count"] == 0


@loop
def test_an_accepted_prediction_that_is_gone_before_the_merge_is_asked_for_again(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    upload(6)
    batch = registered()["batch"]["id"]
    crown()
    handle("begin_round", batch_id=batch, round=1)
    storage.write_lines(f"{Files(batch).predictions(1)}x.jsonl", [{"source-ref": ref, **GOOD} for ref in refs(batch)])
    handle("judge_batch", batch_id=batch, round=1)
    storage.write(f"{Files(batch).predictions(1)}x.jsonl", b"")
    people.answer_round(batch, 1)
    merged = merge(batch, 1)
    assert (merged["auto"], merged["human"], merged["deferred"]) == (0, 3, 3)
    assert handle("begin_round", batch_id=batch, round=2)["infer"]


@loop
def test_an_endpoint_with_older_limits_rejects_no_image_that_inspection_took() -> None:
    """MaxImagePixels was raised after the champion had been deployed: its endpoint keeps the old one."""
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    handle("begin_round", batch_id=batch, round=1)
    larger, damaged, *others = refs(batch)
    rejected = {"status": "rejected", "model": MODEL}
    answers = [
        {"source-ref": larger, **rejected, "reason": "too-many-pixels"},
        {"source-ref": damaged, **rejected, "reason": "truncated"},
        *({"source-ref": ref, **GOOD} for ref in others),
    ]
    storage.write_lines(f"{Files(batch).predictions(1)}x.jsonl", answers)
    run_round(batch, 1)
    decided = {each.source_ref: each for each in batches.round_decisions(batch, 1)}
    assert decided[damaged].decision == "rejected" and decided[larger].decision == "human"
    assert any("other limits than the batch" in reason for reason in decided[larger].reasons)


def people_line(**changes) -> dict:
    known = made_up_people.seen(made_up_people.truth(5, people=2)).to_json()
    return {**known, **changes}


def moved(line, **changes) -> dict:
    first, *others = line["people"]
    point, *points = first["points"]
    return {**line, "people": [{**first, "points": [{**point, **changes}, *points]}, *others]}


def checked_people(line, vocabulary=PEOPLE):
    return check(Prediction.from_json(line), (640, 480), vocabulary)


def test_people_of_the_stacks_skeleton_are_usable_and_points_at_the_edge_are_moved_onto_it() -> None:
    line = people_line()
    assert checked_people(line) == Prediction.from_json(line)
    points = checked_people(moved(line, x=-0.6, y=480.9)).people[0].points
    assert (points[0].x, points[0].y) == (0, 480)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (moved(people_line(), x=-1.5), "point 'nose': field 'x'"),
        (moved(people_line(), y=482.0), "point 'nose': field 'y'"),
        (moved(people_line(), name="chin"), "field 'points'"),
        ({**people_line(), "people": [{**people_line()["people"][0], "class": "dog"}]}, "field 'class'"),
        ({**people_line(), "people": [{**people_line()["people"][0], "left": 900}]}, "'width'"),
    ],
    ids=["x", "y", "another point", "another class", "outside"],
)
def test_people_who_do_not_fit_are_refused_by_the_field(line, named) -> None:
    with pytest.raises(InvalidInputError, match=named):
        checked_people(line)


def test_boxes_are_no_answer_for_a_stack_of_key_points_and_people_none_for_one_of_boxes() -> None:
    empty = {name: value for name, value in people_line().items() if name != "people"} | {"boxes": []}
    with pytest.raises(InvalidInputError, match="'people' is missing"):
        checked_people(empty)
    for given_people in (people_line()["people"], []):
        with pytest.raises(InvalidInputError, match="'boxes' is missing"):
            checked_people(people_line(people=given_people), Vocabulary("boxes", ("person",)))
