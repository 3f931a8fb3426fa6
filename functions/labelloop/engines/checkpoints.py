"""A `.pt` file (ultralytics, PyTorch) read as data: its tensors, its architecture and its classes; nothing of it runs.

A `.pt` is a zip of tensors and a pickle, and a pickle is a program. This reads the program's instructions and builds
records of them: no name is imported and no object is called, whatever the file says. Names that detection weights do
not need, and instructions that torch.save does not write, are refused before the first one is followed.
"""

import io
import itertools
import math
import pickletools  # splits a pickle into instructions; it follows none
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import model_descriptions, weights
from labelloop.engines.weights import Tensor

FILE = "weights.pt"
MOST_PICKLE_BYTES = 20_000_000  # yolov8n has 96,621, and a larger model has more layers, not larger ones
MOST_MEMBERS = 20_000
MOST_INSTRUCTIONS = 800_000  # yolov8n has 38,983
MOST_LAYERS = 20_000  # yolov9e has 1,225
MOST_ENTRIES = 200_000  # parameters, buffers and layers within layers
MOST_ROWS = 2_000_000  # of all tensors that are not in row-major order
LONGEST_PREFIX = 500  # characters of a layer's name

_MODELS = ("ultralytics.nn.tasks DetectionModel", "ultralytics.nn.tasks PoseModel")
_STORAGES = {"torch HalfStorage": "F16", "torch FloatStorage": "F32", "torch LongStorage": "I64"}
_TENSOR, _PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"
_CELLS: dict[int, Literal["H", "I", "Q"]] = {2: "H", 4: "I", 8: "Q"}  # memoryview's words for numbers of 2 bytes...
_ORDERED, _SET = "collections OrderedDict", "__builtin__ set"
# The layers of ultralytics' detection architectures (cfg/models: v3 to v10, 11, 12, 26), class by class.
_LAYERS = {
    "torch.nn.modules.activation": "ReLU SiLU",
    "torch.nn.modules.batchnorm": "BatchNorm2d",
    "torch.nn.modules.container": "ModuleList Sequential",
    "torch.nn.modules.conv": "Conv2d ConvTranspose2d",
    "torch.nn.modules.linear": "Identity",
    "torch.nn.modules.padding": "ZeroPad2d",
    "torch.nn.modules.pooling": "MaxPool2d",
    "torch.nn.modules.upsampling": "Upsample",
    "ultralytics.nn.modules.block": (
        "A2C2f AAttn ABlock AConv ADown Attention Bottleneck C2 C2PSA C2f C2fCIB C3 C3Ghost C3k C3k2 CBFuse CBLinear "
        "CIB DFL ELAN1 GhostBottleneck PSA PSABlock RepBottleneck RepCSP RepNCSPELAN4 RepVGGDW SCDown SPP SPPELAN SPPF"
    ),
    "ultralytics.nn.modules.conv": "Concat Conv DWConv GhostConv RepConv",
    "ultralytics.nn.modules.head": "Detect Pose v10Detect",
}
# What zipfile, pickletools and the machine below meet in a damaged file.
_DAMAGES = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    struct.error,
    TypeError,
    ValueError,
)
NAMES = frozenset(
    {*_MODELS, *_STORAGES, _TENSOR, _PARAMETER, _ORDERED, _SET, "torch Size"}
    | {f"{module} {name}" for module, names in _LAYERS.items() for name in names.split()}
)


@dataclass(frozen=True)
class Checkpoint:
    """`architecture` is the YAML that the model was built of, as it stands in the file: to be checked before use."""

    tensors: dict[str, Tensor]
    architecture: Any
    classes: tuple[str, ...]


@dataclass(eq=False)
class _Name:
    """A name that the pickle would import."""

    name: str


@dataclass(eq=False)
class _Made:
    """What the pickle would make by calling `name`; `state` is what it would set it to."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True)
class _Storage:
    dtype: str
    key: str


def read(body: bytes, context: str) -> Checkpoint:
    """Raises InvalidInputError for anything but the whole checkpoint of an ultralytics detector.

    Numbers that are not in row-major order are brought into it.
    """
    try:
        _check_size(body, context)
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = _members(archive, len(body), context)
            (program,) = [name for name in names if name.endswith("/data.pkl")] or [""]
            if not program or archive.getinfo(program).file_size > MOST_PICKLE_BYTES:
                raise InvalidInputError(
                    f"{context} is not a checkpoint: it lacks data.pkl, or has one that is too large"
                )
            folder = program.removesuffix("data.pkl")
            if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
                raise InvalidInputError(f"{context} is of a big-endian machine: save it again on another one")
            content = archive.read(program)
            _check_instructions(content, context)
            root = _run(content, context)
            return _checkpoint(root, archive, f"{folder}data/", context)
    except zipfile.BadZipFile as error:
        raise InvalidInputError(
            f"{context} is not a whole checkpoint ({str(error)[:100]}): it was cut off, or is of a PyTorch before 1.6; "
            "save it again"
        ) from None
    except _DAMAGES as error:
        raise InvalidInputError(
            f"{context} is damaged ({type(error).__name__}: {str(error)[:100]}): save it again"
        ) from None


def _check_size(body: bytes, context: str) -> None:
    """Before the zip's directory is read: every entry of it begins with these four bytes."""
    members = body.count(b"PK\1\2")
    if members > MOST_MEMBERS or len(body) > weights.MOST_BYTES:
        raise InvalidInputError(
            f"{context} has {members} members and {len(body)} bytes, at most {MOST_MEMBERS} and {weights.MOST_BYTES} "
            "are read: take the optimiser out of it (ultralytics' strip_optimizer)"
        )


