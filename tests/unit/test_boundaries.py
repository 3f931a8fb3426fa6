"""What may know of what: the product runs on AWS and here unmodified, because it cannot tell the difference."""

import ast
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS, CONTAINERS = ROOT / "functions", ROOT / "containers"
HANDLERS = sorted(FUNCTIONS.glob("*.py"))
DOMAIN = sorted((FUNCTIONS / "labelloop").rglob("*.py"))
SHIPPED = [*HANDLERS, *DOMAIN, *sorted(CONTAINERS.rglob("*.py"))]
LONGEST_HANDLER_LINES = 45
# In the Lambda runtime, in functions/requirements.txt, or in the imaging layer.
PROVIDED = {"boto3", "botocore", "aws_lambda_powertools", "PIL"}
# In the layer that one function alone carries.
PORTAL = {"serve_portal.py": {"portal", "mangum"}}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def test_the_files_are_where_this_test_looks() -> None:
    assert len(HANDLERS) > 25 and len(DOMAIN) > 25 and len(SHIPPED) > len(HANDLERS) + len(DOMAIN)


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_what_ships_knows_neither_the_embedded_aws_nor_the_tests(path) -> None:
    assert {"local", "tests", "bench", "lint", "cli", "ministack", "moto"}.isdisjoint(roots(path))


@pytest.mark.parametrize("path", [*HANDLERS, *DOMAIN], ids=name_of)
def test_a_function_imports_only_what_lambda_and_its_own_requirements_provide(path) -> None:
    allowed = PROVIDED | PORTAL.get(path.name, set()) | {"labelloop"} | set(sys.stdlib_module_names)
    assert roots(path) <= allowed
    assert "containers" not in roots(path)


@pytest.mark.parametrize("path", HANDLERS, ids=name_of)
def test_a_handler_is_short_and_comes_first(path) -> None:
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    (handler,) = (node for node in functions if node.name == "handler")
    assert functions[0] is handler, f"helpers stand before the handler in {name_of(path)}"
    assert handler.end_lineno - handler.lineno + 1 <= LONGEST_HANDLER_LINES
    assert [ast.unparse(decorator) for decorator in handler.decorator_list] == ["entry"]


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_nothing_that_ships_asks_where_it_runs(path) -> None:
    text = path.read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if not _only_prose(line))
    for word in ("AWS_ENDPOINT_URL", "endpoint_url", "localhost", "127.0.0.1", "ministack", "is_local", "IS_LOCAL"):
        assert not re.search(rf"\b{re.escape(word)}\b", code), f"{name_of(path)} says {word}"


def _only_prose(line: str) -> bool:
    """A sentence about the variable is no use of it: a comment, or a line of a docstring."""
    return line.lstrip().startswith("#") or not re.search(r"[=(\[{]", line)


def test_unit_tests_have_no_sockets() -> None:
    blocked = pytest.importorskip("pytest_socket").SocketBlockedError
    with pytest.warns(UserWarning), pytest.raises(blocked):
        socket.socket()
    with pytest.warns(UserWarning), pytest.raises(blocked):
        socket.getaddrinfo("example.invalid", 80)


def test_what_the_container_takes_of_labelloop_needs_nothing_that_only_lambda_has() -> None:
    """The image has boto3 and no powertools. A room's own __init__ is imported with its modules."""
    sources = [ast.parse(path.read_text()) for path in (ROOT / "containers" / "yolo").glob("*.py")]
    nodes = [node for tree in sources for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    taken = sorted({str(node.module) for node in nodes if str(node.module).startswith("labelloop.")})
    assert "labelloop.engines.model_descriptions" in taken
    _import_without(["aws_lambda_powertools"], taken)


def test_the_portals_server_loads_nothing_that_calls_aws() -> None:
    """What it needs of labelloop is pure; who stands behind it reaches AWS through the Desk."""
    _import_without(["boto3", "botocore", "aws_lambda_powertools"], ["portal.server.app"])


def _import_without(packages: list[str], modules: list[str]) -> None:
    lacking = "".join(f"sys.modules[{package!r}] = None; " for package in packages)
    command = f"import sys; {lacking}import {', '.join(modules)}"
    environment = {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
