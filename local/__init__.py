"""The embedded AWS: MiniStack in process plus what it lacks. Never imported by the product."""

import importlib.util
import sys
from pathlib import Path

# The domain package lies under functions/, which is an import root of its own (docs/architecture.md, "Environments").
if importlib.util.find_spec("labelloop") is None:
    sys.path.append(str(Path(__file__).resolve().parents[1] / "functions"))
