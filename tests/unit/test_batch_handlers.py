"""The functions of label_batch, one after the other, on a small batch."""

import json

import boto3
import people
import pytest
from handling import MODEL, PREFIX, crown, execution, handle, mark, picture, predict, registered, upload
from labelloop import batches, jobs, ledger, merging, naming, sampling, storage
from labelloop.batches import Files
from labelloop.errors import ConservationError, InvalidInputError, TransientError
from labelloop.manifests import Annotation
from labelloop.records import Box
from made_up_stack import BUCKET, LEDGER

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture(autouse=True)
def ground_truth(aws, fake_service):
    return fake_service("sagemaker", describe_labeling_job=people.ended())


def refs(batch_id: str) -> list[str]:
    return [image.source_ref for image in batches.images(batch_id)]


def run_round(batch_id: str, number: int, answered: int | None = None) -> dict:
    """Begin, judge, people answer (all of those asked, or the first few), merge."""
    handle("begin_round", batch_id=batch_id, round=number)
    handle("judge_batch", batch_id=batch_id, round=number)
    decisions = batches.round_decisions(batch_id, number)
    asked = [decision.source_ref for decision in decisions if decision.decision == "human"][:answered]
    people.answer_round(batch_id, number, lambda line: people.boxes() if line["source-ref"] in asked else None)
    return merge(batch_id, number)


def merge(batch_id: str, number: int) -> dict:
    return handle("merge_annotations", batch_id=batch_id, round=number)


def asked_in(batch_id: str, number: int) -> list[dict]:
    """The input lines of the round's jobs."""
    found = jobs.of_round(Files(batch_id), number)
    return [line for job in found for line in storage.read_lines(storage.own_key(job.manifest_uri))]


# --- Register Batch, Inspect Images


def test_a_batch_is_pinned_by_version_sampled_and_cut_into_shards() -> None:
    upload(5)
    state = registered()
    inventory = storage.read_lines(f"batches/{state['batch']['id']}/inventory.jsonl")
    assert (state["status"], state["batch"]["objects"]) == ("registered", 5)
    assert [item["key"] for item in inventory] == [f"{PREFIX}{number:02d} ü+%20.png" for number in range(5)]
    assert all(item["version-id"] and item["etag"] and '"' not in item["etag"] for item in inventory)
    assert sum(item["sampled"] for item in inventory) == 3  # half of five, rounded up
    assert len(storage.read_lines(state["batch"]["inspect_key"])) == 3  # shards of two
    assert len(json.dumps(state)) < 2000


def test_registering_twice_works_on_the_same_images_even_if_more_were_uploaded() -> None:
    upload(2)
    trigger = mark()
    first = handle("register_batch", event=trigger, execution=(one := execution("one")))
    upload(1, first=2)
    assert handle("register_batch", event=trigger, execution=one) == first


def test_a_second_execution_leaves_the_batch_to_the_first() -> None:
    upload(2)
    trigger = mark()
    registered(trigger)
    assert handle("register_batch", event=trigger, execution=execution("two"))["status"] == "already-owned"


def test_a_finished_batch_is_done_and_a_new_marker_brings_only_new_objects() -> None:
    upload(2)
    trigger = mark()
    state = registered(trigger)
    ledger.end_batch(state["batch"]["id"], ledger.owner_of(state["batch"]["id"]), "finished")
    assert handle("register_batch", event=trigger, execution=execution("two"))["status"] == "already-labeled"
    upload(3, first=1)  # 01 again with the same bytes but another version, 02 and 03 new
    again = registered(mark(), "three")
    assert again["batch"]["id"] == state["batch"]["id"] + "-2" and again["batch"]["objects"] == 3


def test_objects_deleted_before_the_marker_and_folders_are_no_images() -> None:
    upload(2)
    storage.write(f"{PREFIX}folder/", b"")
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}00 ü+%20.png")
    assert registered()["batch"]["objects"] == 1


def test_the_manifest_a_marker_names_is_no_image() -> None:
    upload(1)
    storage.write(f"{PREFIX}labels.manifest", b"{}")
    state = registered(mark(b'{"labels": "labels.manifest", "count": 1}'))
    assert state["batch"]["objects"] == 1
    assert state["batch"]["labels_uri"] == f"s3://{BUCKET}/{PREFIX}labels.manifest"


