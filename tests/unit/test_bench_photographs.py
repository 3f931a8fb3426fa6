"""The arithmetic of `make bench NAME=photographs`, and that no run is made twice."""

import json
import subprocess

import pytest

from bench import photographs
from bench.photographs import Figures, Run


def run(auto: int = 100, mean: float | None = 0.65, part: float = 0.3, saving: float = 0.25, why: str = "") -> Figures:
    return {
        **dict.fromkeys(photographs.SHORT, 0),
        "auto": auto,
        "auto_mean_iou": mean,
        "auto_share": part,
        "saving": saving,
        "why_nothing": why,
    }


def test_the_mean_share_may_hide_one_poor_run_and_no_second() -> None:
    assert photographs.share([run(part=0.4)] * 4 + [run(part=0.0)])["holds"]
    assert not photographs.share([run(part=0.6)] * 3 + [run(part=0.1)] * 2)["holds"]
    assert not photographs.share([run(part=0.29)] * 5)["holds"]


def test_the_truth_is_pooled_over_labels_and_one_run_may_lie_a_little_below() -> None:
    found = photographs.truth([run(300, 0.64), run(100, 0.59), run(0, None)])
    assert found["value"] == pytest.approx((300 * 0.64 + 100 * 0.59) / 400, abs=1e-4) and found["holds"]
    assert not photographs.truth([run(900, 0.70), run(10, 0.57)])["holds"]
    assert not photographs.truth([run(900, 0.70), run(10, 0.59), run(10, 0.59)])["holds"]
    assert not photographs.truth([run(0, None)] * 5)["holds"]


def test_what_cannot_be_reached_needs_its_sentence() -> None:
    assert photographs.unreachable([run(0, None, why="nobody reaches it")])["holds"]
    assert not photographs.unreachable([run(0, None)])["holds"]
    assert not photographs.unreachable([run(1, 0.8, why="x")])["holds"]


def test_what_was_run_is_not_run_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(photographs, "OUT", tmp_path)
    commands = []

    def demo(command, **_):
        commands.append(command)
        folder = photographs.CELLS[0].folder
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps({"auto": 3}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", demo)
    assert [photographs.figures_of(photographs.CELLS[0]) for _ in range(2)] == [{"auto": 3}] * 2
    assert len(commands) == 1 and "0.6" in commands[0]


def test_a_run_that_failed_is_told_and_leaves_nothing_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(photographs, "OUT", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(SystemExit, match=r"bccd-0\.60-1 failed"):
        photographs.figures_of(photographs.CELLS[0])
    assert not photographs.CELLS[0].kept.exists()


def test_runs_have_names_of_their_own() -> None:
    every = [*photographs.CELLS, *photographs.UNREACHABLE, *photographs.BOARDS]
    assert len({each.name for each in every}) == len(every)
    assert Run("bccd", 0.6, 3).name == "bccd-0.60-3"
