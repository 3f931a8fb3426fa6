"""Collect Labels: job after job of a round, and one more for what people rejected."""

from typing import Any

import people
import pytest
from handling import handle
from labelling_rounds import end, judged, lines_of, merged, people_at_work, pinned
from labelloop.contracts.errors import TransientError

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture(autouse=True)
def ground_truth(aws, fake_service, change_setting):
    return people_at_work(fake_service, change_setting)


def test_the_jobs_of_a_round_come_one_after_the_other(change_setting) -> None:
    change_setting("OBJECTS_PER_JOB", "2")
    batch = judged(4)
    assert end(batch, 1, lambda line: people.boxes()) == {"job": 2, "jobs": 2, "more": True, "status": "Completed"}
    assert end(batch, 2, lambda line: None) == {"job": 3, "jobs": 2, "more": False, "status": "Completed"}
    assert len(merged(batch)) == 2


def test_a_job_that_has_not_ended_is_not_collected(sagemaker) -> None:
    batch = judged(2)
    sagemaker.answering(describe_labeling_job={"LabelingJobStatus": "Stopping"})
    with pytest.raises(TransientError, match="has not ended"):
        handle("collect_labels", batch_id=batch, round=1, job=1)


def accept_even(line: dict[str, Any]) -> dict[str, Any]:
    return people.verdict("reject" if int(line["source-ref"].rpartition("/")[2][:2]) % 2 else "accept")


def test_what_people_reject_is_adjusted_in_one_more_job_and_what_they_accept_is_their_label(change_setting) -> None:
    change_setting("VERIFY_SCORE", "0.5")
    batch = judged(5, dict.fromkeys(range(5), 0.9))
    assert end(batch, 1, accept_even) == {"job": 2, "jobs": 2, "more": True, "status": "Completed"}
    (_, adjusting) = pinned(batch)
    assert (adjusting.kind, adjusting.objects, adjusting.name[-2:]) == ("adjust", 2, "j2")
    assert all(line["proposed-boxes"]["annotations"] for line in lines_of(adjusting))
    assert not end(batch, 2, lambda line: people.boxes())["more"]

    metadata = [line["boxes-metadata"] for line in merged(batch)]
    assert [each["human-annotated"] for each in metadata] == ["yes"] * 5
    assert [each["adjustment-status"] for each in metadata] == ["unadjusted", "adjusted"] * 2 + ["unadjusted"]
    sides = {"left": 1, "top": 2, "width": 30, "height": 20}
    assert [line["boxes"]["annotations"] == [{"class_id": 0, **sides}] for line in merged(batch)] == [
        *(True, False, True, False, True)
    ]
    assert [line["provenance"]["job-kind"] for line in merged(batch)] == ["verify", "adjust"] * 2 + ["verify"]


def test_collecting_a_verification_again_makes_no_second_job(change_setting) -> None:
    change_setting("VERIFY_SCORE", "0.5")
    change_setting("OBJECTS_PER_JOB", "2")
    batch = judged(4, dict.fromkeys(range(4), 0.9))
    assert end(batch, 1, accept_even)["jobs"] == 2, "another verification comes first"
    first = end(batch, 2, accept_even)
    assert first["jobs"] == 3 and handle("collect_labels", batch_id=batch, round=1, job=2) == first
    assert [job.kind for job in pinned(batch)] == ["verify", "verify", "adjust"]
    assert end(batch, 3, lambda line: people.boxes())["jobs"] == 3


def test_a_proposal_that_nobody_verified_stays_open(change_setting) -> None:
    change_setting("VERIFY_SCORE", "0.5")
    batch = judged(3, dict.fromkeys(range(3), 0.9))
    assert not end(batch, 1, lambda line: None)["more"] and merged(batch) == []
