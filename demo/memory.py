"""Peak memory of this process and everything it started, sampled once a second.

Linux: PSS from /proc/<pid>/smaps_rollup (man 5 proc), which counts a page shared by n processes as 1/n in each, so the
sum over a tree is what the tree really holds; a kernel without that file gives RSS. Elsewhere (macOS): RSS from `ps`,
which counts shared pages once per process.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

PROC = Path("/proc")
KIB_PER_MIB = 1024


class PeakMemory:
    """Samples in a thread from `with` to its end; `peak_mib` may be read at any time."""

    def __init__(self, root: int | None = None, seconds_between: float = 1.0) -> None:
        self.root = os.getpid() if root is None else root
        self.seconds_between = seconds_between
        self.peak_mib = 0.0
        self.samples = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_mib = max(self.peak_mib, tree_mib(self.root))
            self.samples += 1
            if self._ended.wait(self.seconds_between):
                return


def tree_mib(root: int) -> float:
    """MiB that the process and its descendants hold now; processes that end meanwhile count nothing."""
    if PROC.joinpath("self", "stat").exists():
        tree = descendants(root, _parents_from_proc())
        return sum(_pss_kib(pid) for pid in tree) / KIB_PER_MIB
    parents, resident = _from_ps()
    return sum(resident.get(pid, 0) for pid in descendants(root, parents)) / KIB_PER_MIB


def descendants(root: int, parents: Mapping[int, int]) -> set[int]:
    """`root` and every process below it, given each process's parent."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    tree, waiting = {root}, [root]
    while waiting:
        new = [pid for pid in children[waiting.pop()] if pid not in tree]
        tree.update(new)
        waiting += new
    return tree


def _parents_from_proc() -> dict[int, int]:
    return dict(_parent_of(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208 - much faster


def _parent_of(pid: int) -> tuple[int, int]:
    try:
        stat = (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return pid, 0
    # `pid (name) state ppid ...`: the name may hold spaces and brackets.
    return pid, int(stat.rpartition(")")[2].split()[1])


def _pss_kib(pid: int) -> int:
    folder = PROC / str(pid)
    try:
        return _kib_of("Pss:", (folder / "smaps_rollup").read_text().splitlines())
    except FileNotFoundError:
        pass
    except OSError:
        return 0
    try:
        return _kib_of("VmRSS:", (folder / "status").read_text("utf-8", "replace").splitlines())
    except OSError:
        return 0


def _kib_of(name: str, lines: Iterable[str]) -> int:
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def _from_ps() -> tuple[dict[int, int], dict[int, int]]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=False)
    rows = [[int(word) for word in line.split()] for line in listed.stdout.splitlines()]
    return {pid: parent for pid, parent, _ in rows}, {pid: rss for pid, _, rss in rows}