def _members(archive: zipfile.ZipFile, size: int, context: str) -> set[str]:
    """torch.save compresses nothing: what declares more than the file has is refused before it is read."""
    members = archive.infolist()
    plain = all(each.compress_type == zipfile.ZIP_STORED and each.file_size == each.compress_size for each in members)
    if not plain or sum(each.file_size for each in members) > size:
        raise InvalidInputError(f"{context} is not a checkpoint: its members are packed, or overlap")
    names = {each.filename for each in members}
    if len(names) != len(members):
        raise InvalidInputError(f"{context} is not a checkpoint: it has two members of one name")
    return names


def _check_instructions(program: bytes, context: str) -> None:
    """All of them, each one known and each name allowed, before any is followed."""
    for number, (opcode, argument, _) in enumerate(pickletools.genops(program)):
        if number >= MOST_INSTRUCTIONS:
            raise InvalidInputError(f"{context} is refused: its pickle has more than {MOST_INSTRUCTIONS} instructions")
        if opcode.name not in _FOLLOW and opcode.name not in ("PROTO", "STOP"):
            raise InvalidInputError(
                f"{context} is refused, nothing of it ran: its pickle has the instruction {opcode.name}, which weights "
                "do not need. Save it with torch.save as ultralytics does"
            )
        if opcode.name == "GLOBAL" and argument not in NAMES:
            raise InvalidInputError(
                f"{context} is refused, nothing of it ran: it asks for {'.'.join(str(argument).split())[:100]!r}, "
                "which the weights of a detector do not need. Open it nowhere; take weights from who trained them"
            )


def _run(program: bytes, context: str) -> Any:
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(program):
        if opcode.name == "STOP":
            return machine.stack.pop()
        if opcode.name != "PROTO":
            _FOLLOW[opcode.name](machine, argument)
    raise InvalidInputError(f"{context} is cut off: its pickle has no end")


class _Machine:
    """Python's pickle machine with records in the place of objects."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise ValueError("a tuple of more than there is")
        self.stack[-count:] = [items]

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(target) is not dict or not isinstance(key, str | int | float | None):
                raise TypeError("no plain dictionary")
            target[key] = value

    def append(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError("no list")
        self.stack[-1].extend(values)

    def call(self, _: Any) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or type(arguments) is not tuple:
            raise TypeError("a call of what is not a name")
        self.push({} if name.name == _ORDERED and not arguments else _Made(name.name, arguments))

    def build(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Made):
            target.state = state
        elif type(target) is not dict:  # an OrderedDict's own attributes say nothing of the weights
            raise TypeError("a state of what is not an object")

    def storage(self, _: Any) -> None:
        kind, storage_type, key, _location, _count = self.stack.pop()
        if kind != "storage" or not isinstance(storage_type, _Name) or type(key) is not str or not key.isalnum():
            raise ValueError("no storage")
        self.push(_Storage(_STORAGES[storage_type.name], key))


_FOLLOW: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"), _Machine.push),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda machine, at: machine.memo.update({at: machine.stack[-1]})),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, at: machine.push(machine.memo[at])),
    "GLOBAL": lambda machine, name: machine.push(_Name(name)),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine.call),
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}


def _checkpoint(root: Any, archive: zipfile.ZipFile, folder: str, context: str) -> Checkpoint:
    model = (root.get("ema") or root.get("model")) if type(root) is dict else None
    if not isinstance(model, _Made) or model.name not in _MODELS or type(model.state) is not dict:
        raise InvalidInputError(
            f"{context} is not a checkpoint of an ultralytics detector: it has no DetectionModel and no PoseModel"
        )
    tensors: dict[str, Tensor] = {}
    storages: dict[str, bytes] = {}
    left = weights.MOST_BYTES
    rows = _Budget(MOST_ROWS, "rows of tensors that are not in row-major order")
    for name, made in _named_tensors(model):
        storage, offset, shape, strides = _view(made)
        left -= math.prod(shape) * weights.DTYPES[storage.dtype][1]
        if left < 0 or len(tensors) >= MOST_MEMBERS or name in tensors:
            raise InvalidInputError(f"{context}: its tensors are more than {weights.MOST_BYTES} bytes or named twice")
        if storage.key not in storages:
            storages[storage.key] = archive.read(folder + storage.key)
        numbers = storages[storage.key]
        tensors[name] = Tensor(storage.dtype, shape, _in_order(numbers, storage.dtype, offset, shape, strides, rows))
    return Checkpoint(tensors, model.state.get("yaml"), _classes(model.state.get("names"), context))


@dataclass
class _Budget:
    """What a file of few bytes may ask for in all."""

    left: int
    what: str

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ValueError(f"too many {self.what}")


def _named_tensors(model: _Made) -> Iterator[tuple[str, Any]]:
    """What torch's `state_dict` has, under the same names. A layer may stand in several places, even within itself."""
    layers = _Budget(MOST_LAYERS, "layers, or layers within layers without end")
    entries = _Budget(MOST_ENTRIES, "parameters, buffers and layers")
    waiting: list[tuple[str, Any]] = [("", model)]
    while waiting:
        prefix, layer = waiting.pop()
        for kind in ("_parameters", "_buffers", "_modules"):
            entries.take(len(layer.state[kind]))
        unsaved = _unsaved(layer, entries)
        for kind in ("_parameters", "_buffers"):
            for name, value in layer.state[kind].items():
                if value is not None and not (kind == "_buffers" and name in unsaved):
                    yield _joined(prefix, name), value
        for name, inner in layer.state["_modules"].items():
            if inner is not None:
                layers.take(1)
                waiting.append((f"{_joined(prefix, name)}.", inner))


