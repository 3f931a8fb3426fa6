"""Replacing a module-level function of MiniStack, loudly when the pinned version moves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

MINISTACK_VERSION = "1.5.33"


class HookMoved(RuntimeError):
    """MiniStack no longer has the private function that a patch replaces."""


def original(owner: Any, name: str, *parameters: str) -> Callable[..., Any]:
    """The function `owner.name`, whose parameter names must be exactly `parameters`.

    Raises HookMoved otherwise: a patch on a function that changed would silently stop working.
    """
    function = getattr(owner, name, None)
    found = tuple(inspect.signature(function).parameters) if callable(function) else None
    if function is None or found != parameters:
        where = getattr(owner, "__name__", str(owner))
        raise HookMoved(
            f"{where}.{name} has the parameters {found}, the patch was written for {parameters} "
            f"(ministack {MINISTACK_VERSION}). Pin that version, or adapt the patch and its parity test."
        )
    checked: Callable[..., Any] = function
    return checked


def require_text(text: str, fragment: str, where: str) -> None:
    """`fragment` must occur exactly once in `text`; raises HookMoved otherwise."""
    if text.count(fragment) != 1:
        raise HookMoved(
            f"{where} does not contain exactly once: {fragment!r} (written for ministack {MINISTACK_VERSION}). "
            "Pin that version, or adapt the patch and its parity test."
        )
