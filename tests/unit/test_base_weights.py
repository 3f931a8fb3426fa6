"""Base weights: read as data, stored once for each content in the container's own form, and handed to the job."""

import io
import json
from pathlib import Path

import pytest
from adopted_models import pt
from hostile_models import CALLS
from labelloop.contracts.errors import ChangedObjectError, InvalidInputError
from labelloop.engines import base_weights, model_archives, weights
from labelloop.engines.port import Training
from labelloop.store import storage
from made_up_models import Call, checkpoint, detection_model, detector_checkpoint, model, packed, tensors_sha256

pytestmark = pytest.mark.usefixtures("aws")
STOCK = Path(__file__).resolve().parents[3] / "shared" / "weights" / "yolov8n.pt"
ARCHITECTURE = {"nc": 2, "backbone": [[-1, 1, "Conv", [16, 3, 2]]]}


def stored(body: bytes, key: str = "mine/weights.pt") -> dict[str, bytes]:
    storage.write(key, body)
    (place,) = {base_weights.channel(key), base_weights.channel(storage.uri(key))}
    return model_archives.read(io.BytesIO(storage.read(storage.own_key(place))), place)


def test_without_the_parameter_there_are_none() -> None:
    assert base_weights.channel("") == ""


@pytest.mark.parametrize("wrap", [lambda body: body, pt], ids=["a checkpoint", "an archive with one"])
def test_a_checkpoint_becomes_the_three_files_of_the_container(wrap) -> None:
    files = stored(wrap(detector_checkpoint(architecture=ARCHITECTURE)))
    assert set(files) == set(model_archives.STORED)
    described = model_archives.describe(files, "base")
    assert described.classes == ("head", "bag") and described.engine == "detector"
    assert described.weights_sha256 == tensors_sha256() == weights.sha256(weights.read(files[weights.FILE], "w"))
    assert json.loads(files["architecture.yaml"]) == ARCHITECTURE


def test_a_model_of_the_container_stays_what_it_is_and_nothing_else_of_its_archive_is_kept() -> None:
    given = model()
    assert stored(packed({**given, "run.py": b"print()"}), "mine/model.tar.gz") == given


def test_one_content_is_stored_once_whatever_it_is_called() -> None:
    storage.write("a.pt", detector_checkpoint(architecture=ARCHITECTURE))
    storage.write("deep/b.pt", detector_checkpoint(architecture=ARCHITECTURE))
    first = base_weights.channel("a.pt")
    assert first == base_weights.channel("deep/b.pt") and first.endswith("/model.tar.gz")
    assert storage.own_key(first).startswith(base_weights.FOLDER)
    storage.write("a.pt", detector_checkpoint(names=("head", "hat"), architecture=ARCHITECTURE))
    assert base_weights.channel("a.pt") != first


def test_what_was_changed_where_it_is_stored_is_not_handed_on() -> None:
    storage.write("a.pt", detector_checkpoint(architecture=ARCHITECTURE))
    storage.write(storage.own_key(base_weights.channel("a.pt")), b"another")
    with pytest.raises(ChangedObjectError):
        base_weights.channel("a.pt")


@pytest.mark.parametrize("gadget", CALLS.values(), ids=CALLS)
def test_a_checkpoint_that_wants_to_run_something_is_refused(gadget) -> None:
    storage.write("a.pt", checkpoint({"model": gadget, "ema": None}))
    with pytest.raises(InvalidInputError):
        base_weights.channel("a.pt")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not a whole checkpoint"),
        (b"\x1f\x8b cut", "not a whole tar.gz"),
        (packed({"notes.txt": b"-"}), "lacks"),
        (detector_checkpoint(architecture=Call("torch Size")), "field 'yaml'"),
        (detector_checkpoint(architecture={"nc": float("nan")}), "not plain data"),
        (detector_checkpoint(architecture={"nc": "x" * 100_000}), "no detector has that"),
        (detector_checkpoint(names=("head", "\n"), architecture=ARCHITECTURE), "visible characters"),
        (checkpoint({"model": detection_model({}, (), {}), "ema": None}), "damaged"),
    ],
)
def test_what_is_no_detector_is_refused_with_its_name(body, said) -> None:
    storage.write("a.pt", body)
    with pytest.raises(InvalidInputError, match=said) as told:
        base_weights.channel("a.pt")
    assert "a.pt" in str(told.value)


def test_weights_that_are_not_there_or_not_in_the_bucket_say_what_to_do() -> None:
    with pytest.raises(InvalidInputError, match=r"BaseWeights names s3://.*nothing\.pt, which cannot be read"):
        base_weights.channel("nothing.pt")
    with pytest.raises(InvalidInputError, match="outside the data bucket"):
        base_weights.channel("s3://elsewhere/a.pt")


def test_a_training_gets_them_as_a_channel(fake_service, change_setting) -> None:
    from labelloop.engines import yolo

    storage.write("mine/yolov8n.pt", detector_checkpoint(architecture=ARCHITECTURE))
    change_setting("BASE_WEIGHTS", "mine/yolov8n.pt")
    sagemaker = fake_service("sagemaker", create_training_job={})
    yolo.train(Training("labelloop-train-1", "s3://data-bucket/d/", "s3://data-bucket/i", "", 100))
    (request,) = sagemaker.requests_of("create_training_job")
    channels = {each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in request["InputDataConfig"]}
    assert channels["base"]["S3Uri"] == base_weights.channel("mine/yolov8n.pt")
    asked = {name: request["HyperParameters"][name] for name in ("base-steps", "base-learning-rate", "start")}
    assert asked == {"base-steps": "0", "base-learning-rate": "0.001", "start": "base"}


@pytest.mark.skipif(not STOCK.exists(), reason=f"{STOCK} is not there")
def test_stock_weights_are_converted() -> None:
    files = stored(STOCK.read_bytes())
    described = model_archives.describe(files, "base")
    assert len(described.classes) == 80 and "person" in described.classes
    assert json.loads(files["architecture.yaml"])["width_multiple"] == 0.25
