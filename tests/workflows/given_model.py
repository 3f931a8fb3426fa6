"""A model of the scripted engine that learned elsewhere, as the container packs it."""

from __future__ import annotations

import io
import json
import tarfile

from loop import Loop

from tests.support.pictures import CLASS


def starting_model(loop: Loop, learned: int = 30) -> str:
    """The URI of a model that learned from so many pictures: the fewer, the more it errs, and the less it is sure."""
    description = {"classes": [CLASS], "image_size": 64, "engine": "scripted_engine", "weights-sha256": "e" * 64}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in (("weights.pt", {"learned": learned}), ("model.json", description)):
            body = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    loop.put("models/given/model.tar.gz", archive.getvalue())
    return f"s3://{loop.bucket}/models/given/model.tar.gz"
