"""Who did what on the portal, one line each: login, logout, lease, answer, release, hand-over, stop, refused."""

from __future__ import annotations

import json
import logging

log = logging.getLogger("labelloop.portal")
_LONGEST = 200


def tell(event: str, **facts: str | int | bool | None) -> None:
    """A line of JSON. Nothing secret is a fact: no cookie, token, code or signed address."""
    shown = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in facts.items()}
    log.info("%s", json.dumps({"audit": event, **shown}))
