"""What the bench of two networks reports of the seconds that it measured."""

import json
import subprocess

import pytest

from bench import two_networks

TOLD = {"seconds": {"one": 2.0, "two": 3.0}, "pictures": 100, "asked": 70, "engine": {"device": "cpu"}}


def test_two_networks_may_cost_nearly_twice_of_one() -> None:
    found = two_networks.report(**TOLD)
    assert (found["goal"], found["value"], found["holds"]) == ("G1.5", 1.5, True)
    assert found["detail"]["milliseconds_per_picture"] == {"one": 20, "two": 30}
    slower = two_networks.report(**{**TOLD, "seconds": {"one": 2.0, "two": 3.9}})
    assert (slower["value"], slower["holds"]) == (1.95, False)


def test_what_the_container_says_is_found_among_other_lines_and_its_failure_is_told(tmp_path, monkeypatch) -> None:
    output = f"loading\nRESULT {json.dumps(TOLD)}\n"
    monkeypatch.setattr(
        two_networks.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, output, "")
    )
    assert two_networks.measured(tmp_path, tmp_path)["value"] == 1.5
    monkeypatch.setattr(
        two_networks.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", "no model")
    )
    with pytest.raises(SystemExit, match="no model"):
        two_networks.measured(tmp_path, tmp_path)
