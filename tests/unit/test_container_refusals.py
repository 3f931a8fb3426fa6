"""What the container refuses of a model's files: it tells why, and nothing that they ask for runs."""

import http.server
import importlib.util
import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
from container_process import serving
from fake_s3 import fake_s3
from hostile_models import CALLS, FIELDS, PROGRAMS
from labelloop.contracts.errors import InvalidInputError
from made_up_models import Call, checkpoint, description, detector_checkpoint, safetensors
from small_networks import described, old_model, stored_now

torch = pytest.importorskip("torch")
# Looked for, not imported: `detector` sets what must be set before ultralytics is imported.
if importlib.util.find_spec("ultralytics") is None:
    pytest.skip("could not find 'ultralytics'", allow_module_level=True)
detector = importlib.import_module("detector")
tasks = importlib.import_module("ultralytics.nn.tasks")

pytestmark = pytest.mark.yolo


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return old_model(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def new(old, tmp_path_factory):
    return stored_now(old, tmp_path_factory.mktemp("new"))


def loading(folder: Path) -> str:
    with pytest.raises(InvalidInputError) as refusal:
        detector.load(folder)
    return str(refusal.value)


class Addresses(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def teacher():
    """An address that somebody else's weights may name; `asked` tells who came."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Addresses)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Distilled:
    def __init__(self, address, student):
        self.address, self.student = address, student

    def __reduce__(self):
        from ultralytics.nn.distill_model import DistillationModel

        return DistillationModel, (self.address, self.student)


@pytest.mark.fault("H09", "J01")
def test_weights_that_name_a_class_whose_constructor_fetches_more_fetch_nothing(teacher, tmp_path, monkeypatch):
    """ULTRALYTICS_SAFE_LOAD admits DistillationModel, which loads a checkpoint from any address."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    student = tasks.DetectionModel("yolov8n.yaml", nc=1, verbose=False)
    address = f"http://127.0.0.1:{teacher.server_address[1]}/teacher.pt"
    torch.save({"model": Distilled(address, student)}, tmp_path / "model" / "weights.pt")
    described(tmp_path / "model")
    try:
        detector.load(tmp_path / "model")
    except Exception as error:
        told = str(error)
    assert teacher.asked == [], "the weights have made the container ask for more"
    assert "DistillationModel" in told and "nothing of it ran" in told
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.fault("H09", "J01")
def test_no_other_gadget_runs_either_when_the_container_loads_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    described(folder, ("head", "bag"))
    loaded = set(sys.modules)
    for name, arguments in CALLS.items():
        for body in (
            checkpoint({"model": Call(name, *arguments)}),
            detector_checkpoint(train_args=Call(name, *arguments)),
        ):
            (folder / "weights.pt").write_bytes(body)
            assert "nothing of it ran" in loading(folder), name
    for body in PROGRAMS.values():
        (folder / "weights.pt").write_bytes(checkpoint(body))
        assert "weights.pt" in loading(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"] and "antigravity" not in set(sys.modules) - loaded


@pytest.mark.fault("J01")
def test_no_unpickler_is_called_at_all(old, new, monkeypatch):
    import pickle

    def called(*_, **__):
        raise AssertionError("something was unpickled")

    for module, name in ((torch, "load"), (pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, name, called)
    assert detector.load(old).describe()["classes"] == detector.load(new).describe()["classes"] == ["head"]


@pytest.mark.fault("H07", "J01")
@pytest.mark.parametrize("name", ["old", "new"])
def test_weights_of_another_hash_than_the_description_tells_are_not_loaded(name, request, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(request.getfixturevalue(name), folder)
    (folder / "model.json").write_text(json.dumps(description(classes=["head"], **{"weights-sha256": "ab" * 32})))
    try:
        detector.load(folder)
        told = "it was loaded"
    except InvalidInputError as error:
        told = str(error)
    assert "SHA-256" in told and "model.json says abab" in told


@pytest.mark.fault("J01")
def test_a_description_that_cannot_be_is_refused_by_field(new, tmp_path):
    shutil.copytree(new, tmp_path / "model")
    for field, value in FIELDS:
        told = {"classes": ["head"], "weights-sha256": "absent", field: value}
        (tmp_path / "model/model.json").write_text(json.dumps(description(**told)))
        assert field in loading(tmp_path / "model"), (field, value)
    described(tmp_path / "model", engine="antigravity")
    assert "'antigravity'" in loading(tmp_path / "model") and "antigravity" not in sys.modules
    described(tmp_path / "model", ("head", "bag"))
    assert "1 classes, model.json names 2" in loading(tmp_path / "model")


def test_classes_of_another_name_than_those_trained_on_are_refused(old, tmp_path):
    shutil.copytree(old, tmp_path / "model")
    described(tmp_path / "model", ("hat",))
    assert "trained on the classes" in loading(tmp_path / "model")


LAYER = [-1, 1, "Conv", [64, 3, 2]]
END = [[-1], 1, "Detect", ["nc"]]


def architecture(*layers, **changes) -> dict:
    return {"nc": 1, "backbone": [*layers], "head": [END], **changes}


@pytest.mark.fault("J01")
@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {},
        {"nc": 1},
        architecture(),
        architecture(LAYER, nc="1"),
        architecture(LAYER, nc=10**9),
        architecture(LAYER, ch=4),
        architecture(LAYER, activation="__import__('os').system('touch canary')"),
        architecture(LAYER, activation="torch.nn.LeakyReLU(open('canary', 'w'))"),
        architecture(LAYER, width_multiple=1e12),
        architecture(LAYER, depth_multiple=float("nan")),
        architecture(LAYER, depth_multiple="2"),
        architecture(LAYER, scales={"n": [1, 1]}, scale="n"),
        architecture(LAYER, scales={"n": [1e9, 1, 64]}, scale="n"),
        architecture(LAYER, scales={"n": [1, 1, 10**12]}, scale="n"),
        architecture(LAYER, scales={"n": [1, 1, 64]}, scale="x"),
        architecture(LAYER, reg_max=10**9),
        architecture(LAYER, end2end="yes"),
        architecture(LAYER, kpt_shape=[3, 3]),
        {**architecture(LAYER, kpt_shape=[10**9, 3]), "head": [[-1, 1, "Pose", ["nc", "kpt_shape"]]]},
        {**architecture(LAYER, kpt_shape=[3, 2]), "head": [[-1, 1, "Pose", ["nc", "kpt_shape"]]]},
        {**architecture(LAYER), "head": [[-1, 1, "Pose", ["nc", "kpt_shape"]]]},
        architecture([-1, 1, "Conv", [10**12, 3, 2]]),
        architecture([-1, 1, "Conv", [64, 10**6, 2]]),
        architecture([-1, 10**9, "Conv", [64, 3, 2]]),
        architecture([-1, -1, "Conv", [64, 3, 2]]),
        architecture([-1, 1, "Conv", [64, float("inf")]]),
        architecture([-1, 1, "Conv", ["__import__('os').system('touch canary')"]]),
        architecture([-1, 1, "Conv", ["d", "self", "ch"]]),
        architecture([-1, 1, "Conv", [[[64]]]]),
        architecture([-1, 1, "Conv", [1] * 20]),
        architecture([-1, 1, "Conv", {"a": 1}]),
        architecture([-1, 1, "Conv"]),
        architecture("Conv"),
        architecture([-5, 1, "Conv", [64]]),
        architecture([7, 1, "Conv", [64]]),
        architecture([[0] * 100, 1, "Concat", [1]]),
        architecture(["-1", 1, "Conv", [64]]),
        architecture(*[[-1, 1, "TorchVision", [64, "resnet18", "DEFAULT"]]]),
        *(architecture([-1, 1, name, [64]]) for name in ("os.system", "torch.nn.Linear", "nn.Linear", "nn.ModuleDict")),
        *(
            architecture([-1, 1, name, [64]])
            for name in ("torchvision.ops.nms", "parse_model", "YAML", "__builtins__", 7)
        ),
        *(
            architecture([-1, 1, name, [64]])
            for name in ("Detect", "AIFI", "RTDETRDecoder", "Segment", "WorldDetect", None)
        ),
        architecture(*[LAYER] * 200),
        architecture(LAYER, head=[[[-1], 1, "OBB", ["nc"]]]),
        architecture([-1, 1, "Conv", [64, 3, 0]]),
        architecture([-1, 1, "nn.Upsample", ["None", 4096, "nearest"]]),
        architecture([-1, 1, "C2f", [4096, True]], width_multiple=4.0),
        architecture(*[[-1, 64, "Conv", [4096, 3, 1]]] * 100),
        architecture(*[[-1, 64, "C3k2", [64, True]]] * 100),
        architecture([-1, 1, "RepNCSPELAN4", [64, 64, 64, 4096]]),
        architecture([-1, 1, "nn.MaxPool2d", [4096, 1, 2048]]),
    ],
    ids=lambda given: str(given)[:70],
)
def test_an_architecture_names_known_layers_in_sizes_of_a_detector_or_is_refused(given, new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(new, tmp_path / "model")
    (tmp_path / "model/architecture.yaml").write_text(json.dumps(given))
    began = time.process_time()
    before = memory()
    assert "architecture" in loading(tmp_path / "model")
    assert time.process_time() - began < 15 and memory() - before < 1_000_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "something ran"


def memory() -> int:
    """The most that this process ever had, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.fault("J01")
@pytest.mark.parametrize(
    "text",
    [
        b"!!python/object/apply:os.system ['touch canary']",
        b"!!python/name:os.system",
        b"a: &a [x, x]\nb: &b [*a, *a]\nnc: *b",
        b"a: &a {b: 1}\nnc:\n  <<: *a",
        b"[" * 50_000,
        b"nc: " + b"9" * 90_000,
        b"\xff\xfe\x00",
        b"nc: 1\x00",
        b"{",
        b"a: 1\n---\nb: 2",
        b"#" * 200_000,
        b"nc: " + b"[" * 4_000 + b"]" * 4_000,
        b"nc: !!int ''",
        b"nc: !!bool x",
        b"nc: !!timestamp x",
    ],
    ids=lambda text: repr(text[:30]),
)
def test_yaml_that_is_more_than_data_is_refused(text, new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(new, tmp_path / "model")
    (tmp_path / "model/architecture.yaml").write_bytes(text)
    assert "architecture.yaml" in loading(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.fault("H07", "J01")
def test_weights_that_are_not_of_the_architecture_or_no_numbers_are_refused(new, tmp_path):
    from labelloop.engines import weights

    shutil.copytree(new, tmp_path / "model")
    path = tmp_path / "model/weights.safetensors"
    tensors = weights.read(path.read_bytes(), "weights")
    name = "model.0.conv.weight"
    tensor = tensors[name]
    without = {each: tensors[each] for each in tensors if each != name}
    broken = bytes(tensor.data[:-2]) + b"\x00\x7c"  # infinity at half precision
    for changed, said in (
        (without, f"'{name}' is missing"),
        ({**tensors, "more": tensor}, "'more'"),
        ({**without, name: weights.Tensor("F16", (tensor.shape[1], tensor.shape[0], 3, 3), tensor.data)}, name),
        ({**without, name: weights.Tensor("F16", tensor.shape, broken)}, "not finite"),
    ):
        path.write_bytes(weights.pack(changed))
        assert said in loading(tmp_path / "model")
    path.write_bytes(safetensors())
    assert "architecture" in loading(tmp_path / "model")


@pytest.mark.fault("H07", "J01")
@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt", "architecture.yaml", "model.json"])
@pytest.mark.parametrize("kind", ["hole", "folder", "pipe", "endless"])
def test_a_file_that_is_none_or_says_that_it_is_enormous_is_refused_unread(name, kind, old, new, tmp_path):
    shutil.copytree(old if name == "weights.pt" else new, tmp_path / "model")
    path = tmp_path / "model" / name
    path.unlink()
    match kind:
        case "hole":
            with path.open("wb") as hole:
                hole.truncate(10**12)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
    assert name in loading(tmp_path / "model")


def test_a_model_that_is_refused_ends_the_server_with_the_reason(old, tmp_path):
    shutil.copytree(old, tmp_path / "model")
    (tmp_path / "model/weights.pt").write_bytes(checkpoint({"model": Call("os system", "touch canary")}))
    with fake_s3() as store, serving(tmp_path, tmp_path / "log", AWS_ENDPOINT_URL=store.address) as server:
        assert server.process.wait(60) == 1
        assert "weights.pt is refused, nothing of it ran: it asks for 'os.system'" in server.log.read_text()
