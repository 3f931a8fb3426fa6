"""Container images the embedded AWS can run, and the commands that stand for them: there is no Docker here.

Every image whose repository name ends with `labelloop-yolo` runs `containers/yolo/{train,serve}.py`. More images come
from LABELLOOP_IMAGES: JSON text, or the path of a JSON file, of the form

    {"<repository name pattern>": {"train": ["{python}", "x.py"], "serve": [...], "environment": {"ENGINE": "..."}}}

`{python}` is the containers' interpreter and `{repo}` the repository root; tag and registry of an image are ignored.
Patterns are those of fnmatch; entries of LABELLOOP_IMAGES are asked first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_IMAGE = re.compile(
    r"^(?:(?P<account>\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/)?(?P<name>[^@:]+)(?:[:@].+)?$"
)


@dataclass(frozen=True)
class ContainerImage:
    pattern: str
    commands: Mapping[str, tuple[str, ...]]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageRegistry:
    images: tuple[ContainerImage, ...]

    def find(self, uri: str, role: str) -> ContainerImage | None:
        """The image of a URI if it can play the role, "train" or "serve"."""
        match = _IMAGE.match(uri)
        name = match.group("name") if match else uri
        for image in self.images:
            if fnmatchcase(name, image.pattern) and role in image.commands:
                return image
        return None


def repository_name(uri: str) -> str:
    match = _IMAGE.match(uri)
    return match.group("name") if match else uri


def load_registry(repo_root: Path, python: Path, setting: str | None) -> ImageRegistry:
    """The built-in image and those of LABELLOOP_IMAGES. Raises ValueError when the setting is malformed."""
    yolo = repo_root / "containers" / "yolo"
    commands = {role: (str(python), str(yolo / f"{role}.py")) for role in ("train", "serve")}
    extra = _extra_images(setting, {"{python}": str(python), "{repo}": str(repo_root)}) if setting else ()
    return ImageRegistry((*extra, ContainerImage("*labelloop-yolo", commands)))


def _extra_images(setting: str, places: Mapping[str, str]) -> tuple[ContainerImage, ...]:
    text = setting if setting.lstrip().startswith("{") else Path(setting).read_text(encoding="utf-8")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("LABELLOOP_IMAGES is a JSON object: repository name pattern -> commands")
    return tuple(_extra_image(pattern, entry, places) for pattern, entry in document.items())


def _extra_image(pattern: str, entry: Any, places: Mapping[str, str]) -> ContainerImage:
    if not isinstance(entry, dict) or not set(entry) <= {"train", "serve", "environment"}:
        raise ValueError(f"LABELLOOP_IMAGES[{pattern!r}] has only train, serve and environment")
    commands = {
        role: tuple(_fill(word, places) for word in entry[role]) for role in ("train", "serve") if role in entry
    }
    return ContainerImage(
        pattern, commands, {k: _fill(str(v), places) for k, v in entry.get("environment", {}).items()}
    )


def _fill(word: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word
