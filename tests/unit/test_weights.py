"""Our reading and writing of safetensors agrees with the format's own library, which the functions cannot have."""

import base64
import struct

import pytest
from labelloop.contracts.errors import InvalidInputError
from made_up_models import TENSORS, safetensors

# Written by safetensors 0.8.0, `safetensors.numpy.save`: three tensors with metadata, the larger numbers first.
BY_THE_LIBRARY = base64.b64decode(
    "6AAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJucCJ9LCJtb2RlbC4wLmJuLmNvdW50Ijp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOltd"
    "LCJkYXRhX29mZnNldHMiOlswLDhdfSwiYiI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzgsMjBdfSwibW9kZWwu"
    "MC5jb252LndlaWdodCI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbMiwzXSwiZGF0YV9vZmZzZXRzIjpbMjAsMzJdfX0gICAgBwAAAAAAAAAAAAAA"
    "AACAPwAAAEAAAAA8AEAAQgBEAEU="
)
READ = {
    "model.0.conv.weight": ("F16", (2, 3), struct.pack("<6e", *range(6))),
    "model.0.bn.count": ("I64", (), struct.pack("<q", 7)),
    "b": ("F32", (3,), struct.pack("<3f", *range(3))),
}


def plain(tensors) -> dict:
    return {name: (tensor.dtype, tensor.shape, bytes(tensor.data)) for name, tensor in tensors.items()}


@pytest.mark.fault("J01")
def test_a_file_of_the_library_is_read_and_written_back_with_the_same_content() -> None:
    from labelloop.engines import weights

    tensors = weights.read(BY_THE_LIBRARY, "weights.safetensors")
    assert plain(tensors) == READ
    assert plain(weights.read(weights.pack(tensors), "weights.safetensors")) == READ


@pytest.mark.fault("H07")
def test_the_same_tensors_give_the_same_bytes_and_hash_in_any_order() -> None:
    from labelloop.engines import weights

    one = weights.read(safetensors(), "one")
    other = weights.read(safetensors(dict(reversed(TENSORS.items()))), "other")
    assert weights.pack(one) == weights.pack(other) and weights.sha256(one) == weights.sha256(other)
    assert int.from_bytes(weights.pack(one)[:8], "little") % 8 == 0, "numbers are aligned"


@pytest.mark.fault("H07")
def test_every_cut_and_every_lengthening_is_noticed() -> None:
    from labelloop.engines import weights

    for length in range(len(BY_THE_LIBRARY)):
        with pytest.raises(InvalidInputError):
            weights.read(BY_THE_LIBRARY[:length], "weights.safetensors")
    with pytest.raises(InvalidInputError, match="not whole"):
        weights.read(BY_THE_LIBRARY + b"\0", "weights.safetensors")
