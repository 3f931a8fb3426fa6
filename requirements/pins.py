"""Resolves requirements/*.in again: every package with its version and the hashes of all its files. `make pins`, which
has npm write portal/page/package-lock.json before.

What is pinned already stays, unless the .in file asks for another version. Only a package index tells hashes, so local
folders of wheels (PIP_FIND_LINKS) are not asked; the CPU builds of torch, which the index lacks, stand in
torch-cpu.sha256.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# Everything not named here lies beside its .in file.
ELSEWHERE = {
    "functions": "functions/requirements.txt",
    "imaging": "layers/imaging/requirements.txt",
    "sdk": "layers/sdk/requirements.txt",
    "portal": "layers/portal/requirements.txt",
    "yolo": "containers/yolo/requirements.txt",
    "cuda": "containers/yolo/cuda.txt",
}
WHOLE = {"yolo"}  # lists every package itself
WITHOUT = {"cuda": "yolo", "yolo-tests": "yolo"}  # is installed besides, and does not repeat it
OPTIONS = "--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url"
# `name==version`, perhaps a marker, and the lines of its hashes.
ENTRY = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+).*(?:\n +--hash=.*)*\n", re.MULTILINE)


def main(uv: str) -> None:
    for source in sorted(HERE.glob("*.in"), key=lambda path: path.stem in WITHOUT):
        name, target = source.stem, target_of(source.stem)
        options = [*OPTIONS.split(), *(["--no-deps"] if name in WHOLE else [])]
        command = [uv, "pip", "compile", *options, str(source), "-o", str(target)]
        environment = {key: value for key, value in os.environ.items() if not key.endswith("FIND_LINKS")}
        subprocess.run(command, cwd=HERE, env=environment, check=True)
        text = target.read_text("utf-8")
        if name in WITHOUT:
            known = {found["name"] for found in ENTRY.finditer(target_of(WITHOUT[name]).read_text("utf-8"))}
            text = ENTRY.sub(lambda found, known=known: "" if found["name"] in known else found[0], text)
        target.write_text(ENTRY.sub(with_cpu_builds, text), "utf-8")
    without_addresses(ROOT / "portal" / "page" / "package-lock.json")


def target_of(name: str) -> Path:
    return ROOT / ELSEWHERE[name] if name in ELSEWHERE else HERE / f"{name}.txt"


def with_cpu_builds(entry: re.Match[str]) -> str:
    if entry["name"] not in CPU_BUILDS:
        return entry[0]
    hashes = CPU_BUILDS[entry["name"]].get(entry["version"])
    if not hashes:
        sys.exit(f"{entry['name']} {entry['version']}: put the hashes of its CPU builds into torch-cpu.sha256")
    head, *known = entry[0].replace(" \\\n", "\n").splitlines()
    lines = [head, *sorted({*known, *(f"    --hash=sha256:{each}" for each in hashes)})]
    return " \\\n".join(lines) + "\n"


def without_addresses(lock: Path) -> None:
    """Whom a package would like to be paid by is no part of what it is."""
    content = json.loads(lock.read_text("utf-8"))
    for package in content["packages"].values():
        package.pop("funding", None)
    lock.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def cpu_builds() -> dict[str, dict[str, list[str]]]:
    """{package: {version: hashes}}."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in (HERE / "torch-cpu.sha256").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            sha256, wheel = line.split()
            name, version = wheel.split("-")[:2]
            found.setdefault(name, {}).setdefault(version.removesuffix("+cpu"), []).append(sha256)
    return found


CPU_BUILDS = cpu_builds()

if __name__ == "__main__":
    main(*sys.argv[1:])
