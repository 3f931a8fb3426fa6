"""Rounds of a batch: from nothing, from labels or from a given model, to a model that labels what it is sure of."""

from __future__ import annotations

import itertools
import json
import re
from datetime import datetime
from typing import Any

import pytest
from given_model import starting_model
from loop import Loop, Run

from tests.support.pictures import CLASS, SIDE, Picture, pictures

COUNT = 36


def test_a_batch_without_any_model_is_labelled_by_people_and_by_the_models_they_taught(loop: Loop) -> None:
    drawn = pictures(COUNT, seed="cold")
    run = loop.label(loop.well_mixed("cold", drawn, train=5), drawn)
    loop.assert_sound(run)

    assert run.states[:4] == ("Register Batch", "Already Owned?", "Empty Batch?", "Inspect Shards")
    assert set(run.states[4:6]) == {"Labels Supplied?", "Starting Model?"}
    at_the_end = ("Another Round?", "Report Batch", "Train For Next Batch?")
    assert run.states[run.states.index("Report Batch") - 1 :][:3] == at_the_end
    assert run.states[-1] == "Batch Labeled"
    first_round = ("Begin Round", "Model Available?", "Judge Batch", "Humans Needed?", "First Job", "Request Labels")
    assert run.states[6:12] == first_round, "without a model nothing is inferred"
    assert run.states[run.states.index("Find Missing Predictions") + 1] == "Anything Missing?"
    assert run.states[run.states.index("Merge Annotations") + 1] == "Time To Retrain?"
    assert {"Infer Shards", "Train Model"} <= run.all_states
    promoted = [training for training in run.trainings if training.states[-1] == "Model Promoted"]
    assert promoted and {"Worth Training?", "Train Challenger", "Deploy Model", "Promote Model"} <= set(
        promoted[0].states
    )
    assert "Record Failure" not in run.all_states
    assert not any("Record Failure" in training.states for training in run.trainings)

    summary = loop.summary(run.batch)
    assert summary["auto"] >= COUNT // 4 and summary["human"] < COUNT and summary["deferred"] == 0
    assert summary["rounds"][0]["model_version"] == "" and summary["rounds"][-1]["model_version"]
    champion = loop.champion()
    assert champion and champion["version"] == promoted[-1].output["comparison"]["model_version"]
    assert_people_drew_the_truth(loop, run, drawn)
    assert_machine_labels_can_be_traced(loop, run)
    assert_roles_are_kept(loop, run)


def test_a_second_batch_begins_with_the_model_of_the_first(loop: Loop) -> None:
    drawn = pictures(24, seed="teacher")
    first = loop.label(loop.well_mixed("teacher", drawn), drawn)
    loop.assert_sound(first)
    champion = loop.champion()
    assert champion is not None
    second = loop.label("pupil", pictures(24, seed="pupil"))
    loop.assert_sound(second)
    assert loop.summary(second.batch)["rounds"][0]["model_version"] == champion["version"]
    assert second.states.index("Infer Shards") < second.states.index("Judge Batch")
    assert_machine_labels_can_be_traced(loop, second)
    assert_roles_are_kept(loop, second)
    assert len(loop.dataset()) == 48


