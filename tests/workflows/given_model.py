"""A model of the scripted engine that learned elsewhere, as the container packs it."""

from __future__ import annotations

from loop import Loop

from tests.support import scripted_model
from tests.support.pictures import CLASS


def starting_model(loop: Loop, learned: int = 30) -> str:
    """The URI of a model that learned from so many pictures: the fewer, the more it errs, and the less it is sure."""
    loop.put("models/given/model.tar.gz", scripted_model.archive(learned, CLASS))
    return f"s3://{loop.bucket}/models/given/model.tar.gz"
