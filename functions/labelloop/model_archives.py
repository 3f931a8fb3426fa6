"""model.tar.gz: a model's files, taken out in memory, whatever else the archive holds or declares.

    weights.safetensors, architecture.yaml, model.json     what the container writes
    weights.pt, model.json                                 what it wrote until version 0.2, and what ultralytics writes

Nothing is extracted: no path, link or device of an archive means anything here.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO

from labelloop import checkpoints, model_descriptions, naming, weights
from labelloop.errors import InvalidInputError
from labelloop.model_descriptions import ModelDescription
from labelloop.weights import Tensor

ARCHITECTURE = "architecture.yaml"
MOST_ARCHITECTURE_BYTES = 100_000
STORED = (weights.FILE, ARCHITECTURE, model_descriptions.FILE)
MOST_BYTES = {
    weights.FILE: weights.MOST_BYTES,
    checkpoints.FILE: weights.MOST_BYTES,
    ARCHITECTURE: MOST_ARCHITECTURE_BYTES,
    model_descriptions.FILE: model_descriptions.MOST_BYTES,
}
MOST_UNPACKED_BYTES = 2 * weights.MOST_BYTES
MOST_MEMBERS = 1000
MOST_TAR_HEADER_BYTES = 1_000_000
MOST_BLOCKS = 10_000


def read(packed: BinaryIO, context: str) -> dict[str, bytes]:
    """The model's files by name. Raises InvalidInputError for what is no whole archive of a model, or too large."""
    files: dict[str, bytes] = {}
    try:
        with (
            gzip.GzipFile(fileobj=packed) as unpacked,
            tarfile.open(fileobj=_Rationed(unpacked, context), mode="r:") as archive,
        ):
            for number, member in enumerate(archive):
                name = member.name.removeprefix("./")
                if number >= MOST_MEMBERS:
                    raise InvalidInputError(f"{context} holds more than {MOST_MEMBERS} files: it is no model")
                if name in MOST_BYTES and member.isreg():
                    if name in files:
                        raise InvalidInputError(f"{context} holds {name} twice: pack it again")
                    files[name] = _content(archive, member, f"{context}: {name}")
            _read_to_the_end(unpacked, context)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInputError(
            f"{context} is not a tar archive that is whole ({str(error)[:100]}): pack it again"
        ) from error
    check_complete(files, context)
    return files


def check_complete(files: Mapping[str, object], context: str) -> None:
    """Raises InvalidInputError naming what is not among a model's files."""
    needed = (checkpoints.FILE, model_descriptions.FILE) if is_old(files) else STORED
    if missing := [name for name in needed if name not in files]:
        raise InvalidInputError(f"{context} lacks {naming.listed(missing)}: it is no model of this project's container")


def is_old(files: Mapping[str, object]) -> bool:
    """Whether the weights are a `.pt` that is to be converted; where safetensors lie beside it, those count."""
    return checkpoints.FILE in files and weights.FILE not in files


def describe(files: Mapping[str, bytes], context: str) -> ModelDescription:
    """model.json with the hash of the weights. Raises InvalidInputError where it says another one, or the weights are
    not whole.
    """
    described = description(files, context)
    if not is_old(files):
        return verified(described, weights.read(files[weights.FILE], f"{context}: {weights.FILE}"), context)
    checkpoint = checkpoints.read(files[checkpoints.FILE], f"{context}: {checkpoints.FILE}")
    return verified(described, checkpoint.tensors, context)


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


def _read_to_the_end(unpacked: gzip.GzipFile, context: str) -> None:
    """gzip notices what was cut off or damaged only there."""
    while unpacked.read(MOST_TAR_HEADER_BYTES):
        if unpacked.tell() > MOST_UNPACKED_BYTES:
            raise _too_large(context)


def _too_large(context: str) -> InvalidInputError:
    return InvalidInputError(f"{context} unpacks to more than {MOST_UNPACKED_BYTES} bytes: it is no model")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, context: str) -> bytes:
    most = MOST_BYTES[member.name.removeprefix("./")]
    if member.issparse() or member.size > most:
        holes = ", some of them holes" if member.issparse() else ""
        raise InvalidInputError(f"{context} has {member.size} bytes{holes}: at most {most} without holes are read")
    content = archive.extractfile(member)
    assert content is not None, "isreg() was checked"
    parts = iter(lambda: content.read(MOST_TAR_HEADER_BYTES), b"")
    body = b"".join(parts)
    if len(body) != member.size:
        raise InvalidInputError(f"{context} is cut off after {len(body)} of {member.size} bytes")
    return body


class _Rationed(io.RawIOBase):
    """An unpacked stream that ends what asks for too much of it: a header in one piece, or all of a bomb."""

    def __init__(self, unpacked: gzip.GzipFile, context: str) -> None:
        self.unpacked = unpacked
        self.context = context
        self.blocks = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_TAR_HEADER_BYTES + tarfile.RECORDSIZE:
            raise InvalidInputError(f"{self.context} has a tar header of {size} bytes: it is no model")
        self.blocks += size == tarfile.BLOCKSIZE  # headers and maps of holes are read block by block, content is not
        if self.blocks > MOST_BLOCKS:
            raise InvalidInputError(
                f"{self.context} has a tar header of more than {MOST_BLOCKS} blocks: it is no model"
            )
        return self.unpacked.read(size)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position > MOST_UNPACKED_BYTES:
            raise _too_large(self.context)
        return self.unpacked.seek(position)

    def tell(self) -> int:
        return self.unpacked.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
