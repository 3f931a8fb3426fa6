"""The image build as CodeBuild runs it: every command is a script of its own, of whose shell only variables live on."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
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
  *build*) exit "${BUILD_FAILS:-0}" ;;
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

    def run(self, **environment: str) -> bool:
        """Whether the build succeeded."""
        properties = Project(ROOT).template["Resources"]["ImageBuild"]["Properties"]
        given = {"PLACE": str(self.place), "PUSHED_AS": DOCKER_MANIFEST, "DATA_BUCKET": "data", **environment}
        given |= {"REPOSITORY": "repository", "REPOSITORY_URI": REPOSITORY}
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
    assert "push" not in build.text("docker") and "build" not in build.text("docker")


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
    assert "--build-arg PIP_OPTIONS=--extra-index-url https://an.index/cu126 --build-arg BASE_IMAGE=a/base:1" in built
    assert json.loads(build.text("current"))["tag"] != before
