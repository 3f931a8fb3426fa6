"""Programs with a key come in, web pages do not, whatever they send (door, keys, gateway)."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from toys import Toys

from local import processes, stack

LIST_FUNCTIONS = "/2015-03-31/functions"


@pytest.mark.fault("J02")
@pytest.mark.parametrize(
    "headers",
    [
        *({"Origin": origin} for origin in ("http://evil.example", "null", "{address}", "file://", "")),
        *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "same-origin", "Cross-Site")),
        *({"Host": host} for host in ("evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.:{port}")),
        *({"Host": host} for host in ("2130706433:{port}", "0x7f.1:{port}", "0.0.0.0:{port}", "127.1:{port}")),
        *({"Host": host} for host in ("x@127.0.0.1:{port}", "127.0.0.1.evil.example:{port}", "notlocalhost:{port}")),
        *({"Host": host} for host in ("[::ffff:127.0.0.1]:{port}", "127.0.0.1:{port}/", "localhost.evil:{port}")),
        *({"Host": host} for host in (".localhost:{port}", "evil.example#.localhost:{port}", "127.0.0.2:{port}")),
    ],
)
def test_a_page_is_refused_even_with_a_genuine_signature(
    server: stack.Server, headers: dict[str, str], aws: Toys
) -> None:
    place = {"port": port_of(server), "address": server.endpoint}
    sent = {name: value.format(**place) for name, value in headers.items()}
    status, body = signed(server, "GET", LIST_FUNCTIONS, headers=sent)
    assert status == 403, body
    assert any(said in body for said in ("web pages", "web page sent", "address is not ours")), "told in words"


@pytest.mark.fault("J02")
def test_a_page_can_neither_create_nor_call_a_function(server: stack.Server, aws: Toys) -> None:
    """As `fetch` does it from any page: the preflight is asked first, then the request bears a made-up signature."""
    function = aws.function("def handler(event, context):\n    return 'called'")
    page = {"Origin": "http://evil.example", "Host": f"127.0.0.1:{port_of(server)}"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    status, _, allowed = raw(server, "OPTIONS", LIST_FUNCTIONS, {**page, **asked})
    assert status == 403 and not [name for name in allowed if name.startswith("access-control")]
    claimed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0"
    for sender in (page, {"Host": page["Host"]}):
        path = f"{LIST_FUNCTIONS}/{function.rpartition(':')[2]}/invocations"
        status, body, _ = raw(server, "POST", path, {**sender, "Authorization": claimed}, b"{}")
        assert status == 403 and "called" not in body
        status, body, _ = raw(server, "POST", LIST_FUNCTIONS, {**sender, "Authorization": claimed}, b"{}")
        assert status == 403, body


@pytest.mark.fault("J02")
@pytest.mark.parametrize(
    "request_line",
    [
        "GET {address}/bucket HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        "GET http://evil.example/bucket HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        "GET /bucket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example",
        "GET /bucket HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:{port}",
        "GET /bucket HTTP/1.0",
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        "GET /_aws/execute-api/a/b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "POST /bucket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/plain\r\nContent-Length: 0",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 0",
    ],
)
def test_requests_of_an_odd_form_are_refused(server: stack.Server, request_line: str, aws: Toys) -> None:
    aws.client("s3").create_bucket(Bucket="bucket")  # again and again: the root key of the same account owns it
    text = request_line.format(port=port_of(server), address=server.endpoint)
    answer = spoken(server, f"{text}\r\nConnection: close\r\n\r\n" if "Upgrade" not in text else f"{text}\r\n\r\n")
    assert answer.split(b" ", 2)[1] in (b"400", b"403"), answer[:300]


@pytest.mark.fault("J02")
@pytest.mark.parametrize("path", ["/", "/bucket", LIST_FUNCTIONS, "/v2/", "/health", "/_aws/lambda-url/x/"])
def test_unsigned_requests_do_nothing(server: stack.Server, path: str) -> None:
    for method in ("GET", "PUT", "POST", "DELETE", "HEAD"):
        status, body, _ = raw(server, method, path, {}, b"{}" if method in ("PUT", "POST") else b"")
        assert status == 403, (method, body)
    anonymous = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=stack.REGION, config=Config(signature_version=UNSIGNED)
    )
    with pytest.raises(ClientError, match="403"):
        anonymous.list_buckets()


@pytest.mark.fault("J02")
@pytest.mark.parametrize("service", ["s3", "lambda", "sqs", "cloudformation", "sagemaker", "dynamodb", "sts"])
def test_the_key_test_and_account_numbers_open_nothing(server: stack.Server, service: str) -> None:
    asked = {"s3": "list_buckets", "lambda": "list_functions", "sqs": "list_queues", "sagemaker": "list_endpoints"}
    asked |= {"cloudformation": "list_stacks", "dynamodb": "list_tables", "sts": "get_caller_identity"}
    for key in ("test", "000000000000", "123456789012", "AKIAIOSFODNN7EXAMPLE", root(server)["id"]):
        client = boto3.client(
            service,
            endpoint_url=server.endpoint,
            region_name=stack.REGION,
            aws_access_key_id=key,
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}),
        )
        with pytest.raises(ClientError, match=r"security token|signature we calculated|does not exist in our records"):
            getattr(client, asked[service])()


@pytest.mark.fault("J02")
def test_keys_of_roles_cannot_be_computed_from_their_names(server: stack.Server, aws: Toys) -> None:
    role = aws.role("lambda", [{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    function = aws.function("import os\ndef handler(event, context):\n    return dict(os.environ)")
    aws.client("lambda").update_function_configuration(FunctionName=function, Role=role)
    _, environment = aws.invoke(function)
    digest = hashlib.sha256(f"{function}:{role}".encode()).hexdigest()
    guessed = {
        "AWS_ACCESS_KEY_ID": f"ASIA{digest[:16].upper()}",
        "AWS_SECRET_ACCESS_KEY": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "AWS_SESSION_TOKEN": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }
    keys = {name: environment[name] for name in guessed}
    assert aws.client("sts").get_caller_identity()["Arn"].endswith(":root")
    assert as_(server, "sts", keys).get_caller_identity()["Arn"].startswith("arn:aws:sts::000000000000:assumed-role/")
    with pytest.raises(ClientError, match="security token"):
        as_(server, "sts", guessed).get_caller_identity()
    assert root(server)["secret"] not in environment.values() and "test" not in keys.values()


@pytest.mark.fault("J02")
def test_what_the_server_started_does_not_know_the_root_key(server: stack.Server, aws: Toys) -> None:
    aws.invoke(aws.function("def handler(event, context):\n    return 1"))
    secret = root(server)["secret"].encode()
    children = processes.descendants(server.pid)
    assert children
    for pid in (*children, server.pid):
        if Path(f"/proc/{pid}/environ").exists():
            told = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
            assert secret not in told.replace(b"\0", b"=").split(b"="), "a child knows the root key's secret"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_links_to_objects_work_until_they_are_changed_or_over(server: stack.Server, aws: Toys, version: str) -> None:
    bucket, s3 = aws.bucket(), as_(server, "s3", stack.aws_environment(server), signature_version=version)
    key = "a b+%20é😀/picture.jpg"
    s3.put_object(Bucket=bucket, Key=key, Body=b"picture")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert read(link) == (200, b"picture")
    assert read(link, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"})[0] == 200, "pasted into the browser"
    assert read(link, {"Origin": "http://evil.example"})[0] == 403
    assert read(link.replace("Signature=", "Signature=0"))[0] == 403
    assert read(link.replace("picture.jpg", "other.jpg"))[0] == 403
    assert read(link.partition("?")[0])[0] == 403
    over = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=1)
    time.sleep(2.1)
    assert read(over)[0] == 403


@pytest.mark.fault("J02")
@pytest.mark.parametrize(
    "path",
    [
        *("/_ministack/health", "/_ministack/ready", "/_ministack/reset", "/_ministack/config", "/_localstack/health"),
        *("/_ministack/sqs/messages", "/_ministack/lambda-code/x", "/_ministack/rds/iam-auth", "/_alb/x/y"),
        "/%5Fministack/reset",
    ],
)
def test_the_control_paths_of_ministack_are_closed_even_to_root(server: stack.Server, aws: Toys, path: str) -> None:
    bucket = aws.bucket()
    for method in ("GET", "POST", "PUT"):
        assert raw(server, method, path, {}, b"{}")[0] == 403
        assert signed(server, method, path)[0] == 403
    assert bucket in [each["Name"] for each in aws.client("s3").list_buckets()["Buckets"]]


@pytest.mark.fault("J02")
def test_what_happens_behind_awss_back_needs_the_secret(server: stack.Server) -> None:
    for method, name in (("GET", "status"), ("GET", "state"), ("PUT", "faults"), ("PUT", "meeting"), ("PUT", "truth")):
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer test"}):
            status, body, _ = raw(server, method, f"/_labelloop/{name}", headers, b"{}" if method == "PUT" else b"")
            assert status == 403 and "Authorization: Bearer" in body
        with_secret = {"Authorization": f"Bearer {root(server)['secret']}"}
        page = {**with_secret, "Origin": "http://evil.example"}
        assert raw(server, method, f"/_labelloop/{name}", page, b"{}" if method == "PUT" else b"")[0] == 403
    assert stack.control(server, "GET", "state")["endpoints"] == {}


@pytest.mark.fault("J02")
def test_every_start_has_a_key_of_its_own_that_only_its_owner_reads(server: stack.Server, tmp_path: Path) -> None:
    with stack.running_server(state_dir=tmp_path) as other:
        record = tmp_path / "server.json"
        assert stat.S_IMODE(record.stat().st_mode) == 0o600
        secrets = [root(each)["secret"] for each in (server, other)]
        assert len(set(secrets)) == 2 and all(len(secret) >= 40 for secret in secrets)
        keys = stack.aws_environment(server)
        with pytest.raises(ClientError, match="security token"):
            as_(other, "sts", keys).get_caller_identity()
        assert secrets[1] not in repr(other), "a failing test would print it"
        assert secrets[1] not in other.log.read_text()
        assert json.loads(record.read_text())["pid"] == other.pid
        assert stack.find(tmp_path) == other


def test_a_body_of_somebody_unknown_is_not_even_read(server: stack.Server) -> None:
    claimed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    head = f"PUT /bucket/key HTTP/1.1\r\nHost: 127.0.0.1:{port_of(server)}\r\nAuthorization: {claimed}\r\n"
    assert b" 403 " in spoken(server, f"{head}Content-Length: 5000000000\r\n\r\n")


# --- how to speak to it


def root(server: stack.Server) -> dict[str, str]:
    keys = stack.aws_environment(server)
    return {"id": keys["AWS_ACCESS_KEY_ID"], "secret": keys["AWS_SECRET_ACCESS_KEY"]}


def port_of(server: stack.Server) -> int:
    return int(server.endpoint.rpartition(":")[2])


def as_(server: stack.Server, service: str, keys: Mapping[str, str], **config: str):
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=stack.REGION,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=keys.get("AWS_SESSION_TOKEN"),
        config=Config(retries={"max_attempts": 1}, **config),
    )


def signed(
    server: stack.Server, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """As root, with headers that the signature does not cover, but for Host, which it does."""
    host = (headers or {}).get("Host", f"127.0.0.1:{port_of(server)}")
    request = AWSRequest(method, f"{server.endpoint}{path}", data=body, headers={"Host": host})
    SigV4Auth(Credentials(root(server)["id"], root(server)["secret"]), "lambda", stack.REGION).add_auth(request)
    status, text, _ = raw(server, method, path, {**dict(request.headers), **(headers or {})}, body)
    return status, text


def raw(
    server: stack.Server, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, str, dict[str, str]]:
    """Exactly these headers; Host as it should be where none is given, absent where it is empty."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=20)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            if name != "Host" or value:
                connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def spoken(server: stack.Server, text: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=20) as line:
        line.sendall(text.encode())
        return line.recv(65536)


def read(address: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=dict(headers or {})), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
