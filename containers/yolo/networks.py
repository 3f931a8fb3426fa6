"""From a model's verified files to a network and back: the only file that builds one. No pickle is opened."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import architectures
import libraries  # noqa: F401  first: sets what torch and ultralytics read
import torch
import ultralytics
from engine_choice import DETECTOR
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import weights
from labelloop.engines.weights import Tensor
from model_files import Model, read_model, write_weights
from recipe import Recipe
from torch.utils._python_dispatch import TorchDispatchMode
from ultralytics.nn import tasks
from ultralytics.nn.tasks import DetectionModel, yaml_model_load
from ultralytics.utils import YAML
from ultralytics.utils.checks import check_yaml

# What building an architecture may cost. Of ultralytics' own, yolov6x makes most numbers (421 million), yolov9e takes
# most steps (6,389).
MOST_NUMBERS, MOST_OPERATIONS = 1_000_000_000, 20_000
DTYPES = {dtype: getattr(torch, name.removeprefix("torch.")) for dtype, (name, _) in weights.DTYPES.items()}


def read(model_dir: Path, engine: str = DETECTOR) -> Model:
    """Raises InvalidInputError for the model of another engine."""
    model = read_model(model_dir)
    if model.description.engine != engine:
        raise InvalidInputError(
            f"{model_dir} holds a model of the engine '{model.description.engine}', this is '{engine}': set the "
            "container's ENGINE to that one, or give a model of this one"
        )
    return model


def stock(base_model: str) -> dict[str, Any]:
    """One of ultralytics' own architectures, such as yolov8n.yaml."""
    return dict(yaml_model_load(base_model))


def tiny(width: float) -> dict[str, Any]:
    """YOLOv8 with a share of its channels."""
    architecture = YAML.load(check_yaml("yolov8.yaml"))
    del architecture["scales"]
    return {**architecture, "depth_multiple": 0.33, "width_multiple": width}


def chosen(recipe: Recipe) -> dict[str, Any]:
    """The architecture of a network of random weights."""
    architecture = tiny(recipe.width) if recipe.is_tiny else stock(recipe.base_model)
    return {**architecture, "nc": len(recipe.classes)}


def network(model: Model) -> DetectionModel:
    """A network with these weights, at single precision. Raises InvalidInputError where they do not fit together.

    It is built twice. First as a sketch without numbers, whose cost is metered: only where its tensors are those that
    the file holds is memory taken for them.
    """
    classes = model.description.classes
    architecture = architectures.checked(model.architecture, classes)
    with torch.random.fork_rng([]):  # a training that goes on from here draws the same numbers as one that does not
        with torch.device("meta"), _Meter():
            sketch = built(architecture)
        wanted = {
            name: (tuple(tensor.shape), tensor.is_floating_point()) for name, tensor in sketch.state_dict().items()
        }
        held = {name: (tensor.shape, tensor.dtype != "I64") for name, tensor in model.tensors.items()}
        if wanted != held:
            name = min(name for name in wanted.keys() | held.keys() if wanted.get(name) != held.get(name))
            raise InvalidInputError(
                f"the weights are not of their architecture: '{name[:100]}' is {_said(held.get(name))} in the file and "
                f"{_said(wanted.get(name))} in the architecture"
            )
        made = built(architecture)
    state = {
        name: torch.frombuffer(bytearray(tensor.data), dtype=DTYPES[tensor.dtype]).reshape(tensor.shape)
        for name, tensor in model.tensors.items()
    }
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise InvalidInputError(f"the weights '{broken[0][:100]}' are not finite numbers: the training diverged")
    made.load_state_dict(state, strict=True)
    made.names = dict(enumerate(classes))
    for layer in made.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = True
    return made


def taught(
    source: DetectionModel, classes: tuple[str, ...], points: int = 0, keep_points: bool = False
) -> tuple[DetectionModel, list[str]]:
    """A network of these classes with all that the other one knows: only the last convolution of the class branch is
    new, and of it the outputs of classes that both have by the same name are kept. Also says which those are.

    With so many key points, unless it has none; `keep_points`: the source's are the same ones, else their branch is
    new.
    """
    known = {name: number for number, name in source.names.items()}
    kept = [(number, known[name]) for number, name in enumerate(classes) if name in known]
    # The class branch is as wide as its number of classes asks for: it keeps the width it has.
    wide = source.yaml.get(architectures.BRANCH_CLASSES) or source.yaml["nc"]
    architecture = architectures.with_points(source.yaml, points)
    made = built({**architecture, "nc": len(classes), architectures.BRANCH_CLASSES: wide})
    last = {f"{name}.{kind}" for name, _ in _class_outputs(made) for kind in ("weight", "bias")}
    fresh = () if keep_points else _point_branches(made)
    state, old = made.state_dict(), source.state_dict()
    for name, tensor in state.items():
        if name.startswith(fresh):
            continue
        if name not in last:
            tensor.copy_(old[name])
        else:
            for new_number, old_number in kept:
                tensor[new_number].copy_(old[name][old_number])
    made.names = dict(enumerate(classes))
    return made, [classes[number] for number, _ in kept]


