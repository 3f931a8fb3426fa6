import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, Decision, Inspection, InventoryItem, dump_line, parse_lines

from tests.support import strategies

STRANGE_KEY = "incoming/b 1/a+b%20c 'quoted' \U0001f600\u2028end.png"

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
optional_names = st.none() | names
probabilities = st.floats(0, 1)


def through_json(record):
    (line,) = parse_lines(dump_line(record.to_json()), "test")
    return type(record).from_json(line)


@given(strategies.predictions())
def test_a_prediction_survives_its_json(prediction):
    assert through_json(prediction) == prediction


def test_a_prediction_has_the_documented_fields_and_decimals():
    prediction = Prediction("s3://b/k", "ok", 640, 480, "v1", (Box("head", 1.234, 2, 3.456, 4, 0.987654),))
    assert dump_line(prediction.to_json()) == (
        '{"source-ref":"s3://b/k","status":"ok","width":640,"height":480,"model":"v1","boxes":'
        '[{"class":"head","left":1.23,"top":2.0,"width":3.46,"height":4.0,"confidence":0.9877}]}'
    )


def test_a_rejected_prediction_carries_its_reason_and_no_boxes():
    rejected = Prediction("s3://b/k", "rejected", None, None, "v1", (), "truncated")
    assert rejected.to_json() == {"source-ref": "s3://b/k", "status": "rejected", "reason": "truncated", "model": "v1"}
    assert through_json(rejected) == rejected


@given(
    names, names, optional_names, optional_names, st.none() | st.integers(1, 9999), st.none() | st.just((0.0, 4095.0))
)
def test_an_inspection_survives_its_json(key, source_ref, optional, reason, size, scale):
    inspection = Inspection(key, "ok", source_ref, optional, optional, optional, size, size, reason, optional, scale)
    assert through_json(inspection) == inspection


def test_an_inspection_leaves_out_what_is_optional_and_writes_the_rest_in_order():
    bare = Inspection("k", "rejected", "s3://b/k", reason="empty")
    assert list(bare.to_json()) == ["key", "source-ref", "status", "reason", "sha256", "width", "height"]
    full = Inspection("k", "ok", "s3://b/c", "s3://b/k", "v", "ab", 1, 2, "r", "d", (0.0, 9.0))
    order = "key source-ref original-ref version-id status reason detail sha256 width height scale"
    assert list(full.to_json()) == order.split()


@given(names, optional_names, st.integers(0, 10**12), probabilities, st.booleans(), probabilities)
def test_an_inventory_item_survives_its_json(key, version, size, draw, sampled, probability):
    item = InventoryItem(key, version, "etag", size, draw, sampled, probability)
    assert through_json(item) == item


@given(names, st.none() | probabilities, st.lists(names, max_size=3), probabilities, st.integers(0, 50))
def test_a_decision_survives_its_json(source_ref, score, reasons, probability, round_number):
    decision = Decision(source_ref, "deferred", score, tuple(reasons), probability, "fixed/0.8", round_number)
    assert through_json(decision) == decision and "audit" not in decision.to_json()
    audited = replace(decision, decision="auto", audit=True)
    assert through_json(audited) == audited


PREDICTION = {"source-ref": "s3://b/k", "status": "ok", "width": 640, "height": 480, "model": "v1", "boxes": []}
BOX = {"class": "head", "left": 1, "top": 2, "width": 3, "height": 4, "confidence": 0.5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source-ref", None), ("source-ref", 7), ("source-ref", "\ud800"), ("status", "fine"), ("status", []),
        ("model", {}), ("width", 0), ("width", 1.5), ("width", True), ("height", "480"), ("height", 10**400),
        ("boxes", {}), ("boxes", None), ("boxes", [3]),
    ],
)  # fmt: skip
def test_a_wrong_field_of_a_prediction_is_named(field, value):
    with pytest.raises(InvalidInputError, match=field):
        Prediction.from_json({**PREDICTION, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class", None), ("left", "1"), ("top", float("nan")), ("width", -1), ("height", float("inf")),
        ("confidence", None), ("confidence", 1.01), ("confidence", True), ("left", 10**400),
    ],
)  # fmt: skip
def test_a_wrong_field_of_a_box_is_named_with_its_place(field, value):
    with pytest.raises(InvalidInputError, match=rf"boxes\[1\].*'{field}'"):
        Prediction.from_json({**PREDICTION, "boxes": [BOX, {**BOX, field: value}]})


