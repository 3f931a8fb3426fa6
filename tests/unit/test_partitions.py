"""Other partitions than `aws`: China and GovCloud get ARNs and links of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lint.project import Project

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT)
TRANSFORM = """
import json, pathlib
from lint.cloudformation import transformed_template
from lint.project import Project
print(json.dumps(transformed_template(Project(pathlib.Path.cwd()))))
"""


@pytest.mark.parametrize(("partition", "region"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")])
def test_the_deployed_template_names_no_other_partition_than_its_own(partition: str, region: str) -> None:
    """SAM, which writes ARNs of its own, learns the partition from the region of its process."""
    environment = {**os.environ, "AWS_DEFAULT_REGION": region}
    done = subprocess.run(
        [sys.executable, "-c", TRANSFORM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    template = json.loads(done.stdout)
    for machine in PROJECT.machines:  # lint fills in a partition for cfn-lint's sake
        template["Resources"][machine.logical_id]["Properties"]["DefinitionString"] = json.dumps(machine.definition)
    named = {found[0] for found in re.finditer(r"\barn:aws[a-z-]*:", json.dumps(template["Resources"]))}
    assert named == {f"arn:{partition}:"}
    links = json.dumps([each["Value"] for name, each in template["Outputs"].items() if name.endswith("Console")])
    assert "amazon" not in links and "${Console}" in links
    assert "amazon" in template["Mappings"]["Partitions"][partition]["Console"]
