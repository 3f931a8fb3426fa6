"""What counts as adjusted: nothing but a changed mark, whatever the order and the confidences."""

import json
import random
from dataclasses import replace

import pytest
from annotation_lines import annotation
from hypothesis import given
from hypothesis import strategies as st
from labelloop import tasks
from labelloop.contracts import skeletons
from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation, read_labeled
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, dump_line
from labelloop.contracts.settings import Settings
from labelloop.people.consolidation import consolidate_payload
from labelloop.people.task_input import task_input
from labelloop.tasks.changes import compare_boxes
from labelloop.tasks.proposals import key_point_proposal_line, proposal_line
from made_up_stack import BUCKET, SETTINGS

from tests.support import strategies
from tests.support.strategies import CLASSES, HEIGHT, KEY_POINTS, WIDTH

HEAD, HAND = Box("head", 10, 10, 40, 40, 0.9), Box("hand", 200, 10, 40, 40, 0.8)
BOXES_STACK = Settings.from_environment(SETTINGS)
KEY_POINTS_STACK = Settings.from_environment({**SETTINGS, "TASK": "key-points"})


@given(strategies.boxes(), strategies.boxes())
def test_an_adjustment_survives_the_metadata_of_a_line(before, after):
    label = Annotation(
        "s3://b/k", None, WIDTH, HEIGHT, tuple(after), True, "", "", adjustment=compare_boxes(before, after)
    )
    assert Annotation.from_line(label.to_line(CLASSES)) == label


def test_ground_truths_word_alone_is_read_and_written_again():
    record = json.loads(annotation().to_line())
    record["boxes-metadata"]["adjustment-status"] = "unadjusted"
    label = Annotation.from_line(json.dumps(record))
    assert label.adjustment == Adjustment("unadjusted")
    assert json.loads(label.to_line())["boxes-metadata"]["adjustment-status"] == "unadjusted"


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"adjustment-status": "perhaps"}, "adjustment-status"),
        ({"adjustment-status": 1}, "adjustment-status"),
        ({"adjustment-status": "adjusted", "adjustments": [1]}, "adjustments"),
        ({"adjustment-status": "adjusted", "adjustments": {"moved": -1}}, "moved"),
        ({"adjustment-status": "adjusted", "adjustments": {"moved": "1"}}, "moved"),
    ],
)
def test_a_wrong_field_is_named(metadata, field):
    with pytest.raises(InvalidInputError, match=f"field '{field}'"):
        Adjustment.from_metadata(metadata, "line of s3://b/k")


# --- an unchanged submit


@given(
    boxes=st.lists(
        st.builds(Box, st.sampled_from(["head", "bag"]), st.floats(-5, 99), st.floats(-5, 59), st.floats(0, 50),
                  st.floats(0, 50), strategies.confidences),
        max_size=6,
    ),
    workers=st.integers(1, 3),
)  # fmt: skip
def test_an_unchanged_submit_is_exactly_the_pre_label(boxes, workers):
    """The whole way of a pre-label: proposed, shown, submitted as it is, consolidated, read."""
    line = proposal_line(f"s3://{BUCKET}/k.png", 100, 60, boxes, ("head", "bag"), "m")
    shown = task_input(json.loads(dump_line(line)), BOXES_STACK)["initial"]
    answer = {
        "annotatedResult": {
            "boundingBoxes": random.Random(workers).sample(shown, len(shown)),
            "inputImageProperties": {"width": 100, "height": 60},
            "initialValueModified": True,  # never trusted
        }
    }
    before = read_labeled(dump_line(line), "proposed-boxes").annotation
    after = read_labeled(consolidated(line, answer, workers, "human-boxes", ("head", "bag")), "human-boxes").annotation
    assert sorted(map(edges, after.boxes)) == sorted(map(edges, before.boxes))
    untouched = {"untouched": len(shown)} if shown else {}
    assert tasks.changes(before, after) == Adjustment("unadjusted", untouched)


@given(people=strategies.people(max_size=6), workers=st.integers(1, 3))
def test_an_unchanged_submit_of_people_is_exactly_the_pre_label(people, workers):
    apart = [
        replace(person, box=replace(person.box, left=60.0 * place, top=0.0), derived=False)
        for place, person in enumerate(people)
    ]
    line = key_point_proposal_line(f"s3://{BUCKET}/k.png", WIDTH, HEIGHT, apart, KEY_POINTS, "m")
    shown = task_input(json.loads(dump_line(line)), KEY_POINTS_STACK)["initial"]
    answer = {
        "annotatedKeyPoints": {"keypoints": shown[::-1], "inputImageProperties": {"width": WIDTH, "height": HEIGHT}},
        "nothing-here": {"nothing-here": not shown},
        "cannot-judge": {"cannot-judge": False},
        "note": "",
    }
    before = read_labeled(dump_line(line), "proposed-key-points").annotation
    output = consolidated(line, answer, workers, "human-key-points", CLASSES, skeleton=skeletons.named(KEY_POINTS))
    after = read_labeled(output, "human-key-points", KEY_POINTS).annotation
    placed = sum(point.visibility != "outside" for person in before.people for point in person.points)
    untouched = placed + len(before.people)
    assert tasks.changes(before, after) == Adjustment("unadjusted", {"untouched": untouched} if untouched else {})


@given(points=strategies.key_points())
def test_an_unchanged_submit_of_a_person_whose_box_nobody_drew_is_the_pre_label(points):
    line = key_point_proposal_line(f"s3://{BUCKET}/k.png", 40, 40, one_person(points, (40, 40)), KEY_POINTS, "m")
    shown = task_input(json.loads(dump_line(line)), KEY_POINTS_STACK)["initial"]
    answer = {"": {"keypoints": shown, "inputImageProperties": {"width": 40, "height": 40}}, "nothing-here": not shown}
    before = read_labeled(dump_line(line), "proposed-key-points").annotation
    output = consolidated(line, answer, 1, "human-key-points", CLASSES, skeleton=skeletons.named(KEY_POINTS))
    after = read_labeled(output, "human-key-points", KEY_POINTS).annotation
    assert tasks.changes(before, after) == Adjustment("unadjusted", {"untouched": len(shown)} if shown else {})


def consolidated(line, answer, workers, attribute, classes, **more):
    """The output line of a job in which every worker gave this answer."""
    annotations = [
        {"workerId": f"private.{worker}", "annotationData": {"content": json.dumps(answer)}}
        for worker in range(workers)
    ]
    payload = [{"datasetObjectId": "0", "dataObject": {"s3Uri": line["source-ref"]}, "annotations": annotations}]
    (label,) = consolidate_payload(payload, attribute, classes, **more)
    metadata = {"type": "groundtruth/custom", "job-name": "labeling-job/j", "human-annotated": "yes"}
    value = label["consolidatedAnnotation"]["content"][attribute]
    return dump_line({**line, attribute: value, f"{attribute}-metadata": metadata})


def edges(box):
    return box.label, box.left, box.top, box.width, box.height
