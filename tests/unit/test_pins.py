"""A package that was exchanged at its source is not installed; and no line of a requirements file was forgotten."""

import base64
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".venvs" / "uv" / "bin" / "uv"
PIP = UV.with_name("pip")
REQUIREMENTS = [
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "requirements").glob("*.txt")),
    *("functions/requirements.txt", "layers/imaging/requirements.txt", "layers/sdk/requirements.txt"),
    "layers/portal/requirements.txt",
    "containers/yolo/requirements.txt",
]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    requires: str = "",
    content: str = "x = 1\n",
    tag: str = "py3-none-any",
) -> str:
    """Writes a package of one module; returns its hash as requirements have it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    sums = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for path, text in files.items()}
    record = [f"{path},sha256={sums[path].rstrip(b'=').decode()},{len(files[path])}\n" for path in files]
    files[f"{info}/RECORD"] = "".join(record) + f"{info}/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each in files:
            archive.writestr(zipfile.ZipInfo(each), files[each])
    return f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def recipe_of(target: str) -> list[str]:
    """The commands by which the Makefile makes a target, its variables filled in."""
    values = {"UV": str(UV), "VENVS": "place/.venvs", "PYTHON": sys.executable}
    found = re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n|#.*\n)+)", MAKEFILE, re.MULTILINE)
    body = found[1] if found else ""
    if "$(install)" in body:
        body = MAKEFILE.partition("define install\n")[2].partition("endef")[0]
    for name, value in values.items():
        body = body.replace(f"$({name})", value)
    return [line.strip() for line in body.splitlines() if line.startswith("\t")]


def install(tmp_path: Path, command: str, requirements: Path) -> "subprocess.CompletedProcess[str]":
    """A command of the Makefile, for a made-up environment and requirements, without a network."""
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    command = command.replace("$(@D)", str(place)).replace("$<", str(requirements))
    offline = {"UV_OFFLINE": "1", "UV_NO_CACHE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(tmp_path / "wheels")}
    offline |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    environment = {**{name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}, **offline}
    return subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)


def was_installed(tmp_path: Path, name: str) -> bool:
    return bool(list((tmp_path / "environment").rglob(f"{name}.py")))


@pytest.mark.fault("I13", "J07")
@pytest.mark.parametrize("lines", ["{name}==1.0 {wrong}", "{name}==1.0", "{name}==1.0 {right}\n{other}==1.0"])
def test_make_setup_installs_nothing_that_has_not_its_hash(tmp_path: Path, lines: str) -> None:
    """An exchanged file, and a file for which no hash is listed: the whole requirements file, or one line of it."""
    right, wrong = wheel(tmp_path / "wheels", "one"), wheel(tmp_path / "wheels", "two")
    requirements = tmp_path / "requirements.txt"
    (command,) = [each for each in recipe_of("$(VENVS)/%/.ready") if " install " in each]
    requirements.write_text(f"one==1.0 {right}\n")
    done = install(tmp_path, command, requirements)
    assert done.returncode == 0 and was_installed(tmp_path, "one"), done.stderr
    shutil.rmtree(tmp_path / "environment")
    requirements.write_text(lines.format(name="one", other="two", right=right, wrong=wrong) + "\n")
    done = install(tmp_path, command, requirements)
    assert done.returncode != 0 and not was_installed(tmp_path, "one") and not was_installed(tmp_path, "two")
    assert "hash" in done.stderr.lower(), done.stderr


@pytest.mark.fault("I13", "J07")
def test_uv_itself_is_installed_by_its_hash(tmp_path: Path) -> None:
    right, wrong = wheel(tmp_path / "wheels", "uv"), wheel(tmp_path / "wheels", "two")
    (command,) = [each for each in recipe_of("$(UV)") if " install " in each]
    command = command.replace("place/.venvs/uv/bin/pip", f"{PIP} --python $(@D)/bin/python")
    command = re.sub(r"requirements/uv\.txt|uv==\S+", f"-r {tmp_path}/requirements.txt", command).replace("-r -r", "-r")
    for given, installed in ((right, True), (wrong, False), ("", False)):
        (tmp_path / "requirements.txt").write_text(f"uv==1.0 {given}\n")
        done = install(tmp_path, command, tmp_path / "requirements.txt")
        assert (done.returncode == 0, was_installed(tmp_path, "uv")) == (installed, installed), done.stderr
        shutil.rmtree(tmp_path / "environment")


@pytest.mark.fault("I13", "J07")
@pytest.mark.parametrize(
    ("build", "listed", "installed"),
    [
        ("1.0", "right", {"torch", "cuda"}),
        ("1.0+cpu", "right", {"torch"}),
        ("1.0", "wrong", set()),
        ("1.0+cpu", "wrong", set()),
        ("1.0", "cuda is wrong", {"torch"}),
    ],
)
def test_the_container_takes_both_builds_of_torch_by_their_hashes_and_no_other(
    tmp_path: Path, build: str, listed: str, installed: set[str]
) -> None:
    """The package index's needs CUDA's libraries, the CPU's does not; both have the hashes of one line."""
    script = ROOT / "containers" / "yolo" / "install.sh"
    assert script.exists(), "pip installs what it finds, whatever its hash"
    context = tmp_path / "container"
    context.mkdir()
    shutil.copy(script, context)
    hashes = wheel(tmp_path / "wheels", "torch", build, requires="" if "+" in build else "cuda")
    cuda, other = wheel(tmp_path / "wheels", "cuda"), wheel(tmp_path / "wheels", "other")
    lines = f"torch==1.0 {other} {other if listed == 'wrong' else hashes}\n"
    (context / "requirements.txt").write_text(lines)
    (context / "cuda.txt").write_text(f"cuda==1.0 {other if listed == 'cuda is wrong' else cuda}\n")
    done = install(tmp_path, f"sh {context}/install.sh {PIP} --python $(@D)/bin/python", context)
    assert {name for name in ("torch", "cuda", "other") if was_installed(tmp_path, name)} == installed
    assert (done.returncode == 0) == (listed == "right"), done.stderr


