"""Parameters in samconfig.toml that the template has not: each is told, with its new place where it has one.

Works with the standard library alone, so that `make build` can ask: `python -m lint.samconfig [environment]`.
"""

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelloop.contracts import advanced

FILE = "samconfig.toml"


def problems(root: Path, environment: str = "") -> list[str]:
    """One sentence for each name, of every environment or of one."""
    path = root / FILE
    if not path.is_file():
        return []
    known = _parameters((root / "template.yaml").read_text(encoding="utf-8"))
    sections = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        f"[{section}.{command}] {told}"
        for section, commands in sections.items()
        if isinstance(commands, dict) and environment in ("", section)
        for command, body in commands.items()
        if isinstance(body, dict)
        for name in _overridden(body)
        for told in _told(name, known)
    ]


def _overridden(command: dict[str, Any]) -> Iterator[str]:
    """sam reads both spellings of the option. What it cannot read, it says itself."""
    parameters = command.get("parameters")
    if isinstance(parameters, dict):
        for option in ("parameter_overrides", "parameter-overrides"):
            yield from given(parameters.get(option, {}))


def given(overrides: Any) -> Iterator[str]:
    """The names, from whatever form sam takes: a table, text, or a list of both."""
    if isinstance(overrides, dict):
        yield from overrides
    elif isinstance(overrides, list):
        for each in overrides:
            yield from given(each)
    else:
        try:
            pairs = shlex.split(str(overrides))
        except ValueError:  # an open quotation
            return
        for pair in pairs:
            key = re.search("(?:^|,)ParameterKey=([^,]*)", pair)
            yield key[1] if key else pair.partition("=")[0]


def _told(name: str, known: set[str]) -> Iterator[str]:
    if name in known or name.startswith("file://"):
        return
    yield advanced.moved(name) or f"{name} is no parameter of template.yaml, and sam drops it without a word"


def _parameters(template: str) -> set[str]:
    """Names under `Parameters:`; a YAML library is more than this needs."""
    section = re.search(r"^Parameters:\n((?:[ #].*\n|\n)*)", template, re.M)
    return set(re.findall(r"^  ([A-Za-z0-9]+):", section[1], re.M)) if section else set()


def main() -> int:
    found = problems(Path(__file__).resolve().parents[1], *sys.argv[1:2])
    for what in found:
        print(f"{FILE}: {what}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
