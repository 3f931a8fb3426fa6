"""Draw a batch of pictures to label, or a contact sheet to look at.

python -m demo.scenes --count 600 --seed 7 --out DIR
python -m demo.scenes --sheet docs/scenes.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo.scenes.batch import write_batch
from demo.scenes.sheet import write_sheet


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m demo.scenes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=600, help="number of good pictures (600)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed draws the same pictures (7)")
    parser.add_argument("--out", type=Path, help="folder for the pictures and truth.json")
    parser.add_argument("--no-faults", action="store_true", help="without awkward and unusable files")
    parser.add_argument("--sheet", type=Path, help="PNG file for a labelled contact sheet of 24 scenes")
    parser.add_argument("--first", type=int, default=0, help="the sheet's first scene (0)")
    chosen = parser.parse_args(arguments)
    if chosen.out is None and chosen.sheet is None:
        parser.error("nothing to draw: give --out DIR for a batch or --sheet FILE for a contact sheet")
    if chosen.count < 1:
        parser.error(f"--count is {chosen.count}; a batch has at least one picture")
    if chosen.sheet is not None:
        write_sheet(chosen.sheet, chosen.seed, chosen.first)
        print(f"{chosen.sheet}: scenes {chosen.first} to {chosen.first + 23} of seed {chosen.seed}")
    if chosen.out is not None:
        truth = write_batch(chosen.out, chosen.count, chosen.seed, faults=not chosen.no_faults)
        heads = sum(len(image["boxes"]) for image in truth.images.values())
        print(f"{chosen.out}: {len(truth.images)} pictures with {heads} heads, {len(truth.rejected)} unusable files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
