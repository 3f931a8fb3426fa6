"""model.tar.gz: a model's files, taken out in memory, whatever else the archive holds or declares.

    weights.safetensors, architecture.yaml, model.json     what the container writes
    weights.pt, model.json                                 what version 0.1 wrote, and what ultralytics writes

Nothing is extracted: no path, link or device of an archive means anything here.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import BinaryIO

from labelloop.contracts import fields, naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import archives, checkpoints, model_descriptions, weights
from labelloop.engines.checkpoints import Checkpoint
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.engines.weights import Tensor

ARCHITECTURE = "architecture.yaml"
MOST_ARCHITECTURE_BYTES = 100_000
STORED = (weights.FILE, ARCHITECTURE, model_descriptions.FILE)
MOST_BYTES = {
    weights.FILE: weights.MOST_BYTES,
    checkpoints.FILE: weights.MOST_BYTES,
    ARCHITECTURE: MOST_ARCHITECTURE_BYTES,
    model_descriptions.FILE: model_descriptions.MOST_BYTES,
}


def read(packed: BinaryIO, context: str) -> dict[str, bytes]:
    """The model's files by name. Raises InvalidInputError for what is not a whole archive of a model, or too large."""
    files = archives.files(packed, context, lambda name: MOST_BYTES.get(name, 0), 2 * weights.MOST_BYTES)
    check_complete(files, context)
    return files


def check_complete(files: Collection[str], context: str) -> None:
    """Raises InvalidInputError naming what is not among a model's files."""
    needed = (checkpoints.FILE, model_descriptions.FILE) if is_old(files) else STORED
    if missing := [name for name in needed if name not in files]:
        raise InvalidInputError(
            f"{context} lacks {naming.listed(missing)}: it is not a model of this project's container"
        )


def is_old(files: Collection[str]) -> bool:
    """Whether the weights are a `.pt` that is to be converted; where safetensors lie beside it, those count."""
    return checkpoints.FILE in files and weights.FILE not in files


def describe(files: Mapping[str, bytes], context: str) -> ModelDescription:
    """model.json with the hash of the weights.

    Raises InvalidInputError where it says another one, or the weights are not whole.
    """
    described = description(files, context)
    if not is_old(files):
        return verified(described, weights.read(files[weights.FILE], f"{context}: {weights.FILE}"), context)
    checkpoint = converted(files[checkpoints.FILE], described, f"{context}: {checkpoints.FILE}")
    return verified(described, checkpoint.tensors, context)


def converted(body: bytes, described: ModelDescription, context: str) -> Checkpoint:
    """A `.pt` as data. Raises InvalidInputError where it was trained on other classes than model.json names."""
    checkpoint = checkpoints.read(body, context)
    if checkpoint.classes != described.classes:
        trained, named = (fields.shown(", ".join(names)) for names in (checkpoint.classes, described.classes))
        raise InvalidInputError(
            f"{context} was trained on the classes {trained}, model.json names {named}: name those of the training, in "
            "their order"
        )
    return checkpoint


def description(files: Mapping[str, bytes], context: str) -> ModelDescription:
    where = f"{context}: {model_descriptions.FILE}"
    try:
        return ModelDescription.from_text(files[model_descriptions.FILE].decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{where} is not UTF-8 ({error})") from None


def verified(described: ModelDescription, tensors: Mapping[str, Tensor], context: str) -> ModelDescription:
    found = weights.sha256(tensors)
    if described.weights_sha256 not in ("", found):
        raise InvalidInputError(
            f"{context}: the weights have the SHA-256 {found}, model.json says {described.weights_sha256}: one of the "
            "two files was changed after the training; take the model from where it was trained"
        )
    return replace(described, weights_sha256=found)
