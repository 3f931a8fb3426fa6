"""The YOLO engine: the only file that knows ultralytics and torch. Another engine offers the same `load` and `fit`.

    load(model_dir)       -> a detector with `batch_size`, `predict(images)` and `describe()`
    fit(dataset, recipe, model_dir, champion_dir)  trains and writes weights.pt; returns a Fitted

ultralytics is AGPL-3.0 (README.md says what follows from it).
"""

import hashlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

ASKED_THREADS = int(os.environ.get("OMP_NUM_THREADS") or 0)  # read before ultralytics sets it
# Before ultralytics is imported: no telemetry, no update check, no download, no installs; and weights are unpickled
# against a list of known classes only, so that a model artefact cannot run code.
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

import numpy as np  # noqa: E402
import ultralytics  # noqa: E402
from dataset import YoloDataset  # noqa: E402
from labelloop.records import Box  # noqa: E402
from model_files import ModelDescription  # noqa: E402
from recipe import Recipe  # noqa: E402
from ultralytics.data.augment import LetterBox  # noqa: E402
from ultralytics.models.yolo.detect import DetectionTrainer  # noqa: E402
from ultralytics.nn.tasks import load_checkpoint, yaml_model_load  # noqa: E402
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

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# One core is left to fetching and decoding: threads that wait for one another slow down tenfold without a core each.
THREADS = ASKED_THREADS or max(1, CORES - 1)
torch_utils.NUM_THREADS = THREADS


class Detector:
    """One loaded model. Not safe for concurrent use."""

    def __init__(self, weights: Path, image_size: int) -> None:
        torch.set_num_threads(THREADS)
        self.device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        self.half = self.device.type == "cuda"
        self.batch_size = 32 if self.half else 8
        self.image_size = image_size
        self.model, _ = load_checkpoint(weights, device=self.device, fuse=True)
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

    Raises OSError or InvalidInputError where model.json or weights.pt is missing or not what it must be.
    """
    return Detector(model_dir / "weights.pt", image_size or ModelDescription.read(model_dir).image_size)


def fit(dataset: YoloDataset, recipe: Recipe, model_dir: Path, champion_dir: Path | None) -> Fitted:
    """Trains from random weights, or onwards from the champion's, and writes `model_dir`/weights.pt.

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
    model_dir.mkdir(parents=True, exist_ok=True)
    digest = _save(model, recipe, model_dir / "weights.pt")
    loss = {str(name): round(float(value), 5) for name, value in trainer.tloss.items()}
    return Fitted(digest, epochs, epochs * batches, loss)


class _Trainer(DetectionTrainer):
    """Training only: how good the model is, is measured by our own code on our own gold set."""

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


def _starting_point(recipe: Recipe, champion_dir: Path | None) -> tuple[dict, torch.nn.Module | None]:
    if champion_dir is not None:
        champion, _ = load_checkpoint(champion_dir / "weights.pt")
        return champion.yaml, champion
    if not recipe.is_tiny:
        return yaml_model_load(recipe.base_model), None
    architecture = YAML.load(check_yaml("yolov8.yaml"))
    del architecture["scales"]
    return {**architecture, "depth_multiple": 0.33, "width_multiple": recipe.width}, None


def _save(model: torch.nn.Module, recipe: Recipe, path: Path) -> str:
    """Writes what `ultralytics.YOLO(path)` opens, without date, path or optimiser; returns the tensors' SHA-256."""
    model = model.cpu().eval().to(memory_format=torch.contiguous_format).half()
    model.criterion = None
    model.args = {"task": "detect", "imgsz": recipe.image_size}
    model.yaml = {**model.yaml, "yaml_file": recipe.base_model}
    for parameter in model.parameters():
        parameter.requires_grad = False
    if not all(tensor.isfinite().all() for tensor in model.state_dict().values()):
        raise RuntimeError("training diverged (some weights are not finite): lower the hyperparameter 'learning-rate'")
    torch.save({"model": model, "train_args": model.args, "version": ultralytics.__version__, "epoch": -1}, path)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