def test_a_marker_that_is_not_there_or_elsewhere_is_refused_by_name() -> None:
    trigger = {"bucket": {"name": BUCKET}, "object": {"key": f"{PREFIX}_READY.json"}}
    with pytest.raises(InvalidInputError, match="there is no marker"):
        handle("register_batch", event=trigger, execution="e")
    mark()
    with pytest.raises(InvalidInputError, match="there is no marker s3://another"):
        handle("register_batch", event={**trigger, "bucket": {"name": "another"}}, execution="e")


def test_an_upload_that_is_not_finished_is_refused_and_can_be_marked_again() -> None:
    upload(1)
    with pytest.raises(InvalidInputError, match="announces 2 images, 1 are there"):
        registered(mark(b'{"count": 2}'))
    give_up()
    upload(1, first=1)
    assert registered(mark(b'{"count": 2}'), "two")["batch"]["objects"] == 2


def give_up(delivery: int = 1) -> None:
    """What Record Failure does at the end of an execution."""
    batch = naming.batch_id(BUCKET, PREFIX, delivery)
    assert ledger.end_batch(batch, ledger.owner_of(batch), "failed")


def pinned_trigger(trigger: dict) -> dict:
    """The trigger as S3 sends it: with the version of the marker that is there now."""
    version = storage.head(trigger["object"]["key"])["VersionId"]
    return {**trigger, "object": {**trigger["object"], "version-id": version}}


def test_an_earlier_marker_that_is_started_again_leaves_what_a_later_one_has_pinned() -> None:
    upload(2)
    early = pinned_trigger(mark(b'{"count": 3}'))
    with pytest.raises(InvalidInputError, match="announces 3 images, 2 are there"):
        registered(early)
    give_up()
    upload(1, first=2)
    late = registered(pinned_trigger(mark(b'{"count": 3}')), "two")
    assert (late["batch"]["id"], late["batch"]["objects"]) == (naming.batch_id(BUCKET, PREFIX, 2), 3)
    again = registered(early, "three")
    assert (again["status"], again["batch"]["id"]) == ("registered", naming.batch_id(BUCKET, PREFIX, 1))
    assert again["batch"]["objects"] == 0


def test_of_two_markers_at_the_same_time_the_later_waits_until_the_earlier_has_pinned(monkeypatch) -> None:
    upload(3)
    early, late = pinned_trigger(mark()), pinned_trigger(mark())
    second, draw_sample, refusals = execution("two"), sampling.draw_sample, []

    def meanwhile(*arguments: object) -> list:
        """The earlier has listed its objects and not pinned them; the later comes."""
        with pytest.raises(TransientError, match=naming.batch_id(BUCKET, PREFIX, 1)) as refused:
            handle("register_batch", event=late, execution=second)
        refusals.append(refused)
        return draw_sample(*arguments)

    monkeypatch.setattr(sampling, "draw_sample", meanwhile)
    assert registered(early)["batch"]["objects"] == 3
    monkeypatch.setattr(sampling, "draw_sample", draw_sample)
    assert len(refusals) == 1
    upload(1, first=3)
    assert handle("register_batch", event=late, execution=second)["batch"]["objects"] == 1


def test_a_marker_does_not_wait_for_an_earlier_one_whose_execution_has_died() -> None:
    upload(1)
    early = pinned_trigger(mark(b'{"count": 2}'))
    with pytest.raises(InvalidInputError, match="announces 2 images, 1 are there"):
        handle("register_batch", event=early, execution=(first := execution("one")))
    late = pinned_trigger(mark())
    with pytest.raises(TransientError, match="try again"):
        handle("register_batch", event=late, execution=(second := execution("two")))
    boto3.client("stepfunctions").stop_execution(executionArn=first)
    assert handle("register_batch", event=late, execution=second)["batch"]["objects"] == 1


def test_an_empty_prefix_is_a_batch_of_nothing() -> None:
    state = registered(mark())
    assert state["batch"]["objects"] == 0
    report = handle("report_batch", batch_id=state["batch"]["id"], execution="e")
    assert report["images"] == report["deferred"] == 0


