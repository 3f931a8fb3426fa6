"""What the label value of a custom task says beside its marks, because such a task's metadata lacks it."""

from collections.abc import Sequence
from typing import Any


def consolidated(
    objects: Sequence[tuple[float | None, float]], names: Sequence[str], workers: int, agreement: float
) -> dict[str, Any]:
    """`objects`: (confidence, agreement) of each mark."""
    return {
        "objects": [
            {"confidence": round(confidence or 0.0, 4), "agreement": round(agreed, 4)} for confidence, agreed in objects
        ],
        "class-map": {str(index): name for index, name in enumerate(names)},
        "workers": workers,
        "agreement": round(agreement, 4),
    }
