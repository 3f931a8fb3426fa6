"""`python -m local up | env | status | portal | deploy | down`: an AWS of your own on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from local import stack


def main() -> int:
    arguments = _arguments()
    try:
        return int(arguments.run(arguments) or 0)
    except (stack.NotRunning, stack.DeployFailed, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


def up(arguments: argparse.Namespace) -> None:
    server = stack.start(arguments.port, truth=arguments.truth)
    print(f"The embedded AWS runs at {server.endpoint} (process {server.pid}, log {server.log}).\n")
    _exports(server)
    print(f"\nLabelling portal, this link opens it once: {stack.portal_link(server)}")
    print("Next: python -m local deploy    Look: python -m local status    End: python -m local down")


def down(_: argparse.Namespace) -> None:
    ended = stack.stop()
    print("The embedded AWS and all it started have ended." if ended else "No embedded AWS was running.")


def deploy(arguments: argparse.Namespace) -> None:
    server = stack.find()
    print(stack.deploy(server, config_env=arguments.config_env))
    for described in stack.client(server, "cloudformation").describe_stacks()["Stacks"]:
        for output in described.get("Outputs", []):
            print(f"{described['StackName']}: {output['OutputKey']} = {output['OutputValue']}")
    print("\nFor the aws CLI:")
    _exports(server)
    print(f"\nLabelling portal, this link opens it once: {stack.portal_link(server)}")


def _exports(server: stack.Server) -> None:
    for name, value in stack.aws_environment(server).items():
        print(f"export {name}={value}")


def env(_: argparse.Namespace) -> None:
    _exports(_up_or_demo())


def portal(_: argparse.Namespace) -> None:
    print(stack.portal_link(_up_or_demo()))


def _up_or_demo() -> stack.Server:
    """What `up` started, else a demo that runs."""
    try:
        return stack.find()
    except stack.NotRunning:
        return stack.find(stack.STATE_DIR / "demo")


def status(_: argparse.Namespace) -> None:
    server = stack.find()
    print(f"endpoint  {server.endpoint}  (process {server.pid}, log {server.log})")
    print(f"portal    {stack.portal_link(server)}  (opens once; ask again for another)")
    stacks = stack.client(server, "cloudformation").describe_stacks()["Stacks"]
    _list("stacks", [f"{found['StackName']}  {found['StackStatus']}" for found in stacks])
    _list("running executions", _running_executions(server))
    sagemaker = stack.client(server, "sagemaker")
    for title, operation, key, name in (
        ("endpoints", "list_endpoints", "Endpoints", "Endpoint"),
        ("training jobs", "list_training_jobs", "TrainingJobSummaries", "TrainingJob"),
        ("labelling jobs", "list_labeling_jobs", "LabelingJobSummaryList", "LabelingJob"),
    ):
        _list(title, _sagemaker(sagemaker, operation, key, name))


def _running_executions(server: stack.Server) -> list[str]:
    states = stack.client(server, "stepfunctions")
    found = []
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        for execution in states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
            found.append(f"{machine['name']}  {execution['name']}  since {execution['startDate']:%H:%M:%S}")
    return found


def _sagemaker(client: Any, operation: str, key: str, name: str) -> list[str]:
    from botocore.exceptions import ClientError

    try:
        listed = getattr(client, operation)()[key]
    except ClientError as error:
        return [str(error)]
    return [f"{found[f'{name}Name']}  {found[f'{name}Status']}" for found in listed]


def _list(title: str, lines: list[str]) -> None:
    print(f"\n{title}")
    for line in lines or ["none"]:
        print(f"  {line}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("up", help="start the embedded AWS and leave it running")
    command.add_argument("--port", type=int, default=4566)
    command.add_argument("--truth", type=Path, help="known labels, from which the simulated annotators answer")
    command.set_defaults(run=up)
    commands.add_parser("env", help="its address and keys, as lines for the shell").set_defaults(run=env)
    commands.add_parser("status", help="what runs on it").set_defaults(run=status)
    commands.add_parser("portal", help="a link into the labelling portal, good once").set_defaults(run=portal)
    command = commands.add_parser("deploy", help="sam build and sam deploy to it")
    command.add_argument("--config-env", default="local", help="section of samconfig.toml")
    command.set_defaults(run=deploy)
    commands.add_parser("down", help="end it and everything it started").set_defaults(run=down)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
