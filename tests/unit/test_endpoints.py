"""Endpoints: requests AWS takes, made once, scaled to zero with a way to wake, taken away whatever is left of them."""

import io
from dataclasses import replace

import numpy as np
import pytest
from botocore.exceptions import ClientError
from fake_service import refused
from labelloop.contracts.settings import settings
from labelloop.engines import endpoints
from labelloop.pictures.pixels import Limits, canonicalise, rendition
from made_up_stack import IMAGE
from PIL import Image

NAME, VERSION = "labelloop-v000003-0123abcd", "v000003-0123abcd"
THERE = refused("ValidationException", 'Cannot create already existing model "arn:..."')
GONE = refused("ValidationException", 'Could not find endpoint "arn:..."')


@pytest.fixture
def services(fake_service):
    scaling = fake_service("application-autoscaling", put_scaling_policy=policy_arn, register_scalable_target={})
    return fake_service("sagemaker"), scaling, fake_service("cloudwatch")


def policy_arn(**request):
    return {"PolicyARN": f"arn:aws:autoscaling:policy/{request['PolicyName']}"}


def test_model_config_and_endpoint_are_requests_sagemaker_takes(services) -> None:
    sagemaker, _, _ = services
    endpoints.create(NAME, VERSION, IMAGE, settings())  # the fake refuses what the service model refuses
    assert [method for method, _ in sagemaker.calls] == ["create_model", "create_endpoint_config", "create_endpoint"]
    model, config, endpoint = (request for _, request in sagemaker.calls)
    assert model["PrimaryContainer"]["ModelDataUrl"] == f"s3://data-bucket/models/{VERSION}/model.tar.gz"
    assert model["PrimaryContainer"]["Environment"]["MODEL_VERSION"] == VERSION
    assert config["ProductionVariants"][0]["ModelName"] == model["ModelName"] == NAME
    assert endpoint == {"EndpointName": NAME, "EndpointConfigName": config["EndpointConfigName"]}


@pytest.mark.fault("K07")
def test_a_turned_photograph_that_passed_inspection_is_looked_at_although_its_rendition_is_larger_than_an_upload(
    services, monkeypatch
) -> None:
    from shards import Answerer
    from worker import Configuration

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    taken, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(taken, "JPEG", quality=80, exif=exif)
    uploads = Limits(max_bytes=len(taken.getvalue()) + 1000, max_pixels=300 * 400)
    shown = rendition(canonicalise(taken.getvalue(), uploads))
    assert len(shown.body) > uploads.max_bytes
    knobs = replace(settings(), max_image_bytes=uploads.max_bytes, max_image_pixels=uploads.max_pixels)
    endpoints.create(NAME, VERSION, IMAGE, knobs)
    (model,) = services[0].requests_of("create_model")
    limits = Configuration.from_environment(model["PrimaryContainer"]["Environment"]).limits
    look = Answerer(None, "m", limits)._decoded("s3://b/canonical/a.png", shown.body)
    assert look.reason is None and look.pixels.size == (300, 400)


@pytest.mark.fault("K07")
def test_no_rendition_is_too_large_for_the_endpoint() -> None:
    """The worst there is: noise, and rows as short as they may be."""
    from labelloop.pictures.stored import rendition_bytes

    for width, height in ((32, 4000), (4000, 32), (700, 700)):
        noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
        body = io.BytesIO()
        Image.fromarray(noise).save(body, "BMP")
        written = rendition(canonicalise(body.getvalue()))
        assert written.suffix == "png"
        assert len(written.body) <= rendition_bytes(Limits(max_bytes=1, max_pixels=width * height))


