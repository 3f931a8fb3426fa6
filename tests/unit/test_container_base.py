"""A training from base weights, for real: what the weights know is kept, and only the class outputs are new."""

import importlib
import importlib.util
import json
from dataclasses import replace

import pytest
from container_fixtures import draw_heads, write_training_job
from container_process import train
from dataset import YoloDataset
from labelloop.contracts.predictions import Prediction
from made_up_models import packed
from recipe import Recipe
from small_networks import described, old_model
from starts import Start

torch = pytest.importorskip("torch")
# Looked for, not imported: `libraries` sets what must be set before ultralytics is imported.
if importlib.util.find_spec("ultralytics") is None:
    pytest.skip("could not find 'ultralytics'", allow_module_level=True)
job, Fitted = importlib.import_module("train"), importlib.import_module("detector").Fitted
networks, trainer = importlib.import_module("networks"), importlib.import_module("trainer")
pytestmark = pytest.mark.yolo

KNOWN = (*(f"class {number}" for number in range(39)), "head")
SMALL = {"image-size": "64", "batch-size": "4", "base-steps": "2"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Of 40 classes: the class branch is wider than one of two asks for."""
    return old_model(tmp_path_factory.mktemp("base"), KNOWN)


def run(place, base, classes=("head", "hat"), **hyperparameters):
    given = {**SMALL, "classes": json.dumps(classes), **hyperparameters}
    write_training_job(place, {"train": 4, "judge": 2}, given)
    (place / "input/data/base").mkdir()
    files = {path.name: path.read_bytes() for path in base.iterdir()}
    (place / "input/data/base/model.tar.gz").write_bytes(packed(files))
    finished = train(place)
    assert finished.returncode == 0, finished.stderr
    return json.loads((place / "output/data/metrics.json").read_text())["train"]


def test_only_the_last_convolution_of_the_class_branch_is_new_and_of_a_known_class_not_even_that(base) -> None:
    source = networks.network(networks.read(base))
    made, kept = networks.taught(source, ("hat", "head"))
    assert kept == ["head"] and made.names == {0: "hat", 1: "head"}
    old, new = source.state_dict(), made.state_dict()
    assert old.keys() == new.keys()
    changed = {name for name in new if not torch.equal(new[name], old[name])}
    assert changed == {f"model.22.cv3.{scale}.2.{kind}" for scale in range(3) for kind in ("weight", "bias")}
    for name in changed:
        assert len(new[name]) == 2 and torch.equal(new[name][1], old[name][39])
    plain = networks.built({**source.yaml, "nc": 2})
    for name in changed:
        if name.endswith("bias"):
            assert torch.allclose(new[name][0], plain.state_dict()[name][0], rtol=0.01), "as ultralytics begins"


def test_what_was_taught_is_stored_and_read_and_taught_on(base, tmp_path) -> None:
    first, _ = networks.taught(networks.network(networks.read(base)), ("hat", "head"))
    networks.save(first, ("hat", "head"), tmp_path)
    again = networks.network(networks.read(described(tmp_path, ("hat", "head"))))
    assert all(
        torch.equal(a, b) for a, b in zip(again.half().state_dict().values(), first.state_dict().values(), strict=True)
    )
    more, kept = networks.taught(again.float(), ("head", "hat", "bag"))
    assert kept == ["head", "hat"] and more.model[-1].cv3[0][-1].in_channels == 40


def test_a_job_starts_from_base_weights_and_says_so(base, tmp_path) -> None:
    facts = run(tmp_path / "one", base)
    assert (facts["start"], facts["warm_start"], facts["steps"], facts["kept_classes"]) == ("base", True, 2, ["head"])
    described_now = json.loads((tmp_path / "one/model/model.json").read_text())
    assert described_now["architecture"] == f"of base weights {facts['base_weights']}"
    assert described_now["classes"] == ["head", "hat"]
    again = run(tmp_path / "other", base)
    assert again == facts
    one, other = ((tmp_path / name / "model/weights.safetensors").read_bytes() for name in ("one", "other"))
    assert one == other
    engine = importlib.import_module("detector").load(tmp_path / "one/model")
    assert len(engine.predict([draw_heads(1)[0]])) == 1


@pytest.mark.parametrize(("shift", "steps"), [(-8, 120), (8, 60)])
def test_far_from_the_base_weights_it_is_trained_anew_and_the_better_model_stays(shift, steps, tmp_path) -> None:
    """What the first sees is off by 8 pixels, what the longer one sees by `shift` pixels more."""
    write_training_job(tmp_path, {"train": 4, "judge": 2}, SMALL)
    channels = tmp_path / "input/data"
    judge = job.read_manifest(channels / "dataset/judge.jsonl")
    engine = Shifting(judge, {60: 8, 120: 8 + shift})
    start = Start("base", None, "", "0123")
    recipe = Recipe.from_hyperparameters({"classes": '["head"]'})
    dataset = YoloDataset(tmp_path, tuple(judge), ())
    made = job._Job("detector", engine, recipe, dataset, start, judge, channels / "images", tmp_path / "scores")
    facts, figures = made.train(tmp_path / "model")
    assert facts["steps"] == steps and (tmp_path / "model/steps").read_text() == str(steps)
    assert engine.load(tmp_path / "model").describe() == {"steps": steps}
    (left,) = {box.left - truth.boxes[0].left for box, truth in zip(boxes(tmp_path / "scores"), judge, strict=True)}
    assert left == {60: 8, 120: 8 + shift}[steps] and figures["images"] == 2


def boxes(scores):
    (file,) = scores.iterdir()
    return [Prediction.from_json(json.loads(line)).boxes[0] for line in file.read_text().splitlines()]


class Shifting:
    """An engine whose model sees the first true box of each judge image, faintly and so many pixels to the right."""

    batch_size = 8

    def __init__(self, judge, shifts, steps=0) -> None:
        self.judge, self.shifts, self.steps = judge, shifts, steps

    def fit(self, dataset, recipe, model_dir, start, steps):
        model_dir.mkdir(exist_ok=True)
        (model_dir / "steps").write_text(str(steps))
        return Fitted("0" * 64, 1, steps, {}, [])

    def load(self, model_dir):
        return Shifting(self.judge, self.shifts, int((model_dir / "steps").read_text()))

    def predict(self, images):
        moved = [replace(each.boxes[0], left=each.boxes[0].left + self.shifts[self.steps]) for each in self.judge]
        return [[replace(box, confidence=0.2)] for box in moved]

    def describe(self):
        return {"steps": self.steps}


def test_from_base_weights_the_mean_of_the_last_two_thirds_of_the_steps_is_the_model(
    base, tmp_path, monkeypatch
) -> None:
    write_training_job(tmp_path, {"train": 4, "judge": 2}, SMALL)
    channels = tmp_path / "input/data"
    train_images = job.read_manifest(channels / "dataset/train.jsonl")
    dataset = job.write_yolo_dataset(train_images, ("head",), channels / "images", tmp_path / "dataset")
    networks_seen, rates = [], []
    step = trainer._Trainer.optimizer_step

    def recorded(self) -> None:
        step(self)
        networks_seen.append({name: value.detach().clone() for name, value in self.model.named_parameters()})
        rates.append({group["lr"] for group in self.optimizer.param_groups})

    monkeypatch.setattr(trainer._Trainer, "optimizer_step", recorded)
    settings = {"data": str(dataset.data_yaml), "project": str(tmp_path / "scratch"), "epochs": 6, "imgsz": 64}
    settings |= {"batch": 4, "nbs": 4, "lr0": 0.001, "seed": 1}
    source = networks.network(networks.read(base))
    made, _ = trainer.train(settings, ("head",), lambda: networks.taught(source, ("head",))[0], averaged=True)
    assert len(networks_seen) == 6 and all(rate == {0.001} for rate in rates[2:])
    moved = 0
    for name, value in made.named_parameters():
        after = [network[name] for network in networks_seen[2:]]
        assert torch.allclose(value.cpu(), torch.stack(after).mean(0), atol=1e-5)
        moved += not torch.allclose(after[-1], after[0], atol=1e-5)
    assert moved > 10


def test_statistics_are_those_of_the_pictures_and_layers_go_on_as_they_were() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4, momentum=0.03)).eval()
    batches = [torch.rand(5, 3, 8, 8) + number for number in range(trainer.RENEWING_BATCHES)]
    with torch.no_grad():
        seen = [network[0](batch) for batch in batches]
    trainer.renew_statistics(network, iter(batches))
    layer = network[1]
    means = torch.stack([each.mean((0, 2, 3)) for each in seen]).mean(0)
    assert torch.allclose(layer.running_mean, means, atol=1e-5)
    assert (layer.momentum, int(layer.num_batches_tracked), network.training) == (0.03, 8, False)


def test_a_trained_model_has_the_statistics_of_eight_batches(base, tmp_path) -> None:
    run(tmp_path, base, **{"base-steps": "1"})
    tensors = networks.read(tmp_path / "model").tensors
    counts = {int.from_bytes(t.data, "little") for name, t in tensors.items() if name.endswith("num_batches_tracked")}
    assert counts == {trainer.RENEWING_BATCHES}
