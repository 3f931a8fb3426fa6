"""cfn-lint on the *transformed* template: raw SAM hides dangling references, cycles and the state machines from it."""

import copy
import json
import logging
import os
from typing import Any

from cfnlint import ManualArgs, lint
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform

from lint.project import Finding, Project

# Every entry says why. Informational findings do not count.
IGNORED = {"W1020": "SAM fills parameters into the name of a layer and leaves a !Sub without variables behind"}
PLACEHOLDER = "s3://placeholder/code.zip"
MANAGED_POLICIES = (
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaSQSQueueExecutionRole",
    "AWSXrayWriteOnlyAccess",
    "AWSXRayDaemonWriteAccess",
)


def check(project: Project) -> list[Finding]:
    try:
        transformed = transformed_template(project)
    except InvalidDocumentException as error:
        return [Finding("template.yaml", f"SAM cannot transform it: {cause.message}") for cause in error.causes]
    text = json.dumps(transformed, indent=1)
    target = project.root / "build" / "lint" / "transformed.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    matches = lint(text, config=ManualArgs(ignore_checks=list(IGNORED), regions=["us-east-1"]))
    return [
        Finding(f"build/lint/transformed.json:{match.linenumber}", f"{match.rule.id} {match.message}")
        for match in matches
        if match.rule.severity != "informational"
    ]


def transformed_template(project: Project) -> dict[str, Any]:
    """As CloudFormation would get it, offline: code becomes a placeholder, definitions their files' content."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    template = copy.deepcopy(project.template)
    template["Globals"]["Function"]["CodeUri"] = PLACEHOLDER
    for name in project.resources("AWS::Serverless::LayerVersion"):
        template["Resources"][name]["Properties"]["ContentUri"] = PLACEHOLDER
    # cfn-lint knows the ARNs of one partition only, and does not fill in what stands for it.
    definitions = {
        machine.logical_id: json.dumps(machine.definition).replace("${Partition}", "aws")
        for machine in project.machines
    }
    for name in definitions:
        properties = template["Resources"][name]["Properties"]
        properties["DefinitionUri"] = {"Bucket": "placeholder", "Key": properties["DefinitionUri"]}
    transformed: dict[str, Any] = transform(template, {}, _ManagedPolicies())
    for resource in transformed["Resources"].values():
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            resource["Properties"].pop("DefinitionS3Location", None)
    for name, text in definitions.items():
        transformed["Resources"][name]["Properties"]["DefinitionString"] = text
    return transformed


class _ManagedPolicies:
    """What SAM asks AWS for when it is online."""

    def load(self) -> dict[str, str]:
        return {path.rpartition("/")[2]: f"arn:aws:iam::aws:policy/{path}" for path in MANAGED_POLICIES}
