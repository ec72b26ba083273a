"""The attacks in a short form: what they try holds, and they see what does not."""

import csv
import json
import random
import runpy
from pathlib import Path

import pytest
import torch
from torture import lines, steps
from torture.outcome import Deadline, Row

from bbi import BBI
from experiments.harness import settings

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "torture.py"
pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries, about extreme input


def test_wrong_lines_are_refused_in_one_line(tmp_path: Path) -> None:
    row = next(lines.attack(7, 60, Deadline(60), tmp_path))
    assert row.clean, row.found
    assert row.refused > 30


def test_a_line_that_raises_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_allowed", lambda kind, limits: 1 / 0)
    row = next(lines.attack(7, 20, Deadline(60), tmp_path))
    assert row.failures and "ZeroDivisionError" in row.found[0]


def test_optimizer_runs_keep_the_rules() -> None:
    for row in steps.attack(7, 160, Deadline(60)):
        assert row.clean, row.found
        assert row.runs == 80 and row.refused < 40


def test_a_step_that_is_too_long_and_bits_that_differ_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    row, counts = Row("", ""), {"steps": 0, "within the speed bound": 0, "resumed": 0}
    draw = random.Random(0)
    monkeypatch.setattr(steps, "_settings", lambda *_: (BBI, {"lr": 0.01, "delta_v": -1.0}))
    monkeypatch.setattr(steps, "DTYPES", (torch.float64,))
    steps._run(row, draw, 0, True, counts)
    assert row.clean and counts["within the speed bound"] > 3
    monkeypatch.setattr(steps, "_bound", lambda *_: 1e-9)
    monkeypatch.setattr(steps, "_same", lambda *_: False)
    steps._run(row, draw, 1, True, counts)
    assert "moves" in row.found[0] and "other bits" in row.found[-1]


def test_rows_of_other_groups_stay_in_the_table(tmp_path: Path) -> None:
    write = runpy.run_path(str(SCRIPT))["write"]
    rows = [Row("steps", "a", 3), Row("kills", "b", 5, twice=1, found=["why"])]
    write(rows, tmp_path, "one", 0, 0.0)
    folder = write([Row("steps", "c", 4)], tmp_path, "two", 1, 0.0)
    with (folder / "torture.csv").open() as file:
        assert [(row["group"], row["what"], row["runs"]) for row in csv.DictReader(file)] == [
            ("steps", "c", "4"), ("kills", "b", "5"),
        ]  # fmt: skip
    text, record = (folder / "torture.md").read_text(), json.loads((folder / "provenance.json").read_text())
    assert "| steps | c | 4 |" in text and "- `why`" in text
    assert {name: made["command"] for name, made in record.items()} == {"kills": "one", "steps": "two"}
