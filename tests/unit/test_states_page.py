"""docs/states.md says what machines, template and tests say; each way to fall behind is planted into a copy."""

import json
import shutil
from pathlib import Path

import pytest

from lint import states_page
from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The real template, machines, functions and tests, with the page written from them."""
    shutil.copy(ROOT / "template.yaml", tmp_path)
    shutil.copytree(ROOT / "statemachines", tmp_path / "statemachines")
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "states.md").write_text(states_page.text(Project(tmp_path)))
    return tmp_path


def rows_of(copy: Path) -> dict[str, list[str]]:
    """The cells of each row, by the state's name."""
    rows = [line.strip("|").split(" | ") for line in states_page.text(Project(copy)).splitlines() if line[:1] == "|"]
    return {row[0].strip().removeprefix("↳ "): [cell.strip() for cell in row] for row in rows}


def test_every_state_leads_to_its_function_its_module_and_its_tests(copy: Path) -> None:
    rows = rows_of(copy)
    _, kind, comment, function, module, rooms, tests = rows["Request Inference"]
    machine = json.loads((copy / "statemachines" / "label_batch.asl.json").read_text())
    assert kind == "task, waits on a token" and function == "`RequestInferenceFunction`"
    assert module == "[functions/request_inference.py](../functions/request_inference.py)"
    assert tests == "[unit/test_request_inference.py](../tests/unit/test_request_inference.py)"
    assert rooms == "work, engines, store, contracts"
    assert comment in json.dumps(machine, ensure_ascii=False)
    assert rows["Register Batch"][2] == machine["States"]["Register Batch"]["Comment"]
    assert rows["Train Model"][4] == "[statemachines/train_model.asl.json](../statemachines/train_model.asl.json)"


def test_a_state_without_a_function_leads_to_the_tests_that_name_it(copy: Path) -> None:
    path, name = copy / "statemachines" / "label_batch.asl.json", " ".join(("Never", "Heard", "Of"))
    machine = json.loads(path.read_text())
    machine["States"][name] = {"Type": "Succeed"}
    path.write_text(json.dumps(machine))
    assert rows_of(copy)[name][6] == "none by name"
    for quoting in ("unit/test_lint_x.py", "unit/test_demo_x.py", "workflows/test_states_page.py"):
        (copy / "tests" / quoting).write_text(f"STATES = {[name] * 9}\n")
    assert rows_of(copy)[name][6] == "none by name", "they only quote it"
    for often in range(1, states_page.MOST_TESTS + 2):
        (copy / "tests" / "unit" / f"test_named_{often}.py").write_text(f"STATES = {[name] * often}\n")
    links = rows_of(copy)[name][6].split("<br>")
    assert links == [f"[unit/test_named_{often}.py](../tests/unit/test_named_{often}.py)" for often in (2, 3, 4)]


def test_a_changed_comment_is_a_finding(copy: Path) -> None:
    path = copy / "statemachines" / "label_batch.asl.json"
    machine = json.loads(path.read_text())
    machine["States"]["Judge Batch"]["Comment"] = "Something else."
    path.write_text(json.dumps(machine))
    (finding,) = states_page.check(Project(copy))
    assert finding.where == "docs/states.md" and "python -m lint.states_page" in finding.what


def test_rooms_that_a_function_newly_enters_are_a_finding(copy: Path) -> None:
    module = copy / "functions" / "judge_batch.py"
    module.write_text(module.read_text() + "\nfrom labelloop.pictures import pixels\n")
    assert [finding.where for finding in states_page.check(Project(copy))] == ["docs/states.md"]


@pytest.mark.parametrize("left", [None, '"""Tests that were moved elsewhere."""\n'])
def test_a_function_without_a_test_of_its_own_name_is_a_finding(copy: Path, left: str | None) -> None:
    own = copy / "tests" / "unit" / "test_stop_labeling.py"
    own.unlink()
    if left is not None:
        own.write_text(left)
    (finding,) = states_page.check(Project(copy))
    assert finding.where == "functions/stop_labeling.py" and "write tests/unit/test_stop_labeling.py" in finding.what


def test_a_page_that_is_not_there_is_a_finding(copy: Path) -> None:
    (copy / "docs" / "states.md").unlink()
    assert [finding.where for finding in states_page.check(Project(copy))] == ["docs/states.md"]
