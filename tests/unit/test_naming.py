"""Names are the same every time, differ when what they name differs, and are legal where they go."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import naming

from local.sagemaker.requests import check, service_model

BUCKET = "data-bucket"
RESOURCE_PREFIX = re.compile(r"[a-z][a-z0-9]{1,14}")  # what the template allows
anything = st.text(max_size=60)
prefixes = st.from_regex(RESOURCE_PREFIX, fullmatch=True)
keys = anything.map(lambda text: f"incoming/{text}/")
versions = st.builds("v{:06d}-{}".format, st.integers(1, 999_999), st.from_regex(r"[0-9a-f]{8}", fullmatch=True))


def allowed(shape: str, name: str, service: str = "sagemaker") -> bool:
    """By the length and pattern in the service's own model."""
    return check(service_model(service).shape_for(shape), name) == []


@pytest.mark.fault("A18")
@given(keys, st.integers(1, 999))
def test_a_batch_id_is_short_and_plain_whatever_the_prefix_is_called(prefix, delivery) -> None:
    batch = naming.batch_id(BUCKET, prefix, delivery)
    assert len(batch) <= 40 and re.fullmatch(r"[a-z0-9](-?[a-z0-9])*", batch), batch
    assert batch == naming.batch_id(BUCKET, prefix, delivery)


@given(keys, keys, st.integers(1, 99), st.integers(1, 99))
def test_different_batches_have_different_ids(one, other, first, second) -> None:
    same = (one, first) == (other, second)
    assert (naming.batch_id(BUCKET, one, first) == naming.batch_id(BUCKET, other, second)) == same


def test_the_bucket_is_part_of_a_batch_id() -> None:
    assert naming.batch_id("a", "incoming/x/", 1) != naming.batch_id("b", "incoming/x/", 1)


def test_a_batch_id_reads_like_its_prefix() -> None:
    assert naming.batch_id(BUCKET, "incoming/Week 1 (Köln)/", 1).startswith("week-1-koln-")
    assert naming.batch_id(BUCKET, "incoming/😀/", 1).startswith("batch-")
    assert naming.batch_id(BUCKET, "incoming/x/", 3) == naming.batch_id(BUCKET, "incoming/x/", 1) + "-3"


@pytest.mark.fault("A18")
@given(prefixes, keys, st.integers(1, 999), st.integers(0, 99), st.integers(1, 9999))
def test_a_labelling_job_has_a_name_sagemaker_takes(prefix, key, delivery, number, index) -> None:
    batch = naming.batch_id(BUCKET, key, delivery)
    names = [naming.labeling_job(prefix, batch, number, kind, index) for kind in naming.JOB_KINDS]
    names.append(naming.labeling_job(prefix, batch, number, "annotate", index + 1))
    assert all(allowed("LabelingJobName", name) for name in names) and len(set(names)) == 4


@given(prefixes, versions, st.integers(1, 10**6))
def test_training_jobs_and_endpoints_have_names_sagemaker_takes(prefix, version, fence) -> None:
    job = naming.training_job(prefix, version, fence)
    assert allowed("TrainingJobName", job) and f"-train-{int(version[1:7])}-" in job
    assert job != naming.training_job(prefix, version, fence + 1)
    for shape in ("EndpointName", "EndpointConfigName", "ModelName"):
        assert allowed(shape, naming.endpoint(prefix, version))
    assert naming.is_training_job(prefix, job) and naming.is_endpoint(prefix, naming.endpoint(prefix, version))


@given(prefixes, prefixes, versions)
def test_a_stack_does_not_take_anothers_jobs_and_endpoints_for_its_own(prefix, other, version) -> None:
    longer = f"{prefix}-{other}"
    assert not naming.is_endpoint(prefix, naming.endpoint(longer, version))
    assert not naming.is_training_job(prefix, naming.training_job(longer, version, 1))


def test_a_model_that_was_trained_elsewhere_has_a_job_name_too() -> None:
    assert allowed("TrainingJobName", naming.training_job("labelloop", "", "adopt", 3))


@given(st.text("abcdefghij-", min_size=64, max_size=200))
def test_a_long_name_is_cut_and_stays_different(name) -> None:
    short = naming._bounded(name)
    assert len(short) <= 63 and short != naming._bounded(name + "x") and short.startswith(name[:20].rstrip("-"))


@given(keys, st.integers(1, 99), st.from_regex(r"(infer|single-1)-[0-9]{5}", fullmatch=True), st.integers(0, 9))
def test_an_inference_id_fits_its_header(key, number, shard, retry) -> None:
    batch = naming.batch_id(BUCKET, key, number)
    name = naming.inference_id(batch, number, shard, 0, retry)
    assert len(name) <= 64 and allowed("InferenceId", name, "sagemaker-runtime")
    others = {naming.inference_id(batch, number, shard, attempt, retry + 1) for attempt in range(3)}
    assert name not in others and len(others) == 3


@given(st.lists(anything, min_size=1, max_size=4), st.lists(anything, min_size=1, max_size=4))
def test_the_boundaries_of_what_is_digested_count(one, other) -> None:
    separated = [part.replace("\x1f", "") for part in one], [part.replace("\x1f", "") for part in other]
    same = separated[0] == separated[1]
    assert (naming.digest(*separated[0], length=32) == naming.digest(*separated[1], length=32)) == same


def test_half_a_surrogate_pair_can_be_named() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}", naming.digest("\ud800"))
    assert naming.slug("\ud800", 26) == "batch"


@pytest.mark.fault("K02")
@pytest.mark.parametrize(
    "key", ["a//b", "/a", "a/", "./a", "a/../b", "a/.", "..", "a\x00b", "a\nb", "a\rb", "\x7f", ""]
)
def test_what_browsers_and_line_readers_take_for_another_key_is_no_plain_key(key) -> None:
    assert not naming.is_plain_key(key)


@pytest.mark.parametrize(
    "key", ["a/b.jpg", "x" * 900, ".hidden/..a/b..", "a b+%20", "ü \u2028 \\ \"'?#&=;*|<>", "dot."]
)
def test_any_other_key_is_shown_as_it_is(key) -> None:
    assert naming.is_plain_key(key)
