"""architecture.yaml: an ultralytics architecture, as data that can name nothing but known layers.

ultralytics looks a layer up by its name, evaluates strings, and builds as large as it is told. So what it gets is made
here, item by item, of exact lists and bounded numbers.
"""

from collections.abc import Sequence
from typing import Any

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError

NAME = "architecture.yaml"
# Of a model that was taught other classes than its base weights had: its class branch is still that of so many.
BRANCH_CLASSES = "branch_classes"
# The layers of ultralytics' detection architectures (cfg/models: v3 to v10, 11, 12, 26); a head comes last.
_LAYERS = (
    "A2C2f AConv ADown Bottleneck C2 C2PSA C2f C2fCIB C3 C3Ghost C3k2 CBFuse CBLinear Concat Conv ELAN1 GhostConv PSA "
    "RepNCSPELAN4 SCDown SPP SPPELAN SPPF nn.ConvTranspose2d nn.Identity nn.MaxPool2d nn.Upsample nn.ZeroPad2d"
)
LAYERS = _LAYERS.split()
# The class of ultralytics.nn.tasks that builds a network with this head.
HEADS = {"Detect": "DetectionModel", "v10Detect": "DetectionModel", "Pose": "PoseModel"}
OF_BOXES, OF_POINTS = "Detect", "Pose"
# [key points, 3]: of each x, y and the confidence.
POINTS = "kpt_shape"
WORDS = ("None", "True", "False", "nc", POINTS, "nearest", "bilinear")
ACTIVATIONS = ("torch.nn.ReLU()", "torch.nn.SiLU()")
MOST_LAYERS, MOST_REPEATS, MOST_ARGUMENTS, MOST_INPUTS = 128, 64, 12, 8
MOST_CHANNELS = 4096
MOST_CLASSES = 1000
MOST_POINTS = 200
LARGEST_SCALE = 4.0


def checked(given: Any, classes: Sequence[str]) -> dict[str, Any]:
    """What ultralytics may build: a copy, with the fields that matter to a network and no others.

    Raises InvalidInputError naming the field, or layer, that is not of a detector of these classes.
    """
    record = fields.mapping(given, NAME, "(all)")
    found: dict[str, Any] = {"nc": _whole(record.get("nc"), "nc", 1, MOST_CLASSES)}
    if found["nc"] != len(classes):
        raise InvalidInputError(f"{NAME} is of a model of {found['nc']} classes, model.json names {len(classes)}")
    if record.get(BRANCH_CLASSES) is not None:
        found[BRANCH_CLASSES] = _whole(record[BRANCH_CLASSES], BRANCH_CLASSES, 1, MOST_CLASSES)
    for field in ("ch", "channels"):
        if record.get(field) not in (None, 3):
            raise fields.refuse(NAME, field, "3 (red, green, blue)", record[field])
    for field in ("depth_multiple", "width_multiple"):
        if field in record:
            found[field] = fields.number(record, field, NAME, 0.01, LARGEST_SCALE)
    if record.get("scales") is not None:
        found["scales"], found["scale"] = _scales(record)
    if record.get("activation") is not None:
        found["activation"] = fields.choice(record, "activation", NAME, ACTIVATIONS)
    if record.get("end2end") is not None:
        found["end2end"] = fields.boolean(record, "end2end", NAME)
    if record.get("reg_max") is not None:
        found["reg_max"] = _whole(record["reg_max"], "reg_max", 1, 64)
    if record.get(POINTS) is not None:
        found[POINTS] = _points(record)
    layers = [*_rows(record, "backbone"), *_rows(record, "head")]
    if not 2 <= len(layers) <= MOST_LAYERS:
        raise fields.refuse(NAME, "backbone, head", f"2 to {MOST_LAYERS} layers", layers)
    made = [_layer(row, number, number == len(layers) - 1) for number, row in enumerate(layers)]
    if (made[-1][2] == OF_POINTS) != (POINTS in found):
        raise fields.refuse(NAME, POINTS, f"there with a head of {OF_POINTS}, and with no other", record.get(POINTS))
    backbone = len(_rows(record, "backbone"))
    return {**found, "backbone": made[:backbone], "head": made[backbone:]}


