"""Requests against AWS's own service models: which operation, which parameters, are they legal; and legal answers.

The models are the ones botocore ships. A request the real service refuses is refused here with the same wording
(`1 validation error detected: Value 'a_b' at 'labelingJobName' failed to satisfy constraint: ...`); an answer that
does not fit the model is an error of the emulator and never leaves it.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

import botocore.session

from local.http import Request, ServiceFault
from local.sagemaker.patterns import compile_java

_TARGETS = {"SageMaker": "sagemaker", "AnyScaleFrontendService": "application-autoscaling"}
_RUNTIME_PATH = re.compile(r"^/endpoints/([^/]+)/(async-invocations|invocations)$")
_RUNTIME_OPERATIONS = {"async-invocations": "InvokeEndpointAsync", "invocations": "InvokeEndpoint"}
_RUNTIME_DEFAULT_FAULT = "ValidationError"

# Required in the model, absent in reality until the job has written them.
_LATE_MEMBERS = {("DescribeTrainingJobResponse", "ModelArtifacts")}

_KINDS: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str, datetime),
    "blob": (str, bytes),
}


@dataclass(frozen=True)
class Call:
    """One API call: `service` is botocore's name of the API, parameters are as the API reference writes them."""

    service: str
    operation: str
    parameters: dict[str, Any]
    request: Request

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.parameters.get(name, default)


def parse(request: Request) -> Call:
    """Name the operation of a request and read its parameters. Raises ServiceFault; validates nothing yet."""
    target = request.headers.get("x-amz-target", "")
    if target:
        prefix, _, operation = target.partition(".")
        service = _TARGETS.get(prefix)
        if service is None or operation not in service_model(service).operation_names:
            raise ServiceFault("UnknownOperationException", f"{target} is not an operation of this service")
        return Call(service, operation, _json_object(request.body), request)
    match = _RUNTIME_PATH.match(request.path)
    if request.method == "POST" and match:
        operation = _RUNTIME_OPERATIONS[match.group(2)]
        parameters = {"EndpointName": unquote(match.group(1)), **_header_parameters(operation, request.headers)}
        if request.body:
            parameters["Body"] = request.body
        return Call("sagemaker-runtime", operation, parameters, request)
    raise ServiceFault(
        "UnknownOperationException",
        f"{request.method} {request.path} without X-Amz-Target is not an operation of {request.service}",
        404,
    )


def validate(call: Call) -> None:
    """Raise ValidationException (ValidationError in the runtime API) listing everything illegal in the request."""
    shape = service_model(call.service).operation_model(call.operation).input_shape
    errors = check(shape, call.parameters) if shape is not None else []
    if errors:
        plural = "error" if len(errors) == 1 else "errors"
        code = _RUNTIME_DEFAULT_FAULT if call.service == "sagemaker-runtime" else "ValidationException"
        raise ServiceFault(code, f"{len(errors)} validation {plural} detected: {'; '.join(errors)}")


def not_implemented(what: str) -> ServiceFault:
    return ServiceFault("NotImplementedException", f"The embedded AWS does not implement {what}.", 501)


def render(call: Call, answer: Mapping[str, Any]) -> Any:
    """JSON document of an answer. Raises TypeError when it does not fit the model: a bug of the emulator."""
    shape = service_model(call.service).operation_model(call.operation).output_shape
    if shape is None:
        if answer:
            raise TypeError(f"{call.operation} answers with nothing")
        return {}
    errors = check(shape, dict(answer))
    if errors:
        raise TypeError(f"answer of {call.operation} does not fit the model: {errors}")
    return _plain(answer)


def check(shape: Any, value: Any, path: str = "") -> list[str]:
    """Constraint violations of a value against a botocore shape, worded as AWS words them."""
    kind = shape.type_name
    fits: bool = isinstance(value, _KINDS[kind]) and isinstance(value, bool) == (kind == "boolean")
    if not fits:
        return [f"Value at '{path}' failed to satisfy constraint: Member must be a {kind}"]
    meta = shape.metadata
    if kind == "structure":
        return _check_structure(shape, value, path)
    if kind == "list":
        errors = _bounds(len(value), meta, path, value, "have length")
        return errors + [e for n, item in enumerate(value) for e in check(shape.member, item, f"{path}.{n + 1}.member")]
    if kind == "map":
        errors = _bounds(len(value), meta, path, value, "have length")
        for key, item in value.items():
            errors += check(shape.key, key, f"{path}.key") + check(shape.value, item, f"{path}.{key}.member")
        return errors
    if kind == "string":
        return _check_string(value, meta, path)
    if kind in ("integer", "long", "float", "double"):
        return _bounds(value, meta, path, value, "have value")
    if kind == "blob":
        return _bounds(len(value), meta, path, "<bytes>", "have length")
    return []


@functools.cache
def service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _check_structure(shape: Any, value: dict[str, Any], path: str) -> list[str]:
    errors = []
    for name in shape.required_members:
        if value.get(name) is None and (shape.name, name) not in _LATE_MEMBERS:
            errors.append(_violation(None, _join(path, name), "Member must not be null"))
    for name, item in value.items():
        if name not in shape.members:
            errors.append(f"Unknown member '{_join(path, name)}'")
        elif item is not None:
            errors += check(shape.members[name], item, _join(path, name))
    return errors


def _check_string(value: str, meta: Mapping[str, Any], path: str) -> list[str]:
    errors = _bounds(len(value), meta, path, value, "have length")
    if meta.get("enum") and value not in meta["enum"]:
        errors.append(_violation(value, path, f"Member must satisfy enum value set: [{', '.join(meta['enum'])}]"))
    pattern = compile_java(meta["pattern"]) if meta.get("pattern") else None
    if pattern is not None and not pattern.fullmatch(value):
        wanted = f"Member must satisfy regular expression pattern: {meta['pattern']}"
        errors.append(_violation(value, path, wanted))
    return errors


def _bounds(size: float, meta: Mapping[str, Any], path: str, value: Any, verb: str) -> list[str]:
    errors = []
    if "max" in meta and size > meta["max"]:
        errors.append(_violation(value, path, f"Member must {verb} less than or equal to {meta['max']}"))
    if "min" in meta and size < meta["min"]:
        errors.append(_violation(value, path, f"Member must {verb} greater than or equal to {meta['min']}"))
    return errors


def _violation(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    """AWS writes member names with a small first letter, except for names that start with an acronym."""
    lower = name if name[:2].isupper() else name[0].lower() + name[1:]
    return f"{path}.{lower}" if path else lower


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceFault("SerializationException", f"The request body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ServiceFault("SerializationException", "The request body is not a JSON object")
    return {name: value for name, value in document.items() if value is not None}


def _header_parameters(operation: str, headers: Mapping[str, str]) -> dict[str, Any]:
    shape = service_model("sagemaker-runtime").operation_model(operation).input_shape
    parameters: dict[str, Any] = {}
    for name, member in shape.members.items():
        value = headers.get(str(member.serialization.get("name", "")).lower())
        if member.serialization.get("location") == "header" and value is not None:
            parameters[name] = _header_value(member.type_name, value, name)
    return parameters


def _header_value(kind: str, value: str, name: str) -> Any:
    if kind not in ("integer", "long"):
        return value
    try:
        return int(value)
    except ValueError as error:
        raise ServiceFault(_RUNTIME_DEFAULT_FAULT, f"{name} is a number, not {value!r}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast(list[Any], value)]
    return value