def test_inspection_accepts_rejects_and_renders_each_object_by_itself() -> None:
    storage.write(f"{PREFIX}good.png", picture())
    storage.write(f"{PREFIX}gray+a.tiff", picture(format="TIFF"))
    storage.write(f"{PREFIX}empty.png", b"")
    storage.write(f"{PREFIX}text.png", b"hello")
    storage.write(f"{PREFIX}tiny.png", picture(size=(8, 8)))
    storage.write(f"{PREFIX}a//b.png", picture())
    state = registered()
    found = {image.item.key.removeprefix(PREFIX): image.inspection for image in batches.images(state["batch"]["id"])}
    assert {name: each.reason for name, each in found.items() if each.status == "rejected"} == {
        "empty.png": "empty",
        "text.png": "not-an-image",
        "tiny.png": "too-small",
        "a//b.png": "unsupported-key",
    }
    assert found["good.png"].source_ref == f"s3://{BUCKET}/{PREFIX}good.png" and found["good.png"].version_id
    rendered = found["gray+a.tiff"]
    assert rendered.original_ref == f"s3://{BUCKET}/{PREFIX}gray+a.tiff"
    assert storage.read(storage.own_key(rendered.source_ref)).startswith(b"\x89PNG")


def test_an_inspected_shard_is_not_inspected_again(monkeypatch) -> None:
    upload(2)
    state = registered()
    (item,) = storage.read_lines(state["batch"]["inspect_key"])
    again = handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    assert again == {"shard": item["shard"], "images": 0}


def test_a_pinned_version_that_vanished_costs_one_image() -> None:
    upload(2)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    (item,) = storage.read_lines(state["batch"]["inspect_key"])
    gone = storage.read_lines(storage.own_key(item["uri"]))[0]
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=gone["key"], VersionId=gone["version-id"])
    handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    one, other = batches.images(state["batch"]["id"])
    assert (one.inspection.reason, other.inspection.status) == ("missing", "ok")


# --- Begin Round, Find Missing Predictions


def test_a_round_without_a_champion_infers_nothing() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    begun = handle("begin_round", batch_id=batch, round=1)
    assert (begun["infer"], begun["model"], begun["open"], begun["missing"]) == (False, "", 3, {"attempt": 0})


def test_a_round_keeps_the_champion_it_began_with() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    crown()
    begun = handle("begin_round", batch_id=batch, round=1)
    assert begun["infer"] and begun["endpoint"] == f"labelloop-{MODEL}"
    crown("v000002-ffffffff")
    assert handle("begin_round", batch_id=batch, round=1) == begun
    requests = [
        request
        for item in storage.read_lines(begun["requests_key"])
        for request in storage.read_lines(storage.own_key(item["uri"]))
    ]
    assert [request["source-ref"] for request in requests] == refs(batch)
    assert all(request["version-id"] for request in requests)


def test_an_unchanged_champion_does_not_infer_again_and_accepts_nothing_before_it_is_calibrated(
    change_setting,
) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    upload(4)
    batch = registered()["batch"]["id"]
    crown(threshold=None)
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    run_round(batch, 1, answered=1)
    begun = handle("begin_round", batch_id=batch, round=2)
    assert not begun["infer"] and begun["open"] == 3
    assert storage.read_json(Files(batch).round(2))["predictions_round"] == 1


def test_missing_predictions_are_asked_for_singly_and_at_last_one_at_a_time() -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    crown()
    handle("begin_round", batch_id=batch, round=1)
    predict(batch, 1, dict.fromkeys(refs(batch)[:2], 0.9))
    first = handle("find_missing_predictions", batch_id=batch, round=1, attempt=0)
    assert (first["count"], first["attempt"]) == (2, 1) and first["concurrency"] > 1
    assert len(storage.read_lines(first["requests_key"])) == 2
    second = handle("find_missing_predictions", batch_id=batch, round=1, attempt=1)
    assert (second["count"], second["concurrency"]) == (2, 1)
    assert handle("find_missing_predictions", batch_id=batch, round=1, attempt=2)["count"] == 0
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9), "singly.jsonl")
    assert handle("find_missing_predictions", batch_id=batch, round=1, attempt=0)["count"] == 0


def asked_without_answer(asked: int, found: int, shard_size: int) -> dict:
    """What Find Missing Predictions says at first about a round of so many images."""
    references = [f"s3://{BUCKET}/incoming/many/{number}.png" for number in range(asked)]
    batches.write_shards(Files("many"), "infer-1", [{"source-ref": each} for each in references], shard_size)
    answer = {"status": "ok", "width": 64, "height": 48, "model": MODEL, "boxes": []}
    storage.write_lines(
        f"{Files('many').predictions(1)}00000-0.jsonl", [{"source-ref": each, **answer} for each in references[:found]]
    )
    return dict(handle("find_missing_predictions", batch_id="many", round=1, attempt=0))


