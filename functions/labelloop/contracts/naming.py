"""Names and ids: deterministic, so that doing a step again finds what the first attempt made.

SageMaker allows `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}` for jobs, models and endpoints; everything here is `[a-z0-9-]`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

READY = "_READY.json"
JOB_KINDS = ("annotate", "adjust", "verify")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_JOB_LETTERS = dict(zip(JOB_KINDS, "ajv", strict=True))


def digest(*parts: object, length: int = 8) -> str:
    """Hex digest of the parts; their boundaries count, so ("a", "bc") and ("ab", "c") differ."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def slug(text: str, length: int) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:length].strip("-") or "batch"


def batch_id(bucket: str, prefix: str, delivery: int) -> str:
    """`<slug>-<hash of bucket and prefix>`, at most 40 characters.

    Later deliveries (marker versions) of a prefix end in `-<n>`.
    """
    base = f"{slug(prefix.rstrip('/').split('/')[-1], 26)}-{digest(bucket, prefix)}"
    return base if delivery == 1 else f"{base}-{delivery}"


def labeling_job(resource_prefix: str, batch: str, round_number: int, kind: str, index: int) -> str:
    """The `index`th labelling job of a round, of a kind of JOB_KINDS."""
    return _bounded(f"{resource_prefix}-{batch}-r{round_number}{_JOB_LETTERS[kind]}{index}")


def training_job(resource_prefix: str, dataset_version: str, *identity: object) -> str:
    number = int(dataset_version.removeprefix("v").split("-")[0]) if dataset_version else 0
    return _bounded(f"{resource_prefix}-train-{number}-{digest(dataset_version, *identity)}")


def endpoint(resource_prefix: str, model_version: str) -> str:
    return _bounded(f"{resource_prefix}-{model_version}")


def is_training_job(resource_prefix: str, name: str) -> bool:
    """Whether a job is of the stack with this prefix; one of a stack whose longer prefix starts the same is not."""
    return re.fullmatch(rf"{re.escape(resource_prefix)}-train-\d+-[0-9a-f]{{8}}", name) is not None


def is_endpoint(resource_prefix: str, name: str) -> bool:
    """Whether an endpoint is of the stack with this prefix; `labelloop` does not own those of `labelloop-v2`."""
    return re.fullmatch(rf"{re.escape(resource_prefix)}-v\d{{6}}-[0-9a-f]{{8}}", name) is not None


def inference_id(batch: str, round_number: int, shard: str, attempt: int, retry: int) -> str:
    """At most 64 printable characters (InvokeEndpointAsync.InferenceId); readable in logs, unique by its hash."""
    return f"{slug(batch, 30)}-{digest(batch, round_number, shard, attempt, retry, length=20)}"


def is_plain_key(key: str) -> bool:
    """Whether every reader of a manifest carries an object's key as it is. Browsers resolve `.` and `..` within an
    address, whatever its encoding; an empty part is lost wherever an address is put together as a path; control
    characters, line ends among them, are what XML, headers and other people's line readers refuse or cut at.
    """
    return {"", ".", ".."}.isdisjoint(key.split("/")) and not _CONTROL.search(key)


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _bounded(name: str) -> str:
    """At most 63 characters; a longer name keeps its start and gets a hash instead of its middle."""
    return name if len(name) <= 63 else f"{name[:54].rstrip('-')}-{digest(name)}"
