"""Builds the container image without Docker and tries it: it trains 20 steps and answers a shard. `make image`.

Needs buildah, and root. Python comes from Debian's packages, since no image registry is asked. What this cannot show:
the real base image, CUDA, and SageMaker's own start of the container.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import demo  # isort: skip  # noqa: F401 - makes labelloop importable
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from PIL import Image

from demo.scenes.scene import render
from local import stack

WORK = stack.REPO_ROOT / "build" / "image"
BASE, IMAGE = "localhost/pybase:3", "localhost/labelloop-yolo"
TOOLS = ("buildah", "debootstrap", "crun")
STEPS, SIDE, BUCKET = 20, (160, 128), "try-image"
COUNTS = {"train": 8, "judge": 4}
START_SECONDS = 180.0


def main() -> int:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        why = f"{', '.join(missing)} not installed" if missing else "root is needed"
        print(f"image: skipped ({why}; on Debian: apt-get install --no-install-recommends {' '.join(TOOLS)})")
        return 0
    WORK.mkdir(parents=True, exist_ok=True)
    _make_base()
    _build()
    with stack.running_server() as server, tempfile.TemporaryDirectory() as scratch:
        seconds, answered = _try(server, Path(scratch))
    print(f"image: built, trained {STEPS} steps in {seconds:.0f} s, answered a shard of {answered} images")
    return 0


def _make_base() -> None:
    """A stand-in for the base image, made once."""
    if subprocess.run(_buildah("inspect", BASE), capture_output=True, check=False).returncode == 0:
        return
    root = WORK / "rootfs"
    shutil.rmtree(root, ignore_errors=True)
    packages = "python3,python3-pip,python3-venv,ca-certificates"
    _run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root), *_mirror())
    (root / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
    for marker in (root / "usr" / "lib").glob("python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    container = _said(*_buildah("from", "scratch"))
    _run(*_buildah("add", container, str(root), "/"))
    _run(*_buildah("commit", container, BASE))


def _mirror() -> list[str]:
    """The one that this machine's own packages come from, where it names one."""
    return _asked("apt-get", "indextargets", "--format", "$(SITE)").split()[:1]


def _build() -> None:
    context = WORK / "context"
    shutil.rmtree(context, ignore_errors=True)
    for part in ("containers", "functions"):
        shutil.copytree(stack.REPO_ROOT / part, context / part, ignore=shutil.ignore_patterns("__pycache__"))
    links = os.environ.get("PIP_FIND_LINKS", "")
    configured = _asked("pip3", "config", "debug").splitlines()
    files = [line.strip().removesuffix(", exists: True") for line in configured if line.endswith("exists: True")]
    # With the files that it names beside it.
    settings = [str(path.parent) if path.parent.name == "pip" else str(path) for path in map(Path, files)]
    shared = [path for path in (links, "/etc/ssl/certs", *settings) if path and Path(path).exists()]
    options = [f"--build-arg=BASE_IMAGE={BASE}", *([f"--build-arg=PIP_OPTIONS=--find-links {links}"] if links else [])]
    _run(
        *_buildah("bud", "--isolation=chroot", "--network=host", *options),
        *(f"-v={path}:{path}:ro" for path in shared),
        *(f"--env={name}" for name in os.environ if name.startswith("PIP_")),
        *("-f", str(context / "containers" / "yolo" / "Dockerfile"), "-t", IMAGE, str(context)),
    )


def _try(server: stack.Server, scratch: Path) -> tuple[float, int]:
    """(seconds of training, images of the shard that was answered)."""
    ml = scratch / "ml"
    requests = _write_job(ml, stack.client(server, "s3"))
    container = _said(*_buildah("from", IMAGE))
    began = time.monotonic()
    _run(*_inside(container, ml, "train"))
    seconds = time.monotonic() - began
    stored = {path.name: path.stat().st_uid for path in (ml / "model").iterdir()}
    if set(stored) != {"weights.safetensors", "architecture.yaml", "model.json"} or 0 in stored.values():
        raise RuntimeError(f"an ordinary user should have written the three files of a model, but found are {stored}")
    serving = subprocess.Popen(_inside(container, ml, "serve", stack.aws_environment(server)))
    try:
        answer = _ask("".join(json.dumps(request) + "\n" for request in requests))
    finally:
        serving.terminate()
        serving.wait(60)
        subprocess.run(["pkill", "-f", "/opt/program/entrypoint.py serve"], check=False)
    statuses = [json.loads(line)["status"] for line in answer.splitlines() if line]
    if statuses != ["ok"] * len(requests):
        raise RuntimeError(f"the container answered {statuses} about {len(requests)} drawn scenes")
    return seconds, len(statuses)


def _write_job(ml: Path, s3: Any) -> list[dict[str, str]]:
    """The folders of a training job on drawn scenes; the judge ones also lie in S3, and make up the shard."""
    s3.create_bucket(Bucket=BUCKET)
    data, requests, index = ml / "input" / "data", [], 0
    for role, count in COUNTS.items():
        lines = []
        for _ in range(count):
            scene, key = render(7, index, SIDE), f"scenes/{index:02d}.png"
            packed = io.BytesIO()
            Image.fromarray(scene.image).save(packed, "PNG")
            path = data / "images" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed.getvalue())
            lines.append(_line(f"s3://{BUCKET}/{key}", packed.getvalue(), scene.boxes))
            if role == "judge":
                s3.put_object(Bucket=BUCKET, Key=key, Body=packed.getvalue())
                requests.append({"source-ref": f"s3://{BUCKET}/{key}"})
            index += 1
        target = data / "dataset" / f"{role}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(line + "\n" for line in lines), "utf-8")
    recipe = {"classes": '["head"]', "steps": str(STEPS), "image-size": "160", "base-model": "tiny.yaml"}
    config = ml / "input" / "config" / "hyperparameters.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({**recipe, "batch-size": "8", "instance-type": "ml.c5.xlarge"}), "utf-8")
    (ml / "model").mkdir()
    return requests


def _line(source_ref: str, body: bytes, boxes: list[dict[str, Any]]) -> str:
    drawn = tuple(Box("head", box["left"], box["top"], box["width"], box["height"]) for box in boxes)
    provenance = {"sha256": hashlib.sha256(body).hexdigest()}
    label = Annotation(source_ref, None, *SIDE, drawn, True, "2026-11-26T00:00:00.000000", "drawn", provenance)
    return label.to_line(("head",))


def _ask(shard: str) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not _ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the container did not answer /ping within {START_SECONDS:.0f} s")
        time.sleep(1)
    address, kind = "http://127.0.0.1:8080/invocations", {"Content-Type": "application/jsonlines"}
    with urllib.request.urlopen(urllib.request.Request(address, shard.encode(), kind), timeout=120) as response:
        return str(response.read().decode())


def _ready() -> bool:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8080/ping", timeout=5):
            return True
    except OSError:
        return False


def _inside(container: str, ml: Path, command: str, environment: dict[str, str] | None = None) -> list[str]:
    given = [f"--env={name}={value}" for name, value in (environment or {}).items()]
    return [
        *_buildah("run", "--isolation=chroot", f"-v={ml}:/opt/ml", *given, container, "--"),
        *("python", "/opt/program/entrypoint.py", command),
    ]


def _buildah(*arguments: str) -> list[str]:
    return ["buildah", "--storage-driver=vfs", f"--root={WORK / 'store'}", f"--runroot={WORK / 'run'}", *arguments]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _asked(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
