"""The plan of functions/labelloop is kept: each way of breaking it is planted into a copy of the real files."""

import shutil
from pathlib import Path

import pytest

from lint import rooms
from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_real_house_is_in_order_and_every_arrow_points_downwards() -> None:
    assert rooms.check(Project(ROOT)) == []
    arrows = rooms.arrows(Project(ROOT))
    assert arrows["batch", "contracts"] > 0 and arrows["people", "tasks"] > 0
    assert all(rooms.FLOORS.index(above) > rooms.FLOORS.index(below) for above, below in arrows)


@pytest.mark.parametrize(
    ("path", "line", "told"),
    [
        ("store/ledger.py", "from labelloop.people import jobs", "imports people.jobs, a room above its own"),
        ("tasks/quality.py", "from labelloop.trust.audit import audit", "imports trust.audit, a room above its own"),
        ("contracts/records.py", "import labelloop.store.aws", "imports store.aws, a room above its own"),
        ("trust/judgement.py", "from labelloop.store import storage", "imports store.storage: trust decides"),
        ("tasks/fusion.py", "import boto3", "imports boto3: tasks decides"),
        ("pictures/tiffs.py", "from urllib.request import urlopen", "imports urllib: pictures decides"),
        ("contracts/fields.py", "from botocore.exceptions import ClientError", "imports botocore: contracts decides"),
        ("trust/drawer/rule.py", "from labelloop.store import storage", "imports store.storage: trust decides"),
        ("trust/drawer/rule.py", "import boto3", "imports boto3: trust decides"),
        ("store/drawer/row.py", "from labelloop.people import jobs", "imports people.jobs, a room above its own"),
        ("contracts/fields.py", "from labelloop import tasks", "imports tasks.__init__, a room above its own"),
        ("work/outside.py", "import importlib", "imports importlib: what it fetches is an arrow that nobody sees"),
        ("work/outside.py", "__import__('labelloop.batch.report')", "calls __import__: what it fetches is"),
        ("attic/chest.py", "", "attic is no room"),
        ("chest.py", "", "stands in no room"),
    ],
)
def test_what_breaks_the_plan_is_told(copy: Path, path: str, line: str, told: str) -> None:
    planted = copy / "functions" / "labelloop" / path
    planted.parent.mkdir(exist_ok=True)
    before = planted.read_text() if planted.exists() else ""
    planted.write_text(f"{before}\n\ndef late() -> None:\n    {line or 'pass'}\n")
    (found,) = rooms.check(Project(copy))
    assert found.where == f"functions/labelloop/{path}" and told in found.what


def test_a_circle_within_a_room_is_told_once_and_by_its_shortest_way(copy: Path) -> None:
    room = copy / "functions" / "labelloop" / "store"
    for name, other in (("one", "two"), ("two", "three"), ("three", "one")):
        (room / f"{name}.py").write_text(f"def late() -> None:\n    from labelloop.store import {other}\n")
    (found,) = rooms.check(Project(copy))
    assert found.where == "functions/labelloop/store/one.py"
    assert "store.one -> store.two -> store.three -> store.one" in found.what


def test_what_has_no_test_of_its_own_name_is_told(copy: Path) -> None:
    shutil.copytree(ROOT / "tests" / "unit", copy / "tests" / "unit", ignore=shutil.ignore_patterns("__pycache__"))
    house, tests = copy / "functions" / "labelloop", copy / "tests" / "unit"
    before = set(rooms.check(Project(copy)))
    (house / "store" / "shelves.py").write_text("")
    (tests / "test_ledger.py").rename(tests / "test_who_owns_what.py")
    assert {(found.where, found.what) for found in set(rooms.check(Project(copy))) - before} == {
        (
            f"functions/labelloop/store/{name}.py",
            f"has no test of its own name: write tests/unit/test_{name}.py for what it promises",
        )
        for name in ("ledger", "shelves")
    }


def test_what_only_declares_and_what_stands_in_a_folder_needs_no_test_of_its_own_name(copy: Path) -> None:
    tests, house = copy / "tests" / "unit", copy / "functions" / "labelloop"
    tests.mkdir(parents=True)
    (tests / "test_policies.py").write_text("\n\ndef test_one() -> None: ...\n")
    untested = [Path(found.where) for found in rooms.check(Project(copy))]
    assert not [path for path in untested if path.name in ("port.py", "__init__.py") or path.parent.name == "policies"]
    assert len(untested) == sum(path.name not in ("port.py", "__init__.py") for path in house.glob("*/*.py")), (
        "every other module is told"
    )
