"""The engine of people's key points: two networks of one architecture, which look at the same pixels.

The main one learned all points that have a place, and places them. The additional one learned the visible points alone:
where it sees a point, too, the point is visible. It looks only at pictures in which the main one saw some point. Who is
whom is told by the overlap of their boxes.

Offers what detector.py offers; `weights.safetensors` holds both, under the names of PARTS.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import architectures
import inference  # first: sets what torch and ultralytics read
import label_files
import networks
import people_loss
import torch
import trainer
from dataset import YoloDataset
from engine_choice import DETECTOR, POSE
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import PRESETS, Skeleton
from labelloop.engines import model_descriptions
from model_files import Model, read_description, write_weights
from people_matching import joined, within_view
from PIL import Image
from recipe import Recipe
from starts import Start
from trainer import Fitted
from ultralytics.utils import ops

COCO = PRESETS["coco-17"].names
PARTS = MAIN, ADDITIONAL = ("main", "additional")
# How much the losses of places (pose) and of confidences (kobj) count beside those of boxes; 12 and 1 are ultralytics'
# own. With a kobj of 1 the additional network tells visible from occluded as chance does, and where places count less
# it tells it better: they are the main network's (measured: docs/decisions.md, 2026-11-28).
GAINS = {MAIN: {"pose": 12.0, "kobj": 1.0}, ADDITIONAL: {"pose": 1.0, "kobj": 15.0}}
# Of the main network's. The additional one goes on from the main one, and has only to learn what is hidden.
ADDITIONAL_STEPS = 0.5


class PoseEngine:
    """One loaded model. Not safe for concurrent use."""

    def __init__(self, model: Model, skeleton: Skeleton, image_size: int) -> None:
        self.machine = inference.machine()
        self.batch_size = self.machine.batch_size
        self.image_size = image_size
        self.skeleton = skeleton
        self.main, self.additional = (
            inference.ready(networks.network(part), self.machine) for part in parts(model, skeleton)
        )

    @torch.inference_mode()
    def predict(self, images: Sequence[Image.Image]) -> list[list[SeenPerson]]:
        """People in pixels of each RGB image, from a confidence of 0.05 of their box on, in no promised order."""
        people: list[list[SeenPerson]] = [[] for _ in images]
        for indices, pixels in inference.batches(images, self.image_size, self.batch_size):
            shape = pixels.shape[1:3]
            seen = inference.looked(self.main, pixels, self.machine)
            found = [self._placed(rows, shape, images[index]) for index, rows in zip(indices, seen, strict=True)]
            asked = [place for place, those in enumerate(found) if any(map(is_somewhere, those))]
            again = inference.looked(self.additional, pixels[asked], self.machine) if asked else []
            for place, rows in zip(asked, again, strict=True):
                found[place] = joined(found[place], self._people(rows, shape, images[indices[place]]))
            for index, those in zip(indices, found, strict=True):
                people[index] = those
        return people

    def describe(self) -> dict[str, object]:
        return {
            **self.machine.describe(),
            "classes": [self.main.names[index] for index in sorted(self.main.names)],
            "key-points": list(self.skeleton.names),
        }

    def _placed(self, rows: torch.Tensor, letterboxed: tuple[int, ...], image: Image.Image) -> list[SeenPerson]:
        """The main network's people."""
        return [within_view(person, *image.size) for person in self._people(rows, letterboxed, image)]

    def _people(self, rows: torch.Tensor, letterboxed: tuple[int, ...], image: Image.Image) -> list[SeenPerson]:
        """Each with the network's own confidences as main ones, and none of another's."""
        boxes, points = rows[:, :6], rows[:, 6:].reshape(len(rows), len(self.skeleton.names), 3)
        ops.scale_boxes(letterboxed, boxes[:, :4], (image.height, image.width))
        ops.scale_coords(letterboxed, points, (image.height, image.width))
        return [
            SeenPerson(
                Box(self.main.names[int(label)], left, top, right - left, bottom - top, confidence),
                tuple(
                    SeenPoint(name, x, y, sure, 0.0) for name, (x, y, sure) in zip(self.skeleton.names, of, strict=True)
                ),
            )
            for (left, top, right, bottom, confidence, label), of in zip(
                boxes.float().cpu().tolist(), points.float().cpu().tolist(), strict=True
            )
        ]


def load(model_dir: Path, image_size: int | None = None) -> PoseEngine:
    """At the size the model was trained at, unless another is given.

    Raises InvalidInputError where one of the model's files is missing or not what it must be.
    """
    model = networks.read(model_dir, POSE)
    return PoseEngine(model, _skeleton(model, model_dir), image_size or model.description.image_size)


