"""The training job and its model, for real: a tiny detector learns drawn heads, and the server then finds them."""

import hashlib
import importlib.util
import json
import signal
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from container_fixtures import draw_heads, encoded, manifest_record, store_image, write_manifest, write_training_job
from container_process import CONTAINER, environment, serving, train, until
from fake_s3 import fake_s3
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, parse_lines
from labelloop.tasks.quality import iou, map50, match_boxes
from PIL import Image

pytest.importorskip("torch")
# Looked for, not imported: `detector` sets what must be set before ultralytics is imported.
if importlib.util.find_spec("ultralytics") is None:
    pytest.skip("could not find 'ultralytics'", allow_module_level=True)
pytestmark = pytest.mark.yolo

SMALL = {"image-size": "160", "batch-size": "8", "learning-rate": "0.004"}


def pack_model(base: Path, target: Path) -> None:
    """What SageMaker does with model/ at the end of a job."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:gz") as tar:
        for path in (base / "model").iterdir():
            tar.add(path, path.name)


def read_predictions(path: Path) -> list[Prediction]:
    return [Prediction.from_json(record) for record in parse_lines(path.read_text("utf-8"), path.name)]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A finished job of 120 steps; two of its images are unusable, one shows nothing, one is 16-bit TIFF."""
    base = tmp_path_factory.mktemp("learned")
    write_training_job(base, {"train": 32, "judge": 10}, {**SMALL, "steps": "120"})
    manifest = base / "input" / "data" / "dataset" / "train.jsonl"
    records = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
    store_image(base, records[0]["source-ref"].removeprefix("s3://bucket/"), b"overwritten")
    (base / "input/data/images" / records[1]["source-ref"].removeprefix("s3://bucket/")).unlink()
    empty, _ = draw_heads(900, heads=0)
    store_image(base, "empty.png", encoded(empty, "PNG"))
    deep = draw_heads(901)[0].convert("L").convert("I").point(lambda value: value * 200).convert("I;16")
    store_image(base, "deep.tif", encoded(deep, "TIFF"))
    records.append(manifest_record("empty.png", encoded(empty, "PNG"), empty.size, []))
    records.append(manifest_record("deep.tif", encoded(deep, "TIFF"), deep.size, draw_heads(901)[1]))
    write_manifest(manifest, records)
    finished = train(base)
    assert finished.returncode == 0, finished.stderr
    return base, finished.stdout


def test_the_job_writes_model_metrics_and_scores(learned):
    base, output = learned
    metrics = json.loads((base / "output/data/metrics.json").read_text())
    assert metrics["judge"]["champion"] is None
    assert metrics["judge"]["challenger"]["images"] == 10
    assert metrics["judge"]["challenger"]["map50"] > 0.8
    assert 0 < metrics["judge"]["challenger"]["map50_95"] < metrics["judge"]["challenger"]["map50"] <= 1
    train_facts = metrics["train"]
    assert (train_facts["images"], train_facts["background_images"], train_facts["skipped_images"]) == (32, 1, 2)
    assert (train_facts["steps"], train_facts["warm_start"]) == (120, False)
    assert f"judge_mAP50={metrics['judge']['challenger']['map50']:.4f}\n" in output
    assert output.count("warning: skipped") == 2
    model = json.loads((base / "model/model.json").read_text())
    assert (model["classes"], model["image_size"], model["engine"]) == (["head"], 160, "detector")


def test_the_figures_are_those_of_the_written_predictions(learned):
    base, _ = learned
    predictions = read_predictions(base / "output/data/scores/challenger-judge.jsonl")
    metrics = json.loads((base / "output/data/metrics.json").read_text())
    from dataset import read_manifest

    truths = read_manifest(base / "input/data/dataset/judge.jsonl")
    assert [prediction.source_ref for prediction in predictions] == [truth.source_ref for truth in truths]
    assert map50(predictions, truths) == metrics["judge"]["challenger"]["map50"]
    for prediction in predictions:
        confidences = [box.confidence for box in prediction.boxes]
        assert confidences == sorted(confidences, reverse=True) and all(c >= 0.05 for c in confidences)
        for box in prediction.boxes:
            assert box.left >= 0 and box.top >= 0 and box.width > 0 and box.height > 0
            assert box.left + box.width <= 160.001 and box.top + box.height <= 160.001