def test_existing_labels_start_the_loop_and_a_malformed_line_is_reported_with_file_and_number(loop: Loop) -> None:
    drawn, labelled = pictures(COUNT, seed="supplied"), 20
    lines = [label_line(picture) for picture in drawn[:labelled]]
    lines[4] = lines[4][: len(lines[4]) // 2]
    lines.insert(9, label_line(drawn[9], "nowhere/to-be-found.png"))
    prefix = loop.well_mixed("supplied", drawn, labelled)
    loop.upload(prefix, drawn)
    loop.put(f"incoming/{prefix}/labels.manifest", "\n".join(lines).encode())
    loop.mark(prefix, {"labels": "labels.manifest", "count": COUNT})
    run = loop.wait(prefix)

    loop.assert_sound(run)
    assert "Import Labels" in run.states
    errors = loop.lines(f"batches/{run.batch}/labeling/0/import-errors.jsonl")
    where = f"s3://{loop.bucket}/incoming/{prefix}/labels.manifest"
    assert [(error["file"], error["line"]) for error in errors] == [(where, 5), (where, 10)]
    assert "JSON" in errors[0]["error"] and "nowhere/to-be-found.png" in errors[1]["error"]
    imported = loop.lines(f"batches/{run.batch}/annotations/0.manifest")
    expected = {f"s3://{loop.bucket}/incoming/{prefix}/{each.name}" for each in (*drawn[:4], *drawn[5:labelled])}
    assert {line["source-ref"] for line in imported} == expected
    assert run.trainings[0].states[-1] == "Model Promoted", "the supplied labels teach the first model"
    assert loop.summary(run.batch)["rounds"][1]["model_version"]
    assert_people_drew_the_truth(loop, run, drawn)
    assert_roles_are_kept(loop, run)


def test_a_given_starting_model_proposes_labels_and_accepts_none_before_it_is_calibrated(loop: Loop) -> None:
    uri = starting_model(loop)
    with loop.settings("RegisterBatch", STARTING_MODEL=uri), loop.settings("JudgeBatch", HUMAN_BUDGET="100"):
        run = loop.label("adopted", pictures(12, seed="adopted"))
    loop.assert_sound(run)
    assert "Adopt Starting Model" in run.states
    adoption = run.trainings[0]
    assert adoption.states[-1] == "Model Promoted" and "Train Challenger" not in adoption.states
    assert loop.summary(run.batch)["rounds"][0]["model_version"] == adoption.output["comparison"]["model_version"]
    assert loop.summary(run.batch)["human"] == 12
    asked = loop.asked(run.batch, 1)
    assert len(asked) == 12 and all(line["proposed-boxes"]["annotations"] for line in asked)


def test_without_any_model_a_batch_ends_with_deferred_images_and_goes_on_when_resumed(loop: Loop) -> None:
    drawn = pictures(48, seed="unlucky")
    prefix = loop.well_mixed("unlucky", drawn)
    loop.faults(fail_training=["the disk is full"] * 10)
    with loop.settings("JudgeBatch", HUMAN_BUDGET="3"):
        run = loop.label(prefix, drawn)
    loop.assert_sound(run)
    summary = loop.summary(run.batch)
    assert [row["human"] for row in summary["rounds"]] == [20, 3, 3, 3], "the whole sample first, then the budget"
    assert (summary["sampled"], summary["human"], summary["deferred"]) == (20, 29, 48 - 29)
    assert run.trainings and {training.status for training in run.trainings} == {"FAILED"}
    assert all("the disk is full" in training.cause for training in run.trainings)
    assert run.states.count("Training Lost") == run.states.count("Train Model") == len(run.trainings) - 1
    assert run.states[-2:] == ("Start Training", "Batch Labeled") and loop.champion() is None
    before = {line["source-ref"]: line for line in loop.manifest(run.batch)}

    loop.faults()
    idle = loop.wait(loop.start(prefix))
    assert idle.states[-1] == "Batch Already Labeled"
    resumed = loop.wait(loop.start(prefix, resume=True))
    loop.assert_sound(resumed)
    after = loop.summary(run.batch)
    assert after["deferred"] == 0 and after["auto"] > 0 and loop.champion() is not None
    assert [row["round"] for row in after["rounds"]][:5] == [1, 2, 3, 4, 5]
    assert before.items() <= {line["source-ref"]: line for line in loop.manifest(run.batch)}.items()
    assert_roles_are_kept(loop, resumed)


def test_a_failed_training_keeps_the_old_model_and_the_batch_completes(loop: Loop) -> None:
    good = pictures(24, seed="good")
    loop.assert_sound(loop.label(loop.well_mixed("good days", good), good))
    champion = loop.champion()
    loop.faults(fail_training=["out of memory"] * 10)
    run = loop.label("bad days", pictures(24, seed="bad"))
    loop.assert_sound(run)
    assert champion and loop.champion() == champion
    assert loop.summary(run.batch)["deferred"] == 0
    assert run.trainings and {training.status for training in run.trainings} == {"FAILED"}


@pytest.mark.fault("A15", "G01", "H02")
def test_two_batches_at_the_same_time_lose_no_label_and_train_one_after_the_other(loop: Loop) -> None:
    batches = {loop.well_mixed(side, pictures(24, seed=side)): pictures(24, seed=side) for side in ("left", "right")}
    for prefix, drawn in batches.items():
        loop.upload(prefix, drawn)
    with loop.held("training"):
        for prefix in batches:
            loop.mark(prefix, {})
        arns = [loop.started(prefix) for prefix in batches]
        loop.eventually(lambda: "Wait For Lock" in {state for arn in arns for state in loop.run(arn).all_states}, 120)
        loop.eventually(lambda: training_jobs(loop), 120)
        assert training_jobs(loop) == ["InProgress"]
    runs = [loop.wait(arn) for arn in arns]

    for run in runs:
        loop.assert_sound(run)
    merged = sorted(line["source-ref"] for run in runs for line in loop.manifest(run.batch))
    assert [line["source-ref"] for line in loop.dataset()] == merged
    trained = [each for run in runs for each in run.trainings if "Assemble Dataset" in each.states]
    spans = sorted(working_span(loop, each.arn) for each in trained)
    assert len(spans) >= 2
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(spans))


