"""The seam of a further task: one that only these tests know goes through the whole loop, with no line of the product
changed. What it needs there is in docs/house.md, "What comes next".
"""

import json
from random import Random

import pytest
from further_task import Tag, Tags, register
from handling import MODEL, crown, handle, registered, upload
from labelling_rounds import lines_of, people_at_work, pinned
from labelloop import tasks
from labelloop.batch import batches
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction, check
from labelloop.contracts.settings import settings
from labelloop.people import jobs, supplied, supplied_coco, workers
from labelloop.people.consolidation import consolidate_payload
from labelloop.store import datasets, storage
from labelloop.trust import promotion
from labelloop.trust.promotion import Contender, GateSettings

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
SIZE = (64, 48)


@pytest.fixture(autouse=True)
def tagging(aws, fake_service, change_setting, monkeypatch):
    register(monkeypatch)
    change_setting("TASK", "tags")
    return people_at_work(fake_service, change_setting)


def tags(*there: str, sure: float | None = None) -> tuple[Tag, ...]:
    return tuple(Tag(name, name in there, sure) for name in settings().classes)


def truth(number: int, *there: str) -> Annotation:
    place = (storage.uri(f"incoming/older/{number:02d}.png"), None, *SIZE)
    provenance = {"role": "judge", "batch": "older"}
    return Annotation(*place, tags(*there), True, "2026-11-20T10:00:00", "job", provenance, task="tags")


def seen(reference: str, **confidence: float) -> Prediction:
    found = tuple(Tag(name, True, confidence.get(name, 0.1)) for name in settings().classes)
    return Prediction(reference, "ok", *SIZE, MODEL, found, task="tags")


def answered(*there: str) -> dict:
    size = {"width": SIZE[0], "height": SIZE[1]}
    return {"tags": {"tags": list(there), "inputImageProperties": size}}


def consolidated(*forms: dict) -> dict:
    """The attributes of an output line, as Ground Truth makes them of what Consolidate answers."""
    given = [
        {"workerId": f"w{number}", "annotationData": {"content": json.dumps(form)}} for number, form in enumerate(forms)
    ]
    payload = [{"datasetObjectId": "0", "annotations": given}]
    (entry,) = consolidate_payload(payload, "human-tags", settings().classes)
    told = {"type": "groundtruth/custom", "human-annotated": "yes", "creation-date": "2026-11-20T10:00:00"}
    return {**entry["consolidatedAnnotation"]["content"], "human-tags-metadata": told}


def test_a_batch_is_judged_asked_merged_and_exported(change_setting) -> None:
    change_setting("ACCEPT_THRESHOLD", "0.8")
    upload(4)
    crown(threshold=0.8)
    batch = registered()["batch"]["id"]
    refs = [image.source_ref for image in batches.images(batch)]
    surely = {refs[0]: {"head": 0.99}, refs[1]: {"head": 0.6, "bag": 0.5}}
    lines = [seen(ref, **confidence).to_json() for ref, confidence in surely.items()]
    storage.write_lines(f"{Files(batch).predictions(1)}00000-00.jsonl", lines)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    decided = {each.source_ref: each for each in batches.round_decisions(batch, 1)}
    assert decided[refs[0]].score is not None and decided[refs[0]].score > 0.9
    asked = {line["source-ref"]: line for job in pinned(batch) for line in lines_of(job)}
    assert refs[1] in asked and asked[refs[1]]["proposed-tags"]["annotations"][0]["there"]
    for index, job in enumerate(pinned(batch), start=1):
        said = [{**line, **consolidated(answered("bag"))} for line in lines_of(job)]
        place = f"{Files(batch).labeling(1)}/{job.name}/manifests/output/output.manifest"
        storage.write_lines(place, said)
        handle("collect_labels", batch_id=batch, round=1, job=index)
    handle("merge_annotations", batch_id=batch, round=1)
    made = [Annotation.from_line(line) for line in storage.find_text_lines(Files(batch).round_annotations(1))]
    assert {label.source_ref: label.task for label in made} == dict.fromkeys(refs, "tags")
    for label in made:
        there = {tag.label for tag in label.marks if tag.there}
        assert there == ({"bag"} if label.human else {"head"})
    (adjusted,) = [label.adjustment for label in made if label.source_ref == refs[1]]
    assert adjusted is not None and adjusted.status == "adjusted"


