"""The Dockerfile cannot be built in a test; what it names must at least exist, and what it installs must be pinned."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = ROOT / "containers" / "yolo"


def instructions(name: str) -> list[str]:
    text = re.sub(r"\\\n", " ", (CONTAINER / "Dockerfile").read_text("utf-8"))
    return [line.split(None, 1)[1] for line in text.splitlines() if line.startswith(f"{name} ")]


def test_every_copied_path_exists_in_the_build_context():
    copies = [line.split()[:-1] for line in instructions("COPY")]
    assert copies
    for source in (source for sources in copies for source in sources):
        assert list(ROOT.glob(source)), f"COPY {source}: nothing there"


def test_the_entry_point_is_in_exec_form_and_starts_a_file_that_is_copied():
    (entry_point,) = instructions("ENTRYPOINT")
    program, script = json.loads(entry_point)
    (directory,) = instructions("WORKDIR")
    assert program == "python" and Path(script).parent == Path(directory)
    assert (CONTAINER / Path(script).name).is_file()
    assert "containers/yolo/*.py ./" in instructions("COPY") and "functions/labelloop labelloop" in instructions("COPY")


def test_the_image_holds_no_stray_interactive_or_network_step():
    installs = [line for line in instructions("RUN") if "install" in line]
    assert len(installs) == 1 and installs[0].startswith("sh install.sh ")
    steps = (CONTAINER / "install.sh").read_text("utf-8").splitlines()
    assert all("--require-hashes --no-deps" in line for line in steps if re.search(r'" install\b', line))
    assert not [line for line in instructions("RUN") if re.search(r"\b(curl|wget|git)\b|https?://", line)]


def test_the_base_image_can_be_chosen():
    assert instructions("FROM") == ["${BASE_IMAGE}"]
    assert instructions("ARG")[0].startswith("BASE_IMAGE=public.ecr.aws/docker/library/python:3.")


def test_every_requirement_is_pinned_once():
    texts = [(CONTAINER / name).read_text("utf-8") for name in ("requirements.txt", "cuda.txt")]
    pins = [re.sub(r" .*", "", line) for text in texts for line in text.splitlines() if not line.startswith(" ")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", pin) for pin in pins)
    names = [pin.partition("==")[0] for pin in pins]
    assert len(names) == len(set(names))
    assert {"torch", "torchvision", "pillow", "starlette", "uvicorn", "boto3"} <= set(names)


def test_only_the_engines_import_ultralytics_or_torch():
    importing = {
        path.name
        for path in CONTAINER.glob("*.py")
        if re.search(r"^\s*(import|from) (torch|ultralytics|cv2)\b", path.read_text("utf-8"), re.MULTILINE)
    }
    engines = {"detector.py", "pose.py", "people_loss.py", "inference.py", "networks.py", "trainer.py"}
    assert importing == engines | {"libraries.py", "torchvision_ops.py", "devices.py"}


@pytest.mark.parametrize("arguments", [[], ["bash"], ["serve", "more"]])
def test_the_entry_point_refuses_other_commands(arguments):
    command = [sys.executable, str(CONTAINER / "entrypoint.py"), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert finished.returncode == 1 and "usage: entrypoint.py serve|train" in finished.stderr
