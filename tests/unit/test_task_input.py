"""What a page gets of a manifest line, and that a line which is not good is refused before anything of it is used."""

import json
from dataclasses import replace

import pytest
from handling import handle
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, KeyPoint
from labelloop.contracts.settings import Settings
from labelloop.people.task_input import task_input
from labelloop.tasks.proposals import key_point_proposal_line, proposal_line
from made_up_stack import BUCKET, SETTINGS, arn

BOXES_STACK = Settings.from_environment(SETTINGS)
POINTS_STACK = replace(BOXES_STACK, task="key-points")
IMAGE = f"s3://{BUCKET}/incoming/b/k ü+%20.png"
SIZE = [{"width": 64, "height": 48, "depth": 3}]


def boxes_line(**changes):
    line = proposal_line(IMAGE, 64, 48, [Box("bag", 1.4, 2, 10, 10, 0.9)], ("head", "bag"), "m")
    return {**line, **changes}


def points_line(*points):
    return key_point_proposal_line(IMAGE, 64, 48, points, POINTS_STACK.key_points, "m")


def one_box(**changes):
    box = {"class_id": 0, "left": 1, "top": 2, "width": 10, "height": 10, **changes}
    return {"image_size": SIZE, "annotations": [{name: value for name, value in box.items() if value is not None}]}


def test_boxes_are_shown_for_correction_and_for_verification() -> None:
    box = {"label": "bag", "left": 1, "top": 2, "width": 10, "height": 10}
    assert task_input(boxes_line(), BOXES_STACK) == {
        "taskObject": IMAGE,
        "labels": ["head", "bag"],
        "initial": [box],
        "overlay": {"boundingBox": {"labels": ["head", "bag"], "value": [box]}},
        "header": "One tight box around every head and bag",
        "instructions": "",
    }


def test_key_points_are_shown_under_a_label_for_visible_and_one_for_occluded() -> None:
    line = points_line(KeyPoint("nose", 3.4, 4, "visible", 0.9), KeyPoint("right eye", 5, 6, "occluded", 0.9))
    assert task_input(line, POINTS_STACK) == {
        "taskObject": IMAGE,
        "labels": ["nose", "nose (occluded)", "left eye", "left eye (occluded)", "right eye", "right eye (occluded)"],
        "initial": [{"label": "nose", "x": 3, "y": 4}, {"label": "right eye (occluded)", "x": 5, "y": 6}],
        "overlay": {"boundingBox": {"labels": ["head", "bag"], "value": []}},
        "header": "Place the points: nose, left eye and right eye",
        "instructions": "",
    }


@pytest.mark.parametrize("knobs", [BOXES_STACK, POINTS_STACK], ids=lambda knobs: knobs.task)
def test_without_a_pre_label_the_page_starts_empty(knobs) -> None:
    shown = task_input({"source-ref": IMAGE, "proposed-boxes": None, "anything": {"else": 1}}, knobs)
    assert shown["initial"] == shown["overlay"]["boundingBox"]["value"] == []


def test_the_instructions_of_the_stack_travel_as_they_are() -> None:
    knobs = replace(BOXES_STACK, labeling_instructions='<b>Only</b> "near" heads & bags\'')
    assert task_input(boxes_line(), knobs)["instructions"] == knobs.labeling_instructions


def test_the_handler_answers_with_the_documented_names(aws) -> None:
    job = arn("sagemaker", "labeling-job/x")
    answer = handle("pre_annotate", version="2018-10-16", labelingJobArn=job, dataObject=boxes_line())
    assert answer == {"taskInput": task_input(boxes_line(), BOXES_STACK), "isHumanAnnotationRequired": True}
    with pytest.raises(InvalidInputError, match="dataObject"):
        handle("pre_annotate", version="2018-10-16", labelingJobArn=job)


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


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"proposed-boxes": [1]}, "proposed-boxes"),
        ({"proposed-boxes": "x"}, "proposed-boxes"),
        ({"proposed-boxes-metadata": [1]}, "proposed-boxes-metadata"),
        ({"proposed-boxes": {"annotations": []}}, "image_size"),
        ({"proposed-boxes": {"image_size": [{"width": -1, "height": 9}], "annotations": []}}, "width"),
        ({"proposed-boxes": {"image_size": SIZE}}, "annotations"),
        ({"proposed-boxes": {"image_size": SIZE, "annotations": [7]}}, "annotations"),
        ({"proposed-boxes": one_box(class_id=9)}, "class_id"),
        ({"proposed-boxes": one_box(class_id=[])}, "class_id"),
        ({"proposed-boxes": one_box(left=None)}, "left"),
        ({"proposed-boxes": one_box(left="1")}, "left"),
        ({"proposed-boxes": one_box(left=-1)}, "left"),
        ({"proposed-boxes": one_box(left=64, width=1)}, "left"),
        ({"proposed-boxes": one_box(width=0)}, "width"),
        ({"proposed-boxes": one_box(width=64)}, "width"),
        ({"proposed-boxes": one_box(top=47, height=2)}, "height"),
        ({"proposed-boxes": one_box(top=float("nan"))}, "top"),
        ({"proposed-boxes": one_box(top=10**400)}, "top"),
        ({"proposed-boxes-metadata": {"class-map": {"0": "tail", "1": "tail"}}}, "class_id"),
        ({"proposed-boxes-metadata": {"class-map": {"1": ["bag"]}}}, "1"),
    ],
)
def test_a_wrong_field_of_a_pre_label_is_named(changes, field) -> None:
    with pytest.raises(InvalidInputError, match=f"field '{field}'") as refusal:
        task_input(boxes_line(**changes), BOXES_STACK)
    assert str(refusal.value).startswith("line of ")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"x": -1}, "x"), ({"x": 65}, "x"), ({"y": 49}, "y"), ({"y": None}, "y"), ({"visibility": "no"}, "visibility"),
        ({"visibility": "outside"}, "x"), ({"class_id": 5}, "class_id"),
    ],
)  # fmt: skip
def test_a_wrong_field_of_proposed_key_points_is_named(changes, field) -> None:
    line = points_line(KeyPoint("nose", 3, 4, "visible", 0.9))
    line["proposed-key-points"]["annotations"][0].update(changes)
    with pytest.raises(InvalidInputError, match=f"field '{field}'"):
        task_input(line, POINTS_STACK)


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
