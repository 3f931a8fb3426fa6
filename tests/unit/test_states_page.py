"""docs/states.md says what machines, template and tests say; each way to fall behind is planted into a copy."""

import json
import shutil
from pathlib import Path

import pytest

from lint import states_page
from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
JUDGED = "import judge_batch\n\n\ndef test_it():\n    assert judge_batch\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The real template, machines and tests, with the page written from them."""
    shutil.copy(ROOT / "template.yaml", tmp_path)
    shutil.copytree(ROOT / "statemachines", tmp_path / "statemachines")
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
    _, kind, comment, function, module, tests = rows["Request Inference"]
    machine = json.loads((copy / "statemachines" / "label_batch.asl.json").read_text())
    assert kind == "task, waits on a token" and function == "`RequestInferenceFunction`"
    assert module == "[functions/request_inference.py](../functions/request_inference.py)"
    assert "](../tests/unit/test_" in tests
    assert comment in json.dumps(machine, ensure_ascii=False)
    assert rows["Register Batch"][2] == machine["States"]["Register Batch"]["Comment"]
    assert rows["Train Model"][4] == "[statemachines/train_model.asl.json](../statemachines/train_model.asl.json)"


def test_a_test_file_of_the_modules_name_comes_alone(copy: Path) -> None:
    (copy / "tests" / "unit" / "test_judge_batch.py").unlink(missing_ok=True)
    assert len(rows_of(copy)["Judge Batch"][5].split("<br>")) == states_page.MOST_TESTS
    (copy / "tests" / "unit" / "test_judge_batch.py").write_text(JUDGED)
    assert rows_of(copy)["Judge Batch"][5] == "[unit/test_judge_batch.py](../tests/unit/test_judge_batch.py)"


def test_a_changed_comment_is_a_finding(copy: Path) -> None:
    path = copy / "statemachines" / "label_batch.asl.json"
    machine = json.loads(path.read_text())
    machine["States"]["Judge Batch"]["Comment"] = "Something else."
    path.write_text(json.dumps(machine))
    (finding,) = states_page.check(Project(copy))
    assert finding.where == "docs/states.md" and "python -m lint.states_page" in finding.what


def test_a_function_that_no_test_names_is_a_finding(copy: Path) -> None:
    for path in (copy / "tests").rglob("test_*.py"):
        path.write_text(path.read_text().replace("stop_labeling", "another"))
    assert ("functions/stop_labeling.py", "no test file names it") in [
        (finding.where, finding.what.partition(":")[0]) for finding in states_page.check(Project(copy))
    ]


def test_a_page_that_is_not_there_is_a_finding(copy: Path) -> None:
    (copy / "docs" / "states.md").unlink()
    assert [finding.where for finding in states_page.check(Project(copy))] == ["docs/states.md"]
