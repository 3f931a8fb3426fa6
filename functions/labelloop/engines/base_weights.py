"""Base weights: what a first model starts from, brought into the container's own form before any job sees it.

`BaseWeights` names an ultralytics checkpoint (`.pt`), read as data and never unpickled, or a model.tar.gz. Its content
is stored once, as base-weights/<SHA-256 of the file>/model.tar.gz, which is channel `base` of every training.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import checkpoints, model_archives, model_descriptions, weights
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.store import immutable, refusals, storage
from labelloop.store.refusals import InaccessibleObjectError

FOLDER = "base-weights/"
ENGINE = "detector"
GZIP = b"\x1f\x8b"
STOCK_IMAGE_SIZE = 640  # a checkpoint does not tell in a way that is read here; a training has its own size


def channel(parameter: str) -> str:
    """The URI of the stored archive; empty where the parameter is.

    Raises InvalidInputError where the parameter names no object, or one that is no detector's weights.
    """
    if not parameter:
        return ""
    source = parameter if parameter.startswith("s3://") else storage.uri(parameter)
    body = _read(source)
    key = f"{FOLDER}{hashlib.sha256(body).hexdigest()}/model.tar.gz"
    if not storage.exists(key):
        immutable.create(key, packed(body, source), "application/gzip")
    immutable.read(key)
    return storage.uri(key)


def packed(body: bytes, context: str) -> bytes:
    """A model.tar.gz of the three files, of a checkpoint or of another archive: the same bytes for the same content."""
    description = None
    if body.startswith(GZIP):
        given = model_archives.read(io.BytesIO(body), context)
        description = model_archives.describe(given, context)
        if not model_archives.is_old(given):
            return _archive({name: given[name] for name in model_archives.STORED})
        body = given[checkpoints.FILE]
    checkpoint = checkpoints.read(body, context)
    description = description or ModelDescription(
        checkpoint.classes, STOCK_IMAGE_SIZE, ENGINE, "", weights.sha256(checkpoint.tensors)
    )
    # model.json bounds what a class may be called; whoever reads the archive holds it to that.
    told = json.dumps(description.to_json({}), ensure_ascii=False)
    ModelDescription.from_text(told, f"{context}: classes")
    return _archive(
        {
            weights.FILE: weights.pack(checkpoint.tensors),
            model_archives.ARCHITECTURE: _yaml(checkpoint.architecture, context),
            model_descriptions.FILE: told.encode(),
        }
    )


def _read(source: str) -> bytes:
    try:
        with refusals.reading(source):
            return storage.read(storage.own_key(source), most=weights.MOST_BYTES)
    except (storage.MissingObjectError, InaccessibleObjectError) as error:
        raise InvalidInputError(
            f"parameter BaseWeights names {source}, which cannot be read ({error}): upload the checkpoint there, or "
            "empty the parameter to start from random weights"
        ) from error


def _yaml(architecture: Any, context: str) -> bytes:
    """JSON is YAML. The container checks every layer of it."""
    try:
        text = json.dumps(fields.mapping(architecture, context, "yaml"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{context} describes no architecture (its field 'yaml' is not plain data: {str(error)[:100]}): take "
            "weights that ultralytics saved"
        ) from None
    if len(text) > model_archives.MOST_ARCHITECTURE_BYTES:
        raise InvalidInputError(f"{context} describes an architecture of {len(text)} characters: no detector has that")
    return text.encode()


def _archive(files: Mapping[str, bytes]) -> bytes:
    """No times and no owners, so that equal content is equal bytes."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
