"""Logger, metrics, and the one decorator around every handler.

Logs are read by more people than may answer for an execution or read the bucket: what would let them is left out, also
where it stands in an error that somebody else worded.
"""

import gc
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from labelloop.contracts import fields
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.store import aws, settings_documents

_LEFT_OUT = "<left out>"
_IN_LINKS = re.compile(
    r"(?i)((?:x-amz-(?:signature|credential|security-token)|signature|awsaccesskeyid)=)[^&\s\"'\\<>]+"
)
_NAMED = re.compile(
    r"""(?i)((?:task_?|session_?|security-)?token|secret(?:_?access)?_?key|authorization|cookie)(\\?["']?\s*[:=]\s*\\?["']?)"""
    r"""(?:Bearer )?[^"'\\,\s}&]+"""
)


def without_secrets(record: dict[str, Any]) -> str:
    """A log record as JSON, without task tokens, keys, and what signs a link."""
    text = json.dumps(record, default=str, separators=(",", ":"))
    return _NAMED.sub(rf"\g<1>\g<2>{_LEFT_OUT}", _IN_LINKS.sub(rf"\g<1>{_LEFT_OUT}", text))


logger = Logger(json_serializer=without_secrets)
metrics = Metrics()

Handler = Callable[[dict[str, Any], Any], Any]


def entry(function: Handler) -> Handler:
    """Logs with the request's context, flushes metrics, and gives what may pass the name the state machines retry."""

    @wraps(function)
    def run(event: Any, context: Any) -> Any:
        if not isinstance(event, dict):
            raise InvalidInputError(f"the event cannot be read: it must be an object, but is {fields.shown(event)}")
        _add_batch(event)
        metrics.add_metadata("function_name", context.function_name)  # all functions write to one log group
        try:
            with _uncollected(), settings_documents.of_event(event):
                return function(event, context)
        except Exception as error:
            if aws.may_pass(error):
                raise TransientError(f"{type(error).__name__}: {error}") from error
            raise

    logged = logger.inject_lambda_context(run, clear_state=True)
    return metrics.log_metrics(logged)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles, which goes through the records of a hundred thousand images each time that some
    hundreds are new, and finds none: a record refers to nothing that refers to it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def count(name: str, value: float = 1) -> None:
    metrics.add_metric(name, MetricUnit.Count, value)


def _add_batch(event: dict[str, Any]) -> None:
    known = {name: event[name] for name in ("batch_id", "round", "shard", "job", "execution") if name in event}
    if known:
        logger.append_keys(**known)
