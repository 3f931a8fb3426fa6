"""torch and ultralytics, imported once and in the one order that works: first of all the environment that they read.

Also memory and threads. glibc gives large blocks back to the kernel with every `free`, and takes them anew, zeroed and
page by page, with the next `malloc`: 9,000 page faults for each image of a batch. And threads of OpenMP spin while they
wait, which takes the cores from whoever they wait for.
"""

import ctypes
import os
import tempfile
from pathlib import Path

from PIL import Image
from processor import CORES

THREADS = int(os.environ.get("OMP_NUM_THREADS") or 0) or CORES  # read before ultralytics sets it
# glibc's malloc.h; a parameter that is set does not move any more.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
KEPT_BYTES = 1 << 30

# No telemetry, no update check, no download, no installs; and should anything of ultralytics ever unpickle, then only
# against a list of known classes.
os.environ.update(
    YOLO_OFFLINE="true",
    YOLO_AUTOINSTALL="false",
    YOLO_VERBOSE="false",
    ULTRALYTICS_SAFE_LOAD="true",
    MPLBACKEND="Agg",
)
os.environ.setdefault("YOLO_CONFIG_DIR", str(Path(tempfile.gettempdir()) / f"yolo-config-{os.getuid()}"))
Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # about a microsecond; libgomp reads it when torch loads it

_pillow_open = Image.open

import torch  # noqa: E402
from torchvision_ops import ensure_torchvision  # noqa: E402

ensure_torchvision()

from ultralytics.utils import torch_utils  # noqa: E402

# ultralytics puts a function of its own in this place, which wants a HEIF plugin for whatever Pillow does not know.
Image.open = _pillow_open
torch_utils.NUM_THREADS = THREADS
torch.set_num_threads(THREADS)


def keep_memory() -> bool:
    """Freed memory stays with the process, for the next batch. False where the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))


keep_memory()
