"""`/_labelloop/`: what tests and the demo may do behind AWS's back. JSON in, JSON out, on loopback only.

PUT /_labelloop/truth       known labels, see demo.annotators.parse_truth; merged into what is known already
PUT /_labelloop/annotators  how wrong the annotators are, see demo.annotators.Noise; replaces the settings
PUT /_labelloop/people      whether a person labels, too: {"person": true, "share": 12}, see
                            local.sagemaker.store.People; false or 0 hands over what waits for the person
PUT /_labelloop/faults      faults to inject, see local.sagemaker.faults.Faults; replaces them, `{}` clears them
PUT /_labelloop/forget      jobs, models and packages never were: their names, taken for ever on AWS, are free again
GET /_labelloop/state       jobs, endpoints (instances, queue, process), notices sent so far
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from demo.annotators import Truth, parse_noise, parse_truth
from local.http import Request, Response, json_response
from local.sagemaker.faults import parse_faults
from local.sagemaker.store import People, World

_AT_WORK = ("Initializing", "InProgress", "Stopping")


def handle_control(world: World, request: Request) -> Response:
    actions: dict[tuple[str, str], Callable[[World, Any], Any]] = {
        ("PUT", "truth"): _put_truth,
        ("PUT", "annotators"): _put_annotators,
        ("PUT", "people"): _put_people,
        ("PUT", "faults"): _put_faults,
        ("PUT", "forget"): _forget,
        ("GET", "state"): _get_state,
    }
    name = request.path.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    action = actions.get((request.method, name))
    if action is None:
        known = ", ".join(f"{method} /_labelloop/{path}" for method, path in actions)
        return json_response({"message": f"{request.method} {request.path} does not exist. There are: {known}"}, 404)
    try:
        return json_response(action(world, json.loads(request.body) if request.body else {}))
    except (ValueError, TypeError) as error:
        return json_response({"message": str(error)}, 400)


def _put_truth(world: World, document: Any) -> Any:
    truth = parse_truth(document)
    with world.lock:
        known = world.annotators.truth
        classes = tuple(dict.fromkeys((*known.classes, *truth.classes)))
        world.annotators.truth = Truth(classes, {**known.images, **truth.images})
    return {"images": len(world.annotators.truth.images), "left_out": list(truth.left_out)}


def _put_annotators(world: World, document: Any) -> Any:
    world.annotators.noise = parse_noise(document)
    return asdict(world.annotators.noise)


def _put_people(world: World, document: Any) -> Any:
    if not isinstance(document, dict) or not set(document) <= {"person", "share"}:
        raise ValueError('people are {"person": true or false, "share": how many objects of a job}')
    people = People(**document)
    if not isinstance(people.person, bool) or type(people.share) is not int or people.share < 0:
        raise ValueError("person is true or false, share a whole number of objects >= 0")
    world.people = people
    return asdict(people)


def _put_faults(world: World, document: Any) -> Any:
    world.faults.set(parse_faults(document))
    return asdict(world.faults.current)


def _forget(world: World, _: Any) -> Any:
    """Refused while anything runs: its thread would go on with what is forgotten."""
    with world.lock:
        running = [*world.endpoints]
        running += [name for name, job in world.training_jobs.items() if job.detail["TrainingJobStatus"] in _AT_WORK]
        running += [name for name, job in world.labeling_jobs.items() if job.detail["LabelingJobStatus"] in _AT_WORK]
        if running:
            raise ValueError(f"end these first, then forget: {', '.join(running)}")
        kinds: tuple[Any, ...] = (
            world.training_jobs,
            world.labeling_jobs,
            world.models,
            world.endpoint_configs,
            world.package_groups,
            world.packages,
            world.notices,
        )
        forgotten = sum(len(kind) for kind in kinds)
        for kind in kinds:
            kind.clear()
        world.context.desk.forget()
    return {"forgotten": forgotten}


def _get_state(world: World, _: Any) -> Any:
    with world.lock:
        return {
            "training_jobs": {
                name: {
                    "status": job.detail["TrainingJobStatus"],
                    "secondary_status": job.detail["SecondaryStatus"],
                    "pid": None if job.container is None else job.container.process.pid,
                }
                for name, job in world.training_jobs.items()
            },
            "labeling_jobs": {
                name: {
                    "status": job.detail["LabelingJobStatus"],
                    "objects": job.objects,
                    "counters": job.detail["LabelCounters"],
                }
                for name, job in world.labeling_jobs.items()
            },
            "endpoints": {
                name: {
                    "status": endpoint.detail["EndpointStatus"],
                    "config": endpoint.detail["EndpointConfigName"],
                    "instances": 0 if endpoint.server is None else 1,
                    "desired": endpoint.desired,
                    "queued": len(endpoint.queue),
                    "in_flight": endpoint.in_flight,
                    "pid": None if endpoint.server is None else endpoint.server.container.process.pid,
                }
                for name, endpoint in world.endpoints.items()
            },
            "models": list(world.models),
            "model_packages": {arn: package.detail["ModelApprovalStatus"] for arn, package in world.packages.items()},
            "scalable_targets": list(world.scalable_targets),
            "notices": list(world.notices),
            "faults": asdict(world.faults.current),
            "people": asdict(world.people),
            "desk": world.context.desk.counts(),
        }
