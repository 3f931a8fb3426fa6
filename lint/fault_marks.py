"""The marks `@pytest.mark.fault("A09")` as pytest collects them: `python -m lint.fault_marks <project>` prints JSON.

One entry for each collected test: its file below tests/, its function, the rows it names, and the mark, if any, for
which it does not count. A test that skips only where a browser or a data folder is absent (skipif) counts.
"""

import json
import sys
from pathlib import Path

import pytest

NOT_COUNTED = ("skip", "xfail")


class Marks:
    def __init__(self, tests: Path) -> None:
        self.tests = tests
        self.entries: list[dict[str, object]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            ids = [each for mark in item.iter_markers("fault") for each in mark.args]
            if ids and isinstance(item, pytest.Function):
                why = next((name for name in NOT_COUNTED if item.get_closest_marker(name)), "")
                file = item.path.relative_to(self.tests).as_posix()
                self.entries.append({"file": file, "function": item.originalname, "ids": ids, "not_counted": why})


def main() -> int:
    root = Path(sys.argv[1]).resolve()
    marks = Marks(root / "tests")
    quiet = ["--collect-only", "--quiet", "--quiet", "-p", "no:cacheprovider"]
    status = pytest.main([*quiet, f"--rootdir={root}", str(root / "tests")], plugins=[marks])
    print(json.dumps(marks.entries))
    return int(status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED))


if __name__ == "__main__":
    sys.exit(main())
