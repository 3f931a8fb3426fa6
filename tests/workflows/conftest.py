"""One deployed stack for all whole-stack tests; every test finds it as if nothing had been labelled yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from forgetting import forget
from loop import Loop, running_loop


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """The stack as it is; tests take `loop`."""
    with running_loop(tmp_path_factory.mktemp("loop")) as running:
        yield running


@pytest.fixture
def loop(deployed: Loop) -> Iterator[Loop]:
    yield deployed
    forget(deployed)
