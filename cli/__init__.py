"""`labelloop`: how a stack does, how a batch goes, going back to an earlier model or dataset, and datasets as files of
other tools. A real stack and the embedded AWS alike: where it is, boto3 and the stack's outputs say.

app is the commands; stack finds what is deployed, batches and status read it, watch follows one batch, models and
datasets go back, audit notes who did; exports writes datasets, in the forms of coco_files and yolo_files;
yolo_labels reads the latter; tables show.
"""

import importlib.util
import sys
from pathlib import Path

# In a checkout the domain package lies under functions/, an import root of its own (docs/architecture.md).
if importlib.util.find_spec("labelloop") is None:
    sys.path.append(str(Path(__file__).resolve().parents[1] / "functions"))
