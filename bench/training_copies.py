"""How long Assemble Dataset takes to copy what is new to a training: `python bench/training_copies.py [images] [ms]`.

S3 is played by a wait of so many milliseconds (20 to 30 is what a CopyObject of a small object takes); the rest is
ours: boto3, threads, JSON. Prints seconds for the first training, and for one that has nothing new.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "functions"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))

from botocore.awsrequest import AWSResponse
from labelloop.contracts import settings
from labelloop.engines import training_images
from labelloop.store import aws
from made_up_stack import BUCKET, CREDENTIALS, PLATFORM, SETTINGS

COPIED = "<CopyObjectResult><ETag>0</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></CopyObjectResult>"


class Body:
    """What botocore reads of a response."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield COPIED.encode()


def main(images: int, milliseconds: float) -> None:
    os.environ.update({**CREDENTIALS, **PLATFORM, **SETTINGS})
    settings.source = lambda: SETTINGS
    copied: list[str] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        time.sleep(milliseconds / 1000)
        copied.append(request.url)
        return AWSResponse(request.url, 200, {"content-type": "application/xml"}, Body())

    aws.client("s3").meta.events.register("before-send.s3.CopyObject", answer)
    lines = [line(number) for number in range(images)]
    training_images._kept = set
    began = time.perf_counter()
    secured = training_images.secure({"train": lines})
    seconds = time.perf_counter() - began
    assert len(copied) == len(secured.lines["train"]) == images
    kept = {f"{training_images.FOLDER}{url.rpartition('/')[2]}" for url in copied}
    training_images._kept = lambda: kept
    began = time.perf_counter()
    training_images.secure({"train": lines})
    again = time.perf_counter() - began
    assert len(copied) == images
    print(f"{images} images, {milliseconds:g} ms a call: {seconds:.1f} s ({1000 * seconds / images:.2f} s per 1,000)")
    print(f"nothing new: {again:.2f} s")


def line(number: int) -> str:
    told = {"sha256": f"{number:064x}", "version-id": "v" * 32, "role": "train"}
    return json.dumps({"source-ref": f"s3://{BUCKET}/incoming/a/{number:06d}.jpg", "provenance": told})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, float(sys.argv[2]) if len(sys.argv) > 2 else 25)
