"""Runs every check and prints what is wrong; the exit status is 1 when anything is."""

import argparse
import sys
from pathlib import Path

from lint import (
    authorization,
    cloudformation,
    faults,
    lengths,
    machines,
    parameters,
    permissions,
    pins,
    ports,
    rooms,
    states,
    states_page,
    vocabulary,
    worker_templates,
)
from lint.project import Finding, Project


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lint", description=__doc__)
    parser.add_argument("--project", type=Path, default=Path(__file__).resolve().parents[1])
    findings = check(Project(parser.parse_args().project.resolve()))
    for finding in findings:
        print(finding)
    print(f"lint: {len(findings)} findings" if findings else "lint: template, state machines and pages are in order")
    return 1 if findings else 0


def check(project: Project) -> list[Finding]:
    """The structure first: when a file cannot be read, the other checks have nothing to say."""
    found = states.check(project)
    if any(finding.where == "statemachines" for finding in found):
        return found
    checks = (
        *(machines, rooms, lengths, ports, vocabulary, permissions, authorization, worker_templates, pins),
        *(cloudformation, parameters, states_page, faults),
    )
    return found + [finding for each in checks for finding in each.check(project)]


if __name__ == "__main__":
    sys.exit(main())
