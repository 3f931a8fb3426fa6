"""What an error message shows of a value that somebody sent."""

import pytest
from labelloop.contracts import fields


@pytest.mark.fault("J01")
def test_a_value_within_itself_a_million_times_is_shown_by_its_kind() -> None:
    """A few bytes of a checkpoint can hold it: each level stands twice in the next."""
    value: object = ("x",)
    for _ in range(24):
        value = (value, value)
    assert len(fields.shown(value)) < 200


def test_a_long_text_is_shown_by_its_beginning() -> None:
    assert fields.shown("é" * 10_000_000).startswith("'\\xe9") and len(fields.shown("x" * 10_000_000)) < 200
