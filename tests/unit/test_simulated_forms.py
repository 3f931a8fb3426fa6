"""Simulated annotators fill in the deployed templates: what they submit is what consolidation reads."""

import json
from dataclasses import replace

import pytest
from labelloop.contracts import skeletons
from labelloop.contracts.naming import JOB_KINDS
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import KeyPoint
from labelloop.contracts.settings import Settings
from labelloop.people import ground_truth, jobs
from labelloop.people.consolidation import consolidate_payload
from labelloop.people.task_input import task_input
from labelloop.tasks import people_labels
from labelloop.tasks.pages import box_mark
from labelloop.tasks.proposals import key_point_proposal_line, proposal_line
from made_up_stack import BUCKET, SETTINGS

from demo.annotators import Noise, answer, parse_truth, worker_names
from demo.annotators.noise import PROFILES
from tests.support.pictures import CLASS, KEY_POINTS, SIDE, pictures, truth

KNOBS = replace(Settings.from_environment(SETTINGS), classes=(CLASS,), key_points=skeletons.named(KEY_POINTS))
TEMPLATES = sorted(ground_truth.TEMPLATES.glob("*.liquid.html"))
ATTRIBUTES = {
    form.template: form.attribute
    for task in ("boxes", "key-points")
    for form in (jobs.form(kind, replace(KNOBS, task=task)) for kind in JOB_KINDS)
}
POINT_TEMPLATES = {path.read_text("utf-8") for path in TEMPLATES if "key-points" in path.name}
DRAWN = pictures(8)
KNOWN = parse_truth(truth("b", DRAWN))
NOISY = Noise(2, 0.3, 0.3, 0.3, wrong_visibility_rate=0.3)


def shown(template: str, key: str, proposed: bool, right: bool = False):
    image, reference = KNOWN.images[key], f"s3://{BUCKET}/{key}"
    if template in POINT_TEMPLATES:
        points = [KeyPoint(name, 5, 6, "occluded", 0.5) for name in KEY_POINTS[:2]]
        people = (image.people if right else one_person(points, (SIDE, SIDE))) if proposed else None
        line = key_point_proposal_line(reference, SIDE, SIDE, people, KEY_POINTS, "m")
        return task_input(line, replace(KNOBS, task="key-points"))
    boxes = [replace(box, left=box.left + 1, confidence=0.5) for box in image.boxes] if proposed else None
    return task_input(proposal_line(reference, SIDE, SIDE, boxes, (CLASS,), "m"), KNOBS)


@pytest.mark.parametrize("proposed", [True, False], ids=["adjust", "annotate"])
@pytest.mark.parametrize("profile", [None, *PROFILES])
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_answer_is_usable(path, profile, proposed) -> None:
    template, workers = path.read_text("utf-8"), worker_names(3)
    noise = replace(NOISY, workers={"1": profile} if profile else {})
    payload = []
    for key in KNOWN.images:
        page = shown(template, key, proposed)
        forms = {worker: answer(KNOWN, noise, worker, key, template, page) for worker in workers}
        annotations = [
            {"workerId": worker, "annotationData": {"content": json.dumps(form)}} for worker, form in forms.items()
        ]
        payload.append({"datasetObjectId": key, "annotations": annotations})
    attribute = ATTRIBUTES[path.name]
    for label in consolidate_payload(payload, attribute, (CLASS,), skeleton=KNOBS.key_points):
        value = label["consolidatedAnnotation"]["content"][attribute]
        assert value.get("workers") == 3 and "refused" not in value, value


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_perfect_worker_marks_the_truth(path) -> None:
    template = path.read_text("utf-8")
    for key, image in KNOWN.images.items():
        form = answer(KNOWN, Noise(), worker_names(1)[0], key, template, shown(template, key, True, right=True))
        said = next(iter(form.values()))
        if "keypoints" in said:
            marks = [people_labels.marks(person, number) for number, person in enumerate(image.people, start=1)]
            assert said["keypoints"] == [mark for listed in marks for mark in listed]
        elif "boundingBoxes" in said:
            assert said["boundingBoxes"] == [box_mark(box) for box in image.boxes]
        else:
            assert said == {"label": "accept"}
