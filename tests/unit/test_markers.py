"""The marker file: what a person may write beside a batch, and what is refused with the field's name."""

import json

import pytest
from handling import handle_event
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import markers
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.markers import Marker
from labelloop.store import ledger
from outside_work import EXECUTION

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["count", "images", "labels"]), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("body", "marker"),
    [
        (b"", Marker()),
        (b"{}", Marker()),
        (b'{"count": 0}', Marker(count=0)),
        (b'{"count": 12, "labels": "labels.manifest"}', Marker(count=12, labels="labels.manifest")),
        ('["a b+%20.jpg", "ü😀.jpg"]'.encode(), Marker(names=("a b+%20.jpg", "ü😀.jpg"))),
        (b'{"images": ["a.jpg"]}', Marker(names=("a.jpg",))),
        (b"[]", Marker(names=())),
    ],
)
def test_what_a_marker_may_say(body, marker) -> None:
    assert markers.parse(body, "s3://b/_READY.json") == marker


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"ready", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'"all"', "expected an object or a list of names, found str"),
        (b"null", "found NoneType"),
        (b'{"count": -1}', "count must be a whole number"),
        (b'{"count": true}', "count must be a whole number"),
        (b'{"count": 1.5}', "count must be a whole number"),
        (b'{"count": "3"}', "count must be a whole number"),
        (b'{"labels": 7}', "labels must name a manifest"),
        (b'{"counts": 3}', "unknown field 'counts'"),
        (b'["a.jpg", 3]', "must hold names"),
        (b'{"images": [""]}', "must hold names"),
        (b'{"images": "a.jpg"}', "must hold names"),
    ],
)
def test_what_a_marker_may_not_say_is_named(body, problem) -> None:
    with pytest.raises(InvalidInputError, match=problem) as refusal:
        markers.parse(body, "s3://b/_READY.json")
    assert "s3://b/_READY.json" in str(refusal.value)


@given(json_values)
def test_any_json_is_a_marker_or_refused_cleanly(value) -> None:
    try:
        marker = markers.parse(json.dumps(value).encode(), "m")
    except InvalidInputError:
        return
    assert marker.count is None or marker.count >= 0


def test_the_prefix_is_everything_before_the_marker() -> None:
    assert markers.prefix_of("incoming/week 1/cam+2/_READY.json") == "incoming/week 1/cam+2/"


@pytest.mark.parametrize(
    "key",
    [
        *("_READY.json", "incoming/_READY.json", "incoming//_READY.json", "incoming/x/READY.json"),
        *("other/x/_READY.json", "incoming/x/_READY.json/", "incoming/x/my_READY.json", ""),
        *("incoming/x/_ready.json", "incoming/x/_Ready.json", "incoming/x/_READY.JSON"),
    ],
)
def test_a_key_that_is_no_marker_is_refused(key) -> None:
    with pytest.raises(InvalidInputError, match="is not a marker"):
        markers.prefix_of(key)


def test_an_upload_that_is_not_finished_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInputError, match=r"1 of 2 announced images are missing, first 'b.jpg'.*put .* again"):
        markers.check_complete(Marker(names=("a.jpg", "b.jpg")), ["a.jpg", "c.jpg"], "incoming/x/")
    with pytest.raises(InvalidInputError, match="announces 3 images, 2 are there"):
        markers.check_complete(Marker(count=3), ["a.jpg", "b.jpg"], "incoming/x/")


def test_a_finished_upload_may_hold_more_than_a_list_names() -> None:
    markers.check_complete(Marker(names=("a.jpg",)), ["a.jpg", "extra.jpg"], "incoming/x/")
    markers.check_complete(Marker(count=1), ["a.jpg"], "incoming/x/")
    markers.check_complete(Marker(), [], "incoming/x/")


@pytest.mark.fault("J06")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 200_000, "nested too deep"),
        (b'{"count":' * 100_000, "nested too deep"),
        (b'{"images": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deep"),
        (b'{"count": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"count": ' + b"9" * 4000 + b"}", "count must be a whole number from 0, found an enormous number"),
        (b'{"count": 1e999}', "count must be a whole number from 0, found not a finite number"),
        (b'{"count": NaN}', "count must be a whole number from 0"),
        (b'{"count": ' + b'{"a": 1}' + b"}", "count must be a whole number from 0, found an object of 1"),
        (b'{"labels": ' + b"[1]" + b"}", "labels must name a manifest"),
        (json.dumps({"x" * 1_000_000: 1}).encode(), "unknown field 'xxx"),
        (json.dumps({"labels": "m", "attribute": ["x" * 1_000_000]}).encode(), "attribute names"),
        (json.dumps([["a.jpg"]]).encode(), "must hold names"),
        (json.dumps(["a"] * 500_001).encode(), "lists 500,001 names, at most 500,000 are read"),
        (json.dumps({"images": ["a"] * 500_001}).encode(), "lists 500,001 names"),
    ],
)
def test_a_marker_that_is_large_deep_or_absurd_is_refused_in_a_short_sentence(body, said) -> None:
    try:
        problem = repr(markers.parse(body, "s3://b/_READY.json"))
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    assert problem.startswith("InvalidInputError: s3://b/_READY.json") and said in problem and len(problem) < 400


def test_a_list_as_long_as_any_batch_is_read() -> None:
    names = [f"camera-{number % 7}/{number:07}.jpg" for number in range(150_000)]
    assert markers.parse(json.dumps(names).encode(), "m").names == tuple(names)


@pytest.mark.filterwarnings("ignore:No application metrics")
@pytest.mark.fault("J06")
def test_a_marker_of_gigabytes_is_not_read(aws, fake_service) -> None:
    """Its size is asked first."""

    class Body:
        def read(self, *_):
            raise AssertionError("it was read")

        def close(self) -> None:
            pass

    class Claimed:
        status, attempt, successor = "owned", 1, ""

    s3 = fake_service("s3")
    found = {"ContentLength": 5 << 30, "ETag": '"e"', "LastModified": None}
    s3.answering(head_object=found, get_object={**found, "Body": Body()})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger, "delivery_number", lambda *_: 1)
        patched.setattr(ledger, "claim_batch", lambda *_, **__: Claimed())
        event = {"bucket": {"name": "data-bucket"}, "object": {"key": "incoming/x/_READY.json"}}
        try:
            handle_event("register_batch", {"event": event, "execution": EXECUTION})
            problem = "none"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    assert problem.startswith("InvalidInputError") and "5,368,709,120 bytes, at most 64,000,000 are read" in problem
