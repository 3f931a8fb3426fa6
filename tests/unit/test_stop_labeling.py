"""Stop Labeling: a job that ran out of time is stopped, and what people answered is kept."""

import pytest
from handling import handle
from labelloop.contracts.errors import TransientError
from labelloop.store import callbacks, storage
from outside_work import ask_for_labels, described

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def test_stopping_keeps_what_people_answered_so_far_and_says_so(states, sagemaker, fake_service, monkeypatch) -> None:
    """F06: a job is stopped by us, with a notice, before Ground Truth lets it expire."""
    import stop_labeling

    job = ask_for_labels()
    notices = fake_service("sns")
    manifest = storage.write("batches/b/labeling/2/out.manifest", b"")
    ended = iter([described("Stopping"), described("Stopped", LabelingJobOutput={"OutputDatasetS3Uri": manifest})])
    sagemaker.answering(describe_labeling_job=lambda **_: next(ended))
    monkeypatch.setattr(stop_labeling.time, "sleep", lambda _: None)
    assert handle("stop_labeling", batch_id="b", round=2, job=1) == {"status": "Stopped"}
    (told,) = notices.requests_of("publish")
    assert job in told["Message"] and "is kept" in told["Message"]
    assert list(callbacks.open_callbacks()) == []


def test_a_job_that_takes_long_to_stop_is_asked_again(states, sagemaker, monkeypatch) -> None:
    import stop_labeling

    ask_for_labels()
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(stop_labeling.time, "sleep", lambda _: None)
    monkeypatch.setattr(stop_labeling.time, "monotonic", lambda: next(clock))
    sagemaker.answering(describe_labeling_job=described("Stopping"))
    with pytest.raises(TransientError, match="still stopping"):
        handle("stop_labeling", batch_id="b", round=2, job=1)
