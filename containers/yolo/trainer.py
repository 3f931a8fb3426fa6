"""Trains a network: ultralytics' loop without what measures, stores and downloads; and statistics that are renewed."""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libraries  # noqa: F401  first: sets what torch and ultralytics read
import processor
import starts
import torch
from recipe import Recipe
from starts import Start
from ultralytics.engine import trainer as ultralytics_trainer
from ultralytics.models.yolo.detect import DetectionTrainer

RENEWING_BATCHES = 8
AVERAGED_SHARE = 2 / 3
NEW_RATE = 4.0
Parameters = Iterable[torch.nn.Parameter]


@dataclass(frozen=True)
class Fitted:
    """What training produced; `weights_sha256` covers the tensors, so equal models are told without their files.
    `kept_classes`: whose outputs are those of the weights that it started from.
    """

    weights_sha256: str
    epochs: int
    optimizer_steps: int
    loss: dict[str, float]
    kept_classes: list[str]


def fitted(
    data_yaml: Path,
    images: int,
    recipe: Recipe,
    start: Start,
    steps: int,
    make_network: Callable[[], torch.nn.Module],
    make_loss: Callable[[Any], Any] | None = None,
    new: Callable[[Any], Parameters] | None = None,
    **settings: Any,
) -> tuple[torch.nn.Module, dict[str, float]]:
    """Like `train`, as recipe and start ask for it; `settings` are more of ultralytics' own."""
    with tempfile.TemporaryDirectory(prefix="training-") as scratch:
        chosen: dict[str, Any] = {
            "data": str(data_yaml),
            "project": scratch,
            "epochs": recipe.epochs(images, steps),
            "imgsz": recipe.image_size,
            "batch": recipe.batch_size,
            "nbs": recipe.batch_size,  # the default accumulates 64 images for one optimiser step
            "lr0": starts.learning_rate(recipe, start),
            "seed": recipe.seed,
            **settings,
        }
        return train(chosen, recipe.classes, make_network, averaged=start.is_pretrained, make_loss=make_loss, new=new)


def train(
    settings: Mapping[str, Any],
    classes: tuple[str, ...],
    make_network: Callable[[], torch.nn.Module],
    averaged: bool = False,
    make_loss: Callable[[Any], Any] | None = None,
    new: Callable[[Any], Parameters] | None = None,
) -> tuple[torch.nn.Module, dict[str, float]]:
    """The trained network and its last losses. `make_network` is called once the seed is set.

    `averaged`: the learning rate stays where it is, and the network is the mean of those after each of the last two
    thirds of the steps (stochastic weight averaging: Izmailov et al. 2018, arXiv:1803.05407). A short training of
    weights that know much already gains from it; one that begins at random learns most while the rate falls.
    `make_loss` makes, of the network as it is trained, what is made small in the place of ultralytics' own loss; `new`
    tells which of its parameters know nothing while the others do, and learn NEW_RATE times as fast.
    The same settings, network and machine give the same numbers: seeds are fixed, kernels are deterministic.
    """
    trainer = _Trainer(overrides={**_ALWAYS, **({"lrf": 1.0} if averaged else {}), **settings})
    if averaged:
        trainer.add_callback("on_train_start", _average)
    if make_loss is not None:
        trainer.add_callback("on_train_start", lambda begun: setattr(begun.model, "criterion", make_loss(begun.model)))
    trainer.new = new
    trainer.data["names"] = dict(enumerate(classes))
    trainer.add_callback("on_fit_epoch_end", _report)
    network = make_network()
    trainer.model = network if trainer.device.type == "cuda" else network.to(memory_format=torch.channels_last)
    trainer.train()
    trained = trainer.ema.ema
    renew_statistics(trained, _batches(trainer))
    return trained, {str(name): round(float(value), 5) for name, value in trainer.tloss.items()}


