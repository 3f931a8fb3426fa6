"""The files of a model in a folder, read and verified: what an engine builds its network of.

weights.safetensors, architecture.yaml, model.json     what is written, and all that an engine ever loads
weights.pt, model.json                                 read as data and brought into the same form, here and only here
"""

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paths  # noqa: F401  first: makes labelloop importable
import yaml
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import checkpoints, model_archives, model_descriptions, weights
from labelloop.engines.model_descriptions import ModelDescription
from labelloop.engines.weights import Tensor

DEEPEST_YAML = 10


@dataclass(frozen=True)
class Model:
    """`tensors` are those of the hash in model.json; `architecture` is plain data, which the engine has to check."""

    description: ModelDescription
    architecture: Any
    tensors: dict[str, Tensor]


def read_model(model_dir: Path) -> Model:
    """Raises InvalidInputError naming file and field, where one is missing or not what it must be."""
    present = [name for name in model_archives.MOST_BYTES if (model_dir / name).exists()]
    model_archives.check_complete(present, str(model_dir))
    described = read_description(model_dir)
    if model_archives.is_old(present):
        checkpoint = model_archives.converted(_content(model_dir, checkpoints.FILE), described, checkpoints.FILE)
        tensors, architecture = checkpoint.tensors, checkpoint.architecture
    else:
        tensors = weights.read(_content(model_dir, weights.FILE), weights.FILE)
        architecture = _yaml(_content(model_dir, model_archives.ARCHITECTURE), model_archives.ARCHITECTURE)
    return Model(model_archives.verified(described, tensors, str(model_dir)), architecture, tensors)


def read_description(model_dir: Path) -> ModelDescription:
    """model.json alone. Raises InvalidInputError naming the field."""
    name = model_descriptions.FILE
    return model_archives.description({name: _content(model_dir, name)}, str(model_dir))


def write_weights(model_dir: Path, architecture: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Writes weights.safetensors and architecture.yaml; returns the tensors' SHA-256."""
    model_dir.mkdir(parents=True, exist_ok=True)
    (model_dir / weights.FILE).write_bytes(weights.pack(tensors))
    text = yaml.safe_dump(dict(architecture), default_flow_style=None, sort_keys=False, width=120)
    (model_dir / model_archives.ARCHITECTURE).write_text(text, "utf-8")
    return weights.sha256(tensors)


def write_description(model_dir: Path, description: ModelDescription, facts: Mapping[str, Any]) -> None:
    text = json.dumps(description.to_json(facts), indent=2, ensure_ascii=False) + "\n"
    (model_dir / model_descriptions.FILE).write_text(text, "utf-8")


def unpack_model(archive: Path, target: Path) -> None:
    """Takes a model's files out of a model.tar.gz, and nothing else whatever it holds. Raises InvalidInputError."""
    with archive.open("rb") as packed:
        for name, content in model_archives.read(packed, archive.name).items():
            (target / name).write_bytes(content)


def _content(model_dir: Path, name: str) -> bytes:
    """A file of bounded size. Where SageMaker unpacked the archive, it may be anything that a tar can hold."""
    path, most = model_dir / name, model_archives.MOST_BYTES[name]
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise InvalidInputError(
                f"{path} is not a file of at most {most} bytes, but one of {found.st_size}: no model's"
            )
        with path.open("rb") as content:
            return content.read(most)
    except FileNotFoundError:
        raise InvalidInputError(f"{model_dir} lacks {name}: it holds no model of this container") from None


def _yaml(text: bytes, name: str) -> Any:
    """Plain data: safe YAML without references, of which a few bytes could stand for gigabytes, and of no great depth,
    whose square the parser takes in time.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise InvalidInputError(f"{name} has references (*name): write out what they stand for")
            if depth > DEEPEST_YAML:
                raise InvalidInputError(f"{name} is nested deeper than {DEEPEST_YAML} levels: no architecture is")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError, TypeError) as error:
        raise InvalidInputError(f"{name} is not plain YAML: {' '.join(str(error).split())[:300]}") from None
