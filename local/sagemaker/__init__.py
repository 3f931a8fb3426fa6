"""SageMaker, its runtime and Application Auto Scaling for the embedded AWS: real containers, files and messages.

`create_services(context)` gives the handlers to mount by credential scope, and `control` for `/_labelloop/`.

What a call goes through: parse and validate against AWS's service model (requests), refuse what is not implemented by
name, authorise (sagemaker:<Operation> on the resource ARN, iam:PassRole for a passed role), do it (operations lists
who), check the answer against the model. Work that lasts runs in threads: training jobs (training, training_run),
endpoint instances (endpoints, fleet), queued requests (async_inference), labelling jobs (labeling, labeling_run).

Environment: LABELLOOP_IMAGES (registry), LABELLOOP_IDLE_SECONDS (scaling). Faults and known truth: control, faults.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from demo.annotators import load_truth
from local.http import Request, Response, ServiceContext, ServiceFault, ServiceHandler, fault_response, json_response
from local.sagemaker import endpoints
from local.sagemaker.control import handle_control
from local.sagemaker.operations import OPERATIONS
from local.sagemaker.registry import load_registry
from local.sagemaker.requests import Call, not_implemented, parse, render, validate
from local.sagemaker.roles import Roles
from local.sagemaker.store import World, log, seconds_setting

__all__ = ["create_services"]

_HANDLER_THREADS = 32
_ACTION_PREFIX = {"sagemaker-runtime": "sagemaker"}


def create_services(context: ServiceContext) -> dict[str, ServiceHandler]:
    """Handlers for the scopes `sagemaker` (with its runtime) and `application-autoscaling`, and `control`."""
    registry = load_registry(context.repo_root, context.container_python, os.environ.get("LABELLOOP_IMAGES"))
    world = World(context, registry, Roles(context), seconds_setting("LABELLOOP_IDLE_SECONDS", 60.0))
    if context.truth_path is not None:
        world.annotators.truth = load_truth(context.truth_path)
    # Own threads: a handler may call back into the server (S3, IAM) and must not wait for a thread of the loop's pool.
    pool = ThreadPoolExecutor(_HANDLER_THREADS, thread_name_prefix="sagemaker")
    world.spawn("endpoint watch", lambda: endpoints.watch(world))

    def shutdown() -> None:
        world.shutdown()
        pool.shutdown(wait=False, cancel_futures=True)

    context.on_shutdown(shutdown)

    def threaded(work: Callable[[World, Request], Response]) -> ServiceHandler:
        async def handler(request: Request) -> Response:
            inherited = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(pool, inherited.run, work, world, request)

        return handler

    service = threaded(handle)
    return {"sagemaker": service, "application-autoscaling": service, "control": threaded(handle_control)}


def handle(world: World, request: Request) -> Response:
    """Answer one API request. Every outcome is a response; an unexpected exception is InternalFailure and logged."""
    try:
        call = parse(request)
        return _perform(world, call)
    except ServiceFault as fault:
        return fault_response(fault)
    except Exception as error:
        log.exception("%s %s", request.headers.get("x-amz-target", request.path), request.service)
        return fault_response(ServiceFault("InternalFailure", f"The embedded AWS broke: {error!r}", 500))


def _conditions(call: Call) -> dict[str, str]:
    """Condition keys of SageMaker that policies may ask of a request; a network is isolated only where it says so."""
    if call.operation not in ("CreateTrainingJob", "CreateModel"):
        return {}
    return {"sagemaker:NetworkIsolation": str(call.get("EnableNetworkIsolation") is True).lower()}


def _perform(world: World, call: Call) -> Response:
    operation = OPERATIONS.get((call.service, call.operation))
    if operation is None:
        raise not_implemented(f"{call.service} {call.operation}")
    validate(call)
    for name in call.parameters:
        if name in operation.refused:
            raise not_implemented(f"parameter {name} of {call.operation}")
    prefix = _ACTION_PREFIX.get(call.service, call.service)
    arns = operation.arns(world, call)
    for arn in arns:
        world.context.authorize(call.request, f"{prefix}:{call.operation}", arn, context=_conditions(call))
    if call.service == "sagemaker" and call.operation.startswith("Create") and call.get("Tags"):
        world.context.authorize(call.request, "sagemaker:AddTags", arns[0])
    answer = operation.handler(world, call)
    if isinstance(answer, Response):
        return answer
    # Under the lock: answers hold live state that a job's thread may be changing.
    with world.lock:
        return json_response(render(call, answer))
