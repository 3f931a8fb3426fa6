"""Which engine learns and looks: the module that ENGINE names, else that of what the job, or the model, is of."""

from pathlib import Path

import paths  # noqa: F401  first: makes labelloop importable
from labelloop.contracts.errors import InvalidInputError
from model_files import read_description
from recipe import Recipe

OURS = DETECTOR, POSE = ("detector", "pose")


def of_job(recipe: Recipe, named: str | None) -> str:
    """`named`: the environment's ENGINE, here and below."""
    return named or (POSE if recipe.skeleton else DETECTOR)


def of_model(model_dir: Path, named: str | None) -> str:
    """Raises InvalidInputError where the model names an engine that is not one of this container's: a model chooses
    between modules, and never imports one.
    """
    if named:
        return named
    engine = read_description(model_dir).engine
    if engine not in OURS:
        raise InvalidInputError(
            f"{model_dir} holds a model of the engine '{engine}', this container has {' and '.join(OURS)}: set ENGINE "
            "to the module that reads it"
        )
    return engine
