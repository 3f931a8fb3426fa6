"""What the checks look at: the template, and the state machines it names."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

FUNCTION = "AWS::Serverless::Function"
STATE_MACHINE = "AWS::Serverless::StateMachine"


@dataclass(frozen=True)
class Finding:
    """`where`: a file, and a resource or state in it; `what`: what is wrong, and what to do."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Machine:
    logical_id: str
    properties: dict[str, Any]
    path: Path
    text: str
    definition: dict[str, Any]

    @property
    def substitutions(self) -> dict[str, Any]:
        return dict(self.properties.get("DefinitionSubstitutions", {}))

    def where(self, state: str = "") -> str:
        return f"{self.path.name}: {state}" if state else self.path.name


@dataclass(frozen=True)
class Project:
    root: Path

    @cached_property
    def text(self) -> str:
        return (self.root / "template.yaml").read_text(encoding="utf-8")

    @cached_property
    def template(self) -> dict[str, Any]:
        return dict(yaml_parse(self.text))

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: body for name, body in self.template["Resources"].items() if body["Type"] == kind}

    @cached_property
    def machines(self) -> list[Machine]:
        """Raises json.JSONDecodeError for a file that is not JSON: an unquoted ${Name} is the usual reason."""
        found = []
        for name, resource in self.resources(STATE_MACHINE).items():
            path = self.root / resource["Properties"]["DefinitionUri"]
            text = path.read_text(encoding="utf-8")
            found.append(Machine(name, resource["Properties"], path, text, json.loads(text)))
        return found


@dataclass(frozen=True)
class States:
    """One group of states: the machine's own, or those of a Map's processor or a Parallel's branch (`owner`)."""

    start_at: str
    states: dict[str, dict[str, Any]]
    owner: dict[str, Any] | None


def state_groups(definition: dict[str, Any], owner: dict[str, Any] | None = None) -> Iterator[States]:
    yield States(definition.get("StartAt", ""), definition["States"], owner)
    for state in definition["States"].values():
        inner = [state["ItemProcessor"]] if "ItemProcessor" in state else state.get("Branches", [])
        for group in inner:
            yield from state_groups(group, state)


def all_states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for group in state_groups(definition):
        yield from group.states.items()


def substitution(value: str) -> str:
    """The name in "${Name}", or nothing."""
    found = re.fullmatch(r"\$\{(\w+)\}", value)
    return found[1] if found else ""


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
