"""Pictures that S3 answers: signed addresses of a minute, given to the worker who holds the task.

On S3's origin, never on the portal's: what somebody uploaded as a picture may be a page with scripts, and on our origin
it would act as the person who looks at it. The content type is signed, too, so that it is shown as a picture or not at
all. Only the copy of a picture is signed, whose name is random: the key of the original would tell a honeypot.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from portal.server.desk import Job, Task
from portal.server.images import Grant

SECONDS = 60
_TYPES = {".png": "image/png", ".gif": "image/gif", ".bmp": "image/bmp", ".webp": "image/webp"}
_USUAL = "image/jpeg"


class SignedImages:
    """s3: a boto3 client that signs with version 4. bucket: where the copies lie."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        address = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"}, ExpiresIn=1))
        self.origin = f"{address.scheme}://{address.netloc}"

    def grant(self, job: Job, task: Task, uri: str) -> str:
        """Raises LookupError for anything but the task's picture."""
        if not task.picture or uri != task.task_input.get("taskObject"):
            raise LookupError("this is not the picture of the task")
        kind = _TYPES.get(PurePosixPath(uri).suffix.lower(), _USUAL)
        asked = {
            "Bucket": self._bucket,
            "Key": task.picture,
            "ResponseContentType": kind,
            "ResponseContentDisposition": "inline",
            "ResponseCacheControl": "private, max-age=60",
        }
        return str(self._s3.generate_presigned_url("get_object", Params=asked, ExpiresIn=SECONDS))

    def find(self, image_id: str) -> Grant:
        raise LookupError(image_id)