def fit(dataset: YoloDataset, recipe: Recipe, model_dir: Path, start: Start, steps: int) -> Fitted:
    """Trains the main network for about so many optimiser steps, in whole rounds over the images, and the additional
    one for half of them; writes the weights of both and their architecture.

    The same dataset, recipe, start and machine give the same bytes: seeds are fixed, kernels are deterministic.
    """
    images = len(dataset.images)
    with tempfile.TemporaryDirectory(prefix="visible-", dir=dataset.data_yaml.parent) as scratch:
        visible = label_files.visible_only(dataset.data_yaml, Path(scratch) / "dataset")
        main, main_loss, kept = _trained(MAIN, dataset.data_yaml, images, recipe, start, steps)
        fewer = max(1, round(steps * ADDITIONAL_STEPS))
        additional, additional_loss, _ = _trained(ADDITIONAL, visible, images, recipe, start, fewer, main)
    tensors = {
        f"{part}.{name}": tensor
        for part, network in ((MAIN, main), (ADDITIONAL, additional))
        for name, tensor in networks.tensors(network).items()
    }
    sha256 = write_weights(model_dir, architectures.checked(main.yaml, recipe.classes), tensors)
    epochs = recipe.epochs(images, steps)
    return Fitted(sha256, epochs, epochs * recipe.batches(images), {**main_loss, **additional_loss}, kept)


def parts(model: Model, skeleton: Skeleton) -> list[Model]:
    """The main network and the additional one, each as a model of its own.

    Raises InvalidInputError for weights of neither, and for another number of key points than the skeleton has.
    """
    found = architectures.checked(model.architecture, model.description.classes).get(architectures.POINTS)
    if found != [len(skeleton.names), 3]:
        raise InvalidInputError(
            f"{architectures.NAME}: field '{architectures.POINTS}' is {found}, and the skeleton in "
            f"{model_descriptions.FILE} has {len(skeleton.names)} points: take both from one training"
        )
    strangers = [name for name in model.tensors if name.partition(".")[0] not in PARTS]
    if strangers:
        raise InvalidInputError(f"the weights '{strangers[0][:100]}' are of neither network ({', '.join(PARTS)})")
    return [
        replace(
            model,
            tensors={
                name.removeprefix(f"{part}."): tensor
                for name, tensor in model.tensors.items()
                if name.startswith(f"{part}.")
            },
        )
        for part in PARTS
    ]


def is_somewhere(person: SeenPerson) -> bool:
    return any(point.main >= inference.CONFIDENCE_FLOOR for point in person.points)


def _trained(
    part: str, data_yaml: Path, images: int, recipe: Recipe, start: Start, steps: int, main: Any = None
) -> tuple[Any, dict[str, float], list[str]]:
    """The network, its last losses, and the classes whose outputs are those of the weights that it started from.
    `main`: the network that the additional one goes on from, where there is no earlier one of its own.
    """
    skeleton = _asked(recipe)
    source, same_points = _beginning(part, start, skeleton, main)
    kept: list[str] = []

    def network() -> Any:
        if source is None:
            return networks.built(architectures.with_points(networks.chosen(recipe), len(skeleton.names)))
        made, kept[:] = networks.taught(source, recipe.classes, len(skeleton.names), same_points)
        return made

    print(f"training the {part} network", flush=True)
    new = None if source is None or same_points else networks.point_parameters
    loss, settings = people_loss.of(skeleton.sigmas), {"task": "pose", **GAINS[part]}
    trained, last = trainer.fitted(
        data_yaml, images, recipe, start, steps, network, make_loss=loss, new=new, **settings
    )
    return trained, {f"{part} {name}": value for name, value in last.items()}, kept


def _beginning(part: str, start: Start, skeleton: Skeleton, main: Any) -> tuple[Any, bool]:
    """The network that a training goes on from, None for random weights, and whether its points are the same."""
    if start.folder is not None and (main is None or read_description(start.folder).engine == POSE):
        return _source(part, start.folder, skeleton)
    return main, True


def _source(part: str, folder: Path, skeleton: Skeleton) -> tuple[Any, bool]:
    """The part of the same name of a model of key points, or one of ultralytics' own: a detector, or a network of key
    points, which does not name them; 17 are COCO's. Also whether its points are the same.
    """
    if read_description(folder).engine == POSE:
        model = networks.read(folder, POSE)
        known = _skeleton(model, folder)
        return networks.network(parts(model, known)[PARTS.index(part)]), known.names == skeleton.names
    network = networks.network(networks.read(folder, DETECTOR))
    return network, network.yaml.get(architectures.POINTS) == [len(COCO), 3] and skeleton.names == COCO


def _asked(recipe: Recipe) -> Skeleton:
    if recipe.skeleton is None:
        raise InvalidInputError("hyperparameter 'key-points' is missing: give the skeleton of the people in the images")
    return recipe.skeleton


def _skeleton(model: Model, model_dir: Path) -> Skeleton:
    if model.description.skeleton is None:
        raise InvalidInputError(f"{model_dir / model_descriptions.FILE}: field 'skeleton' is missing: name the points")
    return model.description.skeleton
