"""Judge Batch with a user's own judgement function behind it, which answers, or does not."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from batch_rounds import asked_in, merge, refs
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from fake_service import refused
from handling import MODEL, crown, execution, handle, predict, registered, upload
from labelloop.batch import batches, judge_function
from labelloop.contracts import limits
from labelloop.contracts.layout import Files
from labelloop.store import aws as clients
from labelloop.store import storage
from labelloop.trust import own_verdicts

from lint.project import Project

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]
ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "judge-function.md").read_text(encoding="utf-8")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:mine:live"
OWN = f"own-judge/mine:live, fixed/0.5@{MODEL}"


def answers(content: Any, **more: Any) -> dict[str, Any]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {"StatusCode": 200, "Payload": io.BytesIO(body), **more}


def saying(answer: str, *left_out: str):
    """A function that says the same of all images that it is asked about."""

    def invoke(**request: Any) -> dict[str, Any]:
        images = json.loads(request["Payload"])["images"]
        told = [{"source-ref": each["source-ref"], "answer": answer} for each in images]
        return answers({"version": 1, "answers": [each for each in told if each["source-ref"] not in left_out]})

    return invoke


@pytest.fixture
def batch(change_setting, monkeypatch) -> str:
    """Six images with a prediction each, the scores above and below the threshold; people have time for all."""
    for name, value in {"JUDGE_FUNCTION_ARN": ARN, "HUMAN_BUDGET": "100", "SAMPLE_RATE": "0.3"}.items():
        change_setting(name, value)
    monkeypatch.setattr(judge_function.time, "sleep", lambda seconds: None)
    upload(6)
    made = str(registered()["batch"]["id"])
    crown()
    handle("begin_round", batch_id=made, round=1)
    predict(made, 1, {ref: 0.9 if number % 2 else 0.2 for number, ref in enumerate(refs(made))})
    return made


def judged(batch_id: str, number: int = 1) -> dict[str, Any]:
    handle("judge_batch", batch_id=batch_id, round=number)
    return {each.source_ref: each for each in batches.round_decisions(batch_id, number)}


def sample(batch_id: str) -> set[str]:
    return {image.source_ref for image in batches.images(batch_id) if image.item.sampled}


def asked_about(service: Any) -> list[str]:
    """The images of all invocations."""
    events = [json.loads(request["Payload"]) for request in service.requests_of("invoke")]
    return sorted(image["source-ref"] for event in events for image in event["images"])


def of_people(found: dict[str, Any], offered: set[str], reason: str) -> None:
    """All of these images go to people for this reason."""
    assert {(found[each].decision, found[each].reasons, found[each].policy) for each in offered} == {
        ("human", (reason,), OWN)
    }


@pytest.mark.parametrize(
    ("answer", "decision", "reason"),
    [
        ("accept", "auto", "own-judge-accepted"),
        ("ask", "human", "own-judge-asked"),
        ("defer", "deferred", "own-judge-deferred"),
    ],
)
def test_what_it_answers_is_decided_about_every_image_but_the_random_sample(
    batch, fake_service, answer, decision, reason
) -> None:
    service = fake_service("lambda", invoke=saying(answer))
    found, drawn = judged(batch), sample(batch)
    offered = set(found) - drawn
    assert drawn and offered and asked_about(service) == sorted(offered), "it is not told about the sample"
    assert {(found[each].decision, found[each].reasons, found[each].policy) for each in offered} == {
        (decision, (reason,), OWN)
    }
    assert {(found[each].decision, found[each].policy) for each in drawn} == {("human", f"fixed/0.5@{MODEL}")}
    assert {line["source-ref"] for line in asked_in(batch, 1)} == drawn | (offered if answer == "ask" else set())
    merge(batch, 1)
    labelled = [each for each in batches.round_annotations(batch, 1) if not each.human]
    assert {each.source_ref for each in labelled} == (offered if answer == "accept" else set())
    assert all(each.provenance["policy"] == OWN for each in labelled)


def test_an_answer_about_the_sample_or_an_unknown_image_changes_nothing(batch, fake_service) -> None:
    def invoke(**request: Any) -> dict[str, Any]:
        told = [{"source-ref": each, "answer": "accept"} for each in [*refs(batch), "s3://elsewhere/x.png"]]
        return answers({"version": 1, "answers": told})

    fake_service("lambda", invoke=invoke)
    found, drawn = judged(batch), sample(batch)
    assert all(found[each].decision == "human" for each in drawn) and set(found) == set(refs(batch))
    assert storage.read_json(Files(batch).own_verdicts(1))["ignored"] == len(drawn) + 1


def test_an_image_without_a_prediction_is_not_offered(batch, fake_service) -> None:
    service = fake_service("lambda", invoke=saying("accept"))
    storage.write_lines(f"{Files(batch).predictions(1)}00000-00.jsonl", [])
    predict(batch, 1, dict.fromkeys(refs(batch)[:4], 0.9))
    found = judged(batch)
    assert asked_about(service) == sorted(set(refs(batch)[:4]) - sample(batch))
    assert all(found[each].decision == "human" for each in refs(batch)[4:])


def lost(error: Exception) -> Any:
    def invoke(**request: Any) -> None:
        raise error

    return invoke


OVERDUE = {"errorMessage": "2026-11-26T10:00:00Z 1-2 Task timed out after 3.00 seconds"}
REQUEST = {"endpoint_url": "https://lambda", "error": "gone"}


@pytest.mark.parametrize(
    ("invoke", "reason"),
    [
        (lost(ReadTimeoutError(**REQUEST)), "own-judge-timeout"),
        (lost(ConnectTimeoutError(**REQUEST)), "own-judge-timeout"),
        (lost(EndpointConnectionError(**REQUEST)), "own-judge-unreachable"),
        (lost(refused("TooManyRequestsException", status=429)), "own-judge-throttled"),
        (lost(refused("AccessDeniedException", status=403)), "own-judge-denied"),
        (lost(refused("ResourceNotFoundException", status=404)), "own-judge-not-found"),
        (lost(refused("ServiceException", status=500)), "own-judge-refused"),
        (lost(refused("RequestTooLargeException", status=413)), "own-judge-too-large"),
        (lambda **request: answers(OVERDUE, FunctionError="Unhandled"), "own-judge-timeout"),
        (lambda **request: answers({"version": 1, "answers": []}, FunctionError="Handled"), "own-judge-error"),
        (lambda **request: answers(b" " * (judge_function.LARGEST_ANSWER + 1)), "own-judge-too-large"),
        (lambda **request: answers(b"<html>"), "own-judge-junk"),
        (lambda **request: answers(None), "own-judge-junk"),
        (lambda **request: answers({"version": 3, "answers": []}), "own-judge-wrong-version"),
        (lambda **request: answers({"version": 1, "answers": []}), "own-judge-missing"),
    ],
)
def test_where_it_does_not_answer_people_look_and_the_decision_says_why(batch, fake_service, invoke, reason) -> None:
    service = fake_service("lambda", invoke=invoke)
    found = judged(batch)
    of_people(found, set(found) - sample(batch), reason)
    assert len(service.requests_of("invoke")) == (3 if reason in ("own-judge-throttled", "own-judge-refused") else 1)
    assert set(found) == set(refs(batch))
    merge(batch, 1)  # checks conservation


def test_one_image_that_it_forgets_goes_to_people_alone(batch, fake_service) -> None:
    forgotten = min(set(refs(batch)) - sample(batch))
    fake_service("lambda", invoke=saying("accept", forgotten))
    found = judged(batch)
    of_people(found, {forgotten}, "own-judge-missing")
    assert {found[each].decision for each in set(found) - sample(batch) - {forgotten}} == {"auto"}


def test_a_page_that_was_throttled_is_asked_again(batch, fake_service) -> None:
    calls = iter([refused("TooManyRequestsException", status=429)])

    def invoke(**request: Any) -> dict[str, Any]:
        for error in calls:
            raise error
        return saying("accept")(**request)

    fake_service("lambda", invoke=invoke)
    found = judged(batch)
    assert {found[each].decision for each in set(found) - sample(batch)} == {"auto"}


def test_pages_fail_one_by_one_and_none_is_begun_when_time_is_up(batch, fake_service, monkeypatch) -> None:
    monkeypatch.setattr(own_verdicts, "MOST_IMAGES", 1)
    monkeypatch.setattr(judge_function, "PAGES_AT_ONCE", 1)
    offered = sorted(set(refs(batch)) - sample(batch))
    clock = iter([0.0, 1.0, 2.0, *[1000.0] * 10])
    monkeypatch.setattr(judge_function.time, "monotonic", lambda: next(clock))
    service = fake_service("lambda", invoke=saying("accept"))
    found = judged(batch)
    assert len(service.requests_of("invoke")) == 2
    assert [found[each].decision for each in offered[:2]] == ["auto", "auto"]
    of_people(found, set(offered[2:]), "own-judge-out-of-time")


def test_a_round_that_is_judged_again_decides_the_same_and_asks_nobody(batch, fake_service, change_setting) -> None:
    service = fake_service("lambda", invoke=saying("accept"))
    lines = storage.lines_bytes(each.to_json() for each in judged(batch).values())
    # The step was lost after the answers were pinned and before the decisions were.
    import boto3
    from made_up_stack import BUCKET

    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=Files(batch).decisions(1)).delete()
    service.answering(invoke=saying("defer"))
    change_setting("JUDGE_FUNCTION_ARN", "")
    assert storage.lines_bytes(each.to_json() for each in judged(batch).values()) == lines
    assert len(service.requests_of("invoke")) == 1


def test_without_a_function_and_without_a_model_nobody_is_asked(batch, fake_service, change_setting) -> None:
    service = fake_service("lambda", invoke=saying("accept"))
    change_setting("JUDGE_FUNCTION_ARN", "")
    assert {each.policy for each in judged(batch).values()} == {f"fixed/0.5@{MODEL}"}
    assert not service.calls and not storage.exists(Files(batch).own_verdicts(1))


def test_the_report_says_that_it_judged_and_does_not_pass_its_labels_off_as_audited(batch, fake_service) -> None:
    fake_service("lambda", invoke=saying("accept"))
    accepted = len(set(judged(batch)) - sample(batch))
    import people

    people.answer_round(batch, 1, lambda line: people.boxes())
    merge(batch, 1)
    told = handle("report_batch", batch_id=batch, execution=execution("two"))
    summary = storage.read_json(f"{Files(batch).root}/summary.json")
    assert summary["rounds"][0]["own_judge"] == (
        f"the function mine:live judged {accepted} images: {accepted} own-judge-accepted"
    )
    own, policy = sorted(summary["audit"], key=lambda row: row["policy"] != OWN)
    assert (own["policy"], own["auto_labels"], own["mean_iou"]) == (OWN, accepted, None)
    assert policy["auto_labels"] == 0 and "the function mine:live accepted them" in own["sentence"]
    page = storage.read(storage.own_key(told["report_uri"])).decode()
    assert "the function mine:live judged" in page and "quality unknown" in page


def test_judge_batch_has_time_for_the_largest_batch_and_the_slowest_function() -> None:
    own = limits.MOST_IMAGES * limits.PER_IMAGE["judge_batch"][1] / 1000
    asking = judge_function.SECONDS_TO_BEGIN_IN + clients.ONCE.connect_timeout + clients.ONCE.read_timeout
    timeout = Project(ROOT).template["Resources"]["JudgeBatchFunction"]["Properties"]["Timeout"]
    assert own + asking < timeout


@pytest.mark.usefixtures("environment")
def test_a_call_of_the_function_is_made_once() -> None:
    config = clients.client("lambda").meta.config
    assert (config.retries["total_max_attempts"], config.read_timeout) == (1, 50), "the page on it says 50 s"


def test_the_documented_event_is_the_one_it_gets_and_the_example_answers_it_as_documented(batch, fake_service) -> None:
    event, answer = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOC, re.DOTALL))
    (code,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    example: dict[str, Any] = {}
    exec(code, example)
    assert example["handler"](event, None) == answer
    asked = [each["source-ref"] for each in event["images"]]
    verdicts, ignored = own_verdicts.read(json.dumps(answer).encode(), asked)
    assert (ignored, [each.answer for each in verdicts.values()]) == (0, ["accept", "ask"])

    def invoke(**given: Any) -> dict[str, Any]:
        return answers(example["handler"](json.loads(given["Payload"]), None))

    service = fake_service("lambda", invoke=invoke)
    found = judged(batch)
    (request,) = service.requests_of("invoke")
    sent = json.loads(request["Payload"])
    assert request["FunctionName"] == ARN and list(sent) == list(event)
    for image in sent["images"]:
        first = event["images"][0]
        assert list(image) == list(first) and list(image["prediction"]) == list(first["prediction"])
        assert (image["decision"], image["reasons"]) in (
            ("auto", ["score-reaches-threshold"]),
            ("human", ["score-below-threshold"]),
        )
        assert found[image["source-ref"]].decision == image["decision"], "the example follows the policy"
    documented = set(re.findall(r"`(own-judge-[a-z-]+)`", DOC))
    sources = (ROOT / "functions" / "labelloop" / name for name in ("trust/own_verdicts.py", "batch/judge_function.py"))
    used = {each for path in sources for each in re.findall(r'"(own-judge-[a-z-]+[a-z])"', path.read_text())}
    assert documented == used
