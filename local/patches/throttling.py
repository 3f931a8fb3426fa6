"""A throttled function call of a state machine is `Lambda.TooManyRequestsException`; MiniStack: `Lambda.Unknown`."""

from __future__ import annotations

from typing import Any

from ministack.services import stepfunctions as sfn

from local.patches.hooks import original


def apply() -> None:
    call = original(sfn, "_call_lambda", "func_ref", "event")

    def call_with_name(func_ref: Any, event: Any) -> Any:
        try:
            return call(func_ref, event)
        except sfn._ExecutionError as error:
            if error.error == "Lambda.Unknown" and "TooManyRequestsException" in str(error.cause):
                raise sfn._ExecutionError("Lambda.TooManyRequestsException", error.cause) from None
            raise

    sfn._call_lambda = call_with_name
