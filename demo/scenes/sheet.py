"""Contact sheet: rendered scenes side by side with their boxes and key points, for looking at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from demo.scenes.canvas import Array
from demo.scenes.scene import Scene, render

SHOWN, COLOURS = (240, 180), 256
"""Tile size in pixels and palette: small enough to keep a sheet in the repository."""
POINT_COLOURS = {"visible": (60, 255, 90), "occluded": (255, 170, 40)}


def write_sheet(path: Path, seed: int, first: int = 0, count: int = 24, columns: int = 6) -> None:
    """PNG of `count` labelled scenes; boxes cyan, key points green where visible and orange where occluded."""
    tiles = [_labelled(render(seed, first + index)) for index in range(count)]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-count % columns)
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (columns * SHOWN[0], len(rows) * SHOWN[1])
    sheet = Image.fromarray(np.concatenate(rows)).resize(size, Image.Resampling.BOX)
    sheet.quantize(COLOURS).save(path, "PNG", optimize=True)


def _labelled(scene: Scene) -> Array:
    tile = scene.image.copy()
    for box, points in zip(scene.boxes, scene.keypoints, strict=True):
        corner = (box["left"] + box["width"] - 1, box["top"] + box["height"] - 1)
        cv2.rectangle(tile, (box["left"], box["top"]), corner, (0, 220, 255), 1)
        for point in points:
            if point["visibility"] in POINT_COLOURS:
                cv2.circle(tile, (int(point["x"]), int(point["y"])), 1, POINT_COLOURS[point["visibility"]], -1)
    said = scene.conditions["light"] + " " + ",".join(scene.conditions["poses"])
    cv2.putText(tile, said, (3, 236), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (255, 255, 255), 1, cv2.LINE_AA)
    return tile
