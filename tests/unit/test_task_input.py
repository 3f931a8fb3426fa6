"""What a page gets of a manifest line, and that a line which is not good is refused before anything of it is used."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, KeyPoint
from labelloop.people.task_input import task_input
from labelloop.tasks import people_labels
from labelloop.tasks.proposals import proposal_line
from made_up_stack import BUCKET
from pre_labels import BOXES_STACK, IMAGE, POINTS_STACK, SIZE, boxes_line, points_line


def test_boxes_are_shown_for_correction_and_for_verification() -> None:
    box = {"label": "bag", "left": 1, "top": 2, "width": 10, "height": 10}
    assert task_input(boxes_line(), BOXES_STACK) == {
        "taskObject": IMAGE,
        "labels": ["head", "bag"],
        "initial": [box],
        "overlay": {"boundingBox": {"labels": ["head", "bag"], "value": [box]}},
        "skeleton": {},
        "header": "One tight box around every head and bag",
        "instructions": "",
    }


def test_key_points_are_shown_under_a_label_for_visible_and_one_for_occluded() -> None:
    line = points_line(KeyPoint("nose", 3.4, 4, "visible", 0.9), KeyPoint("right eye", 5, 6, "occluded", 0.9))
    assert task_input(line, POINTS_STACK) == {
        "taskObject": IMAGE,
        "labels": people_labels.offered(("nose", "left eye", "right eye"), 6),
        "initial": [{"label": "nose", "x": 3, "y": 4}, {"label": "right eye (occluded)", "x": 5, "y": 6}],
        "overlay": {
            "boundingBox": {
                "labels": ["person", *people_labels.offered(("nose", "left eye", "right eye"), 1)[:6]],
                "value": [
                    {"label": "person", "left": 1, "top": 2, "width": 6, "height": 6},
                    {"label": "nose", "left": 1, "top": 2, "width": 4, "height": 4},
                    {"label": "right eye (occluded)", "left": 3, "top": 4, "width": 4, "height": 4},
                ],
            }
        },
        "skeleton": {"bones": [], "box_factor": 1.25},
        "header": "The points of every person: nose, left eye and right eye",
        "instructions": "",
    }


@pytest.mark.parametrize("knobs", [BOXES_STACK, POINTS_STACK], ids=lambda knobs: knobs.task)
def test_without_a_pre_label_the_page_starts_empty(knobs) -> None:
    shown = task_input({"source-ref": IMAGE, "proposed-boxes": None, "anything": {"else": 1}}, knobs)
    assert shown["initial"] == shown["overlay"]["boundingBox"]["value"] == []


def test_the_instructions_of_the_stack_travel_as_they_are() -> None:
    knobs = replace(BOXES_STACK, labeling_instructions='<b>Only</b> "near" heads & bags\'')
    assert task_input(boxes_line(), knobs)["instructions"] == knobs.labeling_instructions


# --- F25: a line may point anywhere


HOSTILE_REFERENCES = [
    "s3://other-bucket/k.png",
    f"s3://{BUCKET}-2/k.png",
    f"s3://{BUCKET}.example.com/k.png",
    f"s3://user@{BUCKET}/k.png",
    f"s3://{BUCKET}@other/k.png",
    f"s3://{BUCKET}:443/k.png",
    f"S3://{BUCKET}/k.png",
    f" s3://{BUCKET}/k.png",
    f"s3:/{BUCKET}/k.png",
    f"s3://{BUCKET}",
    f"s3://{BUCKET}/",
    f"s3://{BUCKET}//k.png",
    f"s3://{BUCKET}/../other/k.png",
    f"s3://{BUCKET}/a/../../k.png",
    f"s3://{BUCKET}/a/./k.png",
    f"s3://{BUCKET}/a/..",
    f"http://{BUCKET}/k.png",
    f"https://{BUCKET}.s3.amazonaws.com/k.png",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,<script>",
    "/etc/passwd",
    "\ud800",
    "",
]


@pytest.mark.fault("F25")
@pytest.mark.parametrize("reference", [*HOSTILE_REFERENCES, None, 7, ["s3://b/k"], {"s3": "b"}, True], ids=repr)
@pytest.mark.parametrize("knobs", [BOXES_STACK, POINTS_STACK], ids=lambda knobs: knobs.task)
def test_an_image_elsewhere_is_refused_before_anything_is_used(knobs, reference) -> None:
    with pytest.raises(InvalidInputError, match="field 'source-ref'"):
        task_input({"source-ref": reference, "proposed-boxes": "not looked at"}, knobs)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_every_reference_that_passes_lies_in_the_data_bucket(text) -> None:
    for reference in (text, f"s3://{text}", f"s3://{BUCKET}{text}", f"s3://{BUCKET}/{text}"):
        try:
            shown = task_input({"source-ref": reference}, BOXES_STACK)["taskObject"]
        except InvalidInputError:
            continue
        assert shown == reference
        bucket, key = reference.removeprefix("s3://").split("/", 1)
        assert bucket == BUCKET and not {"", ".", ".."} & set(key.split("/"))


# --- wrong shapes


@pytest.mark.parametrize("line", [None, [], "text", 7])
def test_a_line_that_is_no_object_is_refused(line) -> None:
    with pytest.raises(InvalidInputError, match="field 'dataObject'"):
        task_input(line, BOXES_STACK)


sides = st.floats() | st.integers(-100, 200).map(float) | st.just(0.0)


@pytest.mark.fault("K06")
@given(st.lists(st.builds(Box, st.sampled_from(["head", "bag", "tail"]), sides, sides, sides, sides, st.floats(0, 1))))
def test_whatever_boxes_are_proposed_the_page_can_show_the_line(boxes) -> None:
    """One impossible box costs no labelling job: what of the boxes can be shown is, and the others are counted."""
    refused = None
    try:
        line = proposal_line(IMAGE, 64, 48, boxes, ("head", "bag"), "m")
        shown = task_input(line, BOXES_STACK)["initial"]
    except (ValueError, OverflowError) as error:
        refused = error
    assert refused is None
    assert len(shown) + line["proposed-boxes-metadata"]["dropped"] == len(boxes)
    for box in shown:
        assert 0 <= box["left"] < box["left"] + box["width"] <= 64
        assert 0 <= box["top"] < box["top"] + box["height"] <= 48


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)


@given(json_values, st.sampled_from(["source-ref", "proposed-boxes", "proposed-boxes-metadata", "annotations", "left"]))
def test_any_json_in_a_line_is_shown_or_refused_by_name(value, field) -> None:
    line = boxes_line()
    if field == "annotations":
        line["proposed-boxes"] = {**line["proposed-boxes"], field: value}
    elif field == "left":
        line["proposed-boxes"] = {"image_size": SIZE, "annotations": [{"class_id": 0, field: value}]}
    else:
        line[field] = value
    try:
        shown = task_input(line, BOXES_STACK)
    except InvalidInputError as error:
        assert "field '" in str(error)
    else:
        json.dumps(shown, allow_nan=False)