def _unsaved(layer: Any, entries: _Budget) -> frozenset[str]:
    """The names of buffers that torch does not save."""
    passing = layer.state.get("_non_persistent_buffers_set")
    names = passing.arguments[0] if isinstance(passing, _Made) and passing.arguments else ()
    entries.take(len(names))
    return frozenset(name for name in names if type(name) is str)


def _joined(prefix: str, name: Any) -> str:
    if type(name) is not str or len(prefix) + len(name) > LONGEST_PREFIX:
        raise ValueError(f"a name that is none or has more than {LONGEST_PREFIX} characters: layers within layers")
    return prefix + name


def _view(made: Any) -> tuple[_Storage, int, tuple[int, ...], tuple[int, ...]]:
    if isinstance(made, _Made) and made.name == _PARAMETER:
        made = made.arguments[0]
    if not isinstance(made, _Made) or made.name != _TENSOR:
        raise ValueError("no tensor")
    storage, offset, shape, strides = made.arguments[:4]
    whole = all(type(each) is int and 0 <= each <= weights.MOST_BYTES for each in (offset, *shape, *strides))
    if not isinstance(storage, _Storage) or not whole or not len(shape) == len(strides) <= weights.MOST_DIMENSIONS:
        raise ValueError("a tensor of an impossible shape")
    return storage, offset, tuple(shape), tuple(strides)


def _in_order(
    numbers: bytes, dtype: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], rows: _Budget
) -> bytes:
    """The numbers of a view of a storage, row by row."""
    width, count = weights.DTYPES[dtype][1], math.prod(shape)
    if not count:
        return b""
    steps = [(length, step) for length, step in zip(shape, strides, strict=True) if length > 1]
    last = offset + sum((length - 1) * step for length, step in steps)
    if (last + 1) * width > len(numbers) or last - offset + 1 < count:
        raise ValueError("a tensor that reaches beyond its storage, or repeats itself")
    dense = [math.prod(length for length, _ in steps[at + 1 :]) for at in range(len(steps))]
    if [step for _, step in steps] == dense:
        return numbers[offset * width : (offset + count) * width]
    # Along the longest dimension all numbers are copied at once, however far they are from one another.
    length, step, ordered = max((length, step, ordered) for (length, step), ordered in zip(steps, dense, strict=True))
    rows.take(count // length)
    cells, result = memoryview(numbers).cast(_CELLS[width]), bytearray(count * width)
    places = memoryview(result).cast(_CELLS[width])
    others = [
        (each, far, near) for (each, far), near in zip(steps, dense, strict=True) if (far, near) != (step, ordered)
    ]
    for index in itertools.product(*(range(each) for each, _, _ in others)):
        at = offset + sum(which * far for which, (_, far, _) in zip(index, others, strict=True))
        to = sum(which * near for which, (_, _, near) in zip(index, others, strict=True))
        places[to : to + (length - 1) * ordered + 1 : ordered] = cells[at : at + (length - 1) * step + 1 : step]
    return bytes(result)


def _classes(names: Any, context: str) -> tuple[str, ...]:
    by_number = dict(enumerate(names)) if type(names) is list else names
    most, longest = model_descriptions.MOST_CLASSES, model_descriptions.LONGEST_NAME
    if (
        type(by_number) is not dict
        or len(by_number) > most
        or not all(type(name) is str and len(name) <= longest for name in by_number.values())
    ):
        raise InvalidInputError(f"{context} does not name its classes, at most {most} of at most {longest} characters")
    return tuple(by_number[number] for number in range(len(by_number)))
