"""What ends a demo early."""

from __future__ import annotations


class DemoFailed(RuntimeError):
    """The demo cannot go on; the message is for the person at the terminal: what happened, why, what to do next."""
