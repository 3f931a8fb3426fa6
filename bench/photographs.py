"""S11: does the loop pay on photographs?

Each run is `python -m demo` as the README gives it: the embedded AWS, the unchanged stack, simulated people, and models
that start from COCO's weights. The set is the 364 photographs of blood cells of ../shared/data/bccd; the truth of every
accepted label is known, and the loop never sees it.

S11.share: share of the images that the model labelled, mean of five seeds at a target of 0.60.
S11.truth: mean IoU of the accepted labels with the truth, over the labels of all five runs together.
S11.saving: share of the price of people labelling everything that was saved, audits and double labels paid as people.
S11.unreachable: labels accepted at a target of 0.78, which nothing can reach here; the report must say why.
S11.boards: the same at 0.57 for ../shared/data/deeppcb, pictures of circuit boards. No goal, whatever it is.

Every run takes minutes. Its folder and its figures stay in build/bench/photographs/, as <set>-<target>-<seed> and with
.json; what is there is not run again, so that an interrupted benchmark goes on. Delete the folder after a change.
Writes build/bench/<goal>.json for each goal whose runs are all there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
WEIGHTS = SHARED / "weights" / "yolov8n.pt"
OUT = ROOT / "build" / "bench"
SEEDS = (1, 2, 3, 4, 5)
SHARE, LEAST_SHARE, RUNS_WITH_IT = 0.30, 0.20, 4
TRUTH, TARGET, RUNS_BELOW_IT, LEAST_TRUTH = 0.62, 0.60, 1, 0.58
SAVING = 0.22
Figures = dict[str, Any]


@dataclass(frozen=True)
class Run:
    data: str
    target: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data}-{self.target:.2f}-{self.seed}"

    @property
    def folder(self) -> Path:
        return OUT / "photographs" / self.name

    @property
    def kept(self) -> Path:
        return OUT / "photographs" / f"{self.name}.json"

    @property
    def command(self) -> list[str]:
        pictures = SHARED / "data" / self.data
        return [
            *(sys.executable, "-m", "demo", "--out", str(self.folder), "--weights", str(WEIGHTS)),
            *("--images", str(pictures / "images"), "--truth", str(pictures / "annotations.json")),
            *("--target", str(self.target), "--seed", str(self.seed)),
        ]


CELLS = tuple(Run("bccd", TARGET, seed) for seed in SEEDS)
UNREACHABLE = (Run("bccd", 0.78, SEEDS[0]),)
BOARDS = tuple(Run("deeppcb", 0.57, seed) for seed in SEEDS)


def main() -> None:
    known = {run.name: run for run in (*CELLS, *UNREACHABLE, *BOARDS)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", choices=[*known, []], help="only these runs (all)")
    chosen = [known[name] for name in parser.parse_args().runs or known]
    if not WEIGHTS.is_file():
        raise SystemExit(f"The photographs and weights of this benchmark are not here: {SHARED}.")
    for run in chosen:
        figures = figures_of(run)
        print(json.dumps({"run": run.name, **short(figures)}), flush=True)
    for goal, runs, report in GOALS:
        if all(run.kept.exists() for run in runs):
            found = {"goal": goal, **report([figures_of(run) for run in runs])}
            (OUT / f"{goal}.json").write_text(json.dumps(found, indent=2) + "\n")
            print(json.dumps(found, indent=2))


def figures_of(run: Run) -> Figures:
    """summary.json of the demo, which runs only if it did not yet."""
    if not run.kept.exists():
        shutil.rmtree(run.folder, ignore_errors=True)
        run.folder.parent.mkdir(parents=True, exist_ok=True)
        if subprocess.run(run.command, cwd=ROOT, check=False).returncode:
            raise SystemExit(f"The run {run.name} failed; what it said is above. Run the benchmark again to go on.")
        shutil.copy(run.folder / "summary.json", run.kept)
    figures: Figures = json.loads(run.kept.read_text("utf-8"))
    return figures


SHORT = ("images", "auto", "human", "deferred", "auto_share", "auto_mean_iou", "saving", "wall_seconds")


def short(figures: Figures) -> Figures:
    """What a benchmark's detail holds of a run."""
    return {name: figures[name] for name in SHORT}


def share(runs: Sequence[Figures]) -> Figures:
    shares = [run["auto_share"] for run in runs]
    enough = sum(each >= LEAST_SHARE for each in shares)
    return {
        "value": round(fmean(shares), 4),
        "target": SHARE,
        "holds": fmean(shares) >= SHARE and enough >= RUNS_WITH_IT,
        "detail": {f"runs_from_{LEAST_SHARE}": enough, "runs": [short(run) for run in runs]},
    }


def truth(runs: Sequence[Figures]) -> Figures:
    """Pooled over the labels; a run that accepted none has no figure and misses nothing."""
    means = [(run["auto"], run["auto_mean_iou"]) for run in runs if run["auto"]]
    labels = sum(count for count, _ in means)
    pooled = sum(count * mean for count, mean in means) / labels if labels else None
    below = sum(mean < TARGET for _, mean in means)
    least = min((mean for _, mean in means), default=None)
    return {
        "value": None if pooled is None else round(pooled, 4),
        "target": TRUTH,
        "holds": pooled is not None and pooled >= TRUTH and below <= RUNS_BELOW_IT and (least or 0) >= LEAST_TRUTH,
        "detail": {"labels": labels, "runs_below_the_target": below, "least": least},
    }


def saving(runs: Sequence[Figures]) -> Figures:
    savings = [run["saving"] for run in runs]
    mean = fmean(savings)
    return {"value": round(mean, 4), "target": SAVING, "holds": mean >= SAVING, "detail": {"runs": savings}}


def unreachable(runs: Sequence[Figures]) -> Figures:
    accepted = sum(run["auto"] for run in runs)
    why = [run["why_nothing"] for run in runs]
    return {"value": accepted, "target": 0, "holds": accepted == 0 and all(why), "detail": {"why": why}}


def boards(runs: Sequence[Figures]) -> Figures:
    return {
        "value": share(runs)["value"],
        "target": None,
        "holds": None,
        "detail": {
            "mean_iou": truth(runs)["value"],
            "saving": saving(runs)["value"],
            "runs": [short(run) for run in runs],
        },
    }


GOALS: tuple[tuple[str, Sequence[Run], Callable[[Sequence[Figures]], Figures]], ...] = (
    ("S11.share", CELLS, share),
    ("S11.truth", CELLS, truth),
    ("S11.saving", CELLS, saving),
    ("S11.unreachable", UNREACHABLE, unreachable),
    ("S11.boards", BOARDS, boards),
)


if __name__ == "__main__":
    main()