@pytest.mark.parametrize(
    ("asked", "found", "singly"),
    [
        (600, 0, 0),
        (600, 99, 0),  # more than 500 are missing
        (600, 100, 500),
        (130, 0, 0),  # two shards, no answer at all
        (130, 128, 2),
        (128, 0, 128),  # one shard: one image may have killed the worker for all of it
    ],
)
def test_images_are_asked_for_singly_where_few_are_missing_but_not_where_the_endpoint_is_broken(
    asked: int, found: int, singly: int
) -> None:
    told = asked_without_answer(asked, found, shard_size=128)
    assert (told["count"], told["attempt"]) == (singly, 1)
    assert len(storage.read_lines(told["requests_key"]) if singly else []) == singly


def test_an_endpoint_that_answers_no_single_image_either_is_not_asked_again() -> None:
    assert asked_without_answer(5, 0, shard_size=128)["count"] == 5
    assert handle("find_missing_predictions", batch_id="many", round=1, attempt=1)["count"] == 0


# --- Judge Batch, Merge Annotations, Report Batch


def test_people_start_where_there_is_no_model_and_the_budget_holds() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    judged = handle("judge_batch", batch_id=batch, round=1)
    assert (judged["auto"], judged["human"], judged["rejected"], judged["deferred"]) == (0, 3, 0, 2)
    lines = asked_in(batch, 1)
    assert judged["jobs"] == 1 and len(lines) == 3 and all(set(line) == {"source-ref"} for line in lines)
    sampled = {image.source_ref for image in batches.images(batch) if image.item.sampled}
    assert {line["source-ref"] for line in lines} == sampled


def test_the_machine_labels_what_it_surely_knows_and_people_see_its_proposals() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    sampled = {image.source_ref for image in batches.images(batch) if image.item.sampled}
    sure, unsure = sorted(set(refs(batch)) - sampled)
    predict(batch, 1, {**dict.fromkeys(refs(batch), 0.9), unsure: 0.3})
    handle("begin_round", batch_id=batch, round=1)
    judged = handle("judge_batch", batch_id=batch, round=1)
    assert judged["auto"] == 1 and judged["human"] == 3 and judged["deferred"] == 1
    decided = {each.source_ref: each.decision for each in batches.round_decisions(batch, 1)}
    assert decided == {**dict.fromkeys(sampled, "human"), sure: "auto", unsure: "deferred"}
    (proposal, *_) = asked_in(batch, 1)
    assert proposal["proposed-boxes"]["annotations"][0]["width"] == 30


def test_judging_twice_decides_once() -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    first = handle("judge_batch", batch_id=batch, round=1)
    before = storage.read(Files(batch).decisions(1))
    assert handle("judge_batch", batch_id=batch, round=1) == first
    assert storage.read(Files(batch).decisions(1)) == before


def test_human_and_machine_labels_become_one_dataset_version() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    merged = run_round(batch, 1)
    assert (merged["auto"], merged["human"], merged["deferred"], merged["another_round"]) == (2, 3, 0, False)
    lines = storage.read_lines(f"datasets/{merged['dataset_version']}/manifest.jsonl")
    roles = [line["provenance"].get("role") for line in lines]
    assert roles.count(None) == 2 and set(roles) <= {None, "train", "calibration", "gold"}
    assert all(line["provenance"]["model"] == MODEL and line["provenance"]["batch"] == batch for line in lines)


def test_merging_twice_publishes_once() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    first = run_round(batch, 1)
    people.answer_round(batch, 1, lambda line: None)
    assert merge(batch, 1) == first
    assert first["dataset_version"].startswith("v000001-")


def test_a_label_on_an_image_of_another_size_is_asked_again() -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1, lambda line: people.boxes(size=(640, 480)))
    merged = merge(batch, 1)
    assert (merged["human"], merged["deferred"]) == (0, 2)