def _average(trainer: DetectionTrainer) -> None:
    """ultralytics' moving average becomes the plain mean of what comes after the first steps."""
    steps = trainer.epochs * len(trainer.train_loader)
    before = round(steps * (1 - AVERAGED_SHARE))
    trainer.ema.decay = lambda step: 1 - 1 / (step - before) if step > before else 0.0


def renew_statistics(network: torch.nn.Module, batches: Iterator[torch.Tensor]) -> None:
    """Sets the means and variances of batch normalisation to those of the batches.

    They follow the training slowly (0.03 of each batch): after 40 steps 30 % of them are still those of the weights
    that the training began with.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    momentums = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean of all batches
    network.train()
    with torch.no_grad():
        for batch in batches:
            network(batch)
    network.eval()
    for layer, momentum in zip(layers, momentums, strict=True):
        layer.momentum = momentum


def _batches(trainer: "_Trainer") -> Iterator[torch.Tensor]:
    """Augmented ones, as in training; the last of a round may have too few pictures for a statistic."""
    endless = itertools.chain.from_iterable(itertools.repeat(trainer.train_loader))
    for batch in itertools.islice(endless, RENEWING_BATCHES):
        yield trainer.preprocess_batch(batch)["img"]


_ALWAYS = {
    "task": "detect",
    "model": "given.yaml",  # never opened: `train` is given the network
    "name": "run",
    "exist_ok": True,
    "optimizer": "AdamW",
    "lrf": 0.05,
    "warmup_epochs": 1,
    "mosaic": 0.0,
    "close_mosaic": 0,
    "scale": 0.2,
    "patience": 0,
    "deterministic": True,
    "amp": False,  # the check before mixed precision downloads a model
    "device": "0" if torch.cuda.is_available() else "cpu",
    "workers": min(8, processor.CORES),  # ultralytics uses none on a CPU
    "plots": False,
    "val": False,
    "save": False,
    "cache": False,
}


class _Trainer(DetectionTrainer):
    """Training only: how good the model is, is measured by our own code on our own judge images."""

    new: Callable[[Any], Parameters] | None = None

    def build_optimizer(self, model, *args, **kwargs):  # type: ignore[no-untyped-def]
        """ultralytics asks for AdamW's fused kernel on CUDA only; on a CPU one tensor after the other takes about 10 %
        of a step.
        """
        optimizer = super().build_optimizer(model, *args, **kwargs)
        if isinstance(optimizer, torch.optim.AdamW):
            for group in optimizer.param_groups:
                group.update(fused=True, foreach=None)
        if self.new is not None:
            _hasten(optimizer, self.new(model))
        return optimizer

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        if self.device.type == "cpu":
            batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def validate(self):  # type: ignore[no-untyped-def]
        return {}, 0.0

    def save_model(self) -> bool:
        return False

    def final_eval(self) -> None:
        return None


def _hasten(optimizer: torch.optim.Optimizer, parameters: Parameters) -> None:
    """Those of each group become a group of their own, with a higher rate."""
    chosen = set(map(id, parameters))
    for group in list(optimizer.param_groups):
        own = [each for each in group["params"] if id(each) in chosen]
        if own:
            group["params"] = [each for each in group["params"] if id(each) not in chosen]
            optimizer.add_param_group({**group, "params": own, "lr": group["lr"] * NEW_RATE})


def _autocast(enabled: bool | torch.dtype, device: str = "cuda") -> Any:
    """ultralytics knows mixed precision on CUDA only."""
    if device == "cpu":
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=processor.computes_in_bfloat16())
    return _of_ultralytics(enabled, device)


_of_ultralytics = ultralytics_trainer.autocast
ultralytics_trainer.autocast = _autocast


def _report(trainer: DetectionTrainer) -> None:
    """About twenty lines in the job's log, however long it is."""
    epoch = trainer.epoch + 1
    if epoch % max(1, trainer.epochs // 20) == 0 or epoch == trainer.epochs:
        losses = " ".join(f"{name}={float(value):.4f}" for name, value in trainer.tloss.items())
        print(f"epoch {epoch}/{trainer.epochs} {losses}", flush=True)
