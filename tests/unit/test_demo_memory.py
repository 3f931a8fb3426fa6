"""Memory of a process tree, measured on a tree that is known."""

import subprocess
import sys
import time

import pytest

from demo import memory

HOLD = "import sys; held = bytearray(b'x' * int(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
PARENT = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]], "
    "stdin=sys.stdin, stdout=sys.stdout); child.wait()"
)
MIB = 1024 * 1024


@pytest.fixture
def grandchild():
    """A process below another one holds 200 MiB; gives the pid of the upper one."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(200 * MIB), HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    yield process.pid
    process.stdin.close()
    process.wait(timeout=10)


def test_descendants_are_found_at_any_depth_and_nobody_else():
    parents = {1: 0, 2: 1, 3: 2, 4: 3, 5: 1, 6: 5}
    assert memory.descendants(2, parents) == {2, 3, 4}
    assert memory.descendants(9, parents) == {9}


def test_a_tree_holds_what_its_grandchild_holds(grandchild):
    assert 200 <= memory.tree_mib(grandchild) < 300


def test_where_there_is_no_proc_the_figure_comes_from_ps(grandchild, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PROC", tmp_path)
    assert 200 <= memory.tree_mib(grandchild) < 320


def test_a_kernel_without_smaps_rollup_gives_resident_memory(monkeypatch):
    monkeypatch.setattr(memory, "_kib_of", lambda name, lines: {"VmRSS:": 5 * 1024}[name])
    monkeypatch.setattr(memory.Path, "read_text", _without_rollup(memory.Path.read_text))
    assert memory._pss_kib(1) == 5 * 1024


def test_a_process_that_is_gone_holds_nothing():
    assert memory._pss_kib(2**22 + 1) == 0


def test_the_peak_stays_when_the_memory_is_gone(grandchild):
    before = memory.tree_mib(grandchild)
    with memory.PeakMemory(grandchild, seconds_between=0.01) as peak:
        deadline = time.monotonic() + 10
        while peak.samples < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert peak.samples >= 3
    assert peak.peak_mib >= 0.9 * before


def _without_rollup(read_text):
    def read(path, *args, **kwargs):
        if path.name == "smaps_rollup":
            raise FileNotFoundError(path)
        return read_text(path, *args, **kwargs)

    return read
