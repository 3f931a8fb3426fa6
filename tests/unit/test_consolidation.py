import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.consolidation import consolidate, consolidate_payload, parse_answer, read_answer
from labelloop.errors import InvalidInputError
from labelloop.manifests import Failed, Labelled, read_labeled
from labelloop.quality import iou
from labelloop.records import Box

from tests.support import strategies

GROUND_TRUTH = Path(__file__).parents[2] / "../shared/data/aws-fixtures/groundtruth"
HEAD = {"label": "head", "left": 10, "top": 20, "width": 30, "height": 40}

drawn = strategies.boxes(confidence=st.none(), max_size=5)
workers = st.lists(drawn, min_size=1, max_size=5)


def answer(*boxes, width=640, height=480, name="annotatedResult"):
    size = {"width": width, "height": height}
    return {name: {"boundingBoxes": list(boxes), "inputImageProperties": size}}


def item(*contents, object_id="0"):
    """A dataset object of a consolidation payload, with one answer per content."""
    annotations = [
        {"workerId": f"private.{index}", "annotationData": {"content": content}}
        for index, content in enumerate(contents)
    ]
    return {"datasetObjectId": object_id, "dataObject": {"s3Uri": "s3://b/k"}, "annotations": annotations}


def label_of(*contents):
    (response,) = consolidate_payload([item(*contents)], "human-boxes", strategies.CLASSES)
    return response["consolidatedAnnotation"]["content"]["human-boxes"]


@given(workers, st.randoms())
def test_the_label_does_not_depend_on_any_order(answers, random):
    label = consolidate(answers)
    shuffled = [random.sample(boxes, len(boxes)) for boxes in random.sample(answers, len(answers))]
    assert consolidate(shuffled) == label


