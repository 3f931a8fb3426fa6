"""Hands models to the stack as people do who trained them elsewhere."""

import json

from handling import handle
from labelloop.contracts import naming
from labelloop.store import storage
from made_up_models import description, packed, tensors_sha256

JOB = "labelloop-train-1-0123abcd"
CONTENT = naming.digest(tensors_sha256())
VERSION = f"v000001-{CONTENT}"


def adopt(archive: bytes) -> str:
    """What tells the version's content; its number counts the versions."""
    uri = storage.write("given/model.tar.gz", archive)
    return str(handle("adopt_model", model_uri=uri, job=JOB)["model_version"]).partition("-")[2]


def pt(checkpoint_bytes: bytes, **changes) -> bytes:
    told = {"weights-sha256": "absent", **changes}
    return packed({"weights.pt": checkpoint_bytes, "model.json": json.dumps(description(**told)).encode()})
