"""`make lint` asks two oracles that nobody here wrote: AWS's service authorization reference, and checkov."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKOV = ROOT / "lint" / "checkov.yaml"
MOST_SKIPPED = 12


def test_the_command_refuses_an_action_that_aws_does_not_have(tmp_path) -> None:
    for name in ("statemachines", "functions"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("CHANGELOG.md", "samconfig.toml"):
        shutil.copy(ROOT / name, tmp_path)
    text = (ROOT / "template.yaml").read_text()
    assert "sagemaker:InvokeEndpointAsync" in text
    planted = text.replace("sagemaker:InvokeEndpointAsync", "sagemaker:InvokeEndpointLater")
    (tmp_path / "template.yaml").write_text(planted)
    command = [sys.executable, "-m", "lint", "--project", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "sagemaker:InvokeEndpointLater: AWS has no such action" in done.stdout and done.returncode == 1


def test_checkov_is_part_of_the_lint_and_what_it_cannot_parse_fails_it() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert "checkov --config-file lint/checkov.yaml" in recipe
    assert "! grep -q 'Parsing errors'" in recipe and "exit $$status" in recipe


def test_few_kinds_are_skipped_each_with_its_reason() -> None:
    skipped = re.findall(r"^  - (CKV\w+)(?: # (.+))?$", CHECKOV.read_text() if CHECKOV.exists() else "", re.M)
    assert 0 < len(skipped) <= MOST_SKIPPED
    assert [kind for kind, reason in skipped if len(reason) < 20] == []
