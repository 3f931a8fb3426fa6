"""Names of what is marked in images: classes of boxes, key points. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labelloop.contracts.errors import InvalidInputError

LONGEST_NAME = 64


def check_names(names: Sequence[str], context: str) -> None:
    """Raises InvalidInputError, beginning with `context`: labels of such names could be written and never read back."""
    if long := next((name for name in names if len(name) > LONGEST_NAME), ""):
        raise InvalidInputError(
            f"{context} has a name of {len(long)} characters, at most {LONGEST_NAME} are allowed: {long!r}"
        )
    if odd := next((name for name in names if any(ord(character) < 32 for character in name)), ""):
        raise InvalidInputError(f"{context} has a name with a control character: {odd!r}")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        listed = ", ".join(f"'{name}'" for name in twice)
        raise InvalidInputError(f"{context} lists {listed} more than once; list every name once and deploy again")