def test_honeypots_are_mixed_in_and_measure_people(change_setting) -> None:
    change_setting("HONEYPOT_RATE", "0.5")
    datasets.publish([truth(number, "head").to_line(settings().classes) for number in range(4)], {})
    upload(4)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    (job,) = pinned(batch)
    known = jobs.honeypots_of(Files(batch), 1, job.name)
    assert job.honeypots == len(known) == 2 and {pot.task for pot in known.values()} == {"tags"}
    (pot, *_) = known.values()
    forms = {"good": answered("head"), "bad": answered("bag")}
    responses = {pot.source_ref: {"answers": [{"workerId": w, "answerContent": f} for w, f in forms.items()]}}
    bad, good = workers.score_workers(responses, {}, {pot.source_ref: pot.known}, settings().classes)
    assert good.honeypot_quality == 1 and (bad.honeypot_quality or 0) < 1


def test_several_people_are_fused_and_another_form_is_refused() -> None:
    value = consolidated(answered("head"), answered("head", "bag"), answered("head"))["human-tags"]
    assert [entry["there"] for entry in value["annotations"]] == [name == "head" for name in settings().classes]
    drawing = {"annotatedResult": {"boundingBoxes": [], "inputImageProperties": {"width": 64, "height": 48}}}
    assert "boxes, but the job asks for tags" in str(consolidated(drawing))


def test_supplied_labels_of_the_task_are_taken_and_others_refused() -> None:
    line = truth(1, "bag").to_line(settings().classes)
    label = supplied.read(line, "", settings().label_names, "tags")
    assert supplied.fitted(label, SIZE, settings().label_names).marks == tuple(
        Tag(tag.label, tag.there, 1) for tag in tags("bag")
    )
    with pytest.raises(InvalidInputError, match="it holds no boxes"):
        supplied.read(line, "", settings().label_names, "boxes")


def test_a_coco_file_has_nothing_for_the_task() -> None:
    image = {"id": 1, "file_name": "a.png", "width": 64, "height": 48}
    document = {"images": [image], "annotations": [], "categories": [{"id": 1, "name": "head"}]}
    with pytest.raises(InvalidInputError, match="COCO files hold no tags"):
        supplied_coco.unfolded([(1, json.dumps(document))], "tags")


def test_a_prediction_of_another_task_is_refused() -> None:
    of_boxes = Prediction("s3://b/k", "ok", *SIZE, MODEL)
    with pytest.raises(InvalidInputError, match="field 'tags' is missing"):
        check(of_boxes, SIZE, settings().vocabulary)
    written = seen("s3://b/k", head=0.9)
    assert check(Prediction.from_json(written.to_json()), SIZE, settings().vocabulary) == written
    unknown = Prediction("s3://b/k", "ok", *SIZE, MODEL, (Tag("x", True, 0.5),), task="tags")
    with pytest.raises(InvalidInputError, match="field 'class'"):
        check(unknown, SIZE, settings().vocabulary)


@pytest.mark.parametrize(("sure", "better"), [(0.9, True), (0.2, False)])
def test_a_model_of_the_task_passes_the_gate_or_does_not(sure, better) -> None:
    judges = [truth(number, "head") for number in range(60)]
    shuffled = Random(7).sample(judges, len(judges))
    contender = Contender(MODEL, "v", [seen(each.source_ref, head=sure) for each in shuffled], 0.9)
    minimum = 0.9 if len(settings().classes) > 1 else 0.5
    verdict = promotion.compare(contender, None, judges, GateSettings(50, minimum, 0.02, LabelRule(0.4), 7))
    assert verdict.better is better, verdict.reason


def test_the_task_is_the_ports_own() -> None:
    assert isinstance(tasks.of("tags"), Tags) and tasks.of_answer("human-tags") is tasks.of("tags")
    with pytest.raises(InvalidInputError, match="cannot be compared"):
        tasks.changes(truth(1), Annotation("s3://b/k", None, *SIZE, (), True, "", ""))
