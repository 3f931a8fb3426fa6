"""Makes the domain package importable: in the image it lies beside this file, in the repository under functions/.

Also where SageMaker keeps its directory tree (docs.aws.amazon.com/sagemaker, "your-algorithms"): /opt/ml in a
container, SAGEMAKER_BASE_DIR elsewhere.
"""

import importlib.util
import os
import sys
from pathlib import Path

if importlib.util.find_spec("labelloop") is None:
    sys.path.append(str(Path(__file__).resolve().parents[2] / "functions"))


def base_dir() -> Path:
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
