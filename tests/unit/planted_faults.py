"""Faults planted into a copy of the template, the machines and the functions, for `lint` to find."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
Fault = Callable[[Path], None]


def copy_into(folder: Path) -> Path:
    shutil.copy(ROOT / "template.yaml", folder)
    shutil.copy(ROOT / "CHANGELOG.md", folder)
    shutil.copytree(ROOT / "statemachines", folder / "statemachines")
    shutil.copytree(ROOT / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def findings_with(fault: Fault, checked: Any, folder: Path) -> list[str]:
    """What one check of `lint` (a module with `check`) says of a copy that has the fault."""
    copy = copy_into(folder)
    fault(copy)
    return [str(finding) for finding in checked.check(Project(copy))]


def in_file(name: str, old: str, new: str, times: int = 1) -> Fault:
    def plant(copy: Path) -> None:
        text = (copy / name).read_text()
        assert old in text, f"the fault cannot be planted: {name} no longer holds {old!r}"
        (copy / name).write_text(text.replace(old, new, times))

    return plant


def in_template(old: str, new: str, times: int = 1) -> Fault:
    return in_file("template.yaml", old, new, times)


def in_machine(machine: str, edit: Callable[[dict[str, Any]], Any]) -> Fault:
    """`edit` gets the machine's states."""

    def plant(copy: Path) -> None:
        path = copy / "statemachines" / f"{machine}.asl.json"
        definition = json.loads(path.read_text())
        edit(definition["States"])
        path.write_text(json.dumps(definition, indent=2))

    return plant


def rename(old: str, new: str) -> Fault:
    return lambda copy: (copy / old).rename(copy / new) and None
