"""One embedded AWS for the parity tests of a process: each patch of local/patches against AWS's documented behaviour,
on toys. Without the patch its test fails.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from toys import LAMBDA_SLOTS, Toys

from local import stack


@pytest.fixture(scope="session")
def server() -> Iterator[stack.Server]:
    with stack.running_server(
        environment={"LABELLOOP_LAMBDA_SLOTS": str(LAMBDA_SLOTS), "PYTHONPATH_PROBE": "server"}
    ) as up:
        yield up


@pytest.fixture(scope="session")
def aws(server: stack.Server) -> Toys:
    return Toys(server)


@pytest.fixture(scope="module")
def echo(aws: Toys) -> str:
    return aws.function("def handler(event, context):\n    return event")


@pytest.fixture(scope="module")
def raises(aws: Toys) -> str:
    """Raises TransientError; each call says how often its process was called."""
    return aws.function(
        """
        import os
        class TransientError(Exception):
            pass
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            raise TransientError(f"call {calls} of {os.getpid()}")
        """
    )


@pytest.fixture(scope="module")
def silent(aws: Toys) -> str:
    """Takes a token and never answers."""
    return aws.function("def handler(event, context):\n    return None")
