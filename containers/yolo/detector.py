"""The YOLO engine: the only file that knows ultralytics and torch. Another engine offers the same `load` and `fit`.

    load(model_dir)       -> a detector with `batch_size`, `predict(images)` and `describe()`
    fit(dataset, recipe, model_dir, champion_dir)  trains, writes weights and architecture; returns a Fitted

No pickle is opened here: networks are built of the verified data that model_files reads.

ultralytics is AGPL-3.0 (README.md says what follows from it).
"""

import copy
import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ASKED_THREADS = int(os.environ.get("OMP_NUM_THREADS") or 0)  # read before ultralytics sets it
# Before ultralytics is imported: no telemetry, no update check, no download, no installs; and should anything of it
# ever unpickle, then only against a list of known classes.
os.environ.update(
    YOLO_OFFLINE="true",
    YOLO_AUTOINSTALL="false",
    YOLO_VERBOSE="false",
    ULTRALYTICS_SAFE_LOAD="true",
    MPLBACKEND="Agg",
)
os.environ.setdefault("YOLO_CONFIG_DIR", str(Path(tempfile.gettempdir()) / f"yolo-config-{os.getuid()}"))
Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)

_pillow_open = Image.open

import torch  # noqa: E402
from torchvision_ops import ensure_torchvision  # noqa: E402

ensure_torchvision()

import architectures  # noqa: E402
import numpy as np  # noqa: E402
import ultralytics  # noqa: E402
from dataset import YoloDataset  # noqa: E402
from labelloop.contracts.errors import InvalidInputError  # noqa: E402
from labelloop.contracts.records import Box  # noqa: E402
from labelloop.engines import weights  # noqa: E402
from labelloop.engines.weights import Tensor  # noqa: E402
from model_files import Model, read_model, write_weights  # noqa: E402
from recipe import Recipe  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from ultralytics.data.augment import LetterBox  # noqa: E402
from ultralytics.models.yolo.detect import DetectionTrainer  # noqa: E402
from ultralytics.nn.tasks import DetectionModel, yaml_model_load  # noqa: E402
from ultralytics.utils import YAML, nms, ops, torch_utils  # noqa: E402
from ultralytics.utils.checks import check_yaml  # noqa: E402

# ultralytics puts a function of its own in this place, which wants a HEIF plugin for whatever Pillow does not know.
Image.open = _pillow_open

CONFIDENCE_FLOOR = 0.05
NMS_IOU = 0.6
MOST_BOXES = 1000
STRIDE = 32
# ultralytics gives up on the rest of a batch, without an error, when suppression takes longer than this.
NMS_SECONDS_PER_IMAGE = 3600.0
# What building an architecture may cost. Of ultralytics' own, yolov6x makes most numbers (421 million), yolov9e takes
# most steps (6,389).
MOST_NUMBERS, MOST_OPERATIONS = 1_000_000_000, 20_000
DTYPES = {dtype: getattr(torch, name.removeprefix("torch.")) for dtype, (name, _) in weights.DTYPES.items()}

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# One core is left to fetching and decoding: threads that wait for one another slow down tenfold without a core each.
THREADS = ASKED_THREADS or max(1, CORES - 1)
torch_utils.NUM_THREADS = THREADS


