"""A GetObject-only S3 on loopback for tests of the container: objects, versions, and keys that are always refused."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

DENIED = "denied.jpg"
REFUSED = {
    DENIED: (403, "AccessDenied"),
    "archived.jpg": (403, "InvalidObjectState"),
    "locked.jpg": (400, "KMS.DisabledException"),
    "busy.jpg": (503, "SlowDown"),
}


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
            if key in REFUSED:
                self._refuse(*REFUSED[key])
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
