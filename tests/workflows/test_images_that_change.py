"""Objects that are overwritten or deleted while people label them: what was registered is what is labelled."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from loop import Loop

from tests.support.pictures import Picture, pictures, truth

COUNT = 6
PREFIX = "changing"
ENDED = "SageMaker Ground Truth Labeling Job State Change"


@pytest.mark.fault("A09", "A11")
def test_a_label_drawn_while_its_image_changed_is_asked_again_on_the_registered_bytes(loop: Loop) -> None:
    """And what was uploaded meanwhile belongs to the next marker: nothing is lost, nothing is mixed."""
    drawn = pictures(COUNT, seed="registered")
    (other,) = pictures(1, seed="uploaded again")
    assert other.name == drawn[0].name and other.boxes != drawn[0].boxes
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        loop.faults(hold_labeling=True, drop_events=[ENDED])
        loop.upload(PREFIX, drawn, marker={})
        arn = loop.started(PREFIX)
        loop.reach(arn, "Request Labels")
        loop.upload(PREFIX, [other])  # from here on people see, and answer about, the other picture
        loop.client("s3").delete_object(Bucket=loop.bucket, Key=key(drawn[1]))
        loop.faults(drop_events=[ENDED])
        loop.eventually(lambda: job_states(loop) == ["Completed"], 60)
        loop.control("PUT", "truth", truth(PREFIX, drawn))
        loop.faults()
        loop.eventually(lambda: loop.invoke("Reconcile")["answered"] == 1, 60)
        run = loop.wait(arn)
        loop.assert_sound(run)

        assert loop.summary(run.batch)["human"] == COUNT and run.states.count("Request Labels") == 2
        rows = loop.summary(run.batch)["rounds"]
        assert [(row["asked"], row["human"], row["changed"]) for row in rows] == [(COUNT, COUNT - 2, 2), (2, 2, 0)]
        asked = {line["original-ref"]: line["source-ref"] for line in loop.asked(run.batch, 2)}
        assert set(asked) == {f"s3://{loop.bucket}/{key(each)}" for each in drawn[:2]}
        for each in drawn[:2]:
            kept = asked[f"s3://{loop.bucket}/{key(each)}"]
            assert kept.startswith(f"s3://{loop.bucket}/canonical/{run.batch}/") and fetch(loop, kept) == each.body
        assert_every_label_is_of_the_bytes_it_names(loop, drawn)
        assert {line["source-ref"] for line in loop.manifest(run.batch)} >= set(asked.values())

        loop.control("PUT", "truth", truth(PREFIX, [other]))
        second = loop.label(PREFIX, [])
        loop.assert_sound(second)
    assert [item["key"] for item in loop.inventory(second.batch)] == [key(other)]
    assert_every_label_is_of_the_bytes_it_names(loop, [*drawn, other])


def key(picture: Picture) -> str:
    return f"incoming/{PREFIX}/{picture.name}"


def job_states(loop: Loop) -> list[str]:
    return [job["status"] for job in loop.control("GET", "state")["labeling_jobs"].values()]


def fetch(loop: Loop, uri: str) -> bytes:
    """As a consumer of a manifest does, who knows of no versions."""
    bucket, _, name = uri.removeprefix("s3://").partition("/")
    return bytes(loop.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read())


def assert_every_label_is_of_the_bytes_it_names(loop: Loop, drawn: list[Picture]) -> None:
    """Each picture has one line in the dataset, which leads to its bytes, and the boxes are those of that picture."""
    by_hash: dict[str, Any] = {hashlib.sha256(each.body).hexdigest(): each for each in drawn}
    lines = loop.dataset()
    assert sorted(line["provenance"]["sha256"] for line in lines) == sorted(by_hash)
    for line in lines:
        expected = line["provenance"]["sha256"]
        assert hashlib.sha256(fetch(loop, line["source-ref"])).hexdigest() == expected, line["source-ref"]
        sides = [[box[side] for side in ("left", "top", "width", "height")] for box in line["boxes"]["annotations"]]
        true = [[box[side] for side in ("left", "top", "width", "height")] for box in by_hash[expected].boxes]
        assert sorted(sides) == sorted(true), line["source-ref"]
