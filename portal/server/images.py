"""Addresses of pictures that expire. Here by opaque ids, at the portal itself: a page never learns where a picture
lies, and nothing it sends is a path. `signed_images` is the other way: addresses that S3 answers.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from portal.server.desk import Job, Task

SECONDS = 900.0
# Expired ids are known for a while, so that a page can be told to renew instead of to give up.
_REMEMBERED_SECONDS = 24 * 3600.0
_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


class ImageExpired(Exception):
    """The id was right, but its time is over."""


@dataclass(frozen=True)
class Grant:
    uri: str
    read: Callable[[str], bytes]
    ends: float


class Images(Protocol):
    """`origin`: where the pictures are, as a content security policy names it."""

    origin: str

    def grant(self, job: Job, task: Task, uri: str) -> str:
        """The address under which the worker who holds the task sees its picture, for a while. uri: as the template
        names it. Raises LookupError for what is not the task's picture.
        """

    def find(self, image_id: str) -> Grant:
        """What /images/<id> answers. Raises LookupError for an id that was never given out, ImageExpired for one whose
        time is over.
        """


class OwnImages:
    """Pictures that the portal reads and answers itself."""

    origin = "'self'"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def grant(self, job: Job, task: Task, uri: str) -> str:
        """The address under which the picture can be seen for SECONDS."""
        image_id, now = secrets.token_urlsafe(24), self._clock()
        with self._lock:
            old = [known for known, grant in self._grants.items() if grant.ends + _REMEMBERED_SECONDS < now]
            for known in old:
                del self._grants[known]
            self._grants[image_id] = Grant(uri, job.read, now + SECONDS)
        return f"/images/{image_id}"

    def find(self, image_id: str) -> Grant:
        with self._lock:
            grant = self._grants.get(image_id)
        if grant is None:
            raise LookupError(image_id)
        if grant.ends <= self._clock():
            raise ImageExpired(image_id)
        return grant


def media_type(body: bytes) -> str | None:
    """What the first bytes say; None for everything that a browser must not take for a picture."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if body.startswith(magic)), None)
