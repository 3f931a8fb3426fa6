"""Objects and pointers in S3: keys are raw, what is written once stays, a pointer moves only if nobody moved it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.store import immutable, storage
from labelloop.store.storage import MissingObjectError
from made_up_stack import BUCKET

HOSTILE_KEYS = [
    "incoming/b 1/two  spaces.jpg",
    "incoming/b/plus+and%20percent%2F.jpg",
    "incoming/b/\"quotes\" and 'more'.jpg",
    "incoming/b/ünïcode 😀 family 👩‍👩‍👧.jpg",
    "incoming/b/question?and#fragment&x=1.jpg",
    "incoming/b/s3://not-a-bucket/x.jpg",
    "incoming/b/line separator.jpg",
]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_a_key_comes_back_from_its_uri_character_by_character(aws, key) -> None:
    assert storage.split(storage.uri(key)) == (BUCKET, key)
    assert storage.own_key(storage.uri(key)) == key
    storage.write(key, b"pixels")
    assert storage.read(key) == b"pixels" and storage.exists(key)
    assert list(storage.keys("incoming/")) == [key]
    storage.copy(storage.uri(key), f"canonical/{key}")
    assert storage.read(f"canonical/{key}") == b"pixels"


@pytest.mark.parametrize("reference", ["", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", "https://b/k", "b/k"])
def test_what_is_no_object_uri_is_refused_by_name(reference) -> None:
    with pytest.raises(InvalidInputError, match="expected s3://<bucket>/<key>"):
        storage.split(reference)


def test_an_object_of_another_bucket_is_refused(environment) -> None:
    with pytest.raises(InvalidInputError, match="outside the data bucket"):
        storage.own_key("s3://another/key")


def test_what_is_not_there_is_named_and_found_as_nothing(aws) -> None:
    with pytest.raises(MissingObjectError, match="s3://data-bucket/nothing is not there"):
        storage.read("nothing")
    assert storage.find_json("nothing") is storage.find_lines("nothing") is storage.head("nothing") is None
    assert storage.find_text_lines("nothing") == []
    assert not storage.exists("nothing")
    assert storage.read_pointer("nothing") is None


def test_a_pinned_version_is_read_after_the_object_changed(aws) -> None:
    storage.write("k", b"first")
    version = storage.head("k")["VersionId"]
    storage.write("k", b"second")
    assert storage.read("k", version) == b"first"
    with pytest.raises(MissingObjectError, match="in version gone"):
        storage.read("k", "gone")


def test_an_object_is_created_once_and_the_first_writer_wins(aws) -> None:
    assert immutable.create("k", b"first")
    assert not immutable.create("k", b"second")
    assert storage.read("k") == b"first"
    assert immutable.create_json("j", {"n": 1}) == {"n": 1} == immutable.create_json("j", {"n": 2})
    assert immutable.create_lines("l", [{"n": 1}]) == [{"n": 1}] == immutable.create_lines("l", [{"n": 2}])
    assert immutable.create_text_lines("t", ["one"]) == ["one"] == immutable.create_text_lines("t", ["two"])


def test_creating_while_another_writes_the_same_key_may_be_tried_again(fake_service) -> None:
    from fake_service import refused

    fake_service("s3", put_object=refused("ConditionalRequestConflict", status=409))
    with pytest.raises(TransientError, match="being written by somebody else"):
        immutable.create("k", b"body")


def test_a_line_separator_inside_a_record_does_not_split_it(aws) -> None:
    records = [{"key": "a\u2028b\u0085c\x1cd"}, {"key": "next"}]
    storage.write_lines("lines", records)
    assert storage.read_lines("lines") == records == immutable.create_lines("lines", [])
    assert len(storage.find_text_lines("lines")) == 2


def test_a_pointer_moves_only_if_nobody_moved_it_since_it_was_seen(aws) -> None:
    assert storage.flip_pointer("current", {"version": "v1"}, None)
    assert not storage.flip_pointer("current", {"version": "mine"}, None)  # created meanwhile
    seen = storage.read_pointer("current")
    assert storage.flip_pointer("current", {"version": "v2"}, seen)
    assert not storage.flip_pointer("current", {"version": "late"}, seen)  # 412
    assert storage.read_pointer("current").value == {"version": "v2"}


def test_a_pointer_that_vanished_is_reread(aws) -> None:
    import boto3

    storage.flip_pointer("current", {"version": "v1"}, None)
    seen = storage.read_pointer("current")
    boto3.client("s3").delete_object(Bucket=BUCKET, Key="current")
    assert not storage.flip_pointer("current", {"version": "v2"}, seen)


def test_a_refusal_of_another_kind_is_not_mistaken_for_a_missing_object_or_a_lost_race(fake_service) -> None:
    from botocore.exceptions import ClientError
    from fake_service import refused

    denied = refused("AccessDenied", status=403)
    fake_service("s3", get_object=denied, head_object=denied, put_object=denied)
    for call in (
        lambda: storage.read("k"),
        lambda: storage.head("k"),
        lambda: storage.read_pointer("k"),
        lambda: immutable.create("k", b""),
        lambda: storage.flip_pointer("k", {}, None),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(alphabet='{}"a ü\u2028\x85\r\x0b', max_size=8)), st.booleans())
def test_lines_are_read_as_they_were_written_and_only_a_newline_ends_one(lines: list[str], ends: bool) -> None:
    body = storage.text_bytes(lines)
    assert body == "".join(line + "\n" for line in lines).encode()
    assert storage.text_lines(body if ends else body[:-1]) == [line for line in lines if line.strip()]