def with_points(architecture: dict[str, Any], points: int) -> dict[str, Any]:
    """The same network with a branch of so many key points beside those of boxes and classes; with none where 0.

    Raises InvalidInputError where its head is one that ultralytics has no key points for.
    """
    *others, (sources, repeats, head, _) = architecture["head"]
    if not points:
        plain = [sources, repeats, OF_BOXES, ["nc"]]
        rest = {name: value for name, value in architecture.items() if name != POINTS}
        return {**rest, "head": [*others, plain]} if head == OF_POINTS else architecture
    if head not in (OF_BOXES, OF_POINTS):
        raise InvalidInputError(
            f"key points are taught to networks whose head is {OF_BOXES} or {OF_POINTS}, this one's is {head}: choose "
            "other base weights, or another base-model"
        )
    last = [sources, repeats, OF_POINTS, ["nc", POINTS]]
    return {**architecture, POINTS: [points, 3], "head": [*others, last]}


def _rows(record: dict[str, Any], field: str) -> list[Any]:
    return fields.sequence(record, field, NAME)


def _points(record: dict[str, Any]) -> list[int]:
    given = fields.sequence(record, POINTS, NAME)
    if len(given) != 2 or given[1] != 3:
        raise fields.refuse(NAME, POINTS, "[number of key points, 3]", given)
    return [_whole(given[0], POINTS, 1, MOST_POINTS), 3]


def _scales(record: dict[str, Any]) -> tuple[dict[str, list[float]], str]:
    """Only the scale that is used: depth, width and most channels."""
    scales = fields.mapping(record["scales"], NAME, "scales")
    scale = fields.choice(record, "scale", NAME, tuple(name for name in scales if isinstance(name, str)))
    given = fields.sequence(scales, scale, f"{NAME}, scales")
    if len(given) != 3:
        raise fields.refuse(NAME, "scales", "three numbers: depth, width, most channels", given)
    depth, width = (fields.number({"scales": each}, "scales", NAME, 0.01, LARGEST_SCALE) for each in given[:2])
    return {scale: [depth, width, _whole(given[2], "scales", 1, MOST_CHANNELS)]}, scale


def _layer(row: Any, number: int, is_last: bool) -> list[Any]:
    """[from, repeats, layer, arguments]; `from` counts layers from the first, or back from this one."""
    where = f"layer {number}"
    if not isinstance(row, list) or len(row) != 4:
        raise fields.refuse(NAME, where, "[from, repeats, layer, arguments]", row)
    sources, repeats, layer, arguments = row
    if not isinstance(layer, str) or layer not in (HEADS if is_last else LAYERS):
        raise fields.refuse(NAME, where, "one of the layers " + ", ".join(HEADS if is_last else LAYERS), layer)
    several = sources if isinstance(sources, list) else [sources]
    if not 1 <= len(several) <= MOST_INPUTS:
        raise fields.refuse(NAME, where, f"a layer of 1 to {MOST_INPUTS} others", sources)
    several = [_whole(source, where, -number - 1, max(number - 1, -1)) for source in several]
    if not isinstance(arguments, list) or len(arguments) > MOST_ARGUMENTS:
        raise fields.refuse(NAME, where, f"a list of at most {MOST_ARGUMENTS} arguments", arguments)
    return [
        several if isinstance(sources, list) else several[0],
        _whole(repeats, where, 1, MOST_REPEATS),
        layer,
        [_argument(argument, where) for argument in arguments],
    ]


def _argument(argument: Any, where: str, within: bool = False) -> Any:
    if isinstance(argument, list) and not within and len(argument) <= MOST_INPUTS:
        return [_argument(each, where, within=True) for each in argument]
    if argument is None or isinstance(argument, bool) or (isinstance(argument, str) and argument in WORDS):
        return argument
    if isinstance(argument, int | float) and -1 <= argument <= MOST_CHANNELS:
        return argument
    raise fields.refuse(NAME, where, f"an argument of {', '.join(WORDS)} or -1 to {MOST_CHANNELS}", argument)


def _whole(value: Any, field: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise fields.refuse(NAME, field, f"a whole number from {least} to {most}", value)
    return value
