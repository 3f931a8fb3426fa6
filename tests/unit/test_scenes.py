"""The renderer's promises: same seed same pictures, boxes tight, key points honest, files as the truth says."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from demo.scenes import Scene, read_truth, render, scene, write_batch
from demo.scenes.canvas import Canvas, Light, new_canvas
from demo.scenes.solids import CHIN_LINE, Relief, Solid, cast, paste, rotation

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = range(40)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render(3, index) for index in SAMPLE]


def test_a_scene_depends_on_seed_and_index_only_not_on_order_or_process(scenes: list[Scene]) -> None:
    again = render(3, 17)
    assert np.array_equal(again.image, scenes[17].image)
    assert (again.boxes, again.keypoints, again.conditions) == (
        scenes[17].boxes,
        scenes[17].keypoints,
        scenes[17].conditions,
    )
    code = (
        "import hashlib;from demo.scenes import render;print(hashlib.sha256(render(3,17).image.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == hashlib.sha256(again.image.tobytes()).hexdigest()
    assert not np.array_equal(render(4, 17).image, again.image)


@pytest.mark.parametrize("size", [(320, 240), (200, 150), (640, 360)])
def test_size_is_width_by_height_and_boxes_stay_inside(size: tuple[int, int]) -> None:
    drawn = render(5, 2, size)
    assert drawn.image.shape == (size[1], size[0], 3)
    assert drawn.image.dtype == np.uint8
    for box in drawn.boxes:
        assert 0 <= box["left"] < box["left"] + box["width"] <= size[0]
        assert 0 <= box["top"] < box["top"] + box["height"] <= size[1]


def test_every_scene_has_one_to_four_heads_with_five_points_each(scenes: list[Scene]) -> None:
    for drawn in scenes:
        assert 1 <= len(drawn.boxes) <= 4
        assert len(drawn.keypoints) == len(drawn.boxes)
        for points in drawn.keypoints:
            assert [point["name"] for point in points] == ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]


def test_boxes_are_exactly_the_bounds_of_the_painted_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen pixels never leave the box, and of a head nothing hides they touch all four sides."""
    masks: list[tuple[np.ndarray, bool]] = []
    honest = scene.keypoints

    def spy(canvas: Canvas, relief: Relief, pose: object, owner: int, look: object) -> object:
        mask = canvas.owner == owner
        masks.append((mask, bool(mask.sum() == relief.silhouette.sum())))
        return honest(canvas, relief, pose, owner, look)

    monkeypatch.setattr(scene, "keypoints", spy)
    whole = 0
    for index in SAMPLE:
        masks.clear()
        drawn = render(3, index)
        for box, (mask, unhidden) in zip(drawn.boxes, masks, strict=True):
            rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
            painted = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            corners = (box["left"], box["top"], box["left"] + box["width"], box["top"] + box["height"])
            assert painted[0] >= corners[0] and painted[1] >= corners[1]
            assert painted[2] <= corners[2] and painted[3] <= corners[3]
            if unhidden:
                assert painted == corners
                whole += 1
    assert whole >= 10


def test_a_projected_ellipsoid_has_its_analytic_bounds() -> None:
    radii = np.array([0.3, 0.5, 0.4])
    turn = rotation(0.7, 0.4, 0.3)
    relief = cast([Solid((0, 0, 0), (0.3, 0.5, 0.4), (200, 150, 120))], turn, (80.0, 70.0), 100.0, _lamp())
    rows, columns = np.nonzero(np.isfinite(relief.depth))
    half_x, half_y = 100 * np.sqrt(np.square(turn[:2] * radii).sum(axis=1))
    assert columns.min() + relief.left == pytest.approx(80 - half_x, abs=1)
    assert columns.max() + 1 + relief.left == pytest.approx(80 + half_x, abs=1)
    assert rows.min() + relief.top == pytest.approx(70 - half_y, abs=1)
    assert rows.max() + 1 + relief.top == pytest.approx(70 + half_y, abs=1)


def test_what_hangs_below_the_chin_is_painted_but_not_part_of_the_head() -> None:
    canvas = new_canvas(100, 200, _lamp())
    relief = cast([Solid((0, 0.5, 0), (0.3, 0.5, 0.3), (90, 60, 40))], np.eye(3), (50.0, 50.0), 100.0, _lamp())
    paste(canvas, relief, owner=1)
    assert canvas.rgb[140, 50].any()
    assert np.nonzero(canvas.owner.any(axis=1))[0].max() == pytest.approx(50 + 100 * CHIN_LINE, abs=1)


def test_yaw_turns_the_face_to_the_right_and_pitch_down() -> None:
    ahead = np.array([0.0, 0.0, 1.0])
    assert (rotation(0.5, 0, 0) @ ahead)[0] > 0.4
    assert (rotation(0, 0.5, 0) @ ahead)[1] > 0.4
    assert np.allclose(rotation(0.4, -0.3, 1.1) @ rotation(0.4, -0.3, 1.1).T, np.eye(3))


