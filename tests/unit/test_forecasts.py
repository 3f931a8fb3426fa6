"""What people are told to expect before they are asked, and why a batch trains no second model."""

import pytest
from batch_rounds import run_round
from handling import crown, handle, registered, upload
from labelloop.batch import forecasts
from labelloop.contracts.layout import Files
from labelloop.store import datasets, ledger, storage, training_lock

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_people_are_told_what_to_expect_and_how_many_rounds_may_accept(change_setting) -> None:
    change_setting("SAMPLE_MINIMUM", "2")
    change_setting("SECOND_TRAINING", "when-it-pays")
    upload(12)
    state = registered()["batch"]
    assert "forecast, no promise: the model labels about " in state["estimate"]
    told = storage.read_json(Files(state["id"]).estimate)
    assert told["accepting_rounds"] == 1 and told["forecast"]["sentence"] in told["sentence"]
    handle("begin_round", batch_id=state["id"], round=1)
    assert storage.read_json(Files(state["id"]).round(1))["accepting_rounds"] == 1
    change_setting("SECOND_TRAINING", "always")
    assert forecasts.of_batch(12, 2)["accepting_rounds"] == 2


def test_a_model_that_serves_tells_how_much_it_would_accept(change_setting, monkeypatch) -> None:
    change_setting("JUDGE_IMAGES", "2")
    crown()
    before = forecasts.of_batch(1000, 100)["forecast"]["auto"]
    monkeypatch.setattr(forecasts.immutable, "find_json", lambda _: {"attainable": [[0.99, 0.97]]})
    told = forecasts.of_batch(1000, 100)["forecast"]["auto"]
    assert before[1] < told[0] <= 0.97 * 900 <= told[1]


def test_a_batch_that_trains_no_second_model_says_why(change_setting) -> None:
    change_setting("SECOND_TRAINING", "never")
    upload(6)
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    files, version = Files(batch), datasets.current_version()
    assert forecasts.why_no_second_training(files, 6, accepted=3) == "", "it has trained none"
    training_lock.note_training(version, 0, "job")
    assert training_lock.last_dataset() == version
    assert "SecondTraining is never" in forecasts.why_no_second_training(files, 6, accepted=3)
    assert forecasts.why_no_second_training(Files("another"), 6, accepted=3) == ""
    change_setting("SECOND_TRAINING", "when-it-pays")
    assert "with 6 images, fewer than 400" in forecasts.why_no_second_training(files, 6, accepted=3)
    assert forecasts.why_no_second_training(files, 6, accepted=0) == ""
    merged = handle("merge_annotations", batch_id=batch, round=1)
    assert not merged["retrain"] and "SecondTraining is never" in merged["why_no_training"]
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    summary = storage.read_json(f"batches/{batch}/summary.json")
    assert summary["second_training"] == merged["why_no_training"]
    assert "because SecondTraining is never." in storage.read(f"batches/{batch}/report.html").decode()
