"""The report on an experiment made up here: what it tells, in which bytes, and what it refuses."""

import csv
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from experiments.harness import report, results
from experiments.harness.claims import load_paper
from experiments.harness.errors import UserError
from experiments.harness.settings import Experiment, Paths
from experiments.harness.statistics import Estimate, wilson
from experiments.harness.units import Done
from experiments.harness.verdicts import VERDICTS

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = list(load_paper().claims)
FIGURES = ["alt.json", "solved.pdf", "solved.png"]


class _Config(Experiment):
    points: int = 100


def _toy() -> ModuleType:
    """A module like an experiment's: its claims and its figure come from its table."""

    def estimate(tables, cfg):
        solved = int(tables["runs"]["solved"].sum())
        low, high = wilson(solved, cfg.points)
        first = Estimate("ackley-success-bbi", solved / cfg.points, low, high, cfg.points, variant="0.02")
        half = Estimate("ackley-success-bbi", 0.5, 0.4, 0.6, cfg.points, {"lost": 3}, variant="0.2 | printed")
        return [first, half, Estimate("ackley-bbi-lr", 0.0125, 0.0125, 0.0125, 1)]

    def draw(tables, cfg, published):
        figure, axes = plt.subplots()
        axes.plot(tables["runs"]["solved"].cumsum())
        return {"solved": figure}

    module = ModuleType("experiments.toy")
    vars(module).update(Config=_Config, estimate=estimate, draw=draw)
    return module


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A results folder in which the experiment `ackley` is finished, and another was never run."""
    conf = tmp_path / "conf"
    (conf / "experiment").mkdir(parents=True)
    for name in ("ackley", "zakharov"):
        (conf / "experiment" / f"{name}.yaml").touch()
    monkeypatch.setattr(report, "CONF", conf)
    monkeypatch.setitem(sys.modules, "experiments.ackley", _toy())
    paper = load_paper()
    note = "{% if lost is defined %}{{ lost }} runs diverged.{% endif %}"
    noted = paper.claims["ackley-success-bbi"].model_copy(update={"note": note})
    claims = {**paper.claims, "ackley-success-bbi": noted}
    monkeypatch.setattr(report, "load_paper", lambda: paper._replace(claims=claims))
    root = tmp_path / "results"
    said = {"experiment": "ackley", "title": "Ackley's function", "section": "4.1", "profile": "quick"}
    cfg = _Config(**said, seed=7, paths=Paths(results=str(root)))
    cfg.folder.mkdir(parents=True)
    runs = pd.DataFrame({"solved": [1] * 88 + [0] * 12})
    made = Done({}, 1.0, '{"commit": "abc", "cpu": "x"}')
    command = "python -m experiments experiment=ackley points=100"
    results.write(cfg, {"runs": runs}, [made], command, 0.0, stand_in=False)
    return root


def test_the_report_tells_everything(finished):
    assert [path.name for path in report.draw(finished, "quick")] == FIGURES
    path = report.write(finished, "quick")
    text = path.read_text()
    assert path == finished / "quick" / "report.md"
    assert f"1 reproduced, 1 not reproduced, {len(CLAIMS) - 1} not run" in text
    row, other = (line for line in text.splitlines() if "| 0.9 |" in line and "**" in line)
    assert row.startswith("| `ackley-success-bbi`: From 100") and "*Measured:* proportion of points" in row
    assert "| 0.02 | 0.9 | 0.88 [0.80" in row and row.endswith("| 100 | **reproduced** |")
    assert other.startswith("|  |  | 0.2 \\| printed | 0.9 | 0.5 [0.4, 0.6]")  # a claim is told once
    answers, _, rules = text.partition("How a verdict")
    assert all(part.count(f"| `{claim}`") == 1 for part in (answers, rules) for claim in CLAIMS)
    assert "- `diffusion`, 2026-11-25. Before: SGDM's squared displacement is larger" in rules
    assert "| mean 99.166, median 98.16 |  |  | **not run** |" in text
    assert "`python -m experiments experiment=ackley points=100`" in text
    assert "## ackley: Ackley's function (section 4.1)" in text and "seed 7" in text
    (figure,) = re.findall(r"!\[.*\]\((.*)\)", text)
    assert (path.parent / figure).is_file()
    assert "- `ackley-success-bbi` (0.2 | printed): 3 runs diverged." in text
    assert "| BBI tuned: lr | 0.00964948 | 0.0125 | released code |" in text
    assert (
        "## zakharov\n\nNot run in this profile; `make reproduce PROFILE=quick ONLY=zakharov` runs it."
        in text
    )
    table = [line for line in text.split("How a verdict")[0].splitlines() if line.startswith("|")]
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert bars == {8}  # seven columns in every line: no cell breaks the table


def test_the_csv_holds_the_numbers_in_full(finished):
    path = report.write(finished, "quick").with_name("verdicts.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["claim"] for row in rows)) == CLAIMS
    assert {row["verdict"] for row in rows} <= set(VERDICTS)
    first, second = (row for row in rows if row["claim"] == "ackley-success-bbi")
    assert (float(first["low"]), float(first["high"])) == wilson(88, 100)
    assert (first["variant"], first["verdict"]) == ("0.02", "reproduced")
    assert (second["variant"], second["verdict"]) == ("0.2 | printed", "not reproduced")


def test_the_same_tables_give_the_same_bytes(finished):
    report.draw(finished, "quick")
    report.write(finished, "quick")
    files = [
        path for path in (finished / "quick").rglob("*") if path.suffix in (".md", ".csv", ".png", ".pdf")
    ]
    before = {path: path.read_bytes() for path in files}
    report.draw(finished, "quick")
    report.write(finished, "quick")
    assert len(files) == 5 and {path: path.read_bytes() for path in files} == before


def test_an_unfinished_experiment_was_not_run(finished):
    (finished / "quick" / "ackley" / "provenance.json").unlink()
    assert f"{len(CLAIMS)} not run" in report.write(finished, "quick").read_text()
    assert report.draw(finished, "quick") == []


def test_an_estimate_of_nothing_known_is_refused(finished, monkeypatch):
    toy = _toy()
    toy.estimate = lambda tables, cfg: [Estimate("ackley-succes", 1, 1, 1, 1)]
    monkeypatch.setitem(sys.modules, "experiments.ackley", toy)
    with pytest.raises(ValueError, match="ackley-succes"):
        report.write(finished, "quick")
    assert not (finished / "quick" / "report.md").exists()


def test_a_configuration_of_another_version_is_named(finished, monkeypatch):
    toy = _toy()
    toy.Config = Experiment
    monkeypatch.setitem(sys.modules, "experiments.ackley", toy)
    with pytest.raises(UserError, match=r"ackley/config\.yaml is of another version \(.*points"):
        report.write(finished, "quick")


def _script(monkeypatch, capsys, *arguments):
    """Exit code, stdout and stderr of the script."""
    monkeypatch.setattr(sys, "argv", ["report.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / "scripts" / "report.py"), run_name="__main__")
    return stop.value.code, *capsys.readouterr()


def test_it_prints_what_it_wrote(finished, monkeypatch, capsys):
    code, out, _ = _script(monkeypatch, capsys, "--figures", "--results", finished)
    assert code == 0 and [Path(line).name for line in out.splitlines()] == FIGURES
    code, out, _ = _script(monkeypatch, capsys, "--results", finished, "--profile", "quick")
    assert code == 0 and Path(out.strip()).read_text().startswith("# The paper's claims: profile quick")


@pytest.mark.parametrize("action", [["--figures"], []])
def test_it_says_what_is_wrong_in_one_line(finished, monkeypatch, capsys, action):
    code, _, error = _script(monkeypatch, capsys, *action, "--results", finished, "--profile", "qick")
    assert code == 2 and error.count("\n") == 1
    assert (
        error.startswith("error: ") and "'qick'" in error and "quick" in error and "make reproduce" in error
    )

    (finished / "quick" / "ackley" / "runs.csv").write_text("solved\n1\n")  # a truncated table
    code, _, error = _script(monkeypatch, capsys, *action, "--results", finished)
    assert code == 2 and error.count("\n") == 1 and "runs.csv" in error


def test_an_unwritable_folder_is_one_line(finished, monkeypatch, capsys):
    (finished / "quick" / ".report.md.part").mkdir()  # refuses the file even to root
    code, _, error = _script(monkeypatch, capsys, "--results", finished)
    assert code == 2 and error.count("\n") == 1 and "report.md.part" in error and "--results" in error