def test_key_points_outside_are_outside_and_a_far_ear_is_occluded(scenes: list[Scene]) -> None:
    seen = {"visible": 0, "occluded": 0, "outside": 0}
    for drawn in [*scenes, *(render(8, index) for index in range(40))]:
        height, width = drawn.image.shape[:2]
        for pose, points in zip(drawn.conditions["poses"], drawn.keypoints, strict=True):
            by_name = {point["name"]: point["visibility"] for point in points}
            for point in points:
                inside = 0 <= point["x"] < width and 0 <= point["y"] < height
                assert (point["visibility"] == "outside") == (not inside)
                seen[point["visibility"]] += 1
            if pose == "profile":
                assert (
                    "visible" not in (by_name["left_ear"], by_name["right_ear"])
                    or by_name["left_ear"] != by_name["right_ear"]
                )
            if pose == "away":
                assert (by_name["left_eye"], by_name["right_eye"]) != ("visible", "visible")
    assert min(seen.values()) > 5
    assert seen["visible"] > seen["occluded"] > seen["outside"]


def test_the_conditions_a_small_set_misses_all_occur() -> None:
    told = [render(11, index).conditions for index in range(120)]
    assert {condition["light"] for condition in told} == {"day", "side", "backlit", "glare", "dusk", "night"}
    assert {condition["blur"] for condition in told} == {"none", "motion", "defocus"}
    assert {"profile", "down", "asleep", "away"} <= {pose for condition in told for pose in condition["poses"]}
    assert {"cap", "beanie", "headscarf", "helmet"} <= {hat for condition in told for hat in condition["headgear"]}
    assert {"bag", "balloon", "toy", "face-picture"} <= {
        thing for condition in told for thing in condition["distractors"]
    }
    assert any(name.startswith("hand") for condition in told for name in condition["occluders"])
    assert 0.1 < np.mean([condition["light"] == "night" for condition in told]) < 0.35
    assert max(len(condition["seats"]) for condition in told) >= 3


def test_night_is_grey_day_is_not(scenes: list[Scene]) -> None:
    for drawn in scenes:
        spread = int(np.ptp(drawn.image.astype(int), axis=2).max())
        assert (spread == 0) == (drawn.conditions["light"] == "night")


def test_a_batch_holds_awkward_and_unusable_files_and_the_truth_of_the_usable_ones(tmp_path: Path) -> None:
    truth = write_batch(tmp_path, 6, seed=7)
    assert len(truth.images) == 6
    assert {path.name for path in tmp_path.iterdir()} == {*truth.images, *truth.rejected, "truth.json"}
    assert truth.rejected == {
        "empty.jpg": "empty",
        "notes.jpg": "not-an-image",
        "truncated.jpg": "truncated",
        "huge.png": "too-many-pixels",
    }
    assert read_truth(tmp_path / "truth.json") == truth
    assert list(truth.images) == [
        "0001.jpg",
        "0002.jpg",
        "deep-0003.png",
        "print-0004.jpg",
        "turned-0005.jpg",
        'it\'s cabin "0006" + 50%20 😀.jpg',
    ]
    for index, (name, known) in enumerate(truth.images.items()):
        drawn = render(7, index)
        assert known["boxes"] == drawn.boxes
        upright = cv2.imdecode(np.fromfile(tmp_path / name, np.uint8), cv2.IMREAD_COLOR)
        assert upright.shape == (known["height"], known["width"], 3)
        if not name.startswith("print"):
            close = np.abs(cv2.cvtColor(upright, cv2.COLOR_BGR2RGB).astype(int) - drawn.image).mean()
            assert close < 8, name


def test_awkward_files_are_stored_as_their_names_say(tmp_path: Path) -> None:
    write_batch(tmp_path, 4, seed=7)
    assert cv2.imread(str(tmp_path / "deep-0001.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    with Image.open(tmp_path / "print-0002.jpg") as picture:
        assert picture.mode == "CMYK"
    with Image.open(tmp_path / "turned-0003.jpg") as picture:
        assert picture.size == (240, 320)
        assert picture.getexif()[0x0112] == 6


def test_unusable_files_are_what_they_claim(tmp_path: Path) -> None:
    write_batch(tmp_path, 1, seed=7)
    assert (tmp_path / "empty.jpg").stat().st_size == 0
    huge = (tmp_path / "huge.png").read_bytes()
    assert len(huge) < 100_000
    Image.MAX_IMAGE_PIXELS, limit = None, Image.MAX_IMAGE_PIXELS
    try:
        with Image.open(io.BytesIO(huge)) as picture:
            assert picture.size == (10_000, 9_000)
            assert picture.getextrema() == (0, 0)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with pytest.raises(OSError, match="truncated"), Image.open(tmp_path / "truncated.jpg") as picture:
        picture.load()


def test_without_faults_there_are_only_plain_pictures_and_the_same_truth_twice(tmp_path: Path) -> None:
    first, second = (write_batch(tmp_path / name, 3, seed=9, faults=False) for name in ("a", "b"))
    assert first == second
    assert list(first.images) == ["0001.jpg", "0002.jpg", "0003.jpg"]
    for name in (*first.images, "truth.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_command_line_draws_a_batch_and_a_sheet(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo.scenes", "--count", "5", "--seed", "7"]
    command += ["--out", str(tmp_path / "batch"), "--sheet", str(tmp_path / "sheet.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "5 pictures with" in done.stdout
    assert len(list((tmp_path / "batch").iterdir())) == 10
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (4 * 180, 6 * 240, 3)
    nothing = subprocess.run(
        [sys.executable, "-m", "demo.scenes"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert nothing.returncode == 2
    assert "give --out DIR" in nothing.stderr


def _lamp() -> Light:
    return Light((0.0, 0.0, 1.0), 0.4, 0.6)
