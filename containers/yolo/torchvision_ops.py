"""Makes `import torchvision` work where its compiled operators do not load.

The torchvision wheel of the package index is built for CUDA: beside a CPU build of torch its shared library is refused,
its operators stay undefined and the import fails with "operator torchvision::nms does not exist". Detection needs only
`nms`, so that one is then declared here on top of OpenCV. Where torchvision imports, nothing happens.
"""

import importlib
import sys
from typing import Any

import cv2
import numpy as np
import torch

_library: torch.library.Library | None = None  # the operators live as long as this object


def ensure_torchvision() -> str:
    """Returns "native" or "opencv": who suppresses non-maxima. Call it before anything imports torchvision."""
    global _library
    if _library is not None:
        return "opencv"
    try:
        importlib.import_module("torchvision")
        return "native"
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
    _library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _library.impl(operator, _nms, "CPU")
    importlib.import_module("torchvision")
    extension: Any = importlib.import_module("torchvision.extension")
    extension._has_ops = lambda: True
    return "opencv"


def _nms(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Indices of the kept boxes (N x 4, left/top/right/bottom), best score first, as torchvision.ops.nms gives them."""
    if dets.numel() == 0:
        return torch.empty((0,), dtype=torch.int64)
    corners = dets.detach().double().numpy()
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.detach().float().numpy().tolist(), 0.0, float(iou_threshold))
    return torch.as_tensor(np.asarray(kept, dtype=np.int64).reshape(-1))
