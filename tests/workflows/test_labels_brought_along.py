"""Manifests that a marker names: imported whole, imported in part, or refused before anybody is asked."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loop import Loop
from served import physical_id
from toys import Toys

from tests.support.pictures import SIDE, Picture, pictures

COUNT = 6
Notices = Callable[[str], dict[str, str]]


@pytest.fixture(autouse=True)
def no_training(loop: Loop) -> Iterator[None]:
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        yield


@pytest.fixture
def notices(loop: Loop) -> Iterator[Notices]:
    """Waits for the notice with this subject, and returns it."""
    url, queue = Toys(loop.server).queue("sns.amazonaws.com")
    sqs, sns = loop.client("sqs"), loop.client("sns")
    topic = physical_id(loop, "NotificationTopic")
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True)
    heard: list[dict[str, str]] = []

    def find(subject: str) -> dict[str, str] | None:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ()):
            heard.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return next((notice for notice in heard if notice["Subject"] == subject), None)

    yield lambda subject: loop.eventually(lambda: find(subject), 30)
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)


def test_the_output_of_an_adjustment_job_is_imported_whole_and_nobody_is_asked(loop: Loop, notices: Notices) -> None:
    """As Ground Truth chains jobs (developer guide, sms-data-output): the adjusted label stands beside the first."""
    drawn = pictures(COUNT, seed="chained")
    run = loop.label("chained", drawn, brought(loop, "chained", [chained(each) for each in drawn]))
    loop.assert_sound(run)
    assert "Import Labels" in run.states and "Request Labels" not in run.states
    assert loop.control("GET", "state")["labeling_jobs"] == {}
    summary = loop.summary(run.batch)
    assert (summary["human"], summary["deferred"]) == (COUNT, 0)
    assert summary["imported"] == {"labels": COUNT, "refused": 0, "reasons": [], "mended": []}
    assert boxes_by_name(loop.dataset()) == {each.name: sides(list(each.boxes)) for each in drawn}
    assert f"{COUNT} supplied labels were imported." in notices(f"Batch {run.batch} is labelled")["Message"]


WRONG: dict[str, Callable[[dict[str, Any]], None]] = {
    "field 'label' must be one of head, but is 'person'": lambda line: name_class(line, "person"),
    "but the upright image has 64 x 64 pixels": lambda line: resize(line, 128),
    "a machine made this label (human-annotated: no)": lambda line: said(line, "human-annotated", "no"),
    "no readable image of this batch has that source-ref": lambda line: line.update({"source-ref": "elsewhere.png"}),
    "a box inside the image": lambda line: move(line, 5000),
}


def test_a_manifest_of_which_nothing_fits_stops_the_batch_before_people_are_asked(loop: Loop, notices: Notices) -> None:
    drawn = pictures(len(WRONG), seed="nothing fits")
    lines = [spoiled(each, spoil) for each, spoil in zip(drawn, WRONG.values(), strict=True)]
    run = loop.label("nothing fits", drawn, brought(loop, "nothing fits", lines))
    assert (run.status, run.error) == ("FAILED", "InvalidInputError")
    assert run.states[-3:] == ("Import Labels", "Record Failure", "Batch Failed")
    assert "Request Labels" not in run.states and loop.control("GET", "state")["labeling_jobs"] == {}
    assert loop.dataset() == [] and loop.rounds(run.batch) == []
    notice = notices(f"Batch {run.batch} failed")["Message"]
    assert notice.count("Nobody was asked; put the marker again") == 1, notice
    cause = loop.ledger(f"batch#{run.batch}")["cause"]
    assert f"none of the {len(WRONG)} lines" in cause and cause in notice
    assert sum(reason in cause for reason in WRONG) == 3, "the most frequent reasons, with a line each"
    told = loop.json(f"batches/{run.batch}/labeling/0/import.json")
    assert (told["labels"], told["refused"]) == (0, len(WRONG))
    assert [row["lines"] for row in told["reasons"]] == [[number] for number in range(1, len(WRONG) + 1)]
    assert all(reason in row["reason"] for reason, row in zip(WRONG, told["reasons"], strict=True))

    marker = brought(loop, "nothing fits", [chained(each) for each in drawn])
    second = loop.label("nothing fits", [], marker)
    loop.assert_sound(second)
    assert loop.inventory(second.batch) == loop.inventory(run.batch), "the same images, none stranded"
    assert loop.summary(second.batch)["human"] == len(drawn) and "Request Labels" not in second.states
    assert len(loop.dataset()) == len(drawn)


def test_of_a_manifest_that_fits_in_part_people_are_asked_the_rest_and_told_why(loop: Loop, notices: Notices) -> None:
    drawn = pictures(COUNT, seed="in part")
    spoils = list(WRONG.items())[:2]
    lines = [chained(each) for each in drawn[2:-1]]
    lines += [spoiled(each, spoil) for each, (_, spoil) in zip(drawn, spoils, strict=False)]
    run = loop.label("in part", drawn, brought(loop, "in part", lines))
    loop.assert_sound(run)
    asked = {line["source-ref"].rpartition("/")[2] for line in loop.asked(run.batch, 1)}
    assert asked == {drawn[0].name, drawn[1].name, drawn[-1].name}
    summary = loop.summary(run.batch)
    assert summary["human"] == COUNT and (summary["imported"]["labels"], summary["imported"]["refused"]) == (3, 2)
    page = loop.get(f"batches/{run.batch}/report.html").decode()
    notice = notices(f"Batch {run.batch} is labelled")["Message"]
    assert "3 supplied labels were imported, 2 lines were refused: " in notice
    for reason, _ in spoils:
        assert any(reason in row["reason"] for row in summary["imported"]["reasons"])
        assert reason in page.replace("&#x27;", "'") and reason in notice, reason


# --- manifests


def brought(loop: Loop, prefix: str, lines: list[dict[str, Any]]) -> dict[str, str]:
    """Lays the manifest beside the images; the marker that names it."""
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    loop.put(f"incoming/{prefix}/output.manifest", body)
    return {"labels": "output.manifest"}


def chained(picture: Picture) -> dict[str, Any]:
    """A machine's boxes, three pixels off, and beside them what people made of them."""
    right = sides(list(picture.boxes))
    off = [[left + 3, top, width, height] for left, top, width, height in right]
    return {
        "source-ref": f"s3://DOC-EXAMPLE-BUCKET/EXAMPLE-PREFIX/{picture.name}",
        "page-num": 1,
        "first": value(off),
        "first-metadata": metadata(off, "labeling-job/first", "2026-10-18T22:18:13.527256", human="no"),
        "adjusted": value(right),
        "adjusted-metadata": {
            **metadata(right, "labeling-job/adjust-first", "2026-11-20T22:18:13.527256", human="yes"),
            "adjustment-status": "adjusted",
        },
    }


