"""Manifest lines with a pre-label, and the settings of the stacks that show them."""

from dataclasses import replace

from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box
from labelloop.contracts.settings import Settings
from labelloop.tasks.proposals import key_point_proposal_line, proposal_line
from made_up_stack import BUCKET, SETTINGS

BOXES_STACK = Settings.from_environment(SETTINGS)
POINTS_STACK = replace(BOXES_STACK, task="key-points")
IMAGE = f"s3://{BUCKET}/incoming/b/k ü+%20.png"
SIZE = [{"width": 64, "height": 48, "depth": 3}]


def boxes_line(**changes):
    line = proposal_line(IMAGE, 64, 48, [Box("bag", 1.4, 2, 10, 10, 0.9)], ("head", "bag"), "m")
    return {**line, **changes}


def points_line(*points):
    return key_point_proposal_line(IMAGE, 64, 48, one_person(points, (64, 48)), POINTS_STACK.label_names, "m")


def one_box(**changes):
    box = {"class_id": 0, "left": 1, "top": 2, "width": 10, "height": 10, **changes}
    return {"image_size": SIZE, "annotations": [{name: value for name, value in box.items() if value is not None}]}
