"""Fields of JSON that somebody else wrote: the value as it is meant, or a refusal that names the field; and what an
error message shows of a value.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
READERS = {
    "text": (fields.text, str),
    "number": (fields.number, float),
    "integer": (fields.integer, int),
    "boolean": (fields.boolean, bool),
    "sequence": (fields.sequence, list),
}


@pytest.mark.parametrize("reader", READERS)
@given(value=anything)
def test_a_field_is_read_as_its_type_or_refused_by_its_name(reader, value) -> None:
    read, kind = READERS[reader]
    try:
        assert type(read({"side": value}, "side", "line 3")) is kind
    except InvalidInputError as refusal:
        assert str(refusal).startswith("line 3: field 'side' must be ") and len(str(refusal)) < 300


@given(anything)
def test_what_is_read_as_text_or_number_can_be_written_down(value) -> None:
    for read in (fields.text, fields.number):
        try:
            found = read({"x": value}, "x", "line")
        except InvalidInputError:
            continue
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), 10**400, -1, 101, "7", None, [7]])
def test_what_only_looks_like_a_number_in_range_is_none(value) -> None:
    with pytest.raises(InvalidInputError, match="field 'x' must be a number"):
        fields.number({"x": value}, "x", "line", 0, 100)


def test_a_whole_number_may_be_written_as_a_fraction_without_one() -> None:
    assert fields.integer({"x": 640.0}, "x", "line") == 640
    with pytest.raises(InvalidInputError, match="a whole number"):
        fields.integer({"x": 640.5}, "x", "line")
    with pytest.raises(InvalidInputError, match="from 1 to"):
        fields.integer({"x": 0}, "x", "line", minimum=1)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (fields.optional_text, "a"),
        (fields.optional_number, 0.5),
        (fields.optional_integer, 3),
        (fields.optional_pair, [1, 2]),
    ],
)
def test_what_may_be_absent_is_none_where_it_is_and_checked_where_it_is_not(read, value) -> None:
    assert read({}, "x", "line") is None and read({"x": None}, "x", "line") is None
    assert read({"x": value}, "x", "line") == (tuple(value) if isinstance(value, list) else value)
    with pytest.raises(InvalidInputError, match="'x'"):
        read({"x": {}}, "x", "line")


def test_a_choice_names_what_may_be_chosen() -> None:
    assert fields.choice({"x": "b"}, "x", "line", ("a", "b")) == "b"
    for other in ("c", None, ["a"], {}):
        with pytest.raises(InvalidInputError, match="one of a, b"):
            fields.choice({"x": other}, "x", "line", ("a", "b"))


@pytest.mark.parametrize(
    "content",
    ["NaN", "[Infinity]", "[" * 100_000, "1" * 5_000, "{", ""],
    ids=["NaN", "Infinity", "too deep", "too many digits", "broken off", "empty"],
)
def test_json_is_read_strictly(content) -> None:
    with pytest.raises(InvalidInputError, match=r"^line 3: "):
        fields.parse_line(content, "line 3")


def test_a_line_longer_than_any_label_is_refused_unread() -> None:
    with pytest.raises(InvalidInputError, match="more than 5,000,000"):
        fields.parse_line('"' + "x" * fields.LONGEST_LINE + '"', "line 3")


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(InvalidInputError, match="whole characters"):
        fields.text({"x": "a\ud800"}, "x", "line")
    assert fields.is_storable("\U0001f600") and not fields.is_storable("\udfff")


@pytest.mark.fault("J01")
def test_a_value_within_itself_a_million_times_is_shown_by_its_kind() -> None:
    """A few bytes of a checkpoint can hold it: each level stands twice in the next."""
    value: object = ("x",)
    for _ in range(24):
        value = (value, value)
    assert len(fields.shown(value)) < 200


def test_a_long_text_is_shown_by_its_beginning() -> None:
    assert fields.shown("é" * 10_000_000).startswith("'\\xe9") and len(fields.shown("x" * 10_000_000)) < 200


@given(anything)
def test_whatever_is_shown_is_short_and_of_plain_letters(value) -> None:
    assert len(fields.shown(value)) < 100 and fields.shown(value).isascii()
