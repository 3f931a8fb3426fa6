"""Changes and deletes what was written once, and puts it back as the sentences tell a person to do."""

from collections.abc import Callable

import boto3
import pytest
from batch_rounds import run_round
from handling import mark, picture, registered, upload
from labelloop.store import storage
from made_up_stack import BUCKET

Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "a digit": lambda body: body.replace(b"1", b"7", 1),
    "cut off": lambda body: body[: len(body) // 2],
    "emptied": lambda body: b"",
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "other line ends": lambda body: body.replace(b"\n", b"\r\n"),
    "a line more": lambda body: body + body.splitlines(keepends=True)[0],
    "turned around": lambda body: b"".join(reversed(body.splitlines(keepends=True))) + b" ",
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def labelled_batch(count: int = 3) -> tuple[str, str]:
    upload(count)
    batch = registered()["batch"]["id"]
    return batch, run_round(batch, 1)["dataset_version"]


def another_batch(name: str = "two") -> str:
    for number in range(2):
        storage.write(f"incoming/week 2/{number}.png", picture(90 + number))
    return str(registered(mark(prefix="incoming/week 2/"), name)["batch"]["id"])


def refusal(work: Callable[[], object]) -> str:
    """What the work says when it stops; empty when it goes on."""
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def delete(key: str) -> None:
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=key)


def restore(key: str) -> None:
    """What the sentence tells a person to do: whatever came after the first version goes."""
    s3 = boto3.client("s3")
    told = s3.list_object_versions(Bucket=BUCKET, Prefix=key)
    for change in [*told.get("DeleteMarkers", ()), *told["Versions"][:-1]]:
        s3.delete_object(Bucket=BUCKET, Key=key, VersionId=change["VersionId"])


def put_in_place(source: str, key: str) -> None:
    boto3.client("s3").copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})
