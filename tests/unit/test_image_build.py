"""The image build as CodeBuild runs it: every command is a script of its own, of whose shell only variables live on."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
BASE = "public.ecr.aws/docker/library/python:3.12-slim"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DIGEST = f"sha256:{'ba5e' * 16}"
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/repository"
# What the registry holds is in the file `pushed`: the image's media type; what was stored is in `current`.
AWS = """#!/bin/sh
case "$1 $2" in
  "ecr get-login-password") echo secret ;;
  "ecr describe-images")
    test -f "$PLACE/pushed" || { echo ImageNotFoundException >&2; exit 254; }
    case "$*" in
      *imageManifestMediaType*) cat "$PLACE/pushed" ;;
      *) echo "sha256:00aa" ;;
    esac ;;
  "s3 cp") cat > "$PLACE/current" ;;
  *) exit 3 ;;
esac
"""
DOCKER = """#!/bin/sh
echo "$*" >> "$PLACE/docker"
case "$1" in
  login) cat > "$PLACE/password" ;;
  push) printf %s "$PUSHED_AS" > "$PLACE/pushed" ;;
  buildx) case "$2" in
    imagetools) test "$BASE_DIGEST" != none && echo "$BASE_DIGEST" ;;
    *) exit "${BUILD_FAILS:-0}" ;;
  esac ;;
esac
"""


class Build:
    def __init__(self, place: Path) -> None:
        self.place = place
        for name, text in {"aws": AWS, "docker": DOCKER}.items():
            (place / "bin").mkdir(exist_ok=True)
            (place / "bin" / name).write_text(text)
            (place / "bin" / name).chmod(0o755)
        for folder in ("containers/yolo", "functions/labelloop"):
            (place / "source" / folder).mkdir(parents=True)
            (place / "source" / folder / "a.py").write_text("1")
        shutil.copy(ROOT / "containers" / "yolo" / "Dockerfile", place / "source" / "containers" / "yolo")

    def run(self, **environment: str) -> bool:
        """Whether the build succeeded."""
        properties = Project(ROOT).template["Resources"]["ImageBuild"]["Properties"]
        given = {"PLACE": str(self.place), "PUSHED_AS": DOCKER_MANIFEST, "DATA_BUCKET": "data", **environment}
        given |= {"REPOSITORY": "repository", "REPOSITORY_URI": REPOSITORY}
        given.setdefault("BASE_DIGEST", DIGEST)
        given["PATH"] = f"{self.place / 'bin'}:{os.environ['PATH']}"
        (self.place / "variables").write_text("")
        for command in yaml.safe_load(properties["Source"]["BuildSpec"])["phases"]["build"]["commands"]:
            script = (
                f'. "$PLACE/variables"\nset -a\n{command}\nstatus=$?\nexport -p > "$PLACE/variables"\nexit $status\n'
            )
            ended = subprocess.run(["sh", "-c", script], cwd=self.place / "source", env=given, check=False)
            if ended.returncode:
                return False
        return True

    def text(self, name: str) -> str:
        file = self.place / name
        return file.read_text() if file.exists() else ""


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_the_digest_that_was_pushed_is_noted_and_the_same_sources_are_not_built_again(build: Build) -> None:
    assert build.run()
    current = json.loads(build.text("current"))
    assert current["image"] == f"{REPOSITORY}@sha256:00aa" and len(current["tag"]) == 20
    assert f"push {REPOSITORY}:{current['tag']}" in build.text("docker")
    (build.place / "docker").unlink()
    (build.place / "current").unlink()
    assert build.run() and json.loads(build.text("current")) == current
    assert "push" not in build.text("docker") and "buildx build" not in build.text("docker")


def test_a_build_that_fails_pushes_nothing_and_leaves_the_image_before(build: Build) -> None:
    (build.place / "current").write_text("before")
    assert not build.run(BUILD_FAILS="1")
    assert build.text("current") == "before" and "push" not in build.text("docker")


def test_an_image_of_a_form_that_sagemaker_refuses_is_not_handed_on(build: Build) -> None:
    """CreateModel: "Unsupported manifest media type application/vnd.oci.image.index.v1+json"."""
    (build.place / "current").write_text("before")
    assert not build.run(PUSHED_AS=OCI_INDEX) and build.text("current") == "before"
    assert not build.run() and build.text("current") == "before", "the tag never moves"


def test_the_image_is_built_in_the_form_that_sagemaker_takes(build: Build) -> None:
    assert build.run()
    (built,) = [line for line in build.text("docker").splitlines() if "containers/yolo/Dockerfile" in line]
    assert "--provenance=false" in built and "--output type=docker" in built and "--platform linux/amd64" in built


def test_another_base_and_another_cuda_can_be_asked_for_and_are_another_image(build: Build) -> None:
    """docs/gpu.md: what a host with an older driver needs."""
    assert build.run()
    before = json.loads(build.text("current"))["tag"]
    (build.place / "pushed").unlink()
    assert build.run(PIP_OPTIONS="--extra-index-url https://an.index/cu126", BASE_IMAGE="a/base:1")
    built = build.text("docker").splitlines()[-2]
    assert (
        f"--build-arg PIP_OPTIONS=--extra-index-url https://an.index/cu126 --build-arg BASE_IMAGE=a/base:1@{DIGEST}"
        in built
    )
    assert json.loads(build.text("current"))["tag"] != before


@pytest.mark.fault("J07")
def test_the_base_image_is_taken_by_its_digest_and_the_digest_is_recorded(build: Build) -> None:
    assert build.run()
    asked, built = [line for line in build.text("docker").splitlines() if line.startswith("buildx")] or ["", ""]
    assert asked.startswith(f"buildx imagetools inspect {BASE} "), "what the Dockerfile names"
    assert f"--build-arg BASE_IMAGE={BASE}@{DIGEST} ." in built
    assert f"--label org.opencontainers.image.base.digest={DIGEST}" in built
    assert json.loads(build.text("current"))["base"] == f"{BASE}@{DIGEST}"


@pytest.mark.fault("J07")
def test_a_tag_of_the_base_that_moved_is_another_image(build: Build) -> None:
    assert build.run()
    before = json.loads(build.text("current"))
    (build.place / "pushed").unlink()
    moved = f"sha256:{'0a11' * 16}"
    assert build.run(BASE_DIGEST=moved)
    after = json.loads(build.text("current"))
    assert (before["tag"], before.get("base")) != (after["tag"], after.get("base")) and moved in str(after.get("base"))


@pytest.mark.fault("J07")
@pytest.mark.parametrize("digest", ["none", "<no value>", ""])
def test_a_base_whose_digest_nobody_tells_is_not_built_on(build: Build, digest: str) -> None:
    (build.place / "current").write_text("before")
    assert not build.run(BASE_DIGEST=digest), "what was built on is not known"
    assert build.text("current") == "before" and "buildx build" not in build.text("docker")


@pytest.mark.fault("J07")
def test_a_base_that_is_named_by_its_digest_is_that_one(build: Build) -> None:
    assert build.run(BASE_IMAGE=f"a/base@{DIGEST}")
    assert f"--build-arg BASE_IMAGE=a/base@{DIGEST} ." in build.text("docker")
    assert json.loads(build.text("current")).get("base") == f"a/base@{DIGEST}"
