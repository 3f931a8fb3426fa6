"""What a training job is asked to do: its hyperparameters, which SageMaker hands over as strings."""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.skeletons import Skeleton

T = TypeVar("T", int, float)
TINY = ("tiny", "tiny.yaml")


@dataclass(frozen=True)
class Recipe:
    """`steps` are optimiser steps of a model of random weights, `warm_steps` those of one that goes on from such a
    champion. With base weights it is `base_steps` (0: as starts.py says) and `base_learning_rate`, and `start` says
    what later models start from. `skeleton`: of people's key points, None where boxes are learned.

    `base_model` is `tiny.yaml` (YOLOv8 with the share `width` of its channels: about 0.9 M parameters at 0.125, which
    two CPU cores train in seconds) or a stock architecture like `yolov8n.yaml`.
    """

    classes: tuple[str, ...]
    image_size: int
    steps: int
    warm_steps: int
    batch_size: int
    learning_rate: float
    seed: int
    base_model: str
    width: float
    base_steps: int = 0
    base_learning_rate: float = 0.001
    start: str = "base"
    skeleton: Skeleton | None = None

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, str]) -> "Recipe":
        """Raises InvalidInputError naming the hyperparameter. Only `classes` has no default; unknown are ignored."""
        steps = _whole(values, "steps", "2000", 1, 10_000_000)
        return cls(
            classes=_classes(values),
            image_size=_image_size(values),
            steps=steps,
            warm_steps=_whole(values, "warm-steps", str(max(1, steps // 2)), 1, 10_000_000),
            batch_size=_whole(values, "batch-size", "16", 1, 1024),
            learning_rate=_real(values, "learning-rate", "0.004", 1e-7, 1.0),
            seed=_whole(values, "seed", "0", 0, 2**31 - 1),
            base_model=_base_model(values),
            width=_real(values, "width", "0.125", 0.03125, 1.0),
            base_steps=_whole(values, "base-steps", "0", 0, 10_000_000),
            base_learning_rate=_real(values, "base-learning-rate", "0.001", 1e-7, 1.0),
            start=_start(values),
            skeleton=_skeleton(values),
        )

    @property
    def is_tiny(self) -> bool:
        return self.base_model in TINY

    @property
    def architecture(self) -> str:
        """Models of one architecture can go on from one another's weights."""
        return f"tiny, width {self.width:g}" if self.is_tiny else self.base_model

    def batches(self, images: int) -> int:
        return -(-images // self.batch_size)

    def epochs(self, images: int, steps: int) -> int:
        """Optimiser steps are what a detector learns from, so few images are seen more often than many."""
        return max(1, round(steps / self.batches(images)))


def _classes(values: Mapping[str, str]) -> tuple[str, ...]:
    try:
        classes = json.loads("".join([values["classes"], *_continued(values, "classes")]))
    except KeyError:
        raise InvalidInputError("hyperparameter 'classes' is missing: give a JSON list like [\"head\"]") from None
    except ValueError as error:
        raise InvalidInputError(f"hyperparameter 'classes' is not JSON ({error}): {values['classes']!r}") from None
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) and name for name in classes):
        raise InvalidInputError(f"hyperparameter 'classes' must be a JSON list of names, but is {values['classes']!r}")
    if len(set(classes)) != len(classes):
        raise InvalidInputError(f"hyperparameter 'classes' names a class twice: {values['classes']!r}")
    return tuple(classes)


def _skeleton(values: Mapping[str, str]) -> Skeleton | None:
    if "key-points" not in values:
        return None
    document = "".join([values["key-points"], *_continued(values, "key-points")])
    return skeletons.skeleton(document, "hyperparameter 'key-points'")


def _continued(values: Mapping[str, str], name: str) -> Iterator[str]:
    """The rest of a value that is longer than a hyperparameter may be, in `<name>-2`, `<name>-3`..."""
    for number in itertools.count(2):
        if f"{name}-{number}" not in values:
            return
        yield values[f"{name}-{number}"]


def _image_size(values: Mapping[str, str]) -> int:
    size = _whole(values, "image-size", "640", 32, 4096)
    if size % 32:
        raise InvalidInputError(f"hyperparameter 'image-size' must be a multiple of 32, but is {size}")
    return size


def _base_model(values: Mapping[str, str]) -> str:
    """A name, never a path or an address: the job runs without a network and only knows what is in the image."""
    name = values.get("base-model", "tiny.yaml")
    if name not in TINY and not re.fullmatch(r"yolo[a-z0-9-]+\.yaml", name):
        raise InvalidInputError(
            f"hyperparameter 'base-model' must be tiny.yaml or an architecture like yolov8n.yaml, but is {name!r}"
        )
    return name


def _start(values: Mapping[str, str]) -> str:
    name = values.get("start", "base")
    if name not in ("base", "champion"):
        raise InvalidInputError(f"hyperparameter 'start' must be base or champion, but is {name!r}")
    return name


def _whole(values: Mapping[str, str], name: str, default: str, least: int, most: int) -> int:
    return _number(values, name, default, int, "a whole number", least, most)


def _real(values: Mapping[str, str], name: str, default: str, least: float, most: float) -> float:
    return _number(values, name, default, float, "a number", least, most)


def _number(
    values: Mapping[str, str], name: str, default: str, kind: Callable[[str], T], wanted: str, least: T, most: T
) -> T:
    text = values.get(name, default)
    try:
        value = kind(text)
    except (TypeError, ValueError):
        value = None
    if value is None or not least <= value <= most:  # NaN fails every comparison
        raise InvalidInputError(f"hyperparameter '{name}' must be {wanted} from {least:g} to {most:g}, but is {text!r}")
    return value
