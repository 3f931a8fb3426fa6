"""Pictures to label: seeded in-cabin scenes with exact head boxes, batches as customers upload them.

Scenes are drawn with numpy and OpenCV; Pillow only writes what OpenCV cannot (CMYK, EXIF orientation, palette).
"""

from demo.scenes.batch import write_batch
from demo.scenes.scene import Scene, render
from demo.scenes.truth import Truth, read_truth

__all__ = ["Scene", "Truth", "read_truth", "render", "write_batch"]
