"""The commands of `labelloop`."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from botocore.exceptions import BotoCoreError, ClientError
from labelloop.contracts.errors import ChangedObjectError, InvalidInputError, TransientError
from labelloop.contracts.settings import MissingSettingError, settings
from labelloop.store import datasets
from labelloop.store.storage import MissingObjectError
from rich.console import Console

from cli import exports, people, rollback, status, tables, watch, yolo_labels
from cli.errors import Refused
from cli.stack import Stack, connect

_HELP = (
    "How a labelloop stack does, how a batch goes, going back to an earlier model or dataset, and datasets as files. "
    "Exit status: 0 done, 1 the batch failed, 2 refused or impossible, 130 ended with Ctrl-C."
)
app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False)
back = typer.Typer(help="Go back to an earlier version, or forward again.", no_args_is_help=True)
app.add_typer(back, name="rollback")
persons = typer.Typer(help="Who may label in the portal.", no_args_is_help=True)
app.add_typer(persons, name="people")

StackName = Annotated[str, typer.Option("--stack", help="The deployed stack.", envvar="LABELLOOP_STACK")]
Format = Literal["coco", "yolo"]
Email = Annotated[str, typer.Argument(help="The person's e-mail address.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Version = Annotated[str, typer.Argument(help="As `labelloop status` and the folders of the bucket name it.")]
_FOR_PEOPLE = (
    Refused,
    *(ChangedObjectError, InvalidInputError, MissingObjectError, MissingSettingError, TransientError),
    *(ClientError, BotoCoreError),
)

_WHERE = "\nAWS_DEFAULT_REGION, AWS_PROFILE and, for the embedded AWS, AWS_ENDPOINT_URL say which AWS is meant."
_ENDED = {
    "failed": "The batch failed:",
    "ended": "The batch's execution was aborted or timed out.",
    "superseded": "The batch was given up; its images are in batch",
}


@app.command("status")
def show_status(
    stack: StackName = "labelloop",
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    last: Annotated[int, typer.Option(min=0, help="How many ended executions of each state machine.")] = 5,
) -> None:
    """Champion, dataset, batches, trainings, what waits for people, and open alarms."""
    with _told_to_people():
        found = status.gather(connect(stack), last)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False, default=str))
    else:
        tables.show(found, Console())


@app.command("watch")
def watch_batch(
    batch: Annotated[str, typer.Argument(help="Its id; the newest without.")] = "",
    stack: StackName = "labelloop",
    interval: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two looks.")] = 5.0,
) -> None:
    """Follows a batch until it ends. Exit status 0 if it is labelled, 1 if it failed."""
    wait = watch.every(interval)
    with _told_to_people(), _clean_interrupt(batch):
        deployed = connect(stack)
        batch = batch or watch.newest(deployed, wait)
        typer.echo(f"batch {batch}")
        found = watch.follow(batch, typer.echo, wait)
    if found.status != "finished":
        typer.echo(f"{_ENDED[found.status]} {found.cause}".rstrip() + f"\nExecution: {found.execution}", err=True)
        raise typer.Exit(1)
    typer.echo(f"The batch is labelled: s3://{deployed.bucket}/batches/{batch}/report.html")


@app.command("export")
def export_dataset(
    version: Annotated[str, typer.Argument(help="Of a dataset; the current one without.")] = "",
    stack: StackName = "labelloop",
    form: Annotated[Format, typer.Option("--format", help="COCO's JSON, or what ultralytics reads.")] = "coco",
    out: Annotated[Path | None, typer.Option(help="A new folder; the version's name without.")] = None,
    images: Annotated[bool, typer.Option("--images", help="Fetch the pictures, too.")] = False,
) -> None:
    """Writes a dataset's labels, of boxes or of people with key points, for other tools."""
    with _told_to_people():
        connect(stack)
        chosen = version or datasets.current_version()
        folder = out or Path(f"{chosen or 'dataset'}-{form}")
        written = exports.export(chosen, form, folder, images)
    other = f"; {written.other} labels of another task were left out" if written.other else ""
    typer.echo(f"{folder}: {written.labels} images with {written.marks} marks{other}")


