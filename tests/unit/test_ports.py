"""Nothing outside a port chooses by its names: each way of doing so is planted into copies of real files."""

import shutil
from pathlib import Path

import pytest

from lint import ports
from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
PLANTED_IN = ("judge_batch.py", "labelloop/people/ground_truth.py", "labelloop/trust/judgement.py")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("house")
    for folder in ("tasks", "trust/policies", "engines", "people"):
        place = Path("functions/labelloop", folder)
        shutil.copytree(ROOT / place, copy / place, ignore=shutil.ignore_patterns("__pycache__"))
    for path in PLANTED_IN:
        (copy / "functions" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "functions" / path, copy / "functions" / path)
    return copy


def planted(house: Path, path: str, line: str) -> list[str]:
    """What is found with this line at the end of a file, which is as it was afterwards."""
    file = house / "functions" / path
    before = file.read_text() if file.exists() else None
    file.write_text(f"{before or ''}\n\ndef late(task, policy, knobs, label, record):\n    {line}\n")
    try:
        found = ports.check(Project(house))
    finally:
        file.unlink() if before is None else file.write_text(before)
    assert all(finding.where.startswith(f"functions/{path}") for finding in found)
    return [finding.what for finding in found]


def test_the_real_house_chooses_by_look_up() -> None:
    assert ports.check(Project(ROOT)) == []


@pytest.mark.parametrize(
    "line",
    [
        'return knobs.task == "boxes"',
        'return "key-points" != knobs.labels',
        "return knobs.task == record",
        "return task is record",
        'return record["task"] != label',
        'return record.get("task") == label',
        'return label in ("boxes", "other")',
        "return label.people is None",
        "return label.people is not None",
        "return isinstance(label, Box)",
        "return isinstance(label, records.Person | str)",
        "return isinstance(label, (str, SeenPerson))",
        'return 1 if label == "key-points" else 2',
        'match label:\n        case "boxes" | "other":\n            return 1',
        "match knobs.task:\n        case other:\n            return other",
    ],
)
@pytest.mark.parametrize("path", PLANTED_IN)
def test_a_branch_on_a_task_is_told_outside_of_tasks_only(house, path, line) -> None:
    (told,) = planted(house, path, line)
    assert "task" in told and "tasks.of(" in told
    assert planted(house, "labelloop/tasks/changes.py", line) == []


@pytest.mark.parametrize(
    "line",
    [
        'return knobs.accept_policy == "fixed"',
        'return label != "target-quality"',
        "return policy == record",
        'return record.get("accept_policy", knobs) == label',
        'match label:\n        case "fixed":\n            return 1',
    ],
)
@pytest.mark.parametrize("path", PLANTED_IN)
def test_a_branch_on_a_policy_is_told_outside_of_policies_only(house, path, line) -> None:
    (told,) = planted(house, path, line)
    assert "accept policy" in told and "policies.of(" in told
    assert planted(house, "labelloop/trust/policies/fixed.py", line) == []


@pytest.mark.parametrize(
    "line",
    [
        "return isinstance(label, str)",
        "return task is None",
        "return policy is not None",
        'return record == "box"',
        'return {"boxes": 1}[knobs.task]',
    ],
)
def test_what_is_no_branch_on_a_name_is_let_be(house, line) -> None:
    assert planted(house, "labelloop/people/ground_truth.py", line) == []


@pytest.mark.parametrize(
    ("line", "look_up"),
    [
        ('return record == "yolo"', "engines.of("),
        ("return label.engine != record", "engines.of("),
        ('return knobs.labeling_backend == "ground-truth"', "people.of("),
        ('return record.get("backend") == label', "people.of("),
    ],
)
def test_a_branch_on_an_engine_or_a_backend_is_told_outside_of_its_room(house, line, look_up) -> None:
    (told,) = planted(house, "judge_batch.py", line)
    assert look_up in told


@pytest.mark.parametrize("service", ports.SERVICES)
def test_a_service_that_trains_serves_or_asks_people_is_asked_in_its_room_only(house, service) -> None:
    line = f'return aws.client("{service}")'
    (told,) = planted(house, "judge_batch.py", line)
    assert service in told and "engines.of(" in told
    assert planted(house, "labelloop/people/ground_truth.py", line) == []
    assert planted(house, "judge_batch.py", 'return aws.client("s3")') == []
    for other in (f'return client("{service}")', f'return boto3.resource(service_name="{service}")'):
        assert len(planted(house, "judge_batch.py", other)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from labelloop.engines import endpoints",
        "from labelloop.engines.endpoints import answered",
        "import labelloop.engines.yolo",
        "from labelloop.people import ground_truth, jobs",
    ],
)
def test_what_one_kind_is_made_of_is_imported_in_its_room_only(house, line) -> None:
    (told,) = planted(house, "judge_batch.py", line)
    assert "of which one kind is made" in told and "engines.of(" in told
    assert planted(house, "labelloop/people/ground_truth.py", line) == []
    assert planted(house, "judge_batch.py", "from labelloop.engines import models, training") == []
    command = house / "cli" / "late.py"
    command.parent.mkdir(exist_ok=True)
    command.write_text(line + "\n")
    (found,) = ports.check(Project(house))
    command.unlink()
    assert found.where == "cli/late.py"


def test_a_new_task_and_a_new_policy_are_covered_by_their_names(house) -> None:
    for folder, name in (("tasks", "polygons"), ("trust/policies", "by-committee")):
        module = house / "functions/labelloop" / folder / "new.py"
        module.write_text(f'class New:\n    name: str = "{name}"\n')
        assert len(planted(house, "judge_batch.py", f'return label == "{name}"')) == 1
        module.unlink()
        assert planted(house, "judge_batch.py", f'return label == "{name}"') == []


def test_a_port_without_names_cannot_be_checked_and_says_so(house) -> None:
    shutil.rmtree(house / "functions/labelloop/trust/policies")
    (found,) = ports.check(Project(house))
    assert found.where == "functions/labelloop/trust/policies" and "nobody knows" in found.what
