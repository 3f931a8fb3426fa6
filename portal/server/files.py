"""What the browser runs: the files of the folder `portal/`, by a table made once. No request ever names a path."""

from __future__ import annotations

from pathlib import Path

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
KONVA = Path("node_modules", "konva", "konva.min.js")


def table(folder: Path) -> dict[str, Path]:
    """Name below /static/ -> file: everything of a known type in the folder and its subfolders, and Konva.

    Links are left out, and so is what npm installed except Konva.
    """
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES
        and "node_modules" not in path.parts
        and path.is_file()
        and path.resolve() == folder.resolve() / path.relative_to(folder)
    }
    return {**found, KONVA.name: folder / KONVA}
