"""The ports of the house: behaviour is chosen by a look-up, `tasks.of` or `policies.of`, and not by comparing names.

Seen, over functions/: a comparison (`==`, `!=`, `is`, `in`, a `case`) with a string that is the name of a task or of an
accept policy; one whose side is called `task`, `policy` or `accept_policy`, bare, as an attribute or as a key; and the
question whether a label has people (`label.people is None`) or a mark is a box (`isinstance(mark, Box)`), which is the
question for its task. A name is what a class or a module of the port's own folder sets as `name`, so a new task or
policy is covered when it is there. Whether something is None is no comparison with a name. Not seen: a name that
reaches the comparison through a variable called otherwise, and the keys of a dict.

What trains and serves models stands behind `engines.of`, what asks people behind `people.of`: only the modules of these
rooms make a client of a service that does it, and nobody else, the command line included, imports the modules that one
kind alone is made of. Not seen: a service whose name reaches the client through a variable.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lint import rooms
from lint.project import Finding, Project

# The kind of a label, or of a prediction, is part of the contract of its line: these read and write it.
READS_A_LABELS_KIND = tuple(f"functions/labelloop/contracts/{name}.py" for name in ("manifests", "predictions"))

SERVICES = ("sagemaker", "sagemaker-runtime", "sagemaker-a2i-runtime", "application-autoscaling", "rekognition")
INSIDES = ("labelloop.engines.endpoints", "labelloop.engines.yolo", "labelloop.people.ground_truth")
ROOMS_OF_SERVICES = ("functions/labelloop/engines", "functions/labelloop/people")


@dataclass(frozen=True)
class Port:
    what: str
    folder: str
    look_up: str
    called: frozenset[str]
    absent: frozenset[str] = frozenset()  # fields that are None for a label of another task
    marks: frozenset[str] = frozenset()  # classes of what one task alone marks, or a model of it sees


PORTS = (
    Port(
        "task",
        "functions/labelloop/tasks",
        "tasks.of",
        frozenset({"task"}),
        frozenset({"people"}),
        frozenset({"Box", "Person", "SeenPerson"}),
    ),
    Port(
        "accept policy",
        "functions/labelloop/trust/policies",
        "policies.of",
        frozenset({"policy", "accept_policy"}),
    ),
    Port("engine", "functions/labelloop/engines", "engines.of", frozenset({"engine"})),
    Port("labelling backend", "functions/labelloop/people", "people.of", frozenset({"backend", "labeling_backend"})),
)


def check(project: Project) -> list[Finding]:
    files = {path.relative_to(project.root).as_posix(): path.read_text(encoding="utf-8") for path in _modules(project)}
    found: list[Finding] = []
    for port in PORTS:
        names = frozenset(
            name for where, text in files.items() if _within(where, port.folder) for name in _names(_parsed(text))
        )
        if not names:
            found.append(Finding(port.folder, f"no class sets a `name`: nobody knows what a {port.what} is called"))
        found += [
            finding
            for where, text in files.items()
            if not _within(where, port.folder) and where not in READS_A_LABELS_KIND
            for finding in _findings(where, text, port, names)
        ]
    outside = [each for each in files.items() if not each[0].startswith(ROOMS_OF_SERVICES)]
    found += [finding for where, text in outside for finding in _services(where, text)]
    callers = [*(project.root / where for where, _ in outside), *sorted((project.root / "cli").rglob("*.py"))]
    return [*found, *(finding for path in callers for finding in _insides(path, project.root))]


def _modules(project: Project) -> list[Path]:
    return sorted((project.root / "functions").rglob("*.py"))


def _within(where: str, folder: str) -> bool:
    return where.startswith(f"{folder}/")


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _services(where: str, text: str) -> list[Finding]:
    found = []
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.Call) and re.search(r"(^|[._])(client|resource)$", ast.unparse(node.func)):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            for service in sorted(_constants(given) & set(SERVICES)):
                what = f"asks {service} itself: engines.of(...) or people.of(...) has a verb for it"
                found.append(Finding(f"{where}:{node.lineno}", what))
    return found


def _insides(path: Path, root: Path) -> Iterator[Finding]:
    for name in sorted(set(INSIDES) & set(rooms.names(path))):
        what = f"imports {name}, of which one kind is made: engines.of(...) or people.of(...) has a verb for it"
        yield Finding(path.relative_to(root).as_posix(), what)


@cache
def _findings(where: str, text: str, port: Port, names: frozenset[str]) -> list[Finding]:
    found = []
    for node in ast.walk(_parsed(text)):
        if told := _told(node, port, names):
            line = getattr(node, "lineno", 0) or getattr(getattr(node, "pattern", None), "lineno", 0)
            found.append(Finding(f"{where}:{line}", f"{told}: ask {port.look_up}(...) for what differs"))
    return found


def _names(tree: ast.Module) -> Iterator[str]:
    """What the classes of a module, or the module itself, set as `name`."""
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.ClassDef | ast.Module):
            continue
        for node in owner.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and target.id == "name" and isinstance(value, ast.Constant):
                yield str(value.value)


def _told(node: ast.AST, port: Port, names: frozenset[str]) -> str:
    """What is wrong with this node; empty where nothing is."""
    if isinstance(node, ast.match_case):
        cases = [each.value for each in ast.walk(node.pattern) if isinstance(each, ast.MatchValue)]
        return f"a case for the {port.what} {_shown(cases)}" if _constants(cases) & names else ""
    if isinstance(node, ast.Match):
        return f"a match on the {port.what} {_shown([node.subject])}" if _called(node.subject) & port.called else ""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
        parts = (each for each in ast.walk(node.args[-1]) if isinstance(each, ast.expr))
        named = {name for each in parts for name in _called(each)}
        return f"asks for the {port.what} by {_shown([node])}" if named & port.marks else ""
    if not isinstance(node, ast.Compare):
        return ""
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Constant) and side.value is None for side in sides):
        asked = any(isinstance(side, ast.Attribute) and side.attr in port.absent for side in sides)
        return f"asks for the {port.what} by {_shown([node])}" if asked else ""
    if _constants(sides) & names or any(_called(side) & port.called for side in sides):
        return f"compares the {port.what} in {_shown([node])}"
    return ""


def _constants(nodes: list[ast.expr]) -> set[str]:
    """The strings among these expressions, those of a literal tuple, list or set included."""
    flat = [
        each
        for node in nodes
        for each in ([*node.elts] if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node])
    ]
    return {node.value for node in flat if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _called(node: ast.expr) -> set[str]:
    """How an expression is called: a name, an attribute, or a key."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return {str(node.slice.value)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        return {str(node.args[0].value)} if isinstance(node.args[0], ast.Constant) else set()
    return set()


def _shown(nodes: list[ast.expr]) -> str:
    return ", ".join(f"`{ast.unparse(node)}`" for node in nodes)
