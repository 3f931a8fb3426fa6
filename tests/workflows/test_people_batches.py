"""Key points through the whole loop: people teach a model of people, which labels what it is sure of."""

from __future__ import annotations

from typing import Any

from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import dump_line
from labelloop.tasks.people_quality import people_quality
from loop import Loop
from test_labeling_jobs import EVERY_FUNCTION, NAMES

from tests.support.pictures import KEY_POINTS, pictures

COUNT = 36
PEOPLE = {"TASK": "key-points", "KEY_POINTS": NAMES, "TARGET_MEAN_IOU": "0.7"}


def test_people_are_labelled_by_people_and_by_the_models_that_they_taught(loop: Loop) -> None:
    drawn = pictures(COUNT, seed="people")
    with loop.settings(*EVERY_FUNCTION, **PEOPLE):
        run = loop.label(loop.well_mixed("people", drawn, train=5), drawn)
    loop.assert_sound(run)

    assert {"Infer Shards", "Train Model"} <= run.all_states and "Record Failure" not in run.all_states
    promoted = [training for training in run.trainings if training.states[-1] == "Model Promoted"]
    assert promoted
    summary = loop.summary(run.batch)
    assert summary["auto"] >= COUNT // 6 and summary["human"] < COUNT and summary["deferred"] == 0
    job = promoted[0].output["comparison"]["comparison_uri"].split("/")[-2]
    asked = next(t for name, t in loop.control("GET", "state")["training_jobs"].items() if name == job)
    assert asked["status"] == "Completed"

    by_name = {f"s3://{loop.bucket}/incoming/{run.prefix}/{each.name}": each for each in drawn}
    qualities = {True: [], False: []}
    for line in loop.manifest(run.batch):
        label = read(line)
        assert [point.label for person in label.people or () for point in person.points] == list(KEY_POINTS)
        known = read({**line, "key-points": value(by_name[line["source-ref"]].key_points)})
        qualities[label.human].append(people_quality(label.people or (), known.people or ()))
    assert min(qualities[True]) > 0.95, "annotators make no mistakes unless told to"
    assert sum(qualities[False]) / len(qualities[False]) >= 0.7

    (model,) = {row["model_version"] for row in summary["rounds"] if row["auto"]}
    card = loop.json(f"models/{model}/card.json")
    thresholds = loop.json(f"models/{model}/thresholds/{card['dataset']}.json")
    assert set(thresholds["label_rule"]["visibility"]["t1"]) == set(KEY_POINTS)
    assert thresholds["figures"]["visibility_accuracy"] > 0.9
    proposals = [line for number in loop.rounds(run.batch) for line in loop.asked(run.batch, number)]
    assert any("proposed-key-points" in line for line in proposals), "people see what the model saw"


def test_boxes_from_an_endpoint_of_another_stack_go_to_people_and_cost_no_image(loop: Loop) -> None:
    """A champion of boxes serves, and the stack labels people: nothing that it says is used."""
    first = loop.label(loop.well_mixed("boxes", pictures(24, seed="boxes")), pictures(24, seed="boxes"))
    loop.assert_sound(first)
    with loop.settings(*EVERY_FUNCTION, **PEOPLE, RETRAIN_MINIMUM="1000", HUMAN_BUDGET="100"):
        run = loop.label("strange", pictures(8, seed="strange"))
    loop.assert_sound(run)
    assert loop.summary(run.batch)["human"] == 8
    decisions = loop.decisions(run.batch, 1)
    assert all("'people' is missing" in " ".join(each["reasons"]) for each in decisions)


def read(line: dict[str, Any]) -> Annotation:
    return Annotation.from_line(dump_line(line))


def value(points: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """The truth as a manifest has it: one person, as large as the picture."""
    annotations = [
        {
            "class_id": number,
            "person": 0,
            **{name: each for name, each in point.items() if name != "name" and each is not None},
        }
        for number, point in enumerate(points)
    ]
    side = {"width": 64, "height": 64}
    return {"image_size": [{**side, "depth": 3}], "annotations": annotations, "people": [{"left": 0, "top": 0, **side}]}
