"""Begin Round, Find Missing Predictions and Judge Batch, on a small batch."""

import pytest
from batch_rounds import asked_in, refs, run_round
from handling import MODEL, crown, execution, handle, mark, predict, registered, upload
from labelloop.batch import batches, rounds
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.store import ledger, storage
from made_up_stack import BUCKET

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_a_round_without_a_champion_infers_nothing() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    begun = handle("begin_round", batch_id=batch, round=1)
    nothing = {"attempt": 0, "concurrency": settings().inference_concurrency, "requests_key": ""}
    assert (begun["infer"], begun["model"], begun["open"], begun["missing"]) == (False, "", 3, nothing)


def test_one_map_asks_for_shards_and_then_for_images_each_time_as_its_round_says(change_setting) -> None:
    change_setting("INFERENCE_CONCURRENCY", "7")
    upload(4)
    batch = registered()["batch"]["id"]
    crown()
    begun = handle("begin_round", batch_id=batch, round=1)
    assert begun["missing"] == {"attempt": 0, "concurrency": 7, "requests_key": begun["requests_key"]}
    predict(batch, 1, dict.fromkeys(refs(batch)[:3], 0.9))
    then = handle("find_missing_predictions", batch_id=batch, round=1, attempt=begun["missing"]["attempt"])
    assert set(then) == {*begun["missing"], "count"}
    shards, single = (storage.read_lines(each["requests_key"]) for each in (begun["missing"], then))
    assert [len(storage.read_lines(storage.own_key(item["uri"]))) for item in shards] == [2, 2]
    assert [len(storage.read_lines(storage.own_key(item["uri"]))) for item in single] == [1]


@pytest.mark.fault("H15")
def test_a_round_keeps_the_champion_it_began_with() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    crown()
    begun = handle("begin_round", batch_id=batch, round=1)
    assert begun["infer"] and begun["endpoint"] == f"labelloop-{MODEL}"
    crown("v000002-ffffffff")
    again = handle("begin_round", batch_id=batch, round=1)
    assert {**again, "infer_until": 0} == {**begun, "infer_until": 0}
    requests = [
        request
        for item in storage.read_lines(begun["requests_key"])
        for request in storage.read_lines(storage.own_key(item["uri"]))
    ]
    assert [request["source-ref"] for request in requests] == refs(batch)
    assert all(request["version-id"] for request in requests)


def serves(version: str) -> None:
    """A champion with thresholds of its own, and judge images that are all as good as can be."""
    key, alike = f"models/{version}/thresholds/d.json", [[number / 60, 1.0] for number in range(60)]
    storage.write_json(key, {"dataset": "d", "label_rule": LabelRule(0.25).to_json(), "scored": alike})
    value = {"version": version, "endpoint": f"labelloop-{version}", "thresholds_uri": storage.uri(key), "dataset": ""}
    assert storage.flip_pointer("models/champion", value, storage.read_pointer("models/champion"))


def test_two_rounds_accept_by_their_judge_images_and_neither_redrive_nor_resume_gets_a_third(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "certified")
    change_setting("SECOND_TRAINING", "always")
    upload(6)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    files = Files(batch)
    for number in (1, 2, 3, 4):
        serves(f"v00000{number}-aaaaaaaa")
        run_round(batch, number, answered=0)
        before = storage.read_json(files.round(number))
        serves(f"v00001{number}-ffffffff")
        handle("begin_round", batch_id=batch, round=number)  # redriven
        assert storage.read_json(files.round(number)) == before
        if number == 2:
            handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
            handle("register_batch", event={**trigger, "resume": True}, execution=execution("resumed"))
    pins = [storage.read_json(files.round(number)) for number in (1, 2, 3, 4)]
    assert [pin["alpha"] for pin in pins] == [0.025, 0.025, 0, 0]
    assert [rounds.rule(pin).threshold is not None for pin in pins] == [True, True, False, False]


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
    *alone, control = storage.read_lines(second["requests_key"])
    assert len(alone) == 2 and control["shard"].startswith("control-1-")
    assert storage.read_lines(storage.own_key(control["uri"]))[0]["source-ref"] == refs(batch)[0]
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


@pytest.mark.fault("C13")
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


# --- Judge Batch


@pytest.mark.fault("E02")
def test_people_start_where_there_is_no_model_and_the_budget_holds() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    judged = handle("judge_batch", batch_id=batch, round=1)
    assert (judged["auto"], judged["human"], judged["rejected"], judged["deferred"]) == (0, 3, 0, 2)
    lines = asked_in(batch, 1)
    assert judged["jobs"] == 1 and len(lines) == 3 and all(set(line) == {"source-ref", "image-size"} for line in lines)
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
