"""A Python function fails under the name and with the stack trace that Lambda gives, and its warm process survives.

MiniStack calls every failure `Runtime.HandlerError` and ends the process, so no Retry or Catch on an error name could
ever match and globals were lost with each error. Names after
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.patches.hooks import original, require_text

_HANDLER_FAILED = (
    '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")'
)
_HANDLER_FAILED_NOW = (
    "traceback.print_exc(); "
    '_real_stdout.write(json.dumps({"status": "ok", "result": {"__handler_error__": {"errorMessage": str(e), '
    '"errorType": type(e).__name__, "stackTrace": traceback.format_tb(e.__traceback__)[1:]}}}) + "\\n")'
)
_IMPORT_FAILED = '_real_stdout.write(json.dumps({"status": "error", "error": str(e)}) + "\\n")'
_IMPORT_FAILED_NOW = """traceback.print_exc()
        _named = {
            "ImportError": ("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {e}"),
            "ModuleNotFoundError": ("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {e}"),
            "SyntaxError": ("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {e}"),
            "AttributeError": ("Runtime.HandlerNotFound", f"Handler '{handler_name}' missing on module '{module_name}'")
            if f"has no attribute '{handler_name}'" in str(e) else ("AttributeError", str(e)),
        }.get(type(e).__name__, (type(e).__name__, str(e)))
        _real_stdout.write(json.dumps({"status": "error", "error": json.dumps(
            {"errorMessage": _named[1], "errorType": _named[0], "stackTrace": []})}) + "\\n")"""
_INIT_FAILED = "Worker init failed: "


def apply() -> None:
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    for fragment in (_HANDLER_FAILED, _IMPORT_FAILED):
        require_text(script, fragment, "lambda_runtime._PYTHON_WORKER_SCRIPT")
    script = script.replace(_HANDLER_FAILED, _HANDLER_FAILED_NOW).replace(_IMPORT_FAILED, _IMPORT_FAILED_NOW)
    lambda_runtime._PYTHON_WORKER_SCRIPT = script

    execute = original(lambda_svc, "_execute_function_warm", "func", "event", "request_id")

    def execute_with_names(func: Any, event: Any, request_id: str) -> Any:
        result = execute(func, event, request_id)
        body = result.get("body")
        if isinstance(body, dict) and "__handler_error__" in body:
            return {**_failed(body["__handler_error__"], request_id), "log": result.get("log", "")}
        if result.get("error") and isinstance(body, dict):
            message = str(body.get("errorMessage", ""))
            if message.startswith(_INIT_FAILED):
                return _failed(json.loads(message.removeprefix(_INIT_FAILED)), request_id)
            if message == "Worker process died" or message.startswith("Worker process exited immediately"):
                died = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {message}"}
                return {**result, "body": died}
        return result

    lambda_svc._execute_function_warm = execute_with_names


def _failed(error: dict[str, Any], request_id: str) -> dict[str, Any]:
    return {"body": {**error, "requestId": request_id}, "error": True, "log": ""}
