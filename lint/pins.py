"""Whatever is installed is known by its hash: every line of every requirements file has some, every pip is told to
look, and npm has a lock. No file says which registry a package comes from: any that has the same files will do.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from lint.project import Finding, Project

# A file of any other name that pip reads would not be looked at: name it so.
REQUIREMENTS = ("requirements/*.txt", "**/requirements*.txt", "containers/**/*.txt")
COMMANDS = ("Makefile", "template.yaml", ".ci/run", "README.md", "**/Dockerfile", "**/*.sh")
NOT_OURS = {".venvs", ".aws-sam", "build", "node_modules"}
PIN = re.compile(r"[a-z0-9][a-z0-9._-]*==[0-9][\w.!+]*( ; [^\\]+?)?(?P<hashes>( --hash=sha256:[0-9a-f]{64}\b)*)")
# What pip reads besides requirements: an index, folders, other files; each could bring what nobody hashed.
ADDRESS = re.compile(r"\w+://|^\s*(-|--)(i|index-url|extra-index-url|f|find-links|trusted-host)\b", re.MULTILINE)
PIP_INSTALLS = re.compile(r"(\bpip3?\b|\$\(UV\)|\"\$@\").* (install|download|wheel|sync)\b")
NPM_INSTALLS = re.compile(r"(\$\(NPM\)|\bnpm\b).* (install|i|add|update)\b")
# A flag in quotes may be part of another word; without -r it has no hashes to look at.
HASHED = re.compile(r"(?=.*\s--require-hashes(\s|$))(?=.*\s-r\s)")
RUNNERS = re.compile(
    r"\b(uvx|pipx|npx)\s|(\buv|\$\(UV\))\s(.*\s)?(tool\s+(install|run)|--with)\b|(\bnpm|\$\(NPM\))\s(.*\s)?(exec|x)\s"
    r"|\b(curl|wget)\b.*\|\s*(sudo\s+)?(ba|da|z)?sh\b|\b(ba|da|z)?sh\b.*[<$]\((curl|wget)\b"
)


def check(project: Project) -> list[Finding]:
    found = [finding for path in _files(project.root, REQUIREMENTS) for finding in _requirements(project.root, path)]
    for path in _files(project.root, COMMANDS):
        found += [Finding(_where(project.root, path, line), what) for line, what in _commands(path)]
    for path in _files(project.root, ("**/package.json",)):
        found += _lock(project.root, path.with_name("package-lock.json"))
    return found


def _files(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = {path for pattern in patterns for path in root.glob(pattern)}
    return sorted(path for path in found if not NOT_OURS & set(path.relative_to(root).parts))


def _where(root: Path, path: Path, line: int) -> str:
    return f"{path.relative_to(root).as_posix()}:{line}"


def _requirements(root: Path, path: Path) -> Iterator[Finding]:
    text = path.read_text(encoding="utf-8")
    for match in ADDRESS.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Finding(_where(root, path, line), "says where packages come from: leave that to the machine's settings")
    for line, entry in _logical_lines(text):
        pin = PIN.fullmatch(entry)
        if not pin:
            yield Finding(
                _where(root, path, line), f"{entry[:60]!r} is no `name==version` with hashes: run `make pins`"
            )
        elif not pin["hashes"]:
            yield Finding(_where(root, path, line), f"{entry[:60]!r} has no --hash=sha256:...: run `make pins`")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number, content) without comments, as pip joins them: a backslash at the end goes on."""
    entry, begun = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        content = re.sub(r"(^|\s)#.*$", "", line)
        begun = begun if entry else number
        entry += content.removesuffix("\\")
        if not content.endswith("\\"):
            if entry.strip():
                yield begun, " ".join(entry.split())
            entry = ""


def _commands(path: Path) -> Iterator[tuple[int, str]]:
    for line, command in _logical_lines(path.read_text(encoding="utf-8")):
        for part in re.split(r"&&|\|\||;", command):
            if PIP_INSTALLS.search(part) and not HASHED.match(part):
                yield line, "pip installs without --require-hashes -r <file>"
            if NPM_INSTALLS.search(part) and "--package-lock-only" not in part:
                yield line, "npm installs without its lock: npm ci"
            if RUNNERS.search(part):
                yield line, "runs what nobody hashed: install it by a requirements file or a lock"


def _lock(root: Path, path: Path) -> list[Finding]:
    where = path.relative_to(root).as_posix()
    if not path.exists():
        return [Finding(where, "is missing: run `make pins`")]
    found = []
    if re.search(r"\w+://", path.read_text(encoding="utf-8")):
        found.append(Finding(where, "names an address: run `make pins`"))
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    bare = [name for name, package in packages.items() if name and not package.get("integrity")]
    return found + [Finding(where, f"{name} has no integrity: run `make pins`") for name in bare]
