"""The web of the portal alone on the embedded AWS: these resources of the deployed template, with the bucket they name.

A whole stack takes half a minute; this one a few seconds. What it is made of is read from template.yaml.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lint.project import Project
from local import stack

ROOT = Path(__file__).resolve().parents[2]
NAME = "portal-web"


def deploy(server: stack.Server, folder: Path) -> dict[str, str]:
    """The outputs of the stack."""
    template = folder / "template.yaml"
    template.write_text(json.dumps(_template(Project(ROOT).template)))
    host = [f"ParameterKey={name},ParameterValue={value}" for name, value in stack.host_parameters().items()]
    built = folder / "built"
    overrides = ["--parameter-overrides", *host]
    stack._sam(server, ["build", "--template-file", str(template), "--build-dir", str(built), *overrides])
    stack._sam(
        server,
        [
            *("deploy", "--template-file", str(built / "template.yaml"), "--stack-name", NAME, "--resolve-s3"),
            *("--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
            *("--region", stack.REGION, *overrides),
        ],
    )
    return stack.outputs(server, NAME)


def _template(whole: dict[str, Any]) -> dict[str, Any]:
    resources = {
        name: body
        for name, body in whole["Resources"].items()
        if body.get("Condition") == "PortalWanted" and (name.startswith("Portal") or name == "ServePortalFunction")
    }
    for body in resources.values():
        for place in ("ContentUri", "CodeUri"):
            if place in body["Properties"]:
                body["Properties"][place] = str(ROOT / body["Properties"][place])
    bucket = whole["Resources"]["DataBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    rule = next(each["Fn::If"][1] for each in bucket if "Fn::If" in each)
    shared = whole["Globals"]["Function"]
    variables = shared["Environment"]["Variables"]
    shared["Environment"]["Variables"] = {name: variables[name] for name in ("LOG_LEVEL", "DATA_BUCKET")}
    used = ("Runtime", "Architecture", "LogLevel", "LogRetentionDays")
    return {
        "AWSTemplateFormatVersion": whole["AWSTemplateFormatVersion"],
        "Transform": whole["Transform"],
        "Parameters": {name: whole["Parameters"][name] for name in used}
        | {"Prefix": {"Type": "String", "Default": "web"}},
        "Globals": {"Function": shared | {"CodeUri": str(ROOT / "functions")}},
        "Conditions": {"PortalWanted": {"Fn::Equals": ["portal", "portal"]}},
        "Resources": {
            "DataBucket": {"Type": "AWS::S3::Bucket", "Properties": {"CorsConfiguration": {"CorsRules": [rule]}}},
            "FunctionLogs": whole["Resources"]["FunctionLogs"],
            **resources,
        },
        "Outputs": {name: whole["Outputs"][name] for name in ("PortalUrl", "PortalUsersId", "PortalTableName")}
        | {"DataBucketName": {"Value": {"Ref": "DataBucket"}}},
    }
