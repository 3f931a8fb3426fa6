"""What a failed execution says of itself."""

import json

import pytest
from labelloop.work import failures


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            {"Error": "InvalidInputError", "Cause": json.dumps({"errorMessage": "no work team", "errorType": "x"})},
            "InvalidInputError: no work team",
        ),
        ({"Error": "States.Timeout", "Cause": "not json"}, "States.Timeout: not json"),
        ({"Error": "X", "Cause": "[1]"}, "X: [1]"),
        ({"Error": "X", "Cause": None}, "X: None"),
        ({"Error": "X"}, "X: "),
        ({}, "Unknown: "),
        ("the execution was aborted", "the execution was aborted"),
    ],
)
def test_a_failure_is_told_by_its_name_and_the_sentence_inside_its_cause(error, told) -> None:
    assert failures.describe(error) == told


def test_a_long_cause_is_cut() -> None:
    assert len(failures.describe({"Error": "X", "Cause": "y" * 100_000})) == 4000
