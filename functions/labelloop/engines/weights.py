"""A model's weights as safetensors (huggingface.co/docs/safetensors, "Format"): read, written and hashed as plain data.

8 bytes with the header's length, the header (JSON: name -> dtype, shape, data_offsets), the tensors one behind the
other. Functions and container read with this one reader, so that what one has verified the other cannot see otherwise.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError

FILE = "weights.safetensors"
MOST_BYTES = 500_000_000  # the largest stock detector has 210 million bytes at half precision
MOST_HEADER_BYTES = 5_000_000
MOST_DIMENSIONS = 8
# What detectors are made of: half and single precision, and counters. -> torch's name, bytes of a number
DTYPES = {"F16": ("torch.float16", 2), "F32": ("torch.float32", 4), "I64": ("torch.int64", 8)}


@dataclass(frozen=True)
class Tensor:
    """`data`: little-endian numbers, the last dimension fastest."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


def read(body: bytes, context: str) -> dict[str, Tensor]:
    """The tensors by name, as views of `body`. Raises InvalidInputError unless it is whole, and nothing more."""
    if len(body) > MOST_BYTES:
        raise InvalidInputError(f"{context} has {len(body)} bytes, at most {MOST_BYTES} are read")
    length = int.from_bytes(body[:8], "little")
    if len(body) < 8 or length > min(len(body) - 8, MOST_HEADER_BYTES):
        raise InvalidInputError(
            f"{context} is not a whole safetensors file: its header does not fit its {len(body)} bytes"
        )
    header, data = _header(body[8 : 8 + length], context), memoryview(body)[8 + length :]
    found, expected = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: _offsets(item[1], f"{context}, tensor {item[0]!r}")):
        where = f"{context}, tensor {name!r}"
        start, end = _offsets(entry, where)
        dtype, shape = fields.choice(entry, "dtype", where, tuple(DTYPES)), _shape(entry, where)
        if start != expected or end - start != math.prod(shape) * DTYPES[dtype][1]:
            raise fields.refuse(where, "data_offsets", "the place of its numbers, behind the ones before", [start, end])
        found[name], expected = Tensor(dtype, shape, data[start:end]), end
    if expected != len(data):
        raise InvalidInputError(f"{context} is not whole: its header describes {expected} bytes, it has {len(data)}")
    return found


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """The same tensors give the same bytes, in whatever order they come."""
    header, parts, end = {}, [], 0
    for name, tensor in sorted(tensors.items()):
        start, end = end, end + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [start, end]}
        parts.append(tensor.data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the numbers are aligned
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def sha256(tensors: Mapping[str, Tensor]) -> str:
    """Over the tensors in the order of their names: equal for equal weights, whatever packed them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {DTYPES[tensor.dtype][0]} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def _header(text: bytes, context: str) -> dict[str, dict[str, Any]]:
    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(named := dict(pairs)) != len(pairs):
            raise InvalidInputError(f"{context}: the header names something twice")
        return named

    try:
        header = json.loads(text, object_pairs_hook=each_once)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{context} is not a safetensors file: its header is not JSON ({str(error)[:100]})"
        ) from None
    entries = fields.mapping(header, context, "(header)")
    entries.pop("__metadata__", None)
    if not entries:
        raise InvalidInputError(f"{context} holds no tensors")
    for name, entry in entries.items():
        if not fields.is_storable(name):
            raise fields.refuse(context, "(tensor's name)", "whole characters", name)
        fields.mapping(entry, context, name)
    return entries


def _offsets(entry: Mapping[str, Any], where: str) -> tuple[int, int]:
    given = fields.sequence(entry, "data_offsets", where)
    if len(given) != 2 or not all(type(each) is int and 0 <= each <= MOST_BYTES for each in given):
        raise fields.refuse(where, "data_offsets", f"two whole numbers from 0 to {MOST_BYTES}", given)
    return given[0], given[1]


def _shape(entry: Mapping[str, Any], where: str) -> tuple[int, ...]:
    given = fields.sequence(entry, "shape", where)
    if len(given) > MOST_DIMENSIONS or not all(type(each) is int and 0 <= each <= MOST_BYTES for each in given):
        raise fields.refuse(where, "shape", f"at most {MOST_DIMENSIONS} whole numbers up to {MOST_BYTES}", given)
    return tuple(given)
