"""What MiniStack 1.5.33 does differently from AWS, corrected where the difference would hide an error.

Each module replaces module-level functions that MiniStack looks up when it calls them, checks that they are the ones
it was written for, and has a parity test in tests/workflows/parity/. Order matters where two wrap the
same function: for a function call of a state machine the role is asked first, then throttling gets its AWS name, then
a waiting token learns of the failure.
"""

from __future__ import annotations

from pathlib import Path

from local.keys import Key
from local.patches import (
    alarm_names,
    callback_tokens,
    custom_resources,
    deleting_machines,
    event_delivery,
    event_versions,
    executions,
    handler_errors,
    http_api_limits,
    lambda_environments,
    lambda_workers,
    machine_roles,
    metric_math_alarms,
    nested_executions,
    root_key,
    secure_transport,
    strict_paths,
    table_settings,
    task_limits,
    throttling,
    whole_wildcards,
)


def apply_all(lambda_python: Path, lambda_slots: int, root: Key, account: str) -> None:
    """Call once, before the first request."""
    root_key.apply(root, account)
    secure_transport.apply()
    handler_errors.apply()
    http_api_limits.apply()
    lambda_workers.apply(lambda_python, lambda_slots)
    lambda_environments.apply()
    custom_resources.apply()
    executions.apply()
    deleting_machines.apply()
    strict_paths.apply()
    nested_executions.apply()
    machine_roles.apply()
    throttling.apply()
    alarm_names.apply()
    callback_tokens.apply()
    task_limits.apply()
    event_delivery.apply()
    event_versions.apply()
    metric_math_alarms.apply()
    table_settings.apply()
    whole_wildcards.apply()