POINT = {"name": "nose", "x": 1.25, "y": 2, "main": 0.9, "additional": 0.1}
PERSON = {**BOX, "points": [POINT, POINT]}
SAW_PEOPLE = {**{name: PREDICTION[name] for name in PREDICTION if name != "boxes"}, "people": [PERSON, PERSON]}


def test_a_prediction_of_people_survives_its_json_and_has_the_documented_decimals():
    prediction = Prediction.from_json(SAW_PEOPLE)
    assert (prediction.task, prediction.boxes, len(prediction.people or ())) == ("key-points", (), 2)
    assert through_json(prediction) == prediction and dump_line(prediction.to_json()) == dump_line(
        {**SAW_PEOPLE, "people": [{**PERSON, "left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0,
                                   "points": [{**POINT, "y": 2.0}] * 2}] * 2}
    )  # fmt: skip
    nobody = Prediction.from_json({**SAW_PEOPLE, "people": []})
    assert nobody.task == "key-points" and through_json(nobody) == nobody
    rounded = Prediction.from_json(
        {**SAW_PEOPLE, "people": [{**PERSON, "points": [{**POINT, "x": 1.2345, "main": 2 / 3}]}]}
    )
    assert rounded.to_json()["people"][0]["points"][0] == {**POINT, "x": 1.23, "y": 2.0, "main": 0.6667}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None), ("x", "1"), ("y", float("nan")), ("main", None), ("main", 1.01), ("additional", -0.1),
        ("additional", True), ("x", 10**400),
    ],
)  # fmt: skip
def test_a_wrong_field_of_a_seen_point_is_named_with_its_place(field, value):
    with pytest.raises(InvalidInputError, match=rf"people\[1\].points\[1\].*'{field}'"):
        Prediction.from_json({**SAW_PEOPLE, "people": [PERSON, {**PERSON, "points": [POINT, {**POINT, field: value}]}]})


@pytest.mark.parametrize("people", [None, {}, [3], [BOX], [{**PERSON, "confidence": None}], [{**PERSON, "points": 3}]])
def test_wrong_people_of_a_prediction_are_refused(people):
    with pytest.raises(InvalidInputError, match="people"):
        Prediction.from_json({**SAW_PEOPLE, "people": people})


@pytest.mark.parametrize(
    ("record", "kind", "field"),
    [
        ({"key": "k", "status": "rejected", "source-ref": "s"}, Inspection, "reason"),
        ({"key": "k", "status": "ok", "source-ref": "s", "scale": [1]}, Inspection, "scale"),
        ({"key": "k", "etag": "e", "size": -1}, InventoryItem, "size"),
        ({"key": "k", "etag": "e", "size": 1, "draw": 0.1, "sampled": "yes"}, InventoryItem, "sampled"),
        ({"source-ref": "s", "decision": "perhaps", "reasons": []}, Decision, "decision"),
        ({"source-ref": "s", "decision": "auto", "reasons": [1]}, Decision, "reasons"),
    ],
)
def test_a_wrong_field_of_another_record_is_named(record, kind, field):
    with pytest.raises(InvalidInputError, match=f"'{field}'"):
        kind.from_json(record)


def test_lines_are_split_at_line_feeds_only():
    first, second = {"key": STRANGE_KEY}, {"key": "b"}
    text = dump_line(first) + "\n\n" + dump_line(second) + "\r\n"
    assert "\u2028" in text
    assert list(parse_lines(text, "inventory.jsonl")) == [first, second]


@pytest.mark.parametrize(
    "broken", ["{", "[1]", "NaN", '{"a":NaN}', '{"a":' + "[" * 100_000, '{"a":' + "1" * 5000 + "}"]
)
def test_a_broken_line_is_named_by_file_and_number(broken):
    with pytest.raises(InvalidInputError, match=r"decisions/1\.jsonl, line 2"):
        list(parse_lines('{"a":1}\n' + broken, "decisions/1.jsonl"))


def test_not_a_number_is_never_written():
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_line({"score": float("nan")})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_json_where_a_record_belongs_is_refused_cleanly(value):
    for kind in (Prediction, Inspection, InventoryItem, Decision):
        for record in ({}, dict.fromkeys([*PREDICTION, "key", "decision", "etag"], value)):
            with pytest.raises(InvalidInputError):
                kind.from_json(record)


def test_lines_are_compact_and_not_escaped():
    assert dump_line({"key": STRANGE_KEY}) == json.dumps({"key": STRANGE_KEY}, ensure_ascii=False).replace(": ", ":")
