"""Unit tests talk to nobody: no sockets, fake credentials, an AWS in memory (moto), the settings of a made-up stack.

The container's tests (marked `yolo`) run in its own environment, which has none of moto, hypothesis and pytest-socket,
and they start servers on the loopback address: what they lack is imported late, and sockets stay open for them.
"""

import contextlib
import json
import os
import resource
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from labelloop.contracts import settings as stack
from made_up_stack import ACCOUNT, BUCKET, CALLBACKS, CREDENTIALS, LEDGER, SETTINGS

with contextlib.suppress(ImportError):
    import hypothesis
    import moto  # noqa: F401 - before anybody makes a session: later ones alone are moto's to answer

    # The machine that runs the tests may be busy: time limits per example only make noise.
    hypothesis.settings.register_profile("unit", deadline=None)
    hypothesis.settings.load_profile("unit")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("yolo") is None:
        with contextlib.suppress(ImportError):
            import pytest_socket

            pytest_socket.disable_socket(allow_unix_socket=True)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The variables of settings.py; a test that changes one with `change_setting` sees it at once."""
    from labelloop.store import aws, settings_documents  # noqa: F401 - it sets the source of settings when it is imported

    assert set(SETTINGS) == {field.name.upper() for field in fields(stack.Settings)}
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**CREDENTIALS, **SETTINGS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stack, "source", lambda: {name: os.environ[name] for name in SETTINGS if name in os.environ})
    caches = (stack.deployed.cache_clear, aws.client.cache_clear, aws.table.cache_clear)
    for clear in caches:
        clear()
    yield monkeypatch
    for clear in caches:
        clear()


@pytest.fixture
def change_setting(environment: pytest.MonkeyPatch):
    def change(name: str, value: str) -> None:
        environment.setenv(name, value)
        stack.deployed.cache_clear()

    return change


@pytest.fixture
def aws(new_aws) -> Iterator[None]:
    """The stack's bucket (versioned), tables and machines in moto; nothing of SageMaker, see `fake_service`."""
    with new_aws():
        yield


@pytest.fixture
def run(aws) -> Callable[[str], str]:
    """`run("name")` starts an execution and gives its ARN; handling.stop(arn) aborts it."""
    from handling import execution

    return execution


@pytest.fixture
def new_aws(environment: pytest.MonkeyPatch) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """For a test that needs more than one account, one after the other."""
    return _new_aws


@contextlib.contextmanager
def _new_aws() -> Iterator[None]:
    import boto3
    from moto import mock_aws

    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        s3, database = boto3.client("s3"), boto3.client("dynamodb")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
        s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
        database.create_table(**_table(LEDGER, {"open": "S", "id": "S"}))
        database.create_table(**_table(CALLBACKS, {"open": "S", "created": "N"}))
        boto3.client("sns").create_topic(Name="notices")
        states = boto3.client("stepfunctions")
        for machine in ("LabelBatch", "TrainModel"):
            states.create_state_machine(
                name=f"labelloop-{machine}",
                definition='{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}',
                roleArn=f"arn:aws:iam::{ACCOUNT}:role/machine",
            )
        yield


@pytest.fixture
def fake_service(environment: pytest.MonkeyPatch):
    """`fake_service(name, **answers)` puts a FakeService in the place of one service's client."""
    from fake_service import FakeService
    from labelloop.store import aws

    fakes: dict[str, FakeService] = {}
    real = aws.client

    def client(service: str):
        return fakes.get(service) or real(service)

    environment.setattr(aws, "client", client)

    def put(service: str, **answers: object) -> FakeService:
        return fakes.setdefault(service, FakeService(service)).answering(**answers)

    return put


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What custom resources answered CloudFormation: by PUT, without a content type, in at most 4,096 bytes."""
    answers: list[dict[str, object]] = []

    def put(request: urllib.request.Request, timeout: float) -> contextlib.AbstractContextManager[None]:
        assert request.get_method() == "PUT" and request.headers.get("Content-type") == ""
        assert isinstance(request.data, bytes) and len(request.data) <= 4096
        answers.append(json.loads(request.data))
        return contextlib.nullcontext()

    monkeypatch.setattr(urllib.request, "urlopen", put)
    return answers


@pytest.fixture
def states(aws: None, fake_service):
    """Step Functions hears; whether an execution runs is still asked of moto."""
    import boto3

    real = boto3.client("stepfunctions")
    return fake_service(
        "stepfunctions", describe_execution=real.describe_execution, list_executions=real.list_executions
    )


@pytest.fixture
def ended_labeling_jobs(aws: None, fake_service):
    """Every labelling job that is asked about has ended, every endpoint is in service."""
    import people

    in_service = {"EndpointStatus": "InService"}
    return fake_service("sagemaker", describe_labeling_job=people.ended(), describe_endpoint=in_service)


@pytest.fixture
def sagemaker(states, fake_service):
    return fake_service("sagemaker")


@pytest.fixture
def runtime(states, fake_service):
    from labelloop.store import storage
    from outside_work import FAILURE, OUTPUT

    answer = {"OutputLocation": storage.uri(OUTPUT), "FailureLocation": storage.uri(FAILURE)}
    return fake_service("sagemaker-runtime", invoke_endpoint_async={"InferenceId": "x", **answer})


@pytest.fixture
def quiet(sagemaker):
    """No endpoints to look after."""
    return sagemaker.answering(list_endpoints={"Endpoints": []})


@pytest.fixture
def endpoints_of(quiet, fake_service):
    """`endpoints_of(5, 4)`: the stack's endpoints by version, newest first."""
    from outside_work import endpoint_named

    fake_service("application-autoscaling")
    fake_service("cloudwatch")

    def put(*numbers: int) -> None:
        quiet.answering(list_endpoints={"Endpoints": [{"EndpointName": endpoint_named(number)} for number in numbers]})

    return put


def _table(name: str, index: dict[str, str] | None = None) -> dict[str, object]:
    attributes = {"id": "S", **(index or {})}
    table = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    if index:
        keys = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(index, ("HASH", "RANGE"), strict=True)]
        every = {"ProjectionType": "ALL"}
        table["GlobalSecondaryIndexes"] = [{"IndexName": "open-index", "KeySchema": keys, "Projection": every}]
    return table


@pytest.fixture
def set_of(tmp_path):
    """A COCO file with pictures, see coco_set."""
    from coco_set import Set

    return Set(tmp_path)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """What a bomb would take is not there to be taken: 1 GB more than now, at most."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + 10**9, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
