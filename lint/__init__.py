"""The lint gate for what no other linter opens: the transformed template, the state machines, names and permissions.

python -m lint [--project FOLDER]
"""

import importlib.util
import sys
from pathlib import Path

# The domain package lies under functions/, which is an import root of its own (docs/architecture.md, "Environments").
if importlib.util.find_spec("labelloop") is None:
    sys.path.append(str(Path(__file__).resolve().parents[1] / "functions"))
