"""Who did what on the portal, one line each: login, logout, lease, answer, release, hand-over, stop, refused."""

from __future__ import annotations

import json
import logging
from typing import TextIO

log = logging.getLogger("labelloop.portal")
_LONGEST = 200


def write_to(stream: TextIO) -> None:
    """Lines go there alone. Lambda takes a line that is JSON as it is."""
    log.setLevel(logging.INFO)
    log.handlers = [logging.StreamHandler(stream)]
    log.propagate = False


def tell(event: str, **facts: str | int | bool | None) -> None:
    """A line of JSON. Nothing secret is a fact: no cookie, token, code or signed address."""
    shown = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in facts.items()}
    log.info("%s", json.dumps({"audit": event, **shown}))