def test_batches_that_are_merged_at_the_same_moment_lose_no_label(loop: Loop) -> None:
    """The publications meet: of two that have read the same version one comes second."""
    older = [older_line(loop, number) for number in range(4000)]
    loop.put("datasets/v000001-01de401d/manifest.jsonl", "".join(line + "\n" for line in older).encode())
    loop.put("datasets/current", b'{"version": "v000001-01de401d"}')
    prefixes = [f"crowd {number}" for number in range(4)]
    for prefix in prefixes:
        loop.upload(prefix, pictures(2, seed=prefix))
    loop.faults(hold_labeling=True)
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="5000"), loop.meeting("datasets/current"):
        for prefix in prefixes:
            loop.mark(prefix, {})
        for prefix in prefixes:
            loop.reach(loop.started(prefix), "Request Labels")
        loop.faults()
        runs = [loop.wait(prefix) for prefix in prefixes]

    for run in runs:
        loop.assert_sound(run)
    merged = {line["source-ref"] for run in runs for line in loop.manifest(run.batch)}
    assert len(merged) == 8
    assert {line["source-ref"] for line in loop.dataset()} == merged | {
        json.loads(line)["source-ref"] for line in older
    }
    assert loop.json("datasets/current")["version"].startswith("v000005-"), (
        "one version for each batch, one after another"
    )
    written = {key.split("/")[1] for key in loop.keys("datasets/v")}
    assert len(written) > 5, "a publication that came second left the version that it had written"


def assert_people_drew_the_truth(loop: Loop, run: Run, drawn: list[Picture]) -> None:
    """Annotators make no mistakes unless told to."""
    known = {f"s3://{loop.bucket}/incoming/{run.prefix}/{each.name}": each for each in drawn}
    for line in loop.manifest(run.batch):
        if line["boxes-metadata"]["human-annotated"] == "yes":
            assert corners(line["boxes"]["annotations"]) == corners(known[line["source-ref"]].boxes)


