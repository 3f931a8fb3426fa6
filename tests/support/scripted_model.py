"""The files of the scripted engine's models, by the format's description: two tensors, from how many pictures it
learned, and from which.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping

ARCHITECTURE = b"scripted: true\n"


def weights(learned: int, of: bytes = bytes(32)) -> bytes:
    """weights.safetensors."""
    header = {
        "learned": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
        "of": {"dtype": "I64", "shape": [4], "data_offsets": [8, 40]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + struct.pack("<q", learned) + of


def learned(body: bytes) -> int:
    start = 8 + struct.unpack("<Q", body[:8])[0]
    return int(struct.unpack("<q", body[start : start + 8])[0])


def sha256(body: bytes) -> str:
    """As model.json tells it: over the tensors."""
    data = body[-40:]
    return hashlib.sha256(b"learned torch.int64 ()\n" + data[:8] + b"of torch.int64 (4,)\n" + data[8:]).hexdigest()


def archive(learned: int, label: str) -> bytes:
    """A model.tar.gz that learned elsewhere, as the container packs it."""
    body = weights(learned)
    description = {"classes": [label], "image_size": 64, "engine": "scripted_engine", "weights-sha256": sha256(body)}
    return packed(
        {
            "weights.safetensors": body,
            "architecture.yaml": ARCHITECTURE,
            "model.json": json.dumps(description).encode(),
        }
    )


def packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
