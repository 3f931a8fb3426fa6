"""Objects of a batch that S3 has and does not hand out: each costs itself, with S3's words; the rest is labelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from loop import Loop

from tests.support.pictures import pictures

COUNT = 8
PREFIX = "not handed out"


@pytest.mark.fault("K04")
def test_one_archived_and_one_denied_object_cost_themselves_and_nothing_else(loop: Loop) -> None:
    drawn = pictures(COUNT, seed="handed out")
    archived, denied = (f"incoming/{PREFIX}/{name}" for name in ("archived.png", "denied.png"))
    with (
        loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"),
        loop.settings("JudgeBatch", HUMAN_BUDGET="100"),
        denying(loop, denied),
    ):
        loop.client("s3").put_object(Bucket=loop.bucket, Key=archived, Body=drawn[0].body, StorageClass="GLACIER")
        loop.put(denied, drawn[1].body)
        run = loop.label(PREFIX, drawn)
        assert run.status == "SUCCEEDED"
        told = loop.summary(run.batch)
        assert (told["human"], told["rejected"], told["deferred"]) == (COUNT, 2, 0)
        reasons = told["rejected_reasons"]
        assert set(reasons) == {archived, denied}
        assert reasons[archived].startswith("inaccessible: S3 says InvalidObjectState: ")
        assert reasons[denied].startswith("inaccessible: S3 says AccessDenied: ")
        assert all("put the marker again" in reason for reason in reasons.values())
        loop.assert_sound(run)

    loop.put(archived, drawn[0].body)  # what the reasons say: restored and copied over itself, and uploaded again
    loop.put(denied, drawn[1].body)
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        again = loop.label(PREFIX, [])
        loop.assert_sound(again)
    assert sorted(item["key"] for item in loop.inventory(again.batch)) == [archived, denied]
    assert loop.summary(again.batch)["rejected"] == 0


@contextmanager
def denying(loop: Loop, key: str) -> Iterator[None]:
    """A bucket policy that denies one object to everybody."""
    s3 = loop.client("s3")
    before = s3.get_bucket_policy(Bucket=loop.bucket)["Policy"]
    policy = json.loads(before)
    policy["Statement"].append(
        {
            "Sid": "NotThis",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"arn:aws:s3:::{loop.bucket}/{key}",
        }
    )
    s3.put_bucket_policy(Bucket=loop.bucket, Policy=json.dumps(policy))
    try:
        yield
    finally:
        s3.put_bucket_policy(Bucket=loop.bucket, Policy=before)
