"""Puts the batch into the data bucket, pictures first and the marker last; tells the simulated annotators the truth."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.errors import DemoFailed
from demo.pictures import PREFIX, Pictures, noise, truth_document
from local import stack

AT_ONCE = 8


def brief_annotators(server: stack.Server, pictures: Pictures, seed: int) -> None:
    """Raises DemoFailed when they refuse it."""
    try:
        stack.control(server, "PUT", "truth", truth_document(pictures.truth))
        stack.control(server, "PUT", "annotators", noise(pictures, seed))
    except stack.ControlRefused as error:
        raise DemoFailed(f"The simulated annotators cannot work with this truth. {error}") from error


def key_of_weights(path: Path) -> str:
    return f"weights/{path.name}"


def base_weights(server: stack.Server, bucket: str, path: Path) -> None:
    """Before the marker: the first training starts from it."""
    with path.open("rb") as body:
        stack.client(server, "s3").put_object(Bucket=bucket, Key=key_of_weights(path), Body=body)


def upload(server: stack.Server, bucket: str, pictures: Pictures) -> None:
    """Every file under incoming/demo/, several at a time."""
    s3 = stack.client(server, "s3")

    def send(name: str) -> None:
        with (pictures.folder / name).open("rb") as body:
            s3.put_object(Bucket=bucket, Key=PREFIX + name, Body=body)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload") as pool:
        list(pool.map(send, pictures.names))


def put_marker(server: stack.Server, bucket: str, pictures: Pictures) -> None:
    """Starts the batch; the count makes an incomplete upload an error instead of a small batch."""
    body = json.dumps({"count": len(pictures.names)}).encode()
    stack.client(server, "s3").put_object(Bucket=bucket, Key=f"{PREFIX}_READY.json", Body=body)
