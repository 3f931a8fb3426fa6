"""Begin Round: a round pins its champion and lists what the champion is asked about."""

import pytest
from batch_rounds import refs, run_round
from handling import MODEL, crown, execution, handle, mark, predict, registered, upload
from labelloop.batch import rounds
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.store import ledger, storage

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


def test_a_restart_asks_under_other_names_for_other_images_and_awaits_what_is_still_open() -> None:
    """A request's name is its answer's: under an old name the images of another request would count as asked."""
    upload(6)
    batch = str(registered()["batch"]["id"])
    crown(threshold=0.5)

    def asked_anew() -> dict[str, str]:
        begun = handle("begin_round", batch_id=batch, round=1)
        return {each["shard"]: each["uri"] for each in storage.read_lines(begun["requests_key"])}

    asked = asked_anew()
    (one, two, three), references = asked, refs(batch)
    predict(batch, 1, dict.fromkeys(references[:2], 0.9))
    assert list(asked_anew()) == [two, three]
    predict(batch, 1, {references[2]: 0.9}, "more.jsonl")
    assert not asked_anew().keys() & {one, two, three}
    still = [line["source-ref"] for line in storage.read_lines(storage.own_key(asked[two]))]
    assert still == references[2:4], "what an open request reads stays as it was"
