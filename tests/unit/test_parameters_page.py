"""docs/parameters.md and samconfig.toml keep to the template; an old name is told with its new place."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from labelloop.contracts import advanced

from lint import parameters, samconfig
from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
OLD = [advanced.parameter_of(setting) for setting in advanced.DEFAULTS]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "parameters.md", tmp_path / "docs")
    return tmp_path


def configured(copy: Path, text: str) -> list[str]:
    (copy / "samconfig.toml").write_text(text)
    return samconfig.problems(copy)


def test_the_page_and_the_projects_own_samconfig_are_in_order(copy: Path) -> None:
    assert parameters.check(Project(copy)) == []


def test_the_page_names_the_new_place_of_each_old_parameter() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)`, field `\1` \|", page, re.M))
    assert sorted(rows) == sorted(OLD)
    assert all(f"is given in the parameter {rows[name]} now" in advanced.moved(name) for name in OLD)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("docs/parameters.md", "| 14400 |", "| 14401 |"),
        ("docs/parameters.md", "| 60 to 172800 |", "| 60 to 86400 |"),
        ("template.yaml", "  LogLevel:\n    Type", "  Another: {Type: String, Default: x}\n  LogLevel:\n    Type"),
    ],
)
def test_a_page_that_fell_behind_is_told(copy: Path, file: str, old: str, new: str) -> None:
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    (finding,) = parameters.check(Project(copy))
    assert finding.where == "docs/parameters.md" and "run `python -m lint.parameters`" in finding.what


@pytest.mark.parametrize(
    "form",
    [
        '[prod.deploy.parameters]\nparameter_overrides = "HumanBudget=5 {name}=1"',
        '[prod.deploy.parameters]\nparameter_overrides = ["HumanBudget=5", "{name}=1"]',
        '[prod.deploy.parameters]\nparameter_overrides = "ParameterKey={name},ParameterValue=1"',
        '[prod.deploy.parameters]\nparameter_overrides = "ParameterValue=1,ParameterKey={name}"',
        '[prod.deploy.parameters]\nparameter-overrides = "{name}=1"',
        '[prod.deploy.parameters]\nparameter_overrides = """HumanBudget=5\n{name}=\'a b\'"""',
        '[prod.deploy.parameters.parameter_overrides]\nHumanBudget = "5"\n{name} = "1"',
        '[prod.deploy.parameters]\nparameter_overrides = ["HumanBudget=5", {{ {name} = "1" }}]',
        '[prod.global.parameters]\nparameter_overrides = "{name}=1"',
    ],
)
def test_an_old_name_in_samconfig_is_told_with_its_new_place_in_whatever_form(copy: Path, form: str) -> None:
    for name in OLD:
        (finding,) = configured(copy, form.format(name=name))
        assert finding.startswith("[prod.") and advanced.moved(name) in finding


@pytest.mark.parametrize("given", ["parameters = 5", '[a.deploy.parameters]\nparameter_overrides = "it\'s"'])
def test_what_sam_cannot_read_is_left_to_sam(copy: Path, given: str) -> None:
    assert configured(copy, given if given.startswith("[") else f"[a.deploy]\n{given}") == []


def test_a_name_that_never_was_is_told_too(copy: Path) -> None:
    (finding,) = configured(copy, '[dev.deploy.parameters]\nparameter_overrides = "HumanBugdet=5"')
    assert "HumanBugdet is no parameter of template.yaml, and sam drops it without a word" in finding
    (told,) = parameters.check(Project(copy))
    assert (told.where, told.what) == ("samconfig.toml", finding)


def test_make_build_refuses_an_environment_with_an_old_name_and_no_other(tmp_path: Path) -> None:
    """As `make build` asks: isolated, so with nothing but the standard library."""
    for folder in ("lint", "functions/labelloop/contracts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "functions/labelloop/__init__.py", tmp_path / "functions/labelloop")
    shutil.copy(ROOT / "template.yaml", tmp_path)
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[dev.deploy.parameters]\nparameter_overrides = "Seed=7"\n'
        '[prod.deploy.parameters]\nparameter_overrides = "HumanBudget=7"\n'
    )
    asked = {
        name: subprocess.run(
            [sys.executable, "-S", "-m", "lint.samconfig", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for name in ("dev", "prod")
    }
    assert asked["dev"].returncode == 1, asked["dev"]
    assert 'Seed is given in the parameter AdvancedSettings now, as in {"Seed": 20260101}' in asked["dev"].stderr
    assert asked["prod"].returncode == 0, asked["prod"]
    assert "-m lint.samconfig $(or $(CONFIG),default)" in (ROOT / "Makefile").read_text()
    assert samconfig.problems(ROOT) == []
