"""Models' files made by hand: safetensors, checkpoints (`.pt`) with any pickle in them, archives of any members.

Nothing of the product is used: what it reads is written here by the formats' descriptions.
"""

import hashlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

DTYPES = {"F16": "torch.float16", "F32": "torch.float32", "I64": "torch.int64"}
STORAGES = {"F16": "HalfStorage", "F32": "FloatStorage", "I64": "LongStorage"}
Tensors = Mapping[str, tuple[str, tuple[int, ...], bytes]]
TENSORS: Tensors = {
    "model.0.weight": ("F16", (2, 3), bytes(range(12))),
    "model.0.count": ("I64", (), (7).to_bytes(8, "little")),
}


def safetensors(tensors: Tensors = TENSORS, **header: Any) -> bytes:
    entries, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps({**entries, **header}).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensors_sha256(tensors: Tensors = TENSORS) -> str:
    """As architecture.md defines weights-sha256."""
    digest = hashlib.sha256()
    for name, (dtype, shape, data) in sorted(tensors.items()):
        digest.update(f"{name} {DTYPES[dtype]} {shape}\n".encode() + data)
    return digest.hexdigest()


def description(**changes: Any) -> dict[str, Any]:
    told = {"classes": ["head", "bag"], "image_size": 64, "engine": "detector", "weights-sha256": tensors_sha256()}
    return {name: value for name, value in {**told, **changes}.items() if value != "absent"}


def model(weights: bytes | None = None, **changes: Any) -> dict[str, bytes]:
    """The three files; `changes` are of model.json's fields, `absent` takes one away."""
    return {
        "weights.safetensors": safetensors() if weights is None else weights,
        "architecture.yaml": b"nc: 2\n",
        "model.json": json.dumps(description(**{"weights-sha256": tensors_sha256(), **changes})).encode(),
    }


def packed(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for other in others:
            tar.addfile(other, io.BytesIO(b"\0" * other.size) if other.isreg() else None)
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return body.getvalue()


class Call:
    """`module name` called with arguments, and its state set: three instructions of a pickle."""

    def __init__(self, name: str, *arguments: Any, state: Any = None) -> None:
        self.name, self.arguments, self.state = name, arguments, state


class Stored:
    """A reference to a storage of a checkpoint."""

    def __init__(self, key: str, dtype: str) -> None:
        self.key, self.dtype = key, dtype


def program(value: Any) -> bytes:
    """A pickle of protocol 2 that makes `value`."""
    return b"\x80\x02" + _instructions(value) + b"."


def checkpoint(root: Any, storages: Mapping[str, bytes] | None = None, packing: int = zipfile.ZIP_STORED) -> bytes:
    """What torch.save writes. `root`: a value, or the pickle itself."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        archive.writestr("weights/data.pkl", root if isinstance(root, bytes) else program(root))
        archive.writestr("weights/byteorder", b"little")
        for key, data in (storages or {}).items():
            archive.writestr(f"weights/data/{key}", data)
    return out.getvalue()


def detector_checkpoint(
    tensors: Tensors = TENSORS, names: tuple[str, ...] = ("head", "bag"), architecture: Any = None, **extra: Any
) -> bytes:
    """An ultralytics checkpoint of a detector with one layer; `extra` lies beside the model."""
    layer = {"_parameters": {}, "_buffers": {}, "_modules": {}}
    storages = {}
    for number, (name, (dtype, shape, data)) in enumerate(tensors.items()):
        strides = tuple(_product(shape[at + 1 :]) for at in range(len(shape)))
        storages[str(number)] = data
        made = tensor(str(number), dtype, shape, strides)
        kind = "_buffers" if dtype == "I64" else "_parameters"
        layer[kind][name.rpartition(".")[2]] = made if dtype == "I64" else parameter(made)
    root = {"model": detection_model(layer, names, architecture or {"nc": len(names)}), "ema": None, **extra}
    return checkpoint(root, storages)


def detection_model(layer: Any, names: tuple[str, ...], architecture: Any) -> Call:
    inner = Call("torch.nn.modules.conv Conv2d", state=layer)
    sequence = Call(
        "torch.nn.modules.container Sequential", state={"_parameters": {}, "_buffers": {}, "_modules": {"0": inner}}
    )
    state = {"_parameters": {}, "_buffers": {}, "_modules": {"model": sequence}}
    return Call(
        "ultralytics.nn.tasks DetectionModel",
        state={**state, "yaml": architecture, "names": dict(enumerate(names))},
    )


def tensor(key: str, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Call:
    ordered = Call("collections OrderedDict")
    return Call("torch._utils _rebuild_tensor_v2", Stored(key, dtype), offset, shape, strides, False, ordered)


def parameter(made: Call) -> Call:
    return Call("torch._utils _rebuild_parameter", made, True, Call("collections OrderedDict"))


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _instructions(value: Any) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return b"X" + struct.pack("<I", len(text)) + text
        case list():
            return b"](" + b"".join(map(_instructions, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(_instructions, value)) + b"t"
        case dict():
            items = b"".join(_instructions(key) + _instructions(each) for key, each in value.items())
            return b"}(" + items + b"u"
        case Stored():
            kind = _name(f"torch {STORAGES[value.dtype]}")
            return b"(" + _instructions("storage") + kind + b"".join(map(_instructions, (value.key, "cpu", 1))) + b"tQ"
        case Call():
            made = _name(value.name) + _instructions(value.arguments) + b"R"
            return made if value.state is None else made + _instructions(value.state) + b"b"
    raise TypeError(f"no instruction for {value!r}")


def _name(name: str) -> bytes:
    return b"c" + name.replace(" ", "\n").encode() + b"\n"
