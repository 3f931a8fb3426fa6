"""AddTags and ListTags, for every resource of this emulation."""

from __future__ import annotations

from typing import Any

from local.http import ServiceFault
from local.sagemaker.requests import Call
from local.sagemaker.store import World, tag_map

_MAX_TAGS = 50


def add_tags(world: World, call: Call) -> dict[str, Any]:
    with world.lock:
        tags = {**_tags(world, call["ResourceArn"]), **tag_map(call["Tags"])}
        if len(tags) > _MAX_TAGS:
            raise ServiceFault("ResourceLimitExceeded", f"A resource can have {_MAX_TAGS} tags.")
        world.tags[call["ResourceArn"]] = tags
    return {"Tags": _listed(tags)}


def list_tags(world: World, call: Call) -> dict[str, Any]:
    return {"Tags": _listed(_tags(world, call["ResourceArn"]))}


def _tags(world: World, arn: str) -> dict[str, str]:
    if arn not in world.tags:
        raise ServiceFault("ValidationException", f'Could not find resource "{arn}".')
    return world.tags[arn]


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