def test_identical_files_share_the_role_of_the_sampled_one_in_whatever_order_people_answer(change_setting) -> None:
    change_setting("HUMAN_BUDGET", "6")
    change_setting("GOLD_SHARE", "1")
    change_setting("CALIBRATION_SHARE", "0")
    for number in range(6):
        storage.write(f"{PREFIX}{number}.png", picture(10 + number // 2))  # three pairs of twins
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1)
    (job,) = jobs.of_round(Files(batch), 1)
    output = f"{Files(batch).labeling(1)}/{people.output_place(job.name)}"
    answered = storage.read_lines(output)
    everything = batches.images(batch)
    merged = []
    for order in (answered, answered[::-1]):
        storage.write_lines(output, order)
        _forget_roles(everything)
        merged.append(merging.lines(Files(batch), 1, everything))
    assert merged[0] == merged[1] and len(merged[0]) == 6
    sampled = {image.inspection.sha256 for image in everything if image.item.sampled}
    alone = {image.inspection.sha256 for image in everything if not image.item.sampled} & sampled
    origins = [json.loads(line)["provenance"] for line in merged[0]]
    assert alone, "some twin is sampled without the other"
    assert {origin["role"] for origin in origins if origin["sha256"] in sampled} == {"gold"}
    assert {origin["role"] for origin in origins if origin["sha256"] not in sampled} <= {"train"}


def _forget_roles(everything: list) -> None:
    table = boto3.resource("dynamodb").Table(LEDGER)
    for image in everything:
        table.delete_item(Key={"id": f"role#{image.inspection.sha256}"})


def test_a_twin_that_is_answered_before_the_sampled_one_has_its_role_already(change_setting) -> None:
    change_setting("HUMAN_BUDGET", "6")
    change_setting("GOLD_SHARE", "1")
    change_setting("CALIBRATION_SHARE", "0")
    for number in range(6):
        storage.write(f"{PREFIX}{number}.png", picture())
    batch = registered()["batch"]["id"]
    unsampled = [image.source_ref for image in batches.images(batch) if not image.item.sampled]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1, lambda line: people.boxes() if line["source-ref"] in unsampled else None)
    merge(batch, 1)
    made = [label.provenance for label in batches.round_annotations(batch, 1)]
    assert [(each["role"], each["sampled"]) for each in made] == [("gold", False)] * 3


def test_answers_nobody_asked_for_are_no_labels() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    (job,) = jobs.of_round(Files(batch), 1)
    output = storage.own_key(people.answer_job(batch, 1, job, lambda line: people.boxes()))
    uninvited = [{"source-ref": ref, **people.boxes()} for ref in (*refs(batch), f"s3://{BUCKET}/incoming/other.png")]
    storage.write_lines(output, [*uninvited, *storage.read_lines(output)])
    merged = merge(batch, 1)
    assert (merged["human"], merged["deferred"]) == (3, 2)


def test_a_round_in_which_nobody_answered_ends_the_batch_with_deferred_images_not_a_spin() -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    merged = run_round(batch, 1, answered=0)
    assert merged["deferred"] == 2 and not merged["another_round"] and merged["dataset_version"] == ""


def test_rounds_go_on_while_something_gets_labelled_and_stop_at_the_last(change_setting) -> None:
    change_setting("MAX_ROUNDS", "2")
    upload(6)
    batch = registered()["batch"]["id"]
    first = run_round(batch, 1, answered=1)
    assert first["another_round"] and first["next_round"] == 2
    second = run_round(batch, 2, answered=1)
    assert second["deferred"] == 4 and not second["another_round"]


def test_retraining_waits_for_enough_new_labels() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    merged = run_round(batch, 1)
    trained = storage.read_json(f"datasets/{merged['dataset_version']}/card.json")["train"]
    ledger.note_training(merged["dataset_version"], trained, "job")
    assert not run_round(batch, 2, answered=0)["retrain"]
    ledger.note_training(merged["dataset_version"], trained - 2, "job")
    assert merge(batch, 2)["retrain"]


def test_a_lost_shard_stays_visible_as_deferred_images() -> None:
    upload(3)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    batch, first = state["batch"]["id"], storage.read_lines(state["batch"]["inspect_key"])[0]
    handle("inspect_images", batch_id=batch, shard=first["shard"], objects_uri=first["uri"])
    merged = run_round(batch, 1)
    assert (merged["human"], merged["deferred"]) == (2, 1)


def inspect_shards(state: dict, start: int, stop: int | None = None) -> None:
    for item in storage.read_lines(state["batch"]["inspect_key"])[start:stop]:
        handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])


def test_a_shard_that_is_inspected_after_its_round_was_judged_is_deferred_to_the_next_round() -> None:
    """The execution died behind Judge Batch; the one that takes over finds the lost shard."""
    upload(3)
    trigger = mark()
    state = handle("register_batch", event=trigger, execution=(first := execution("one")))
    batch = state["batch"]["id"]
    inspect_shards(state, 0, 1)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    boto3.client("stepfunctions").stop_execution(executionArn=first)
    assert handle("register_batch", event=trigger, execution=execution("two"))["batch"]["attempt"] == 2
    inspect_shards(state, 1)
    merged = run_round(batch, 1)
    assert (merged["human"], merged["deferred"], merged["another_round"]) == (2, 1, True)
    merged = run_round(batch, 2)
    assert (merged["human"], merged["deferred"]) == (3, 0)