def test_the_endpoint_answers_on_the_topics_and_writes_only_into_the_batches(services) -> None:
    endpoints.create(NAME, VERSION, IMAGE, settings())
    output = services[0].requests_of("create_endpoint_config")[0]["AsyncInferenceConfig"]["OutputConfig"]
    assert output["NotificationConfig"] == {
        "SuccessTopic": settings().success_topic,
        "ErrorTopic": settings().error_topic,
    }
    assert {output["S3OutputPath"], output["S3FailurePath"].rpartition("/")[0]} == {"s3://data-bucket/batches"}


def test_what_an_earlier_attempt_made_is_left_as_it_is(services) -> None:
    sagemaker, _, _ = services
    sagemaker.answering(create_model=THERE, create_endpoint_config=THERE)
    endpoints.create(NAME, VERSION, IMAGE, settings())
    assert len(sagemaker.requests_of("create_endpoint")) == 1


def test_any_other_refusal_is_not_swallowed(services) -> None:
    services[0].answering(create_endpoint_config=refused("ResourceLimitExceeded", "0 instances of ml.g4dn.xlarge"))
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        endpoints.create(NAME, VERSION, IMAGE, settings())
    assert services[0].requests_of("create_endpoint") == []


def test_an_idle_endpoint_goes_to_zero_and_one_waiting_request_wakes_it(services) -> None:
    _, scaling, cloudwatch = services
    endpoints.scale(NAME, 2)
    (target,) = scaling.requests_of("register_scalable_target")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 2)
    assert target["ResourceId"] == f"endpoint/{NAME}/variant/{endpoints.VARIANT}"
    backlog, wake = scaling.requests_of("put_scaling_policy")
    assert backlog["PolicyType"] == "TargetTrackingScaling" and wake["PolicyType"] == "StepScaling"
    (alarm,) = cloudwatch.requests_of("put_metric_alarm")
    assert alarm["AlarmActions"] == [policy_arn(PolicyName=wake["PolicyName"])["PolicyARN"]]
    assert alarm["MetricName"] == "HasBacklogWithoutCapacity" and alarm["Threshold"] == 1.0
    assert alarm["Dimensions"] == [{"Name": "EndpointName", "Value": NAME}]


def test_removing_takes_away_all_that_was_made(services) -> None:
    sagemaker, scaling, cloudwatch = services
    endpoints.remove(NAME)
    assert [method for method, _ in sagemaker.calls] == ["delete_endpoint", "delete_endpoint_config", "delete_model"]
    assert [request["PolicyName"] for request in scaling.requests_of("delete_scaling_policy")] == [
        *(f"{NAME}-backlog", f"{NAME}-wake")
    ]
    assert len(scaling.requests_of("deregister_scalable_target")) == 1
    assert cloudwatch.requests_of("delete_alarms") == [{"AlarmNames": [f"{NAME}-wake"]}]


def test_removing_what_is_half_gone_takes_the_rest(services) -> None:
    sagemaker, scaling, _ = services
    missing = refused("ObjectNotFoundException", "No scalable target registered")
    scaling.answering(delete_scaling_policy=missing, deregister_scalable_target=missing)
    sagemaker.answering(delete_endpoint=GONE, delete_endpoint_config=GONE)
    endpoints.remove(NAME)
    assert len(sagemaker.requests_of("delete_model")) == 1


def test_removing_says_when_it_may_not(services) -> None:
    services[0].answering(delete_endpoint=refused("AccessDeniedException", "not authorized to perform"))
    with pytest.raises(ClientError, match="AccessDenied"):
        endpoints.remove(NAME)


def test_endpoints_of_other_stacks_are_not_ours(services) -> None:
    """Another stack's prefix may begin with ours, even with `-v`."""
    ours, version = [NAME, "labelloop-v000001-aaaaaaaa"], "v000001-aaaaaaaa"
    others = [f"labelloop-dev-{version}", f"labelloop-v2-{version}", f"my-labelloop-{version}", "labelloop-video"]
    services[0].answering(list_endpoints={"Endpoints": [{"EndpointName": name} for name in ours + others]})
    assert endpoints.names("labelloop") == ours
