"""docs/faults.md counts only what is collected and asserts; each way not to count is planted into a small project."""

from pathlib import Path

import pytest

from lint import faults
from lint.project import Project

HELD = '@pytest.mark.fault("A09")\ndef test_it_holds():\n    assert str(1) == "1"\n'


def project(root: Path, body: str) -> Project:
    (root / "tests").mkdir()
    (root / "docs").mkdir()
    (root / "tests" / "test_one.py").write_text(f"import pytest\n\n{body}")
    return Project(root)


def test_a_test_counts_once_for_each_row_whatever_its_parameters(tmp_path) -> None:
    body = (
        f'@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.fault("D04"))])\n{HELD}'.replace(
            "()", "(n)"
        )
        + '\n@pytest.mark.fault("A09")\nclass TestMore:\n'
        + "    def test_too(self):\n        with pytest.raises(KeyError):\n            {}[1]\n"
        + '\n@pytest.mark.skipif("sys.platform == None")\n@pytest.mark.fault("C10")\ndef test_helped():\n    check()\n'
        + "\ndef check():\n    assert len(str(1)) == 1\n"
    )
    tests, findings = faults.marked(project(tmp_path, body).root)
    assert findings == []
    assert tests == {
        "A09": ["test_one::test_it_holds", "test_one::test_too"],
        "D04": ["test_one::test_it_holds"],
        "C10": ["test_one::test_helped"],
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"@pytest.mark.skip\n{HELD}", "it is marked skip"),
        (f"pytestmark = pytest.mark.skip\n{HELD}", "it is marked skip"),
        (f"@pytest.mark.xfail\n{HELD}", "it is marked xfail"),
        ('@pytest.mark.fault("A09")\ndef test_it():\n    print("fine")\n', "it asserts nothing"),
        ('@pytest.mark.fault("A09")\ndef test_it():\n    assert True\n', "it asserts nothing"),
        ('@pytest.mark.fault("A09")\ndef test_it():\n    fail()\n\ndef fail():\n    pass\n', "it asserts nothing"),
        (HELD.replace("A09", "Z99"), "Z99 is not a row"),
        ("import no_such_module_at_all\n", "no_such_module_at_all"),
        (HELD, "differs from what the tests mark"),
    ],
)
def test_what_does_not_count_is_said(tmp_path, body, said) -> None:
    (finding,) = faults.check(project(tmp_path, body))
    assert said in str(finding)


def test_a_function_that_pytest_does_not_collect_holds_nothing(tmp_path) -> None:
    tests, findings = faults.marked(project(tmp_path, HELD.replace("def test_", "def check_")).root)
    assert (tests, findings) == ({}, [])
