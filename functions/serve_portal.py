"""Serve Portal: the labelling portal behind an HTTP API, pages and API alike.

Contract: HTTP API, Lambda proxy integration, payload format 2.0. The layer brings the package `portal` and what the
browser runs.
"""

import os
from functools import cache
from typing import Any, cast

from labelloop.store.observability import entry
from mangum import Mangum

from portal.server.deployed import application


@entry
def handler(event: dict[str, Any], context: Any) -> Any:
    return _adapter()(event, context)


@cache
def _adapter() -> Mangum:
    return Mangum(cast(Any, application(os.environ)), lifespan="off")
