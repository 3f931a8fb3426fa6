"""A container for tests of the emulated SageMaker: `train` and `serve` without any model, in the standard library."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(os.environ["SAGEMAKER_BASE_DIR"])


def train() -> None:
    settings = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    if "fail" in settings:
        (ROOT / "output/failure").write_text(settings["fail"])
        sys.exit(1)
    if "endless" in settings:
        signal.signal(signal.SIGTERM, lambda *_: finish(settings))
        print("endless=1", flush=True)
        while True:
            time.sleep(0.05)
    finish(settings)


def finish(settings: dict[str, str]) -> None:
    data = ROOT / "input/data"
    files = {path.relative_to(data).as_posix(): path.read_text() for path in data.rglob("*") if path.is_file()}
    report = {"files": files, "settings": settings, "environment": dict(os.environ)}
    (ROOT / "output/data/report.json").write_text(json.dumps(report))
    (ROOT / "model/weights.txt").write_text(settings.get("weights", "none"))
    print("loss=0.5\nloss=0.25", flush=True)
    sys.exit(0)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"crash":
            os._exit(9)
        if body == b"error":
            self.answer(500, b'{"error": "the model broke"}')
            return
        if body == b"slow":
            time.sleep(3)
        weights = (ROOT / "model/weights.txt").read_text()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.answer(200, json.dumps({"model": weights, "body": body.decode(), "headers": headers}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> None:
    if "DIE" in os.environ:
        sys.exit("no model")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer((os.environ["SERVE_HOST"], int(os.environ["SERVE_PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    {"train": train, "serve": serve}[sys.argv[1]]()
