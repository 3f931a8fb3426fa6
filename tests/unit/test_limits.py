"""What a batch may hold and cost is said, and refused, before anybody is asked."""

import json
from pathlib import Path

import pytest
import yaml
from handling import execution, handle, mark, registered, upload
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import advanced
from labelloop.contracts.records import InventoryItem
from labelloop.store import ledger, storage

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


class Loader(yaml.SafeLoader):
    """The template's short forms are of no interest here."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)
DEFAULTS = {name: parameter.get("Default") for name, parameter in TEMPLATE["Parameters"].items()} | {
    advanced.parameter_of(setting): knob.kind(knob.default) for setting, knob in advanced.LIMITS.items()
}
FUNCTIONS = {
    given["Handler"].removesuffix(".handler"): {**TEMPLATE["Globals"]["Function"], **given}
    for given in (resource.get("Properties", {}) for resource in TEMPLATE["Resources"].values())
    if "Handler" in given
}
HANDLERS = ROOT / "functions"
MEASURED = (
    *("register_batch", "begin_round", "find_missing_predictions", "judge_batch", "collect_labels", "import_labels"),
    *("merge_annotations", "report_batch", "plan_training", "assemble_dataset"),
)
READS_WHOLE = ("images(files.batch_id", "datasets.current()", "datasets.load(", "datasets.publish(")
BYTES_WITHOUT_IMAGES = 75 * 2**20
USABLE = 0.9
MOST_IN_A_JOB = advanced.LIMITS["OBJECTS_PER_JOB"].most


def items(count: int) -> list[InventoryItem]:
    return [InventoryItem(f"k{n:06d}", None, "e", 1, (n * 7919 % count) / count, False, 0.0) for n in range(count)]


def refusal(work) -> str:
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.fault("I15")
def test_300_000_images_ask_people_for_no_more_than_the_sample_may_hold() -> None:
    from labelloop.trust import sampling

    bounds = DEFAULTS["SampleMinimum"], DEFAULTS["SampleMaximum"]
    drawn = sampling.draw_sample(items(300_000), DEFAULTS["SampleRate"], *bounds)
    sampled = sum(item.sampled for item in drawn)
    assert sampled <= 2_000
    assert {item.inclusion_probability for item in drawn} == {sampled / 300_000}


@given(st.integers(1, 400), st.floats(0, 1), st.integers(0, 50), st.integers(1, 60))
def test_the_sample_is_bounded_and_its_probability_is_its_share(count, rate, minimum, maximum) -> None:
    from labelloop.trust import sampling

    drawn = sampling.draw_sample(items(count), rate, minimum, maximum)
    sampled = [item for item in drawn if item.sampled]
    assert len(sampled) <= maximum and drawn[0].inclusion_probability == len(sampled) / count
    uncut = [item.key for item in sampling.draw_sample(items(count), rate, minimum) if item.sampled]
    assert {item.key for item in sampled} <= set(uncut), "a smaller sample is a part of the larger one"


@pytest.mark.fault("I15")
def test_a_batch_that_may_cost_too_much_is_refused_before_anything_starts(aws, change_setting) -> None:
    change_setting("MAX_BATCH_COST", "1")
    upload(40)
    trigger = mark()
    said = refusal(lambda: handle("register_batch", event=trigger, execution=execution("one")))
    assert "InvalidInputError" in said and "MaxBatchCost allows $1.00" in said and "Nobody was asked" in said
    (batch,) = {key.split("/")[1] for key in storage.keys("batches/")}
    kept = {key.removeprefix(f"batches/{batch}/") for key in storage.keys("batches/")}
    assert "estimate.json" in kept and kept <= {"estimate.json", "settings.json"}, "no image is pinned"
    change_setting("MAX_BATCH_COST", "1000")
    boto_stop(ledger.owner_of(batch))
    assert registered(trigger, "two")["batch"]["objects"] == 40, "the same input, after the cap was raised"


def test_a_batch_that_goes_on_keeps_to_its_cap(aws, ended_labeling_jobs, change_setting) -> None:
    """Rounds, resumes and other settings do not add up to more than one batch may cost."""
    from batch_rounds import run_round

    settings = {"SAMPLE_RATE": "0.1", "SAMPLE_MINIMUM": "1", "HUMAN_BUDGET": "4", "MAX_ROUNDS": "1"}
    for name, value in {**settings, "PRICE_PER_LABEL": "1", "MAX_BATCH_COST": "17"}.items():
        change_setting(name, value)
    upload(30)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    assert run_round(batch, 1)["human"] == 4
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    again = {**trigger, "resume": True}
    state = handle("register_batch", event=again, execution=execution("two"))
    assert "at most 8 go to people" in state["batch"].get("estimate", ""), "four that were asked, four that may be"
    run_round(batch, 2)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    change_setting("HUMAN_BUDGET", "100")
    said = refusal(lambda: handle("register_batch", event=again, execution=execution("three")))
    assert "InvalidInputError" in said and "at most 30 go to people" in said and "MaxBatchCost allows $17" in said


def test_a_redriven_round_is_not_counted_twice(aws, ended_labeling_jobs, change_setting) -> None:
    upload(4)
    trigger = mark()
    batch = registered(trigger)["batch"]["id"]
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    boto_stop(ledger.owner_of(batch))
    state = registered(trigger, "two")
    assert "4 images: at most 4 go to people" in state["batch"].get("estimate", "")


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        ({}, 6),
        ({"WORKERS_PER_OBJECT": "3"}, 18),
        ({"HONEYPOT_RATE": "0.05"}, 7),
        ({"HONEYPOT_RATE": "0.5", "WORKERS_PER_OBJECT": "3"}, 27),
        ({"VERIFY_SCORE": "0.9"}, 12),
        ({"PRICE_PER_LABEL": "0"}, 6),
        ({"AUDIT_MINIMUM": "3"}, 9),
        ({"AUDIT_MINIMUM": "20"}, 10),
        ({"AUDIT_RATE": "0.1"}, 8),
        ({"AUDIT_MINIMUM": "3", "WORKERS_PER_OBJECT": "3", "DOUBLE_LABEL_RATE": "1"}, 27),
        ({"DOUBLE_LABEL_RATE": "0.5"}, 9),
        ({"SAMPLE_RATE": "1"}, 10),
        ({"SAMPLE_MINIMUM": "9", "SAMPLE_MAXIMUM": "4"}, 7),
        ({"HUMAN_BUDGET": "100000", "MAX_ROUNDS": "50"}, 10),
    ],
)
def test_the_estimate_counts_every_answer_that_is_paid_for(aws, change_setting, given, answers) -> None:
    ordinary = {"SAMPLE_RATE": "0.2", "HUMAN_BUDGET": "3", "MAX_ROUNDS": "2", "WORKERS_PER_OBJECT": "1"}
    for name, value in {**ordinary, **given}.items():
        change_setting(name, value)
    upload(10)
    handle("register_batch", event=mark(), execution=execution("one"))
    (estimate,) = [storage.read_json(key) for key in storage.keys("batches/") if key.endswith("estimate.json")]
    assert estimate["answers"] == answers


def boto_stop(arn: str) -> None:
    import boto3

    boto3.client("stepfunctions").stop_execution(executionArn=arn)


def test_the_estimate_stands_in_summary_and_report(aws, ended_labeling_jobs) -> None:
    from batch_rounds import run_round

    upload(4)
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    estimate = storage.read_json(f"batches/{batch}/summary.json")["estimate"]
    assert estimate["images"] == 4 and estimate["labelled_by_people"] == 4 and estimate["dollars"] > 0
    assert "estimated to ask people about at most 4 images" in storage.read(f"batches/{batch}/report.html").decode()


@pytest.mark.fault("I15")
def test_more_images_than_the_functions_hold_are_refused_with_the_number_and_what_to_do(aws, monkeypatch) -> None:
    from labelloop.contracts import limits

    monkeypatch.setattr(limits, "MOST_IMAGES", 5)
    upload(6)
    said = refusal(lambda: handle("register_batch", event=mark(), execution=execution("one")))
    assert "has 6 new images, and one batch holds at most 5" in said and "at least 2 prefixes" in said
    assert not [key for key in storage.keys("batches/") if "inventory" in key]


@pytest.mark.fault("I15")
@pytest.mark.parametrize("name", MEASURED)
def test_the_largest_batch_fits_into_what_the_template_gives_each_function(name) -> None:
    """As measured; who gives a function less memory or time, or lets it take more, must lower the limit."""
    from labelloop.contracts import limits

    size, milliseconds = limits.PER_IMAGE[name]
    images = min(limits.MOST_IMAGES, MOST_IN_A_JOB) if name == "collect_labels" else limits.MOST_IMAGES
    assert BYTES_WITHOUT_IMAGES + images * size <= USABLE * FUNCTIONS[name]["MemorySize"] * 2**20
    assert images * milliseconds / 1000 <= USABLE * FUNCTIONS[name]["Timeout"]


def test_every_function_that_reads_a_batch_or_the_dataset_whole_was_measured() -> None:
    texts = {path.stem: path.read_text() for path in HANDLERS.glob("*.py")}
    whole = {name for name, text in texts.items() if any(words in text for words in READS_WHOLE)}
    assert {"begin_round", "merge_annotations", "assemble_dataset"} <= whole <= set(MEASURED)


def test_no_function_has_more_memory_than_new_accounts_get() -> None:
    assert max(function["MemorySize"] for function in FUNCTIONS.values()) <= 3_008


@pytest.mark.fault("I15")
@pytest.mark.parametrize("in_dataset", [0, 100_000, 300_000, 450_000])
def test_a_batch_fits_beside_the_dataset_that_it_is_merged_into(in_dataset) -> None:
    from labelloop.contracts import limits

    most = limits.most_images(in_dataset)
    assert 0 < most <= limits.MOST_IMAGES
    for name in ("judge_batch", "merge_annotations"):
        held = most * limits.PER_IMAGE[name][0] + in_dataset * limits.BYTES_PER_IMAGE_IN_DATASET
        assert BYTES_WITHOUT_IMAGES + held <= USABLE * FUNCTIONS[name]["MemorySize"] * 2**20


@pytest.mark.fault("I15")
def test_a_batch_that_does_not_fit_beside_the_dataset_is_refused_before_anybody_is_asked(aws) -> None:
    storage.write_json("datasets/current", {"version": "v000009-0123abcd"})
    storage.write_json("datasets/v000009-0123abcd/card.json", {"images": 600_000})
    upload(3)
    trigger, arn = mark(), execution("one")
    said = refusal(lambda: handle("register_batch", event=trigger, execution=arn))
    assert "has 3 new images, and beside the 600,000 that the stack's dataset holds one batch holds at most 0" in said
    assert not [key for key in storage.keys("batches/") if "inventory" in key]
    storage.write_json("datasets/current", {"version": "v000008-0123abcd"})
    storage.write_json("datasets/v000008-0123abcd/card.json", {"images": 400_000})
    assert handle("register_batch", event=trigger, execution=arn)["batch"]["objects"] == 3


@pytest.mark.fault("I15")
def test_more_shards_than_can_be_read_in_time_are_refused_with_the_shard_size_that_fits(
    aws, monkeypatch, change_setting
) -> None:
    from labelloop.contracts import limits

    monkeypatch.setattr(limits, "MOST_SHARDS", 2)
    upload(5)
    trigger, arn = mark(), execution("one")
    said = refusal(lambda: handle("register_batch", event=trigger, execution=arn))
    assert "has 5 new images, and with a ShardSize of 2 one batch holds at most 4: raise ShardSize to 3" in said
    assert "or more in AdvancedSettings" in said
    assert not [key for key in storage.keys("batches/") if "inventory" in key]
    boto_stop(arn)
    change_setting("SHARD_SIZE", "3")
    assert registered(trigger, "two")["batch"]["objects"] == 5, "the same input, after ShardSize was raised"


def test_the_defaults_let_an_ordinary_batch_through() -> None:
    from labelloop.contracts import limits

    knobs = {name: DEFAULTS[name] for name in ("HumanBudget", "MaxRounds", "WorkersPerObject", "PricePerLabel")}
    estimated = limits.estimate(
        images=10_000,
        sampled=1_500,
        budget=knobs["HumanBudget"],
        rounds=knobs["MaxRounds"],
        workers=knobs["WorkersPerObject"],
        price_per_label=knobs["PricePerLabel"],
    )
    limits.check_cost(estimated, DEFAULTS["MaxBatchCost"])
    limits.check_room(limits.MOST_IMAGES, 100_000, DEFAULTS["ShardSize"])
    assert json.dumps(estimated.to_json()) and estimated.labelled_by_people == 1_500 + 4 * 200