@app.command("manifest")
def make_manifest(
    data: Annotated[Path, typer.Argument(metavar="DATA_YAML", help="Of a dataset for ultralytics, with its images.")],
    out: Annotated[Path, typer.Option(help="The manifest to write.")] = Path("labels.manifest"),
    stack: StackName = "labelloop",
) -> None:
    """Makes a manifest, which a batch's marker may name, of labels in the files that ultralytics reads."""
    with _told_to_people():
        connect(stack)
        if out.exists():
            raise Refused(f"{out} is there already: name a new file with --out.")
        found = yolo_labels.read(data, settings().vocabulary)
        if not found.lines:
            why = found.refused[0] if found.refused else f"{found.unlabelled} images have no file of rows"
            raise Refused(f"{data} has no label that can be used: {why}.")
    out.write_text("".join(f"{line}\n" for line in found.lines), "utf-8")
    for sentence in found.refused:
        typer.echo(sentence, err=True)
    left_out = f"{len(found.refused)} were left out, {found.unlabelled} are not labelled"
    typer.echo(f"{out}: {len(found.lines)} images; {left_out}")


@back.command("model")
def rollback_model(version: Version, stack: StackName = "labelloop", yes: Yes = False) -> None:
    """Makes an earlier model the champion again."""
    _roll_back(stack, lambda: rollback.plan_model(version), yes)


@back.command("dataset")
def rollback_dataset(version: Version, stack: StackName = "labelloop", yes: Yes = False) -> None:
    """Makes an earlier dataset version the current one again."""
    _roll_back(stack, lambda: rollback.plan_dataset(version), yes)


@persons.command("invite")
def invite_person(
    email: Email,
    stack: StackName = "labelloop",
    lead: Annotated[bool, typer.Option("--lead", help="May hand jobs over and stop them, too.")] = False,
    show_password: Annotated[bool, typer.Option("--show-password", help="Print it; no e-mail is sent.")] = False,
) -> None:
    """Lets somebody into the portal, or in again. Cognito writes to them."""
    with _told_to_people():
        portal = people.portal_of(stack)
        password = people.invite(portal, email, lead, show_password)
    told = f"with the password {password}, which they change at once" if password else "as the e-mail tells them"
    typer.echo(f"{email} signs in at {portal.url} {told}.")


@persons.command("list")
def list_people(stack: StackName = "labelloop") -> None:
    """Everybody who was invited."""
    with _told_to_people():
        found = people.everybody(people.portal_of(stack))
    for person in found:
        typer.echo(f"{person.email}  {'lead' if person.lead else 'annotator'}  {person.state}  {person.worker}")


@persons.command("remove")
def remove_person(email: Email, stack: StackName = "labelloop") -> None:
    """Lets somebody in no more; where they are in, they are out. What they labelled stays."""
    with _told_to_people():
        ended = people.remove(people.portal_of(stack), email)
    typer.echo(f"{email} is out: {ended} sessions ended, and none begins any more.")


def _roll_back(stack: str, make: Callable[[], rollback.Plan], yes: bool) -> None:
    with _told_to_people():
        deployed: Stack = connect(stack)
        plan = make()
    if plan.done_already:
        with _told_to_people():
            rollback.carry_out(plan)
        typer.echo(f"Nothing to do: {plan.version} is what counts already.")
        return
    typer.echo("\n".join(plan.says))
    if not yes and not typer.confirm(f"Go back in the stack {deployed.name}?"):
        typer.echo("Nothing was changed.")
        raise typer.Exit(2)
    with _told_to_people():
        rollback.carry_out(plan)
    typer.echo(f"Done: {plan.version} instead of {plan.before}. Undo: labelloop rollback {plan.kind} {plan.before}")


@contextlib.contextmanager
def _told_to_people() -> Iterator[None]:
    try:
        yield
    except _FOR_PEOPLE as error:
        hint = _WHERE if isinstance(error, BotoCoreError) else ""
        typer.echo(f"{error}{hint}", err=True)
        raise typer.Exit(2) from None


@contextlib.contextmanager
def _clean_interrupt(batch: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\nThe batch goes on; follow it again: labelloop watch {batch}".rstrip(), err=True)
        raise typer.Exit(130) from None


def main() -> None:
    app()


if __name__ == "__main__":
    main()