def assert_machine_labels_can_be_traced(loop: Loop, run: Run) -> None:
    """I4: to model, policy, threshold, job and time. And what was sampled is never left to the machine."""
    sampled = {f"s3://{loop.bucket}/{item['key']}" for item in loop.inventory(run.batch) if item["sampled"]}
    automatic = [line for line in loop.manifest(run.batch) if line["boxes-metadata"]["human-annotated"] == "no"]
    assert automatic and not sampled & {line["source-ref"] for line in automatic}
    for line in automatic:
        origin, metadata = line["provenance"], line["boxes-metadata"]
        assert origin["batch"] == run.batch and origin["sampled"] is False and "role" not in origin
        assert 0 < origin["inclusion-probability"] < 1
        pinned = loop.json(f"batches/{run.batch}/rounds/{origin['round']}.json")
        assert origin["model"] == pinned["model"]
        card = loop.json(f"models/{origin['model']}/card.json")
        assert card["job"] and loop.json(f"datasets/{card['dataset']}/card.json")["version"] == card["dataset"]
        thresholds = loop.json(pinned["thresholds_uri"].split("/", 3)[3])
        assert origin["policy"] == f"target-quality/{thresholds['target']}@{origin['model']}/{thresholds['dataset']}"
        assert origin["score"] >= thresholds["accept"]
        assert metadata["job-name"] == f"{run.batch}-r{origin['round']}"
        assert datetime.fromisoformat(metadata["creation-date"])


def assert_roles_are_kept(loop: Loop, run: Run) -> None:
    """Judge images never train, are all of the random sample, and keep their role for ever."""
    role_of: dict[str, str] = {}
    jobs = {match[1] for key in loop.keys("training/") if (match := re.match(r"training/([^/]+)/dataset/", key))}
    assert jobs
    for job in sorted(jobs):
        for role in ("train", "judge"):
            for line in loop.lines(f"training/{job}/dataset/{role}.jsonl"):
                origin = line["provenance"]
                assert origin["role"] == role == role_of.setdefault(origin["sha256"], role)
                assert line["boxes-metadata"]["human-annotated"] == "yes"
                assert origin["sampled"] or role == "train"
    for line in loop.manifest(run.batch):
        if line["boxes-metadata"]["human-annotated"] == "yes":
            origin = line["provenance"]
            assert role_of.setdefault(origin["sha256"], origin["role"]) == origin["role"]


def training_jobs(loop: Loop) -> list[str]:
    return [job["status"] for job in loop.control("GET", "state")["training_jobs"].values()]


def working_span(loop: Loop, arn: str) -> tuple[Any, Any]:
    """From the first step with the training lock to the last."""
    times = {
        event["stateEnteredEventDetails"]["name"]: event["timestamp"]
        for event in loop.history(arn)
        if event["type"].endswith("StateEntered")
    }
    return times["Assemble Dataset"], max(times.values())


def corners(boxes: Any) -> list[tuple[int, ...]]:
    return sorted(tuple(int(box[side]) for side in ("left", "top", "width", "height")) for box in boxes)


def label_line(picture: Picture, name: str = "") -> str:
    """A line of a manifest that came from elsewhere; the image is named relative to the prefix."""
    boxes = [
        {"class_id": 0, **{side: value for side, value in box.items() if side != "class"}} for box in picture.boxes
    ]
    metadata = {
        "objects": [{"confidence": 0.9} for _ in boxes],
        "class-map": {"0": CLASS},
        "type": "groundtruth/object-detection",
        "human-annotated": "yes",
        "creation-date": "2025-05-05T05:05:05.000000",
        "job-name": "labeling-job/of-another-time",
    }
    value = {"image_size": [{"width": SIDE, "height": SIDE, "depth": 3}], "annotations": boxes}
    return json.dumps({"source-ref": name or picture.name, "heads": value, "heads-metadata": metadata})


def older_line(loop: Loop, number: int) -> str:
    line = json.loads(label_line(pictures(1)[0], f"s3://{loop.bucket}/incoming/older/{number:05d}.png"))
    boxes, metadata = line.pop("heads"), line.pop("heads-metadata")
    return json.dumps({**line, "boxes": boxes, "boxes-metadata": metadata, "provenance": {"role": "train"}})
