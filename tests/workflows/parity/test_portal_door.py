"""The portal's port against clients that no browser is: slow, lying, endless, many (server, guard)."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from local import processes, stack

IDLE_SECONDS = 15  # of the portal's connections
MANY = 300


@pytest.fixture
def portal(server: stack.Server) -> Iterator[tuple[str, int]]:
    """Its address; afterwards it must still let somebody in."""
    address = urlsplit(json.loads((server.state_dir / "server.json").read_text())["portal"])
    assert address.hostname and address.port
    yield address.hostname, address.port
    status, cookie = enter(server)
    assert status == 303 and cookie and processes.alive(server.pid)


@pytest.mark.fault("J06")
def test_hundreds_of_connections_that_never_say_what_they_want_hinder_nobody(server, portal) -> None:
    with contextlib.ExitStack() as open_lines:
        lines = [open_lines.enter_context(socket.create_connection(portal, timeout=30)) for _ in range(MANY)]
        for number, line in enumerate(lines):
            line.sendall((b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"", b"\x16\x03\x01")[number % 4])
        started = time.monotonic()
        assert enter(server)[0] == 303 and time.monotonic() - started < 5
        ends = started + IDLE_SECONDS + 10
        for line in lines[:: MANY // 40]:
            line.settimeout(max(ends - time.monotonic(), 0.1))
            with contextlib.suppress(ConnectionError):
                told = line.recv(4096)
                assert not told or b" 4" in told[:12]
        assert time.monotonic() < ends, "they are not kept"


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /%ff%fe/%00 HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /static/../../../etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET http://HOST/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\n X: folded\r\n\r\n",
        b"POST /api/jobs/x/next HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/jobs/x/next HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /api/jobs/x/next HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n",
        b"POST /api/jobs/x/next HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /api/jobs/x/next HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"GET /ws HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"\x00" * 5000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 2000,
    ],
)
def test_what_is_no_request_of_a_browser_is_refused_and_breaks_nothing(portal, said) -> None:
    with socket.create_connection(portal, timeout=10) as line:
        line.sendall(said.replace(b"HOST", f"{portal[0]}:{portal[1]}".encode()))
        line.settimeout(3)
        told = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            told = line.recv(65536)
    assert not told.startswith(b"HTTP/1.1 2") and b"root:" not in told
    http2 = b"\x00\x00"  # its frames; what follows the preface is none
    assert not told or told.startswith((b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 501", http2)), told[:200]


def test_a_body_without_end_or_with_a_lying_length_is_refused(server, portal) -> None:
    cookie = enter(server)[1]
    origin = f"http://{portal[0]}:{portal[1]}"
    head = f"POST /api/tasks/x/answer HTTP/1.1\r\nHost: {origin[7:]}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n"
    with socket.create_connection(portal, timeout=10) as line:
        line.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                line.sendall(b"c350\r\n" + b"x" * 50_000 + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert line.recv(4096).startswith(b"HTTP/1.1 413")
    with socket.create_connection(portal, timeout=10) as line:
        line.sendall(f"{head}Content-Length: 100\r\n\r\nshort".encode())
    with socket.create_connection(portal, timeout=10) as line:
        line.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
        told = line.recv(65536)
        assert told.startswith((b"HTTP/1.1 422", b"HTTP/1.1 404"))


def enter(server: stack.Server) -> tuple[int, str]:
    """A new session by a new link: the status, and the cookie."""
    link = urlsplit(stack.portal_link(server))
    connection = http.client.HTTPConnection(link.netloc, timeout=10)
    try:
        connection.request("GET", f"/?{link.query}")
        answer = connection.getresponse()
        return answer.status, answer.getheader("set-cookie", "").partition(";")[0]
    finally:
        connection.close()
