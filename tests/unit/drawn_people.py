"""Drawn people of three points for the engine of key points: a face with a red eye, a blue eye and a dark nose."""

import hashlib
import json
import random
from pathlib import Path

from container_fixtures import encoded, store_image
from dataset import YoloDataset
from label_files import facts, person_row
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import Skeleton
from PIL import Image, ImageDraw

# How far each point lies from the face's left and top, as shares of its width and height.
PLACES = {"left-eye": (0.7, 0.35), "right-eye": (0.3, 0.35), "nose": (0.5, 0.65)}
COLOURS = {"left-eye": (200, 20, 20), "right-eye": (20, 20, 200), "nose": (20, 20, 20)}
SKELETON = Skeleton(tuple(PLACES), (("left-eye", "right-eye"),), (), (0.1, 0.1, 0.1))
SIDE = 64


def face(left: int, top: int, side: int, visibilities: dict[str, str] | None = None) -> Person:
    points = []
    for name, (x, y) in PLACES.items():
        said = (visibilities or {}).get(name, "visible")
        is_placed = said in ("visible", "occluded")
        place = (left + x * side, top + y * side) if is_placed else (None, None)
        points.append(KeyPoint(name, *place, said))
    return Person(Box("person", left, top, side, side), tuple(points))


def picture(people: list[Person], side: int = SIDE) -> Image.Image:
    """Of a face with an occluded point only a dark shape is seen."""
    image = Image.new("RGB", (side, side), (90, 90, 90))
    draw = ImageDraw.Draw(image)
    for person in people:
        box = person.box
        is_hidden = any(point.visibility == "occluded" for point in person.points)
        sides = (box.left, box.top, box.left + box.width, box.top + box.height)
        draw.ellipse(sides, fill=(40, 70, 40) if is_hidden else (230, 190, 150))
        radius = box.width / 10
        for point in person.points:
            if point.x is not None and not is_hidden:
                place = (point.x - radius, point.y - radius, point.x + radius, point.y + radius)
                draw.ellipse(place, fill=COLOURS[point.label])
    return image


def scene(seed: int) -> list[Person]:
    """One or two faces, of which some show no point."""
    chance = random.Random(seed)
    sides = [chance.randint(26, 30) for _ in range(chance.randint(1, 2))]
    return [
        face(
            column * 32 + chance.randint(0, 32 - side),
            chance.randint(0, SIDE - side),
            side,
            dict.fromkeys(PLACES, chance.choice(("visible", "visible", "occluded"))),
        )
        for column, side in enumerate(sides)
    ]


def labelled(key: str, people: list[Person], data: bytes) -> Annotation:
    told = {"batch": "b", "sha256": hashlib.sha256(data).hexdigest()}
    reference = f"s3://bucket/{key}"
    return Annotation(reference, None, SIDE, SIDE, tuple(people), True, "2026-01-01", "drawn", told, task="key-points")


def write_people_job(base: Path, roles: dict[str, list[list[Person]]], hyperparameters: dict[str, str]) -> None:
    """The input folder of a training job with a drawn picture of each scene."""
    labels: dict[str, list[Annotation]] = {}
    for role, scenes in roles.items():
        labels[role] = []
        for number, people in enumerate(scenes):
            key, data = f"incoming/{role} {number}.png", encoded(picture(people), "PNG")
            store_image(base, key, data)
            labels[role].append(labelled(key, people, data))
    write_labels(base, labels, SKELETON, hyperparameters)


def write_labels(
    base: Path, roles: dict[str, list[Annotation]], skeleton: Skeleton, hyperparameters: dict[str, str]
) -> None:
    """The input folder of a training job, but for the images."""
    dataset = base / "input" / "data" / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    for role, labels in roles.items():
        lines = (label.to_line(skeleton.names) + "\n" for label in labels)
        (dataset / f"{role}.jsonl").write_text("".join(lines), "utf-8")
    given = {"classes": '["person"]', "key-points": json.dumps(skeleton.to_json()), **hyperparameters}
    configuration = base / "input" / "config" / "hyperparameters.json"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text(json.dumps(given), "utf-8")


def written(target: Path, scenes: list[list[Person]]) -> YoloDataset:
    """As dataset.write_yolo_dataset leaves it."""
    for folder in ("images", "labels"):
        (target / folder).mkdir(parents=True)
    for number, people in enumerate(scenes):
        picture(people).save(target / "images" / f"{number:07d}.png")
        rows = [person_row(person, 0, SIDE, SIDE) + "\n" for person in people]
        (target / "labels" / f"{number:07d}.txt").write_text("".join(rows))
    data = {"path": str(target), "train": "images", "val": "images", "names": ["class 0"], **facts(SKELETON)}
    (target / "data.yaml").write_text(json.dumps(data))
    return YoloDataset(target / "data.yaml", tuple(scenes), ())
