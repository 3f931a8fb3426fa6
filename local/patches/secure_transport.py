"""The loopback connection stands for TLS: conditions on aws:SecureTransport see true.

The bucket policy that refuses plain HTTP would otherwise refuse every function, as one port serves plain HTTP here.
"""

from __future__ import annotations

from contextvars import ContextVar

from ministack import app
from ministack.core import iam_evaluator

from local.patches.hooks import original


def apply() -> None:
    pin = original(app, "pin_request_origin", "source_ip", "secure_transport")

    def pin_as_tls(source_ip: str, secure_transport: bool) -> None:
        pin(source_ip, True)

    assert iam_evaluator._request_origin.get() == ("127.0.0.1", False), "iam_evaluator._request_origin moved"
    iam_evaluator._request_origin = ContextVar("request_origin", default=("127.0.0.1", True))
    app.pin_request_origin = pin_as_tls
