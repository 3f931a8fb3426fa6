"""A client of a service that moto lacks: refuses what AWS's own model refuses, notes calls, gives set answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from acting import as_the_service
from botocore import xform_name
from botocore.exceptions import ClientError

from local.sagemaker import requests


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")  # type: ignore[arg-type]


@dataclass
class FakeService:
    """`answers` by method name: a value, an exception to raise, or a function of the request. No answer: {}."""

    service: str
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answering(self, **answers: Any) -> FakeService:
        self.answers.update(answers)
        return self

    def requests_of(self, method: str) -> list[dict[str, Any]]:
        return [request for name, request in self.calls if name == method]

    def get_paginator(self, method: str) -> Any:
        class Paginator:
            @staticmethod
            def paginate(**request: Any) -> Iterator[Any]:
                yield getattr(self, method)(**request)

        return Paginator

    def __getattr__(self, method: str) -> Callable[..., Any]:
        operation = _operations(self.service).get(method)
        if operation is None:
            raise AttributeError(f"{self.service} has no operation {method}")

        def call(**request: Any) -> Any:
            shape = requests.service_model(self.service).operation_model(operation).input_shape
            problems = requests.check(shape, request) if shape is not None else []
            assert not problems, f"{self.service} would refuse {operation}: {problems}"
            self.calls.append((method, request))
            answer = self.answers.get(method, {})
            if isinstance(answer, Exception):
                raise answer
            with as_the_service():
                return answer(**request) if callable(answer) else answer

        return call


def _operations(service: str) -> dict[str, str]:
    return {xform_name(name): name for name in requests.service_model(service).operation_names}
