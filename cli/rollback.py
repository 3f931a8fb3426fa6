"""Going back to an earlier model or dataset: checked first, then done under the training lock, and noted.

A pointer moves and nothing else: every version stays, and going forward again is the same command.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from labelloop import engines
from labelloop.contracts import naming
from labelloop.contracts.errors import ChangedObjectError
from labelloop.contracts.settings import settings
from labelloop.engines import Engine, models
from labelloop.store import aws, datasets, immutable, ledger, notices, storage, training_lock
from labelloop.store.storage import MissingObjectError, Pointer
from labelloop.trust import fitting

from cli.errors import Refused

LOCK_SECONDS = 60
_OWNER = "rollback by "


@dataclass(frozen=True)
class Plan:
    """`before`: the version that counts now; the same as `version` where there is nothing to do. `value`: the pointer
    that is to be. `says`: what it comes to, a sentence a line.
    """

    kind: Literal["model", "dataset"]
    version: str
    before: str
    seen: Pointer
    value: dict[str, Any]
    says: tuple[str, ...]

    @property
    def done_already(self) -> bool:
        return self.version == self.before


def plan_model(version: str) -> Plan:
    """Raises Refused where the version cannot serve, or may not take over now."""
    _check_known(version, models.versions(), "model")
    seen = models.champion()
    if seen is None:
        raise Refused("No model serves yet, so there is none to go back from.")
    before, endpoint = str(seen.value["version"]), naming.endpoint(settings().resource_prefix, version)
    if before == version:
        return Plan("model", version, before, seen, seen.value, ())
    _check_no_training()
    with _as_registered("model", version):
        card = immutable.read_json(f"models/{version}/card.json")
        _check_archive(version)
        thresholds_uri, thresholds = _thresholds(version)
    _check_serves(version, endpoint, engines.of(card.get("engine", "yolo")))
    value = {
        "version": version,
        "endpoint": endpoint,
        "engine": card.get("engine", "yolo"),
        "thresholds_uri": thresholds_uri,
        "dataset": card.get("dataset", ""),
        "previous": before,
    }
    accept = thresholds.get("accept")
    says = (
        f"{version} (endpoint {endpoint}) serves instead of {before}, from the next round on.",
        "Rounds that run keep the model that they began with.",
        f"It accepts labels from {accept} on, as fitted on dataset {thresholds.get('dataset')}."
        if accept is not None
        else "It accepts no label until the next training has fitted its thresholds.",
        f"{before} stays, and its endpoint with it. The next training starts from {version}.",
    )
    return Plan("model", version, before, seen, value, says)


def plan_dataset(version: str) -> Plan:
    """Raises Refused where the version is not whole, or may not count now."""
    _check_known(version, datasets.versions(), "dataset")
    seen = datasets.pointer()
    if seen is None:
        raise Refused(f"{storage.uri(datasets.CURRENT)} names no dataset yet, so there is none to go back from.")
    before = str(seen.value["version"])
    if before == version:
        return Plan("dataset", version, before, seen, seen.value, ())
    _check_no_training()
    with _as_registered("dataset", version):
        now, then = len(datasets.current().lines), len(datasets.load(version).lines)
        sha256 = str(datasets.card_of(version)["sha256"])
    says = (
        f"{version} ({then} images) is the current dataset instead of {before} ({now} images).",
        f"{before} and all other versions stay. The next publication, and the next training, build on {version}.",
        "Batches keep their own labels; a batch that runs adds those of its coming rounds.",
    )
    return Plan("dataset", version, before, seen, {"version": version, "sha256": sha256}, says)


def carry_out(plan: Plan) -> None:
    """Moves the pointer and notes who did. Nothing is done twice; what was not noted the first time is noted now.

    Raises Refused or TransientError where somebody else was faster.
    """
    if plan.done_already:
        if "rolled_back" in plan.value:
            _note(plan.kind, plan.version, plan.value["rolled_back"])
        return
    who = str(aws.client("sts").get_caller_identity()["Arn"])
    told = {"by": who, "at": datetime.now(UTC).isoformat(timespec="microseconds"), "from": plan.before}
    with _training_lock(f"{_OWNER}{who}"):
        if plan.kind == "model":
            models.flip(plan.seen, {**plan.value, "rolled_back": told})
        else:
            datasets.go_back(plan.version, plan.seen, {"rolled_back": told})
            _count_new_labels_from(plan.version)
        _note(plan.kind, plan.version, told)


def _count_new_labels_from(version: str) -> None:
    """A training waits for labels that are new since the last one. Without this, it would first wait for as many as
    the dataset has lost.
    """
    labels = int(datasets.card_of(version)["train"])
    if training_lock.labels_at_last_training() > labels:
        training_lock.note_training(version, labels, f"rollback to {version}")


def _note(kind: str, version: str, told: dict[str, str]) -> None:
    ledger.index_version("rollback", f"{kind}#{told['at']}", {"version": version, **told})
    notices.tell(
        f"rollback/{kind}/{told['at']}",
        f"The {'champion' if kind == 'model' else 'current dataset'} was rolled back",
        f"{told['by']} went back from {kind} {told['from']} to {version} at {told['at']}.",
    )


def _check_known(version: str, known: Sequence[str], kind: str) -> None:
    if version not in known:
        there = f"There are {naming.listed(known)}." if known else "There is none yet."
        raise Refused(f"There is no {kind} {version}. {there}")


def _check_no_training() -> None:
    if training_lock.training_runs() and not training_lock.owner().startswith(_OWNER):
        raise Refused(_busy())


def _busy() -> str:
    owner = training_lock.owner()
    if owner.startswith(_OWNER):
        return f"Another {owner} is at work, or was ended a moment ago: try again in a minute."
    return (
        f"A training works with the champion and the current dataset: {owner} holds the training lock. Wait for its "
        f"end, or stop it (aws stepfunctions stop-execution --execution-arn {owner}) and try again in a minute."
    )


def _check_archive(version: str) -> None:
    """Raises ChangedObjectError unless it is the archive that was registered, Refused unless the stack can use it."""
    engine = engines.of_version(version)
    description = engine.stored(version)
    if models.version(int(version[1:7]), description) != version:
        uri = storage.uri(f"models/{version}/{engine.archive}")
        raise ChangedObjectError(f"{uri} holds other weights than {version} is named by")
    if not description.fits(settings().vocabulary):
        raise Refused(
            f"{version} sees {description.sees}, but the stack labels {naming.listed(settings().label_names)}: nothing "
            "is changed."
        )


def _check_serves(version: str, endpoint: str, engine: Engine) -> None:
    if engine.trouble(endpoint):
        state = engine.state(endpoint)
        alive = [name.rpartition(f"{settings().resource_prefix}-")[2] for name in _serving()]
        others = f"Those that serve: {naming.listed(alive)}." if alive else "No other serves either."
        raise Refused(
            f"{version} cannot serve: its endpoint {endpoint} {f'is {state}' if state else 'does not exist any more'}. "
            f"The stack keeps the endpoints of the newest KeptEndpoints versions. {others}"
        )


def _serving() -> list[str]:
    prefix = settings().resource_prefix
    return [name for engine in engines.known() for name in engine.deployments(prefix) if not engine.trouble(name)]


def _thresholds(version: str) -> tuple[str, dict[str, Any]]:
    """Those fitted on the current dataset, otherwise those that were fitted last."""
    fitted = [key for _, key in sorted((date, key) for key, date in _fitted(version))]
    if not fitted:
        raise Refused(f"{version} has no thresholds, so nobody knows which of its labels to accept.")
    best = models.thresholds_key(version, datasets.current_version())
    key = best if best in fitted else fitted[-1]
    return storage.uri(key), fitting.of_now(immutable.read_json(key))


def _fitted(version: str) -> Iterator[tuple[str, datetime]]:
    return storage.keys_with_dates(f"models/{version}/thresholds/")


@contextlib.contextmanager
def _as_registered(kind: str, version: str) -> Iterator[None]:
    try:
        yield
    except (ChangedObjectError, MissingObjectError) as error:
        raise Refused(f"The {kind} {version} is not what was registered, so nothing is changed: {error}") from error


@contextlib.contextmanager
def _training_lock(owner: str) -> Iterator[None]:
    """No training plans with a pointer that is just being moved. A command that is killed blocks for a minute."""
    if training_lock.take(owner, LOCK_SECONDS) is None:
        raise Refused(_busy())
    try:
        yield
    finally:
        training_lock.release(owner)
