"""What an HTTP API does beyond its limits (local.patches.http_api_limits)."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from toys import Toys

from local import stack


@pytest.fixture
def api(aws: Toys) -> Iterator[tuple[Any, str, str]]:
    """(client, id, function) of an API whose only route calls a function."""
    function = aws.function("def handler(event, context):\n    return {'statusCode': 200, 'body': 'done'}")
    client = aws.client("apigatewayv2")
    made = client.create_api(Name="api", ProtocolType="HTTP")["ApiId"]
    integration = client.create_integration(
        ApiId=made, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    client.create_route(ApiId=made, RouteKey="$default", Target=f"integrations/{integration}")
    yield client, made, function
    client.delete_api(ApiId=made)


def test_a_stage_answers_429_beyond_its_burst(server: stack.Server, api: tuple[Any, str, str]) -> None:
    client, made, _ = api
    limits = {"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 3}
    client.create_stage(ApiId=made, StageName="$default", AutoDeploy=True, DefaultRouteSettings=limits)
    answers = [asked(server, made) for _ in range(5)]
    assert Counter(status for status, _ in answers) == {200: 3, 429: 2}
    assert json.loads(answers[-1][1]) == {"message": "Too Many Requests"}


def test_a_stage_without_limits_takes_everything(server: stack.Server, api: tuple[Any, str, str]) -> None:
    client, made, _ = api
    client.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)
    assert {asked(server, made)[0] for _ in range(20)} == {200}


def test_a_throttled_function_is_a_service_that_is_not_available(
    server: stack.Server, api: tuple[Any, str, str], aws: Toys
) -> None:
    client, made, function = api
    client.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)
    aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    status, body = asked(server, made)
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})


def asked(server: stack.Server, api: str) -> tuple[int, bytes]:
    port = urlsplit(server.endpoint).port
    connection = http.client.HTTPConnection("127.0.0.1", int(port or 0), timeout=60)
    connection.request("GET", "/", headers={"Host": f"{api}.execute-api.localhost:{port}"})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found
