"""A file that is too long to be read in one go is told, unless its head says why; a reason that is over is, too."""

from pathlib import Path

import pytest

from lint import lengths
from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
WHY = "Over 400 lines: the table is one."
CODE = "x = 1\n"


def told(root: Path, name: str, text: str) -> list[str]:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return [str(finding) for finding in lengths.check(Project(root))]


def test_no_file_of_this_project_is_too_long() -> None:
    assert [str(finding) for finding in lengths.check(Project(ROOT))] == []


CODES = ["functions/a.py", "tests/unit/test_a.py", "portal/page/a.js", "demo/Dockerfile", "template.yaml"]
OTHERS = ["docs/a.md", "README.md", "Makefile", "statemachines/a.asl.json"]


@pytest.mark.parametrize("name", [*CODES, *OTHERS])
def test_a_file_of_more_than_400_lines_is_told_with_what_to_do(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, name, CODE * 400) == []
    (found,) = told(tmp_path, name, CODE * 401)
    assert found.startswith(f"{name}: has 401 lines") and 'end its docstring with "Over 400 lines: " and why' in found


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("cli/a.py", f'"""A table.\n\n{WHY}\n"""\n'),
        ("cli/b.py", f'"""A table. {WHY}"""\n'),
        ("portal/page/a.js", f"/* A table. {WHY} */\n"),
        ("statemachines/a.asl.json", f'{{\n  "Comment": "A machine. {WHY}",\n'),
    ],
)
def test_a_reason_in_the_head_lets_it_be_and_one_that_is_over_is_told(tmp_path: Path, name: str, head: str) -> None:
    assert told(tmp_path, name, head + CODE * 500) == []
    (found,) = told(tmp_path, name, head + CODE * 9)
    assert "says why it has over 400 lines" in found


@pytest.mark.parametrize(
    "head",
    ['"""Over 400 lines: """\n', f"# {WHY}\n", f'X = 1\nY = """{WHY}"""\n', '"""A table that is over 400 lines."""\n'],
    ids=["no reason", "a comment", "not the docstring", "another sentence"],
)
def test_what_is_no_reason_or_stands_elsewhere_does_not_count(tmp_path: Path, head: str) -> None:
    (found,) = told(tmp_path, "bench/a.py", head + CODE * 400)
    assert "cut it along its subjects" in found


@pytest.mark.parametrize(
    "name", ["lint/rows.json", "requirements/dev.txt", "portal/node_modules/a.js", "local/.build/a.py"]
)
def test_data_and_what_is_not_ours_may_be_long(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, name, CODE * 900) == []
