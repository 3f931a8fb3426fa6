"""The plan of the house in figures: `python -m lint.house [folder of another checkout]`; docs/house.md holds them."""

from __future__ import annotations

import ast
import json
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from lint import rooms as plan
from lint.project import FUNCTION, Project
from lint.rooms import FLOORS


def figures(root: Path) -> dict[str, int]:
    """What docs/house.md tells before and after, of any version of this project."""
    project = Project(root)
    modules = _modules(root)
    found = {
        "lines of the state machines": sum(_lines(path) for path in sorted((root / "statemachines").glob("*.json"))),
        "lines of template.yaml": _lines(root / "template.yaml"),
        "parameters": len(project.template["Parameters"]),
        "functions": len(project.resources(FUNCTION)),
        "handler files": len(list((root / "functions").glob("*.py"))),
        "lines of the handlers": sum(map(_lines, sorted((root / "functions").glob("*.py")))),
        "modules of labelloop": len(modules),
        "lines of labelloop": sum(map(_lines, modules.values())),
        "arrows between modules": sum(len(_imports(path, modules)) for path in modules.values()),
        "rooms": len(set(map(_room, modules)) - {""}),
        "arrows between rooms": len(plan.arrows(project)) if any(map(_room, modules)) else 0,
        "lines of README.md": _lines(root / "README.md"),
    }
    rooms = Counter(map(_room, modules))
    return found | {f"modules in {room}": rooms[room] for room in reversed(FLOORS) if room in rooms}


def _modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file."""
    house = root / "functions" / "labelloop"
    files = sorted(path for path in house.rglob("*.py") if path.stem != "__init__")
    return {".".join(("labelloop", *path.relative_to(house).with_suffix("").parts)): path for path in files}


def _imports(path: Path, modules: Collection[str]) -> set[str]:
    """The modules of labelloop that a file imports, however it names them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & set(modules)


def _room(name: str) -> str:
    """Of a house without rooms: the house itself."""
    return name.split(".")[1] if name.count(".") > 1 else ""


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    print(json.dumps(figures(folder.resolve()), indent=2))