@given(workers)
def test_every_box_of_the_label_was_drawn_by_a_strict_majority(answers):
    for box in consolidate(answers):
        assert 0.5 < box.confidence <= 1
        edges = ((box.left, box.left + box.width), (box.top, box.top + box.height))
        for (low, high), limit in zip(edges, (480, 480), strict=True):
            assert 0 <= low <= high <= limit
        overlapping = sum(any(iou(box, other) > 0 for other in boxes) for boxes in answers)
        assert 2 * overlapping > len(answers)
    assert len(consolidate(answers)) <= sum(map(len, answers)) / (len(answers) // 2 + 1)


@given(drawn, st.integers(1, 5))
def test_workers_who_agree_are_believed(boxes, count):
    agreed = consolidate([boxes] * count)
    assert sorted((b.left, b.top, b.width, b.height, b.label) for b in agreed) == sorted(
        (b.left, b.top, b.width, b.height, b.label) for b in boxes
    )
    assert all(box.confidence == 1 for box in agreed)
    assert consolidate([agreed]) == agreed


@given(drawn)
def test_one_workers_label_is_kept_whole(boxes):
    assert len(consolidate([boxes])) == len(boxes)


def test_a_strict_majority_decides():
    box = Box("head", 0, 0, 10, 10)
    assert consolidate([[box], []]) == []
    assert consolidate([[box], [box], []]) == [Box("head", 0, 0, 10, 10, 2 / 3)]
    assert consolidate([[box], [], []]) == []
    assert consolidate([[], []]) == []
    assert consolidate([]) == []


def test_edges_are_medians_and_the_class_is_voted():
    answers = [[Box("head", 0, 0, 100, 100)], [Box("head", 2, 4, 100, 100)], [Box("hand", 30, 0, 80, 100)]]
    assert consolidate(answers) == [Box("head", 2, 0, 100, 100, 1.0)]


def test_objects_on_top_of_each_other_stay_apart():
    head, hand = Box("head", 0, 0, 100, 100), Box("hand", 0, 10, 100, 90)
    assert [box.label for box in consolidate([[head, hand], [hand, head], [head]])] == ["head", "hand"]


def test_an_answer_is_read_under_any_name_and_beside_other_fields():
    assert parse_answer({**answer(HEAD, name="boxes"), "comment": "x"}) == [Box("head", 10, 20, 30, 40)]
    assert parse_answer(json.dumps(answer())) == []
    assert read_answer(answer(HEAD)).width == 640


def test_an_edge_a_pixel_outside_is_moved_inside():
    (box,) = parse_answer(answer({**HEAD, "left": -0.6, "top": 440.5}))
    assert box == Box("head", 0, 440.5, 29.4, 39.5)


MALFORMED = [
    ("not json", "content"),
    ("[]", "content"),
    ("null", "content"),
    (json.dumps({}), "boundingBoxes"),
    (json.dumps({"a": answer()["annotatedResult"], "b": answer()["annotatedResult"]}), "boundingBoxes"),
    ('{"a":' * 5000 + "1" + "}" * 5000, "content"),
    ("[" * 200_000, "content"),
    (json.dumps({**answer(), "padding": "x" * 1_000_000}), "content"),
    ({**answer(), "padding": "x" * 1_000_000}, "content"),
    (json.dumps(answer({**HEAD, "left": float("nan")})), "NaN"),
    (answer({**HEAD, "left": float("nan")}), "NaN"),
    (json.dumps(answer({**HEAD, "width": 1})).replace('"width": 1,', '"width": 1e999,'), "width"),
    (answer({**HEAD, "width": -5}), "width"),
    (answer({**HEAD, "height": 0}), "height"),
    (answer({**HEAD, "left": -2}), "left"),
    (answer({**HEAD, "left": 620}), "width"),
    (answer({**HEAD, "left": 640, "width": 1}), "width"),
    (answer({**HEAD, "top": "20"}), "top"),
    (answer({**HEAD, "top": 10**400}), "top"),
    (answer({**HEAD, "label": "tail"}), "label"),
    (answer({**HEAD, "label": None}), "label"),
    (answer(7), "boundingBoxes"),
    (answer(HEAD, width=0), "width"),
    ({"annotatedResult": {"boundingBoxes": {}, "inputImageProperties": {"width": 1, "height": 1}}}, "boundingBoxes"),
    ({"annotatedResult": {"boundingBoxes": []}}, "inputImageProperties"),
]


@pytest.mark.parametrize(("content", "field"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_answer_names_the_field_and_costs_only_itself(content, field):
    with pytest.raises(InvalidInputError, match=field):
        parse_answer(content, strategies.CLASSES)
    good = json.dumps(answer(HEAD))
    assert label_of(good, content)["annotations"] == [{"class_id": 0, "left": 10, "top": 20, "width": 30, "height": 40}]
    assert "no usable answer among 1" in label_of(content)["error"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_any_json_for_an_answer_is_read_or_refused_cleanly(value):
    for content in (json.dumps(value), answer(value), answer({**HEAD, "left": value}), {"a": value}):
        try:
            boxes = parse_answer(content, strategies.CLASSES)
        except InvalidInputError:
            continue
        assert all(box.left >= 0 and box.left + box.width <= 640 for box in boxes)


def test_a_payload_gives_one_label_per_object_in_order():
    payload = [item(json.dumps(answer(HEAD)), json.dumps(answer(HEAD)), object_id="7"), item(answer(), object_id="3")]
    first, second = consolidate_payload(payload, "human-boxes", ["hand", "head"])
    assert first == {
        "datasetObjectId": "7",
        "consolidatedAnnotation": {
            "content": {
                "human-boxes": {
                    "image_size": [{"width": 640, "height": 480, "depth": 3}],
                    "annotations": [{"class_id": 1, "left": 10, "top": 20, "width": 30, "height": 40}],
                    "objects": [{"confidence": 1.0}],
                    "class-map": {"0": "hand", "1": "head"},
                    "workers": 2,
                }
            }
        },
    }
    assert second["consolidatedAnnotation"]["content"]["human-boxes"]["annotations"] == []


def test_a_label_and_an_error_come_back_out_of_the_manifest():
    metadata = {"type": "groundtruth/custom", "human-annotated": "yes", "job_name": "j", "creation_date": "2026-11-20"}
    for contents, kind in (((answer(HEAD),), Labelled), (("broken",), Failed), ((), Failed)):
        line = {"source-ref": "s3://b/k", "human-boxes": label_of(*contents), "human-boxes-metadata": metadata}
        result = read_labeled(json.dumps(line), "human-boxes")
        assert isinstance(result, kind)
        if kind is Labelled:
            assert result.annotation.boxes == (Box("head", 10, 20, 30, 40, 1.0),)


def test_a_resubmitted_answer_replaces_the_first():
    twice = item(answer(HEAD), answer())
    twice["annotations"][1]["workerId"] = "private.0"
    (response,) = consolidate_payload([twice], "a", strategies.CLASSES)
    assert response["consolidatedAnnotation"]["content"]["a"]["annotations"] == []


def test_an_answer_about_another_image_size_does_not_count():
    label = label_of(answer(HEAD), answer(HEAD), answer(HEAD, width=320))
    assert label["workers"] == 2
    assert label["image_size"] == [{"width": 640, "height": 480, "depth": 3}]


def test_answers_can_be_stored_elsewhere():
    stored = item()
    stored["annotations"] = [{"workerId": "w", "annotationData": {"s3Uri": "s3://b/answer.json"}}]
    files = {"s3://b/answer.json": json.dumps(answer(HEAD))}
    (response,) = consolidate_payload([stored], "a", strategies.CLASSES, files.__getitem__)
    assert len(response["consolidatedAnnotation"]["content"]["a"]["annotations"]) == 1
    (response,) = consolidate_payload([stored], "a", strategies.CLASSES)
    assert "content" in response["consolidatedAnnotation"]["content"]["a"]["error"]


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "payload"),
        ([1], r"\[0\]"),
        ([{"annotations": []}], "datasetObjectId"),
        ([{"datasetObjectId": "0"}], "annotations"),
    ],
)
def test_a_malformed_payload_is_refused(payload, field):
    with pytest.raises(InvalidInputError, match=field):
        consolidate_payload(payload, "a", strategies.CLASSES)


def test_a_recorded_payload_of_ground_truth_is_consolidated():
    path = GROUND_TRUTH / "custom-task-lambda/sample_annotation_consolidation_payload.json"
    if not path.exists():
        pytest.skip("the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
    first, second = consolidate_payload(json.loads(path.read_text()), "boxes", ["Red", "Green"])
    assert first["consolidatedAnnotation"]["content"]["boxes"]["annotations"] == [
        {"class_id": 0, "left": 116, "top": 283, "width": 137, "height": 128},
        {"class_id": 1, "left": 418, "top": 281, "width": 138, "height": 141},
    ]
    assert second["datasetObjectId"] == "2"