def test_an_image_lost_from_the_decisions_is_found_beside_a_shard_that_is_inspected_late() -> None:
    upload(3)
    state = handle("register_batch", event=mark(), execution=execution("one"))
    batch = state["batch"]["id"]
    inspect_shards(state, 0, 1)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    inspect_shards(state, 1)
    handle("begin_round", batch_id=batch, round=1)
    storage.write_lines(Files(batch).decisions(1), storage.read_lines(Files(batch).decisions(1))[1:])
    with pytest.raises(ConservationError, match="1 without an outcome"):
        merge(batch, 1)


def test_an_image_that_would_get_two_outcomes_stops_the_merge_and_nothing_is_published() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    published = run_round(batch, 1)["dataset_version"]
    done = batches.round_annotations(batch, 1)[0].source_ref
    handle("begin_round", batch_id=batch, round=2)
    handle("judge_batch", batch_id=batch, round=2)
    decisions = storage.read_lines(Files(batch).decisions(2))
    storage.write_lines(Files(batch).decisions(2), [*decisions, {**decisions[0], "source-ref": done}])
    (job,) = jobs.of_round(Files(batch), 2)
    manifest = storage.own_key(job.manifest_uri)
    storage.write_lines(manifest, [*storage.read_lines(manifest), {"source-ref": done}])
    people.answer_round(batch, 2)
    with pytest.raises(ConservationError, match="1 with more than one outcome"):
        merge(batch, 2)
    assert storage.read_pointer("datasets/current").value["version"] == published


def test_an_image_that_was_lost_on_the_way_stops_the_merge() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    storage.write_lines(Files(batch).decisions(1), storage.read_lines(Files(batch).decisions(1))[1:])
    with pytest.raises(ConservationError, match="1 without an outcome"):
        merge(batch, 1)
    assert storage.read_pointer("datasets/current") is None


def test_the_report_tells_every_outcome_and_ends_the_batch_once(fake_service) -> None:
    notices = fake_service("sns")
    upload(3)
    storage.write(f"{PREFIX}<b>bad.png", b"")
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    owner = ledger.owner_of(batch)
    told = handle("report_batch", batch_id=batch, execution=owner)
    assert (told["images"], told["human"], told["rejected"], told["deferred"]) == (4, 3, 1, 0)
    assert handle("report_batch", batch_id=batch, execution=owner) == told
    assert len(notices.requests_of("publish")) == 1 and ledger.batch(batch)["status"] == "finished"
    page = storage.read(storage.own_key(told["report_uri"])).decode()
    assert "&lt;b&gt;bad.png" in page and "<b>bad" not in page
    manifest = storage.read_lines(f"batches/{batch}/annotations.manifest")
    assert [line["source-ref"] for line in manifest] == refs(batch)[:3]
    ((rejected, why),) = storage.read_json(f"batches/{batch}/summary.json")["rejected_reasons"].items()
    assert rejected == f"{PREFIX}<b>bad.png" and why.startswith("empty: ")


def test_supplied_labels_become_round_zero_and_a_bad_line_costs_one_line() -> None:
    upload(3)
    names = [f"{number:02d} ü+%20.png" for number in range(3)]
    lines = [Annotation(name, None, 64, 48, (Box("head", 1, 2, 3, 4),), True, "", "").to_line() for name in names[:2]]
    lines += [Annotation(names[2], None, 640, 480, (), True, "", "").to_line(), "not json", lines[0]]
    storage.write(f"{PREFIX}labels.manifest", "\n".join(lines).encode())
    state = registered(mark(b'{"labels": "labels.manifest"}'))
    batch = state["batch"]["id"]
    imported = handle("import_labels", batch_id=batch, labels_uri=state["batch"]["labels_uri"])
    assert imported == {"labels": 2, "refused": 2}
    refused = storage.read_lines(f"batches/{batch}/labeling/0/import-errors.jsonl")
    assert [each["line"] for each in refused] == [3, 4] and "640 x 480" in refused[0]["error"]
    merged = merge(batch, 0)
    assert (merged["human"], merged["deferred"], merged["another_round"]) == (2, 1, True)
