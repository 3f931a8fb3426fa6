"""Who opens models and images: the real entry point, started as root as SageMaker may start it."""

import contextlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from container_fixtures import encoded, write_training_job
from container_process import CONTAINER, environment, serving, until
from fake_s3 import fake_s3
from PIL import Image

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
ROOT = CONTAINER.parents[1]
NOBODY = next((user for user in pwd.getpwall() if user.pw_name == "nobody" and user.pw_uid != 0), None)


def python_for_all() -> str | None:
    """An interpreter like this one that any user may start: this one may lie in root's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, *(str(Path(folder) / version) for folder in ("/usr/local/bin", "/usr/bin"))):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            packages = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
            command = [candidate, "-c", "import numpy, PIL._imaging, uvicorn, starlette, boto3, yaml"]
            subprocess.run(
                command, user="nobody", group=NOBODY.pw_gid, env=packages, check=True, capture_output=True, cwd="/"
            )
            return candidate
    return None


pytestmark = [
    pytest.mark.yolo,
    pytest.mark.skipif(os.geteuid() != 0 or NOBODY is None, reason="needs root, to give it up"),
]


@pytest.fixture(scope="module")
def interpreter() -> str:
    found = python_for_all()
    if found is None:
        pytest.skip("no interpreter with the container's packages that another user than root may start")
    return found


@pytest.fixture
def image(interpreter, monkeypatch) -> Iterator[Path]:
    """The container's program and an empty /opt/ml, laid out as the Dockerfile and SageMaker do, where all may look."""
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        top = Path(folder)
        (top / "program").mkdir()
        for source in (*CONTAINER.glob("*.py"), Path(__file__).with_name("identity_engine.py")):
            shutil.copy(source, top / "program")
        shutil.copytree(ROOT / "functions" / "labelloop", top / "program" / "labelloop")
        (top / "ml" / "model").mkdir(parents=True)
        for path in (top, *top.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        monkeypatch.setattr(sys, "executable", interpreter)
        monkeypatch.setattr("container_process.CONTAINER", top / "program")
        yield top


def given(image: Path, **extra: str) -> dict[str, str]:
    """As the image sets it; CONTAINER_USER is what the Dockerfile names."""
    return {
        "CONTAINER_USER": "nobody",
        "ENGINE": "identity_engine",
        "CODE": str(image / "program"),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **extra,
    }


def train(image: Path, **extra: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(image / "program" / "entrypoint.py"), "train"]
    variables = environment(image / "ml", **given(image, **extra))
    return subprocess.run(command, env=variables, cwd=image / "program", capture_output=True, text=True, timeout=120)


def assert_ordinary(may: dict) -> None:
    assert may["users"] == [NOBODY.pw_uid] * 3 + [NOBODY.pw_gid] * 3, "root opened the model"
    assert may["groups"] == [] and set(may["capabilities"]) == {"0" * 16}
    refused = ("become root", "change code", "add code", "add to the working directory", "new privileges")
    assert {name: may[name] for name in refused} == dict.fromkeys(refused, False)
    assert may["working directory"] == [] and not may["works in its code"] and may["write"]


@pytest.mark.fault("J01")
def test_what_serves_is_an_ordinary_user_who_may_change_no_code(image):
    (image / "ml/model/model.json").write_text("{}")
    (image / "ml/model/model.json").chmod(0o600)  # as an archive may have it
    with (
        fake_s3() as store,
        serving(
            image / "ml", image / "log", AWS_ENDPOINT_URL=store.address, MODEL_VERSION="v1", **given(image)
        ) as server,
    ):
        until(lambda: server.ping() == 200 or server.process.poll() is not None)
        assert server.process.poll() is None, server.log.read_text()
        events = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        status, answer = server.invoke(encoded(Image.new("RGB", (64, 48)), "PNG"), "image/png")
        owner = Path(f"/proc/{server.process.pid}/status").read_text()
    (loaded,) = [event for event in events if event["event"] == "loaded"]
    assert_ordinary(loaded["may"])
    assert status == 200 and json.loads(answer)["status"] == "ok"
    assert re.search(r"Uid:\t(\d+)", owner)[1] == str(NOBODY.pw_uid), "the server itself is root"


@pytest.mark.fault("J01")
def test_what_trains_is_an_ordinary_user_who_can_write_the_results(image):
    write_training_job(image / "ml", {"train": 2, "judge": 1}, {"image-size": "64", "steps": "1"})
    for path in (image / "ml/input").rglob("*.json*"):
        path.chmod(0o600)
    (image / "ml/model/left-by-root").touch()
    finished = train(image)
    assert finished.returncode == 0, finished.stderr
    assert_ordinary(json.loads((image / "ml/model/weights.safetensors").read_text()))
    assert (image / "ml/output/data/metrics.json").stat().st_uid == NOBODY.pw_uid
    assert not (image / "program/added.py").exists()


def test_a_job_that_fails_can_say_why(image):
    write_training_job(image / "ml", {"train": 1}, {"image-size": "7"})
    assert train(image).returncode == 1
    assert "image-size" in (image / "ml/output/failure").read_text()


@pytest.mark.fault("J01")
def test_links_that_an_archive_brought_lend_nobody_a_file_of_roots(image):
    secret = image / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    (image / "ml/model/link").symlink_to(secret)
    (image / "ml/model/second-name").hardlink_to(secret)
    (image / "ml/model/folder").symlink_to(image / "program")
    (image / "ml/model/model.json").write_text("{}")
    started = {**given(image), "MODEL_VERSION": "v1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with serving(image / "ml", image / "log", **started) as server:
        until(lambda: server.ping() == 200 or server.process.poll() is not None)
    assert (secret.stat().st_mode & 0o777, secret.stat().st_uid) == (0o600, 0)
    assert (image / "program/serve.py").stat().st_uid == 0


@pytest.mark.parametrize(("user", "said"), [("gone-fishing", "does not know"), ("root", "who is root")])
def test_a_user_who_is_none_or_root_ends_the_container_with_a_sentence(image, user, said):
    finished = train(image, CONTAINER_USER=user)
    assert finished.returncode != 0 and said in finished.stderr and "CONTAINER_USER" in finished.stderr


def test_without_the_variable_the_process_stays_who_it_is(image):
    """On a laptop the embedded AWS starts the same entry point as a plain process."""
    write_training_job(image / "ml", {"train": 2, "judge": 1}, {"image-size": "64", "steps": "1"})
    settled = {"CONTAINER_USER": "", "HOME": str(image), "YOLO_CONFIG_DIR": str(image)}
    assert train(image, **settled).returncode == 0
    may = json.loads((image / "ml/model/weights.safetensors").read_text())
    assert may["users"][:3] == [0, 0, 0] and may["works in its code"]


def test_the_image_makes_the_user_whom_it_names_and_lets_nobody_write_the_code():
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    (named,) = re.findall(r"^ENV CONTAINER_USER=(\S+)$", dockerfile, re.MULTILINE)
    assert re.search(rf"^RUN useradd .* {named}$", dockerfile, re.MULTILINE)
    assert "RUN chmod -R u=rwX,go=rX ." in dockerfile and not re.search(r"^USER ", dockerfile, re.MULTILINE)
