"""Adopt Model: a model from elsewhere becomes a version where it fits the stack."""

import json
import re
from pathlib import Path

import pytest
from handling import handle
from labelloop.contracts.errors import InvalidInputError
from labelloop.store import storage
from made_up_models import detector_checkpoint, model, safetensors
from made_up_stack import SETTINGS
from training_files import JOB, archive

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
REPOSITORY = Path(__file__).parents[2]


def test_a_model_of_other_classes_is_not_adopted() -> None:
    uri = archive("given", model(classes=["cat"]))
    with pytest.raises(InvalidInputError, match="sees the classes"):
        handle("adopt_model", model_uri=uri, job=JOB)


def test_an_adopted_model_becomes_the_first_version_and_accepts_nothing_yet() -> None:
    uri = archive("given", model())
    adopted = handle("adopt_model", model_uri=uri, job=JOB)
    assert adopted["model_version"].startswith("v000001-")
    thresholds = storage.read_json(storage.own_key(adopted["thresholds_uri"]))
    assert (thresholds["accept"], thresholds["policy"]) == (None, SETTINGS["ACCEPT_POLICY"])


def documented_description() -> dict:
    """The model.json that containers/yolo/README.md asks for."""
    section = (REPOSITORY / "containers/yolo/README.md").read_text().split("## A model from elsewhere")[1]
    return json.loads(re.search(r"`({[^`]*})`", section)[1])


def adopted_content(model_uri: str) -> str:
    """What tells the version's content; its number counts the versions."""
    return str(handle("adopt_model", model_uri=model_uri, job=JOB)["model_version"]).partition("-")[2]


def test_a_model_is_adopted_with_the_description_that_the_readme_asks_for(change_setting) -> None:
    described = documented_description()
    change_setting("CLASSES", ",".join(described["classes"]))
    weights = detector_checkpoint(names=tuple(described["classes"]))
    adopted = adopted_content(archive("given", {"model.json": json.dumps(described).encode(), "weights.pt": weights}))
    assert adopted == adopted_content(archive("told", model(**described)))
    others = {"weight": ("F16", (1,), b"\0\0")}
    untold = {**described, "weights-sha256": None}
    assert adopted != adopted_content(archive("other", model(safetensors(others), **untold)))


def test_a_model_without_weights_is_not_adopted() -> None:
    uri = archive("given", {"model.json": model()["model.json"]})
    with pytest.raises(InvalidInputError, match=r"lacks weights\.safetensors and architecture\.yaml"):
        handle("adopt_model", model_uri=uri, job=JOB)
