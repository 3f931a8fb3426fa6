"""What `docker run <image> serve` and `docker run <image> train` start: SageMaker passes the one word."""

import importlib
import sys

import ordinary_user
import paths

PROGRAMS = ("serve", "train")


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in PROGRAMS:
        sys.exit(f"usage: entrypoint.py {'|'.join(PROGRAMS)}")
    ordinary_user.become(paths.base_dir(), trains=sys.argv[1] == "train")
    importlib.import_module(sys.argv[1]).main()


if __name__ == "__main__":
    main()
