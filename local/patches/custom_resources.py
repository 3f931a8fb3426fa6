"""A custom resource whose function fails before it answers CloudFormation fails at once.

AWS waits for the answer for an hour, and so would MiniStack; nobody gains from that here.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource

from local.patches.hooks import original

_ANSWERS = "/_ministack/cfn-response/"


def apply() -> None:
    execute = original(lambda_svc, "_execute_function_with_config_scope", "func", "event")
    original(custom_resource, "deliver_response", "token", "response")

    def execute_and_answer(func: Any, event: Any) -> Any:
        result = execute(func, event)
        url = str(event.get("ResponseURL", "")) if isinstance(event, dict) else ""
        if _ANSWERS in url and result.get("error"):
            reason = f"The function of the custom resource failed: {json.dumps(result.get('body'))}"
            custom_resource.deliver_response(url.rsplit("/", 1)[-1], {"Status": "FAILED", "Reason": reason})
        return result

    lambda_svc._execute_function_with_config_scope = execute_and_answer
