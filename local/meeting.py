"""Lets two writes of one S3 object meet, so that a test is sure of writers who came at the same moment.

PUT /_labelloop/meeting     {"key": "datasets/current"}: of the writes of objects with this key each waits for another
                            one, SECONDS at most, and then both go on; {} ends it
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from local.http import Request, Response, json_response

PATH = "/_labelloop/meeting"
SECONDS = 5.0


class Meeting:
    """Of the server's event loop alone."""

    def __init__(self) -> None:
        self._key = ""
        self._alone: asyncio.Event | None = None

    def arrange(self, request: Request) -> Response:
        try:
            document = json.loads(request.body or b"{}")
        except ValueError:
            document = None
        if not isinstance(document, dict) or not set(document) <= {"key"}:
            return json_response({"message": 'a meeting is {"key": "<key of an object>"}, or {}'}, 400)
        self._key = str(document.get("key", ""))
        return json_response({"key": self._key})

    async def attend(self, method: str, path: str) -> None:
        """Called before every request to MiniStack is handed on; `path` is /bucket/key for an object."""
        if not self._key or method != "PUT" or not path.endswith("/" + self._key):
            return
        if self._alone is not None:
            self._alone.set()
            self._alone = None
            return
        self._alone = mine = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(mine.wait(), SECONDS)
        if self._alone is mine:
            self._alone = None
