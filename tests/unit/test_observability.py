"""What functions log holds nothing that opens anything: no task token, no key, no signature of a link."""

import contextlib
import gc
import io
import json

import boto3
import pytest
from handling import Context, handle_event
from labelloop.store import callbacks, storage
from labelloop.store.observability import count, entry, logger, metrics
from outside_work import EXECUTION, LABELING, OUTPUT, TRAINING, ask_for_inference, ask_for_labels, changed, hear, notice

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TOKEN = "AQCEAAAAKgAAAAMAAAAAAAAAAb/canary+0123456789=="


@pytest.fixture
def logged(monkeypatch):
    """All that the logger wrote since the test began."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream.getvalue


@pytest.mark.fault("D20", "J06")
def test_a_signed_link_loses_what_signs_it_in_fields_and_in_errors(aws, logged) -> None:
    for version in ("s3v4", "s3"):
        s3 = boto3.client("s3", config=boto3.session.Config(signature_version=version))
        link = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "incoming/a b/x.jpg"})
        signature = link.partition("Signature=")[2].partition("&")[0]
        logger.info("seen", address=link, extra={"deep": [{"answer_to": link}]})
        logger.warning("failed", reason=f"HTTP Error 403 for {link!r}: {{'ResponseURL': '{link}'}}")
        try:
            raise ValueError(link)
        except ValueError:
            logger.exception("broke")
        assert len(signature) > 10 and signature not in logged()
    assert "incoming/a%20b/x.jpg" in logged(), "which object it was stays"
    for line in logged().splitlines():
        assert json.loads(line)["level"]


@pytest.mark.fault("D20", "J06")
@pytest.mark.parametrize(
    "said",
    [
        {"token": TOKEN},
        {"task_token": TOKEN},
        {"deep": [{"taskToken": TOKEN, "output": "{}"}]},
        {"reason": f"Parameter validation failed: {{'taskToken': '{TOKEN}', 'output': 1}}"},
        {"reason": json.dumps({"task_token": TOKEN})},
        {"reason": f'row {{"token": "{TOKEN}"}} cannot be read'},
        {"headers": {"Authorization": f"Bearer {TOKEN}"}},
        {"headers": {"cookie": f"portal={TOKEN}"}},
        {"AWS_SECRET_ACCESS_KEY": TOKEN, "AWS_SESSION_TOKEN": TOKEN},
        {"reason": f"aws_secret_access_key={TOKEN}&x=1"},
    ],
)
def test_tokens_and_keys_are_left_out_wherever_they_are_named(logged, said) -> None:
    logger.warning("odd", **said)
    assert TOKEN not in logged() and "canary" not in logged()
    assert json.loads(logged())["message"] == "odd"


def test_what_is_no_secret_stays_as_it_is(logged) -> None:
    logger.info("batch registered", batch_id="b-1", images=3, names=["token-ring.jpg", "a=b&c.jpg"], reason="a: b, c=d")
    told = json.loads(logged())
    assert (told["names"], told["reason"]) == (["token-ring.jpg", "a=b&c.jpg"], "a: b, c=d")


def test_every_line_says_which_function_of_which_stack_wrote_it(logged, capsys, monkeypatch) -> None:
    """All functions of a stack write to one log group; metrics are lines of it, too."""
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    metrics.clear_metrics()

    @entry
    def handler(event, context):
        logger.info("seen")
        count("Seen")

    handler({}, Context(function_name="labelloop-JudgeBatch"))
    handler({}, Context(function_name="labelloop-RegisterBatch"))
    lines = [json.loads(line) for line in (*logged().splitlines(), *capsys.readouterr().out.splitlines())]
    named = [(line["function_name"], line["service"]) for line in lines]
    stack = lines[0]["service"]
    assert stack and named == [("labelloop-JudgeBatch", stack), ("labelloop-RegisterBatch", stack)] * 2


@pytest.mark.parametrize("fails", [False, True])
def test_no_collector_goes_through_the_records_while_a_function_works(environment, fails) -> None:
    seen = []

    @entry
    def handler(event, context):
        seen.append(gc.isenabled())
        if fails:
            raise ValueError("x")

    with contextlib.suppress(ValueError):
        handler({}, Context())
    assert (seen, gc.isenabled()) == ([False], True)


@pytest.mark.fault("D20")
def test_no_function_around_a_token_logs_it(states, runtime, sagemaker, logged) -> None:
    inference_id = ask_for_inference(TOKEN)
    hear(notice(inference_id), notice("unknown"), {**notice("odd"), "body": json.dumps({"task_token": TOKEN})})
    storage.write(OUTPUT, b"{}\n")
    hear(notice(inference_id))
    job = ask_for_labels(TOKEN)
    sagemaker.answering(describe_labeling_job={"LabelingJobStatus": "Stopped"})
    handle_event("complete_work", changed(LABELING, job))
    callbacks.remember("training", "job", TOKEN, EXECUTION, 60)
    handle_event("complete_work", changed(TRAINING, "another"))
    assert logged() and TOKEN not in logged()
