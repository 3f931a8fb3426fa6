"""The marker file: what a person may write beside a batch, and what is refused with the field's name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop import markers
from labelloop.errors import InvalidInputError
from labelloop.markers import Marker

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