class Detector:
    """One loaded model. Not safe for concurrent use."""

    def __init__(self, model: Model, image_size: int) -> None:
        torch.set_num_threads(THREADS)
        self.device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        self.half = self.device.type == "cuda"
        self.batch_size = 32 if self.half else 8
        self.image_size = image_size
        self.model = _network(model).fuse().eval().to(self.device)
        self.model = self.model.half() if self.half else self.model.float()

    @torch.inference_mode()
    def predict(self, images: Sequence[Image.Image]) -> list[list[Box]]:
        """Boxes in pixels of each RGB image, from a confidence of 0.05 on, in no promised order.

        Every image is brought to the smallest rectangle that holds it at the model's size and runs beside images of the
        same rectangle, so its boxes do not depend on its neighbours.
        """
        by_shape: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
        letterbox = LetterBox((self.image_size, self.image_size), auto=True, stride=STRIDE)
        for index, image in enumerate(images):
            boxed = letterbox(image=np.asarray(image))
            by_shape[boxed.shape].append((index, boxed))
        boxes: list[list[Box]] = [[] for _ in images]
        for shape, members in by_shape.items():
            for start in range(0, len(members), self.batch_size):
                group = members[start : start + self.batch_size]
                for (index, _), rows in zip(group, self._forward(np.stack([m[1] for m in group])), strict=True):
                    boxes[index] = self._boxes(rows, shape, images[index])
        return boxes

    def describe(self) -> dict[str, object]:
        return {
            "engine": "ultralytics " + ultralytics.__version__,
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name(0) if self.half else f"cpu, {THREADS} threads",
            "batch-size": self.batch_size,
            "classes": [self.model.names[index] for index in sorted(self.model.names)],
        }

    def _forward(self, pixels: np.ndarray) -> list[torch.Tensor]:
        """Rows of left, top, right, bottom, confidence, class for each RGB picture, in letterboxed pixels."""
        batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).to(self.device)
        batch = (batch.half() if self.half else batch.float()) / 255
        return nms.non_max_suppression(
            self.model(batch),
            conf_thres=CONFIDENCE_FLOOR,
            iou_thres=NMS_IOU,
            max_det=MOST_BOXES,
            nc=len(self.model.names),
            max_time_img=NMS_SECONDS_PER_IMAGE,
        )

    def _boxes(self, rows: torch.Tensor, letterboxed: tuple[int, ...], image: Image.Image) -> list[Box]:
        ops.scale_boxes(letterboxed[:2], rows[:, :4], (image.height, image.width))
        return [
            Box(self.model.names[int(label)], left, top, right - left, bottom - top, confidence)
            for left, top, right, bottom, confidence, label in rows.float().cpu().tolist()
        ]


@dataclass(frozen=True)
class Fitted:
    """What training produced; `weights_sha256` covers the tensors, so equal models are told without their files."""

    weights_sha256: str
    epochs: int
    optimizer_steps: int
    loss: dict[str, float]


def load(model_dir: Path, image_size: int | None = None) -> Detector:
    """At the size the model was trained at, unless another is given.

    Raises InvalidInputError where one of the model's files is missing or not what it must be.
    """
    model = _read(model_dir)
    return Detector(model, image_size or model.description.image_size)


