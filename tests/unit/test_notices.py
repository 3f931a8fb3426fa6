"""Every fact is told once, however often the step that tells it is repeated; bounds of a training are two, not one."""

import people
import pytest
from batch_rounds import refs, run_round
from fake_service import refused
from handling import MODEL, crown, execution, handle, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.store import ledger, storage, training_lock
from outside_work import ask_for_labels

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")


def told(sns) -> list[str]:
    return [request["Subject"] for request in sns.requests_of("publish")]


@pytest.fixture
def sns(states, fake_service):
    job = {"LabelingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/x"}
    fake_service("sagemaker", create_labeling_job=job, describe_labeling_job=people.ended())
    return fake_service("sns")


def test_people_hear_of_a_labelling_job_once(sns, fake_service) -> None:
    ask_for_labels("t1")
    fake_service(
        "sagemaker",
        create_labeling_job=refused("ResourceInUse"),
        describe_labeling_job={"LabelingJobStatus": "InProgress"},
    )
    ask_for_labels("t2")
    ask_for_labels("t3")
    assert told(sns) == ["Labelling waits for you"]


def test_a_notice_that_could_not_be_sent_is_sent_by_the_next_attempt(sns) -> None:
    sns.answering(publish=refused("InternalError", status=500))
    with pytest.raises(Exception, match="InternalError"):
        ask_for_labels("t1")
    sns.answering(publish={})
    ask_for_labels("t2")
    ask_for_labels("t3")
    assert told(sns) == ["Labelling waits for you"] * 2, "the refused one, and the one that went out"


def test_a_promotion_a_report_and_failures_are_told_once(sns) -> None:
    upload(2)
    batch = registered()["batch"]["id"]
    run_round(batch, 1)
    owner, trainer = ledger.owner_of(batch), execution("t", "TRAIN_MODEL_ARN")
    fence = training_lock.take(trainer, 600)
    given = {
        "model_version": MODEL,
        "endpoint": "e",
        "thresholds_uri": storage.uri("models/t.json"),
        "dataset_version": "v000001-aa",
    }
    for _ in range(3):
        handle("report_batch", batch_id=batch, execution=owner)
        handle("promote_model", **given, job="j", train=1, fence=fence, execution=trainer)
        handle("record_failure", execution=trainer, error={"Error": "X", "Cause": "y"}, state={})
    assert sorted(told(sns)) == [
        "A better model serves",
        f"Batch {batch} is labelled",
        "Training failed, the champion serves on",
    ]
    assert models.champion().value["version"] == MODEL


# --- the other items of trouble about models


@loop
def test_each_rounds_labels_are_audited_under_the_rule_that_accepted_them(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "target-quality")
    change_setting("JUDGE_IMAGES", "100")
    change_setting("SAMPLE_RATE", "0.4")
    upload(10)
    batch = registered()["batch"]["id"]
    crown(threshold=0.5)
    sure = {ref: (0.9 if number % 2 else 0.1) for number, ref in enumerate(refs(batch))}
    sure |= {image.source_ref: 0.9 for image in batches.images(batch) if image.item.sampled}
    predict(batch, 1, sure)
    first = run_round(batch, 1)
    key = f"models/{MODEL}/thresholds/v9.json"
    storage.write_json(key, {"model": MODEL, "dataset": "v9", "target": 0.8, "accept": None, "images": 9})
    seen = models.champion()
    models.flip(seen, {**seen.value, "thresholds_uri": storage.uri(key)})
    run_round(batch, 2)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    audits = storage.read_json(f"{Files(batch).root}/summary.json")["audit"]
    assert first["auto"] > 0
    (audit,) = [each for each in audits if each["auto_labels"]]
    assert audit["auto_labels"] == first["auto"] and audit["images"] > 0 and audit["mean_iou"] is not None


def test_a_training_job_ends_before_the_state_that_waits_for_it(states, fake_service, aws) -> None:
    sagemaker = fake_service("sagemaker")
    upload(1)
    waits = registered()["settings"]
    given = {"job": "labelloop-train-1-0123abcd", "champion": "", "dataset_uri": "s3://b/d/", "images_uri": "s3://b/i"}
    handle(
        "train_challenger",
        **given,
        task_token="t",
        execution=execution("t", "TRAIN_MODEL_ARN"),
        timeout_seconds=waits["training_timeout_seconds"],
    )
    (request,) = sagemaker.requests_of("create_training_job")
    bound = request["StoppingCondition"]["MaxRuntimeInSeconds"]
    assert bound == settings().training_timeout_seconds
    assert waits["training_timeout_seconds"] >= bound + 600, "finding an instance and copying data takes time, too"
    assert waits["nested_timeout_seconds"] > waits["training_timeout_seconds"] + waits["deployment_timeout_seconds"]


def test_a_training_that_ran_out_of_its_own_time_says_so(aws, fake_service) -> None:
    described = {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}
    fake_service("sagemaker", describe_training_job=described)
    outcome = training.ended("job")
    assert not outcome.ok and "TrainingTimeoutSeconds" in outcome.cause