def save(model: torch.nn.Module, classes: tuple[str, ...], model_dir: Path) -> str:
    """Writes the weights at half precision and what they are the weights of; returns the tensors' SHA-256."""
    return write_weights(model_dir, architectures.checked(model.yaml, classes), tensors(model))


def tensors(model: torch.nn.Module) -> dict[str, Tensor]:
    """The weights at half precision, by name. Raises RuntimeError where they are not finite."""
    state = model.cpu().eval().to(memory_format=torch.contiguous_format).half().state_dict()
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise RuntimeError("training diverged (some weights are not finite): lower the hyperparameter 'learning-rate'")
    names = {dtype: name for name, dtype in DTYPES.items()}
    return {
        name: Tensor(names[tensor.dtype], tuple(tensor.shape), tensor.contiguous().numpy().tobytes())
        for name, tensor in state.items()
    }


def built(architecture: dict[str, Any]) -> DetectionModel:
    """With random weights."""
    try:
        return _with_outputs(copy.deepcopy(architecture))
    except InvalidInputError:
        raise
    except Exception as error:  # ultralytics has no error of its own: layers that do not fit fail wherever they meet
        raise InvalidInputError(
            f"{architectures.NAME} describes no network that ultralytics {ultralytics.__version__} builds "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from None


def _with_outputs(architecture: dict[str, Any]) -> DetectionModel:
    wide, classes = architecture.pop(architectures.BRANCH_CLASSES, None), architecture["nc"]
    network_of = getattr(tasks, architectures.HEADS[architecture["head"][-1][2]])
    if wide in (None, classes):
        return network_of(architecture, ch=3, verbose=False)
    made = network_of({**architecture, "nc": wide}, ch=3, verbose=False)
    head = made.model[-1]
    for name, convolution in _class_outputs(made):
        branch, _, place = name.rpartition(".")
        fresh = torch.nn.Conv2d(convolution.in_channels, classes, 1)
        # As ultralytics begins (Detect.bias_init): 5 objects of all classes in a picture of 640 pixels.
        stride = float(head.stride[int(branch.rpartition(".")[2])])
        torch.nn.init.constant_(fresh.bias, math.log(5 / classes / (640 / stride) ** 2))
        made.get_submodule(branch)[int(place)] = fresh
    head.nc, head.no = classes, classes + head.reg_max * 4
    made.yaml = {**made.yaml, "nc": classes, architectures.BRANCH_CLASSES: wide}
    made.names = {number: str(number) for number in range(classes)}
    return made


def _class_outputs(made: DetectionModel) -> Iterator[tuple[str, torch.nn.Conv2d]]:
    """The last convolutions of the head's class branches, by name: one for each size of objects."""
    head, prefix = made.model[-1], f"model.{len(made.model) - 1}"
    for branches in ("cv3", "one2one_cv3"):
        for scale, branch in enumerate(getattr(head, branches, None) or ()):
            yield f"{prefix}.{branches}.{scale}.{len(branch) - 1}", branch[-1]


def point_parameters(made: DetectionModel) -> list[torch.nn.Parameter]:
    """Those of the head's branches of key points."""
    branches = _point_branches(made)
    return [parameter for name, parameter in made.named_parameters() if name.startswith(branches)]


def _point_branches(made: DetectionModel) -> tuple[str, ...]:
    """What the names of the head's branches of key points begin with."""
    prefix = f"model.{len(made.model) - 1}"
    return tuple(f"{prefix}.{name}." for name in ("cv4", "one2one_cv4") if hasattr(made.model[-1], name))


class _Meter(TorchDispatchMode):
    """Ends what makes more numbers, or takes more steps, than any detector's building."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = self.operations = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):  # type: ignore[no-untyped-def]
        if function is torch.ops.aten._local_scalar_dense.default:
            return 1.0  # a sketch has no numbers that it could tell
        made = function(*arguments, **(keywords or {}))
        results = made if isinstance(made, tuple | list) else (made,)
        self.numbers += sum(result.numel() for result in results if isinstance(result, torch.Tensor))
        self.operations += 1
        if self.numbers > MOST_NUMBERS or self.operations > MOST_OPERATIONS:
            raise InvalidInputError(f"{architectures.NAME} describes a network that is larger than any detector")
        return made


def _said(held: tuple[tuple[int, ...], bool] | None) -> str:
    return (
        "missing" if held is None else f"{' x '.join(map(str, held[0])) or 'one number'}{'' if held[1] else ' (whole)'}"
    )
