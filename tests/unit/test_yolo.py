"""The engine YOLO behind the port: what it asks SageMaker for, and how what it began ends."""

import pytest
from botocore.exceptions import ParamValidationError
from fake_service import refused
from labelloop import engines
from labelloop.contracts.errors import ChangedObjectError, InvalidInputError
from labelloop.contracts.settings import settings
from labelloop.engines import Request, Training, yolo
from labelloop.engines import training as training_jobs
from labelloop.store import immutable, storage
from made_up_stack import IMAGE

pytestmark = pytest.mark.usefixtures("aws")

VERSION, ENDPOINT, JOB = "v000003-0123abcd", "labelloop-v000003-0123abcd", "labelloop-train-1"
TAKEN = refused("ResourceInUse", "Training job names must be unique")
SHARD = Request(ENDPOINT, "s3://data-bucket/batches/b/requests/1.jsonl", "b-1", "b/predictions/1", "shard-1.jsonl")


def test_what_names_no_engine_is_of_yolo_and_what_names_an_unknown_one_is_refused() -> None:
    assert engines.of() is engines.of("yolo") is yolo
    with pytest.raises(InvalidInputError, match="'crystal-ball' is none of yolo"):
        engines.of("crystal-ball")


def training(**changes) -> Training:
    places = {"dataset_uri": "s3://data-bucket/training/x/dataset/", "images_uri": "s3://data-bucket/training/x/images"}
    return Training(**{"job": JOB, "champion": "", "seconds": 100, **places, **changes})


def test_a_training_may_run_no_longer_than_is_waited_for_it_nor_than_the_stack_lets_it(fake_service) -> None:
    sagemaker = fake_service("sagemaker", create_training_job={})
    most = settings().training_timeout_seconds
    for seconds, allowed in ((100, 100), (most + 1, most)):
        assert yolo.train(training(seconds=seconds))
        request = sagemaker.requests_of("create_training_job")[-1]
        assert request["StoppingCondition"]["MaxRuntimeInSeconds"] == allowed
        assert [channel["ChannelName"] for channel in request["InputDataConfig"]] == ["dataset", "images"]


def test_a_training_that_an_earlier_attempt_began_is_not_begun(fake_service) -> None:
    fake_service("sagemaker", create_training_job=TAKEN)
    assert not yolo.train(training())


def test_the_champion_is_given_to_the_job_as_it_was_registered_or_not_at_all(fake_service) -> None:
    sagemaker = fake_service("sagemaker", create_training_job={})
    key = f"models/{VERSION}/model.tar.gz"
    immutable.create(key, b"the archive", "application/gzip")
    yolo.train(training(champion=VERSION))
    (request,) = sagemaker.requests_of("create_training_job")
    source = request["InputDataConfig"][2]["DataSource"]["S3DataSource"]
    assert source["S3Uri"] == storage.uri(key)
    storage.write(key, b"another archive", "application/gzip")
    with pytest.raises(ChangedObjectError, match=VERSION):
        yolo.train(training(champion=VERSION))
    with pytest.raises(ChangedObjectError, match=VERSION):
        yolo.deploy(ENDPOINT, VERSION)
    assert len(sagemaker.calls) == 1


def test_a_version_is_deployed_with_the_image_that_its_card_names(fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    immutable.create(f"models/{VERSION}/model.tar.gz", b"the archive", "application/gzip")
    immutable.create_json(f"models/{VERSION}/card.json", {"image": IMAGE + "-of-then"})
    assert not yolo.deploy(ENDPOINT, VERSION), "the endpoint of an earlier attempt may serve already"
    (model,) = sagemaker.requests_of("create_model")
    assert model["PrimaryContainer"]["Image"] == IMAGE + "-of-then"


@pytest.mark.parametrize(("asked", "sent"), [(1, 60), (3600, 3600)])
def test_a_request_says_where_its_answer_is_wanted_and_how_long_it_may_wait(
    fake_service, change_setting, asked, sent
) -> None:
    change_setting("INFERENCE_QUEUE_SECONDS", str(asked))
    places = {"OutputLocation": "s3://data-bucket/out", "FailureLocation": "s3://data-bucket/failed"}
    runtime = fake_service("sagemaker-runtime", invoke_endpoint_async=places)
    answer = yolo.predict(SHARD)
    assert (answer.output_uri, answer.failure_uri) == ("s3://data-bucket/out", "s3://data-bucket/failed")
    (request,) = runtime.requests_of("invoke_endpoint_async")
    assert request["RequestTTLSeconds"] == sent
    assert (request["S3OutputPathExtension"], request["Filename"]) == (SHARD.folder, SHARD.name)
    assert (request["InferenceId"], request["InputLocation"]) == (SHARD.inference_id, SHARD.requests_uri)


def test_what_goes_on_is_told_by_kind(fake_service) -> None:
    jobs = [{"TrainingJobName": name} for name in ("labelloop-train-d000001-1-1-0123abcd", "labelloopx-train-1")]
    sagemaker = fake_service(
        "sagemaker",
        list_training_jobs={"TrainingJobSummaries": jobs},
        list_endpoints={"Endpoints": [{"EndpointName": ENDPOINT}, {"EndpointName": "labelloop-other"}]},
    )
    assert yolo.deployments("labelloop") == [ENDPOINT]
    assert set(yolo.trainings("labelloop")) <= {job["TrainingJobName"] for job in jobs[:1]}
    assert sagemaker.requests_of("list_training_jobs")[0]["StatusEquals"] == "InProgress"


def test_a_training_is_stopped_and_an_endpoint_taken_away_by_one_verb(fake_service) -> None:
    sagemaker = fake_service("sagemaker")
    fake_service("application-autoscaling")
    fake_service("cloudwatch")
    assert yolo.retire("training", JOB)
    assert sagemaker.calls == [("stop_training_job", {"TrainingJobName": JOB})]
    assert yolo.retire("deployment", ENDPOINT)
    assert "delete_endpoint" in [method for method, _ in sagemaker.calls]
    sagemaker.answering(stop_training_job=refused("ThrottlingException"))
    assert not yolo.retire("training", JOB)


def test_a_training_that_cannot_be_stopped_for_a_reason_of_the_client_is_told_and_not_asked_again(
    fake_service, monkeypatch
) -> None:
    refusal = ParamValidationError(report="no such field")
    fake_service("sagemaker", stop_training_job=refusal)
    warnings = []
    monkeypatch.setattr(training_jobs.logger, "warning", lambda text, **facts: warnings.append(facts["reason"]))
    assert yolo.retire("training", JOB)
    assert warnings == [str(refusal)] and "no such field" in warnings[0]
