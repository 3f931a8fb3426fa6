"""A GetObject-only S3 on loopback for tests of the container: objects, versions, and a key that is always denied."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

DENIED = "denied.jpg"


@dataclass
class FakeS3:
    """`objects` by key, or by (key, version id)."""

    objects: dict[str | tuple[str, str], bytes] = field(default_factory=dict)
    address: str = ""


@contextmanager
def fake_s3() -> Iterator[FakeS3]:
    store = FakeS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            key = unquote(url.path).removeprefix("/bucket/")
            version = parse_qs(url.query).get("versionId", [None])[0]
            name = key if version is None else (key, version)
            if key == DENIED:
                self._refuse(403, "AccessDenied")
            elif name in store.objects:
                self._answer(200, store.objects[name])
            else:
                self._refuse(404, "NoSuchKey" if version is None else "NoSuchVersion")

        def _refuse(self, status: int, code: str) -> None:
            self._answer(status, f"<Error><Code>{code}</Code><Message>refused</Message></Error>".encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    store.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
