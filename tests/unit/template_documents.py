"""template.yaml as tests read it: as it is written, and as SAM makes it into what is deployed."""

from pathlib import Path
from typing import Any

from lint.cloudformation import transformed_template
from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT)
TEMPLATE = PROJECT.template
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
DEPLOYED: dict[str, dict[str, Any]] = transformed_template(PROJECT)["Resources"]


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: body.get("Properties", {}) for name, body in DEPLOYED.items() if body["Type"] == kind}
