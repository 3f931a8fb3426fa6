"""The files of a model: weights.pt and model.json in a folder, or both in the model.tar.gz that SageMaker made."""

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelloop import fields
from labelloop.errors import InvalidInputError

MODEL_FILES = ("weights.pt", "model.json")


@dataclass(frozen=True)
class ModelDescription:
    """model.json: what must be known of the weights before they are opened.

    `weights_sha256` is over the tensors, in the order of their names: equal for equal models, whatever packed them. It
    and `architecture` are empty for a model that was trained elsewhere and does not say.
    """

    classes: tuple[str, ...]
    image_size: int
    engine: str
    architecture: str
    weights_sha256: str

    @classmethod
    def read(cls, model_dir: Path) -> "ModelDescription":
        """Raises FileNotFoundError, or InvalidInputError naming the field."""
        path = model_dir / "model.json"
        record = fields.mapping(fields.parse_json(path.read_text("utf-8"), path.name), path.name, "(all)")
        classes = fields.sequence(record, "classes", path.name)
        return cls(
            classes=tuple(fields.text({"classes": name}, "classes", path.name) for name in classes),
            image_size=fields.integer(record, "image_size", path.name, minimum=32),
            engine=fields.text(record, "engine", path.name),
            architecture=fields.optional_text(record, "architecture", path.name) or "",
            weights_sha256=fields.optional_text(record, "weights-sha256", path.name) or "",
        )

    def write(self, model_dir: Path, facts: Mapping[str, Any]) -> None:
        record = {
            "classes": list(self.classes),
            "image_size": self.image_size,
            "engine": self.engine,
            "architecture": self.architecture,
            "weights-sha256": self.weights_sha256,
            **facts,
        }
        (model_dir / "model.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")

    @property
    def short_name(self) -> str:
        """Names the model in predictions where nobody gave it a version."""
        return self.weights_sha256[:12] or "unnamed"


def unpack_model(archive: Path, target: Path) -> None:
    """Takes the two model files out of a model.tar.gz, and nothing else whatever it holds."""
    try:
        with tarfile.open(archive) as tar:
            members = {Path(member.name).as_posix(): member for member in tar.getmembers() if member.isfile()}
            missing = [name for name in MODEL_FILES if name not in members]
            if missing:
                raise InvalidInputError(
                    f"{archive.name} lacks {' and '.join(missing)}: it is no model of this container"
                )
            for name in MODEL_FILES:
                source = tar.extractfile(members[name])
                assert source is not None, "isfile() was checked above"
                (target / name).write_bytes(source.read())
    except tarfile.TarError as error:
        raise InvalidInputError(f"{archive.name} is not a tar archive ({error})") from error
