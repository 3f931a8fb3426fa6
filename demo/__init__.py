"""`make demo`: the whole loop, from an upload to a better model, on the embedded AWS; ends with build/demo/report.html.

__main__ is the order of events; batch draws or reads the pictures, upload sends them; follow asks AWS, progress makes
sense of the answers, screen shows them; results reads what the loop wrote, evaluate and scores hold it against the
known truth, unseen and people_figures the last model of key points, costs prices it; page, charts, gallery and
drawn_marks write the report in the words of the task (words). Memory is measured by memory.
"""

import importlib.util
import sys
from pathlib import Path

# The domain package lies under functions/, which is an import root of its own (docs/architecture.md, "Environments").
if importlib.util.find_spec("labelloop") is None:
    sys.path.append(str(Path(__file__).resolve().parents[1] / "functions"))
