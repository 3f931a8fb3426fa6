"""Which state a machine goes on with, by what a function answered."""

import json
from pathlib import Path

MACHINES = Path(__file__).resolve().parents[2] / "statemachines"


def chosen(machine: str, choice: str, status: str) -> str:
    state = json.loads((MACHINES / f"{machine}.asl.json").read_text())["States"][choice]
    return next((each["Next"] for each in state["Choices"] if each["StringEquals"] == status), state["Default"])
