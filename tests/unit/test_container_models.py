"""What the container makes of a model's files, old and new: the same network as ever."""

import importlib.util
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from container_fixtures import draw_heads, write_training_job
from container_process import serving, train, until
from fake_s3 import fake_s3
from labelloop.contracts.records import Box
from made_up_models import packed
from small_networks import HEAD, described, old_model, stored_now

torch = pytest.importorskip("torch")
# Looked for, not imported: `detector` sets what must be set before ultralytics is imported.
if importlib.util.find_spec("ultralytics") is None:
    pytest.skip("could not find 'ultralytics'", allow_module_level=True)
detector = importlib.import_module("detector")
tasks = importlib.import_module("ultralytics.nn.tasks")

pytestmark = pytest.mark.yolo
STOCK = Path(__file__).resolve().parents[3] / "shared" / "weights" / "yolov8n.pt"


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return old_model(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def new(old, tmp_path_factory):
    return stored_now(old, tmp_path_factory.mktemp("new"))


def seen(engine) -> list[list[Box]]:
    return engine.predict([draw_heads(number)[0] for number in range(3)])


def as_before(weights: Path, classes) -> Any:
    """What an engine was in version 0.1: the unpickled network."""
    network, _ = tasks.load_checkpoint(weights, fuse=True)
    engine = detector.load(described(weights.parent, classes))
    engine.model = network.float()
    return engine


def test_old_and_new_files_of_a_model_see_what_the_unpickled_network_saw(old, new):
    expected = seen(as_before(old / "weights.pt", HEAD))
    assert sum(map(len, expected)) > 10
    assert seen(detector.load(old)) == seen(detector.load(new)) == expected


@pytest.mark.skipif(not STOCK.exists(), reason=f"{STOCK} is not there")
def test_the_stock_weights_see_what_they_saw(tmp_path):
    shutil.copy(STOCK, tmp_path / "weights.pt")
    network, _ = tasks.load_checkpoint(tmp_path / "weights.pt", fuse=True)
    classes = [network.names[number] for number in range(80)]
    expected = seen(as_before(tmp_path / "weights.pt", classes))
    assert seen(detector.load(described(tmp_path, classes))) == expected


@pytest.mark.parametrize(
    "name", ["yolo11n.yaml", "yolo12n.yaml", "yolo26n.yaml", "yolov10n.yaml", "yolov9t.yaml", "yolov6n.yaml"]
)
def test_other_stock_architectures_are_read_and_see_the_same(name, tmp_path):
    torch.manual_seed(1)
    network = tasks.DetectionModel(name, nc=2, verbose=False).eval()
    network.names, network.args = {0: "head", 1: "bag"}, {}
    torch.save({"model": network.half(), "epoch": -1}, tmp_path / "weights.pt")
    expected = seen(as_before(tmp_path / "weights.pt", ("head", "bag")))
    assert seen(detector.load(tmp_path)) == expected


@pytest.mark.parametrize("name", ["old", "new"])
def test_a_folder_that_cannot_be_written_serves(name, request, tmp_path):
    """SageMaker unpacks the archive itself, and may mount it read-only."""
    base = tmp_path / "base"
    shutil.copytree(request.getfixturevalue(name), base / "model")
    before = sorted(path.name for path in (base / "model").iterdir())
    for path in (*(base / "model").iterdir(), base / "model"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with fake_s3() as store, serving(base, tmp_path / "log", AWS_ENDPOINT_URL=store.address) as server:
        picture = io.BytesIO()
        draw_heads(1)[0].save(picture, "PNG")
        store.objects["1.png"] = picture.getvalue()
        until(lambda: server.ping() == 200, 120)
        status, body = server.shard("1.png")
    assert status == 200 and json.loads(body)["status"] == "ok"
    (base / "model").chmod(0o755)
    assert sorted(path.name for path in (base / "model").iterdir()) == before


def test_an_old_champion_is_scored_and_gone_on_from(old, tmp_path):
    write_training_job(tmp_path, {"train": 4, "judge": 2}, {"image-size": "64", "warm-steps": "1"})
    files = {path.name: path.read_bytes() for path in old.iterdir()}
    (tmp_path / "input/data/champion").mkdir()
    (tmp_path / "input/data/champion/model.tar.gz").write_bytes(packed(files))
    finished = train(tmp_path)
    assert finished.returncode == 0, finished.stderr
    metrics = json.loads((tmp_path / "output/data/metrics.json").read_text())
    assert metrics["train"]["warm_start"] and metrics["judge"]["champion"]["images"] == 2
    assert (tmp_path / "output/data/scores/champion-judge.jsonl").read_text().count("\n") == 2
    assert not (tmp_path / "model/weights.pt").exists()
