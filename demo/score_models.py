"""Runs in the container's environment: every model on the same judge images, in one process.

    PYTHONPATH=containers/yolo python demo/score_models.py --work DIR

DIR/models/<version>.tar.gz, DIR/judge.jsonl (annotation manifest lines) and DIR/images/<key> go in;
DIR/scores.json `{"<version>": {"map50", "map50_95", "images"}}` comes out, of people also `oks_map50` and
`oks_map50_95`. A figure is null without a true mark. Of a version with DIR/unseen-<version>.jsonl (lines of images) the
predictions of these images come out as DIR/seen-<version>.jsonl.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    work: Path = parser.parse_args().work
    # The container's modules, by name: the environment that checks types does not have what they import.
    importlib.import_module("paths")  # first: it makes labelloop importable
    judge = importlib.import_module("dataset").read_manifest(work / "judge.jsonl")
    scores = {path.name.removesuffix(".tar.gz"): _score(path, judge, work) for path in _archives(work)}
    (work / "scores.json").write_text(json.dumps(scores, indent=2) + "\n", "utf-8")


def _archives(work: Path) -> list[Path]:
    return sorted((work / "models").glob("*.tar.gz"))


def _score(archive: Path, judge: list[Any], work: Path) -> dict[str, Any]:
    version = archive.name.removesuffix(".tar.gz")
    model_files = importlib.import_module("model_files")
    with tempfile.TemporaryDirectory(prefix="score-") as scratch:
        model_dir = Path(scratch)
        model_files.unpack_model(archive, model_dir)
        name = importlib.import_module("engine_choice").of_model(model_dir, os.environ.get("ENGINE"))
        engine = importlib.import_module(name).load(model_dir)
        score = importlib.import_module("scoring").score
        figures: dict[str, Any] = score(engine, judge, work / "images", version, work / f"scores-{version}.jsonl")
        unseen = work / f"unseen-{version}.jsonl"
        if unseen.is_file():
            images = importlib.import_module("dataset").read_manifest(unseen)
            score(engine, images, work / "images", version, work / f"seen-{version}.jsonl")
    print(f"{version}: {figures}", flush=True)
    return figures


if __name__ == "__main__":
    main()