def value(boxes: list[list[int]]) -> dict[str, Any]:
    names = ("left", "top", "width", "height")
    return {
        "image_size": [{"width": SIDE, "height": SIDE, "depth": 3}],
        "annotations": [{"class_id": 0, **dict(zip(names, box, strict=True))} for box in boxes],
    }


def metadata(boxes: list[list[int]], job: str, date: str, human: str) -> dict[str, Any]:
    return {
        "objects": [{"confidence": 0} for _ in boxes],
        "class-map": {"0": "head"},
        "type": "groundtruth/object-detection",
        "human-annotated": human,
        "creation-date": date,
        "job-name": job,
    }


def spoiled(picture: Picture, spoil: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    line = copy.deepcopy(chained(picture))
    spoil(line)
    return line


def name_class(line: dict[str, Any], name: str) -> None:
    line["adjusted-metadata"]["class-map"] = {"0": name}


def resize(line: dict[str, Any], side: int) -> None:
    line["adjusted"]["image_size"] = [{"width": side, "height": side, "depth": 3}]


def said(line: dict[str, Any], name: str, told: str) -> None:
    line["adjusted-metadata"][name] = told


def move(line: dict[str, Any], left: int) -> None:
    """All boxes: one of several that is impossible costs itself alone."""
    for box in line["adjusted"]["annotations"]:
        box["left"] = left


def sides(boxes: list[dict[str, Any]]) -> list[list[int]]:
    return sorted([box[side] for side in ("left", "top", "width", "height")] for box in boxes)


def boxes_by_name(lines: list[dict[str, Any]]) -> dict[str, list[list[int]]]:
    return {line["source-ref"].rpartition("/")[2]: sides(line["boxes"]["annotations"]) for line in lines}
