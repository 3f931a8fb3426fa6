"""Clean Up: when the stack is deleted, takes away what its workflows made (endpoints, scaling, alarms, running jobs).
Data and models stay. Stop Executions has worked before it, and the machines are gone.

CloudFormation custom resource: it always answers SUCCESS for Delete, so that it never blocks the deletion; what it
could not remove is logged, for somebody to remove by hand. An update or its rollback that deletes this resource
takes nothing away.

SageMaker deletes no endpoint that is being created or scaled, and after this nobody comes again: so it tries until the
endpoint lets it.
"""

import time
from typing import Any

from botocore.exceptions import ClientError
from labelloop import engines, people
from labelloop.engines import Engine
from labelloop.people import Backend
from labelloop.store import aws, custom_resources
from labelloop.store.observability import entry, logger

SECONDS_KEPT_FOR_THE_ANSWER = 45
SECONDS_BETWEEN_LOOKS = 10


@entry
def handler(event: dict[str, Any], context: Any) -> None:
    if custom_resources.stack_goes(event):
        deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - SECONDS_KEPT_FOR_THE_ANSWER
        # Not from the settings: the bucket that holds them may be deleted already.
        prefix = event["ResourceProperties"]["ResourcePrefix"]
        for engine in engines.known():
            _try(_stop_trainings, engine, prefix)
        for backend in people.known():
            _try(_stop_labelling, backend, prefix)
        for engine in engines.known():
            _try(_remove_endpoints, engine, prefix, deadline)
    custom_resources.answer(event, "labelloop-clean-up")


def _stop_trainings(engine: Engine, prefix: str) -> None:
    for job in engine.trainings(prefix):
        _try(_retire, engine, job)


def _retire(engine: Engine, job: str) -> None:
    if not engine.retire("training", job):
        logger.warning("could not be stopped; stop it by hand", job=job)


def _stop_labelling(backend: Backend, prefix: str) -> None:
    for job in backend.running(prefix):
        _try(backend.stop, job)


def _remove_endpoints(engine: Engine, prefix: str, deadline: float) -> None:
    left = engine.deployments(prefix)
    while left := [name for name in left if _stays(engine, name)]:
        if time.monotonic() > deadline:
            logger.warning("endpoints are still there; remove them by hand", endpoints=left)
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _stays(engine: Engine, endpoint: str) -> bool:
    """Whether it could not be removed, and may be later: SageMaker's refusal for now is a ValidationException."""
    try:
        engine.retire("deployment", endpoint)
    except Exception as error:  # as for _try
        logger.warning("could not be removed", endpoint=endpoint, reason=str(error))
        now = isinstance(error, ClientError) and aws.error_code(error) == "ValidationException"
        return now or aws.may_pass(error)
    return False


def _try(work: Any, *arguments: Any) -> None:
    try:
        work(*arguments)
    except Exception as error:  # whatever it is, it must not keep the stack from being deleted
        what = [getattr(work, "__name__", "?"), *map(str, arguments)]
        logger.warning("could not be removed; remove it by hand", what=what, reason=str(error))