def fit(dataset: YoloDataset, recipe: Recipe, model_dir: Path, champion_dir: Path | None) -> Fitted:
    """Trains from random weights, or onwards from the champion's, and writes weights and architecture.

    The same dataset, recipe, champion and machine give the same bytes: seeds are fixed, kernels are deterministic.
    """
    epochs = recipe.epochs(len(dataset.images), warm=champion_dir is not None)
    batches = -(-len(dataset.images) // recipe.batch_size)
    with tempfile.TemporaryDirectory(prefix="training-") as scratch:
        trainer = _Trainer(
            overrides={
                "task": "detect",
                "model": "given.yaml",  # never opened: the trainer below builds the model
                "data": str(dataset.data_yaml),
                "project": scratch,
                "name": "run",
                "exist_ok": True,
                "epochs": epochs,
                "imgsz": recipe.image_size,
                "batch": recipe.batch_size,
                "nbs": recipe.batch_size,  # the default accumulates 64 images for one optimiser step
                "optimizer": "AdamW",
                "lr0": recipe.learning_rate / 2 if champion_dir else recipe.learning_rate,
                "lrf": 0.05,
                "warmup_epochs": 1,
                "mosaic": 0.0,
                "close_mosaic": 0,
                "scale": 0.2,
                "patience": 0,
                "seed": recipe.seed,
                "deterministic": True,
                "amp": False,  # the check before mixed precision downloads a model
                "device": "0" if torch.cuda.is_available() else "cpu",
                "workers": min(8, CORES),  # ultralytics uses none on a CPU
                "plots": False,
                "val": False,
                "save": False,
                "cache": False,
            }
        )
        trainer.data["names"] = dict(enumerate(recipe.classes))
        trainer.add_callback("on_fit_epoch_end", _report)
        architecture, weights = _starting_point(recipe, champion_dir)
        trainer.model = trainer.get_model(cfg=architecture, weights=weights, verbose=False)
        trainer.train()
    model = trainer.ema.ema
    digest = _save(model, recipe, model_dir)
    loss = {str(name): round(float(value), 5) for name, value in trainer.tloss.items()}
    return Fitted(digest, epochs, epochs * batches, loss)


class _Trainer(DetectionTrainer):
    """Training only: how good the model is, is measured by our own code on our own judge set."""

    def build_optimizer(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        """ultralytics asks for AdamW's fused kernel on CUDA only; on a CPU one tensor after the other takes about 10 %
        of a step.
        """
        optimizer = super().build_optimizer(*args, **kwargs)
        if isinstance(optimizer, torch.optim.AdamW):
            for group in optimizer.param_groups:
                group.update(fused=True, foreach=None)
        return optimizer

    def validate(self):  # type: ignore[no-untyped-def]
        return {}, 0.0

    def save_model(self) -> bool:
        return False

    def final_eval(self) -> None:
        return None


def _report(trainer: DetectionTrainer) -> None:
    """About twenty lines in the job's log, however long it is."""
    epoch = trainer.epoch + 1
    if epoch % max(1, trainer.epochs // 20) == 0 or epoch == trainer.epochs:
        losses = " ".join(f"{name}={float(value):.4f}" for name, value in trainer.tloss.items())
        print(f"epoch {epoch}/{trainer.epochs} {losses}", flush=True)


def _starting_point(recipe: Recipe, champion_dir: Path | None) -> tuple[dict[str, Any], torch.nn.Module | None]:
    if champion_dir is not None:
        champion = _network(_read(champion_dir))
        return champion.yaml, champion.eval()
    if not recipe.is_tiny:
        return yaml_model_load(recipe.base_model), None
    architecture = YAML.load(check_yaml("yolov8.yaml"))
    del architecture["scales"]
    return {**architecture, "depth_multiple": 0.33, "width_multiple": recipe.width}, None


def _save(model: torch.nn.Module, recipe: Recipe, model_dir: Path) -> str:
    """Writes the weights at half precision and what they are the weights of; returns the tensors' SHA-256."""
    state = model.cpu().eval().to(memory_format=torch.contiguous_format).half().state_dict()
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise RuntimeError("training diverged (some weights are not finite): lower the hyperparameter 'learning-rate'")
    names = {dtype: name for name, dtype in DTYPES.items()}
    tensors = {
        name: Tensor(names[tensor.dtype], tuple(tensor.shape), tensor.contiguous().numpy().tobytes())
        for name, tensor in state.items()
    }
    return write_weights(model_dir, architectures.checked(model.yaml, recipe.classes), tensors)


def _read(model_dir: Path) -> Model:
    model = read_model(model_dir)
    if model.description.engine != __name__:
        raise InvalidInputError(
            f"{model_dir} holds a model of the engine '{model.description.engine}', this is '{__name__}': set the "
            "container's ENGINE to that one, or give a model of this one"
        )
    return model


def _network(model: Model) -> DetectionModel:
    """A network with these weights, at single precision. Raises InvalidInputError where they do not fit together.

    It is built twice. First as a sketch without numbers, whose cost is metered: only where its tensors are those that
    the file holds is memory taken for them.
    """
    classes = model.description.classes
    architecture = architectures.checked(model.architecture, classes)
    with torch.random.fork_rng([]):  # a training that goes on from here draws the same numbers as one that does not
        with torch.device("meta"), _Meter():
            sketch = _built(architecture)
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
        network = _built(architecture)
    state = {
        name: torch.frombuffer(bytearray(tensor.data), dtype=DTYPES[tensor.dtype]).reshape(tensor.shape)
        for name, tensor in model.tensors.items()
    }
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise InvalidInputError(f"the weights '{broken[0][:100]}' are not finite numbers: the training diverged")
    network.load_state_dict(state, strict=True)
    network.names = dict(enumerate(classes))
    for layer in network.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = True
    return network


def _built(architecture: dict[str, Any]) -> DetectionModel:
    try:
        return DetectionModel(copy.deepcopy(architecture), ch=3, verbose=False)
    except InvalidInputError:
        raise
    except Exception as error:  # ultralytics has no error of its own: layers that do not fit fail wherever they meet
        raise InvalidInputError(
            f"{architectures.NAME} describes no network that ultralytics {ultralytics.__version__} builds "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from None


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