SAM_DOWNLOADS = """
import sys
from aws_lambda_builders.workflows.python_pip.packager import PipRunner, SubprocessPip
PipRunner(sys.executable, SubprocessPip(python_exe=sys.executable)).download_all_dependencies(*sys.argv[1:])
"""


@pytest.mark.fault("I13", "J07")
def test_what_sam_build_puts_beside_the_functions_has_its_hash(tmp_path: Path) -> None:
    """sam's own way to pip, with the pip of the Python that it builds for."""
    right, wrong = wheel(tmp_path / "wheels", "one"), wheel(tmp_path / "wheels", "two")
    (builders,) = (ROOT / ".venvs" / "sam").glob("lib/python*/site-packages")
    requirements, target = tmp_path / "requirements.txt", tmp_path / "built"
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    environment |= {"PYTHONPATH": str(builders), "PIP_CONFIG_FILE": os.devnull}
    command = [str(PIP.with_name("python")), "-c", SAM_DOWNLOADS, str(requirements), str(target)]
    for given in (right, wrong):
        target.mkdir()
        requirements.write_text(f"one==1.0 {given}\n")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode == 0, bool(list(target.iterdir()))) == (given == right, given == right), done.stderr
        shutil.rmtree(target)


@pytest.mark.fault("I13", "J07")
@pytest.mark.parametrize("listed", ["right", "wrong"])
def test_make_build_gives_sam_only_what_has_its_hash_for_the_processor_it_builds_for_too(
    tmp_path: Path, listed: str
) -> None:
    script = ROOT / "requirements" / "sam_build.sh"
    assert script.exists(), "sam downloads by name what another processor needs"
    wheels = tmp_path / "wheels"
    pure, other = wheel(wheels, "pure"), wheel(wheels, "other")
    python = f"cp3{sys.version_info.minor}"
    here = f"{python}-{python}-linux_{platform.machine()}"
    ours = wheel(wheels, "compiled", tag=here, content="x = 2\n")
    theirs = wheel(wheels, "compiled", tag=f"{python}-{python}-manylinux2014_aarch64", content="x = 3\n")
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "requirements.txt").write_text(f"pure==1.0 {pure}\n")
    (tmp_path / "layers" / "one").mkdir(parents=True)
    lines = f"compiled==1.0 {ours} {theirs if listed == 'right' else other}\n"
    (tmp_path / "layers" / "one" / "requirements.txt").write_text(lines)
    runtime = f"python3.{sys.version_info.minor}"
    commands = {"sam": 'echo "$PIP_NO_INDEX $PIP_FIND_LINKS $*" > called', runtime: f'exec {sys.executable} "$@"'}
    for name, command in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{command}\n")
        (tmp_path / name).chmod(0o755)
    python_path = {"PYTHONPATH": str(next((UV.parents[1]).glob("lib/python*/site-packages")))}
    environment = {**os.environ, **python_path, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    command = ["sh", str(script), f"{tmp_path}/sam", "prod", runtime, "arm64"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    called = (tmp_path / "called").read_text() if (tmp_path / "called").exists() else ""
    assert (done.returncode == 0, bool(called)) == (listed == "right", listed == "right"), done.stderr
    if called:
        taken = {path.name for path in (tmp_path / "build" / "wheels").iterdir()}
        assert called.startswith(f"1 {tmp_path}/build/wheels build --no-cached --config-env prod ")
        assert f"compiled-1.0-{python}-{python}-manylinux2014_aarch64.whl" in taken and len(taken) == 3


@pytest.mark.fault("I13", "J07")
@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_line_of_a_requirements_file_has_a_version_and_hashes(name: str) -> None:
    text = re.sub(r"\\\n", " ", (ROOT / name).read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9._-]+==\d\S*", line) and " --hash=sha256:" in line, line[:80]
        assert "://" not in line


@pytest.mark.fault("J07")
def test_torch_is_listed_for_both_processors_and_every_python_and_without_cuda() -> None:
    text = (ROOT / "containers/yolo/requirements.txt").read_text(encoding="utf-8")
    (hashes,) = re.findall(r"^torch==\S+ ?\\?\n((?: +--hash=.*\n)*)", text, re.MULTILINE) or [""]
    listed = set(re.findall(r"sha256:(\w{64})", hashes))
    builds = ROOT / "requirements" / "torch-cpu.sha256"
    known = [line.split() for line in builds.read_text().splitlines()[2:]] if builds.exists() else []
    of_torch = {wheel: sha256 for sha256, wheel in known if wheel.startswith("torch-")}
    assert len(listed) > len(of_torch) and set(of_torch.values()) <= listed
    for machine in ("x86_64", "aarch64"):
        for python in ("311", "312", "313", "314"):
            assert [wheel for wheel in of_torch if f"-cp{python}-" in wheel and wheel.endswith(f"{machine}.whl")]


@pytest.mark.fault("J07")
def test_the_portal_has_a_lock_that_names_no_address_and_npm_keeps_to_it() -> None:
    lock = ROOT / "portal" / "page" / "package-lock.json"
    assert lock.exists() and "://" not in lock.read_text(encoding="utf-8")
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    assert packages["node_modules/konva"]["integrity"].startswith("sha512-")
    (command,) = [each for each in recipe_of("portal/page/node_modules/.ready") if "$(NPM)" in each]
    assert command.startswith("$(NPM) ci ") and "--ignore-scripts" in command


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("requirements/lambda.txt", "six==1.17.0", "six>=1.17.0", "no `name==version`"),
        ("requirements/lambda.txt", "six==1.17.0 \\\n", "six==1.17.0\nsix==1.17.0 \\\n", "has no --hash"),
        ("requirements/lambda.txt", "six==", "--extra-index-url https://an.index\nsix==", "where packages come from"),
        ("layers/sdk/requirements.txt", "six==1.17.0 \\\n", "six==1.17.0 # fixed\n#", "has no --hash"),
        ("functions/requirements.txt", "jmespath==", "git+https://a.host/jmespath\njmespath==", "no `name==version`"),
        ("Makefile", " --require-hashes -r $<", " -r $<", "without --require-hashes"),
        ("Makefile", "--quiet --require-hashes -r requirements/uv.txt", "--quiet uv", "without --require-hashes"),
        ("Makefile", "$(NPM) ci", "$(NPM) install", "npm ci"),
        ("containers/yolo/install.sh", " --require-hashes", "", "without --require-hashes"),
        ("containers/yolo/Dockerfile", "sh install.sh", "pip install six && sh install.sh", "without --require-hashes"),
        ("portal/page/package-lock.json", '"integrity": "sha512-', '"was": "', "has no integrity"),
        ("portal/page/package-lock.json", '"license": "MIT"', '"resolved": "https://a.registry/k"', "names an address"),
    ],
)
def test_the_lint_finds_what_is_installed_without_a_hash(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    from lint import pins

    for folder in ("requirements", "layers", "containers"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "template.yaml", "functions/requirements.txt", "portal/page/package.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "portal" / "page" / "package-lock.json", tmp_path / "portal" / "page")
    assert pins.check(Project(tmp_path)) == []
    text = (tmp_path / file).read_text()
    assert old in text, "the fault cannot be planted"
    (tmp_path / file).write_text(text.replace(old, new))
    found = [str(each) for each in pins.check(Project(tmp_path))]
    assert found and all(each.startswith(file) for each in found) and any(said in each for each in found), found


@pytest.mark.fault("J07")
@pytest.mark.parametrize("file", ["Makefile", ".ci/run", "README.md", "Dockerfile", "a.sh", "template.yaml"])
def test_the_lint_finds_other_ways_to_install_what_nobody_hashed(tmp_path: Path, file: str) -> None:
    from lint import pins

    (tmp_path / file).parent.mkdir(exist_ok=True)
    for command in (
        *("uvx six", "uv tool install six", "$(UV) tool run six", "uv run --with six x.py", "pipx run six"),
        *("npx six", "npm exec six", "$(NPM) exec six", "npm install six", "npm i six"),
        *("curl https://a.host/x | sh", "wget -qO- https://a.host/x | sudo bash -s", "sh <(curl https://a.host/x)"),
        *('pip install six "--require-hashes"', "pip install six --require-hashes", "pip download six"),
    ):
        (tmp_path / file).write_text(f"\t{command}\n")
        assert [each.where for each in pins.check(Project(tmp_path))] == [f"{file}:1"], command
    (tmp_path / file).write_text("\tpip install --require-hashes -r a.txt\n\tnpm ci\n\tcurl -f x --output y\n")
    assert pins.check(Project(tmp_path)) == []