def test_the_same_job_gives_the_same_bytes_and_a_champion_is_gone_on_from(learned, tmp_path):
    jobs = [tmp_path / name for name in ("one", "other", "warm")]
    for base in jobs:
        write_training_job(base, {"train": 8, "judge": 10}, {**SMALL, "steps": "3", "warm-steps": "2"})
    pack_model(learned[0], jobs[2] / "input/data/champion/model.tar.gz")
    with ThreadPoolExecutor() as pool:
        for finished in pool.map(train, jobs):
            assert finished.returncode == 0, finished.stderr
    one, other, warm = ((base / "model/weights.safetensors").read_bytes() for base in jobs)
    assert hashlib.sha256(one).hexdigest() == hashlib.sha256(other).hexdigest()
    metrics = [json.loads((base / "output/data/metrics.json").read_text()) for base in jobs]
    cold_figures, warm_figures = metrics[0]["judge"], metrics[2]["judge"]
    assert metrics[2]["train"]["warm_start"] and metrics[2]["train"]["steps"] == 2
    assert warm != (learned[0] / "model/weights.safetensors").read_bytes()
    assert warm_figures["challenger"]["map50"] > 0.5 > cold_figures["challenger"]["map50"], "the weights were kept"
    assert warm_figures["champion"]["map50"] > 0.5 and cold_figures["champion"] is None
    assert (jobs[2] / "output/data/scores/champion-judge.jsonl").exists()


def test_a_job_that_cannot_be_done_says_why(tmp_path):
    write_training_job(tmp_path, {"train": 1}, SMALL)
    image = next(path for path in (tmp_path / "input/data/images").rglob("*") if path.is_file())
    image.write_bytes(b"overwritten")
    finished = train(tmp_path)
    assert finished.returncode == 1
    failure = (tmp_path / "output/failure").read_text("utf-8")
    assert "none of the 1 images of train.jsonl can be used" in failure and "not-an-image" in failure
    assert not (tmp_path / "model").exists()


def test_a_stopped_job_ends_promptly_and_is_no_failure(tmp_path):
    write_training_job(tmp_path, {"train": 8}, {**SMALL, "steps": "400"})
    command = [sys.executable, str(CONTAINER / "entrypoint.py"), "train"]
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment(tmp_path), stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: "epoch " in log.read_text(), 120)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    finally:
        process.kill()
        process.wait()
    assert not (tmp_path / "output/failure").exists()


@pytest.mark.fault("J01")
def test_what_is_stored_is_safetensors_and_yaml_and_makes_a_plain_ultralytics_model(learned):
    import detector  # noqa: F401
    import yaml
    from ultralytics.nn.tasks import DetectionModel

    folder = learned[0] / "model"
    assert sorted(path.name for path in folder.iterdir()) == ["architecture.yaml", "model.json", "weights.safetensors"]
    from labelloop.engines import weights

    tensors = weights.read((folder / "weights.safetensors").read_bytes(), "weights")
    architecture = yaml.safe_load((folder / "architecture.yaml").read_text())
    plain = DetectionModel(architecture, verbose=False).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in plain.items()} == {n: t.shape for n, t in tensors.items()}
    assert json.loads((folder / "model.json").read_text())["weights-sha256"] == weights.sha256(tensors)


def test_boxes_do_not_depend_on_neighbours_and_follow_the_picture(learned):
    import detector

    engine = detector.load(learned[0] / "model")
    image, _ = draw_heads(70)
    wide = Image.new("RGB", (320, 160), (70, 70, 70))
    wide.paste(image, (160, 0))
    large = image.resize((480, 480))
    alone = [engine.predict([picture])[0] for picture in (image, wide, large)]
    together = engine.predict([image, wide, large, image])
    for single, joint in zip(alone, together, strict=False):
        assert [box.label for box in single] == [box.label for box in joint]
        for one, other in zip(single, joint, strict=True):
            assert iou(one, other) > 0.999 and abs(one.confidence - other.confidence) < 1e-4
    best, scaled = (max(boxes, key=lambda box: box.confidence) for boxes in (alone[0], alone[2]))
    assert iou(Box("head", best.left * 3, best.top * 3, best.width * 3, best.height * 3), scaled) > 0.9


def test_the_trained_model_serves(learned):
    base, _ = learned
    pictures = [draw_heads(seed) for seed in (70, 71, 72)]
    with fake_s3() as store, serving(base, base / "serve.log", AWS_ENDPOINT_URL=store.address) as server:
        for index, (image, _) in enumerate(pictures):
            store.objects[f"{index}.png"] = encoded(image, "PNG")
        store.objects.update({"cut.jpg": encoded(pictures[0][0])[:1500], "text.jpg": b"text", "empty.jpg": b""})
        until(lambda: server.ping() == 200, 120)
        status, body = server.shard("0.png", "cut.jpg", "1.png", "text.jpg", "2.png", "empty.jpg")
    assert status == 200, body
    records = [Prediction.from_json(json.loads(line)) for line in body.splitlines()]
    assert [record.reason for record in records] == [None, "truncated", None, "not-an-image", None, "empty"]
    for record, (_, boxes) in zip(records[::2], pictures, strict=True):
        matched = match_boxes(record.boxes[: len(boxes)], [Box("head", *box) for box in boxes])
        assert len(matched) == len(boxes) and all(overlap > 0.6 for overlap, _, _ in matched)
