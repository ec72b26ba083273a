"""The report on an experiment made up here: what it tells, in which bytes, and what it refuses."""

import csv
import hashlib
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import report

from experiments.harness import results
from experiments.harness.claims import load_paper
from experiments.harness.errors import UserError
from experiments.harness.settings import Experiment, Paths
from experiments.harness.statistics import Estimate, wilson
from experiments.harness.units import Done
from experiments.harness.verdicts import VERDICTS
from experiments.report import collect, page, runs, write

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
    monkeypatch.setattr(runs, "CONF", conf)
    monkeypatch.setattr(page, "Reduced", lambda cfg: SimpleNamespace(found={"points": (100, 500)}))
    monkeypatch.setitem(sys.modules, "experiments.ackley", _toy())
    paper = load_paper()
    note = "{% if lost is defined %}{{ lost }} runs diverged.{% endif %}"
    noted = paper.claims["ackley-success-bbi"].model_copy(update={"note": note})
    claims = {**paper.claims, "ackley-success-bbi": noted}
    monkeypatch.setattr(collect, "load_paper", lambda: paper._replace(claims=claims))
    root = tmp_path / "results"
    said = {"experiment": "ackley", "title": "Ackley's function", "section": "4.1", "profile": "quick"}
    cfg = _Config(**said, seed=7, paths=Paths(results=str(root)))
    cfg.folder.mkdir(parents=True)
    solved = pd.DataFrame({"solved": [1] * 88 + [0] * 12})
    made = Done({}, 1.0, '{"commit": "abc", "cpu": "x"}')
    command = "python -m experiments experiment=ackley points=100"
    results.write(cfg, {"runs": solved}, [made], command, 0.0, stand_in=False)
    return root


def test_the_report_has_every_verdict_in_one_table(finished):
    _, path, _ = write.write(finished)
    text = path.read_text()
    assert path == finished / "report.md"
    assert f"1 reproduced, 1 not reproduced, {len(CLAIMS) - 1} not run" in text
    row, other = (line for line in text.splitlines() if "| 0.9 |" in line and "reproduced" in line)
    assert row.startswith('| <a name="ackley-success-bbi"></a>From 100') and "(4.1)" in row
    assert row.endswith("| 0.02 | 0.9 | 0.88 [0.80, 0.93] | 100 | reproduced |")
    assert other.startswith("|  | 0.2 \\| printed | 0.9 | 0.50 [0.40, 0.60]")  # a claim is told once
    assert all(text.count(f'name="{claim}"') == 1 for claim in CLAIMS)
    assert "| mean 99.166, median 98.16 |  |  | not run |" in text
    assert "| [quick/ackley](quick/ackley) | Ackley's function (section 4.1) |" in text
    assert "`python -m experiments experiment=ackley points=100`" in text
    table = [line for line in text.split("*Ours*")[0].splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {7}  # no cell breaks the table


def test_the_page_tells_a_claim_in_full(finished):
    write.draw(finished, "quick")
    html = write.write(finished)[0].read_text()
    (claim,) = re.findall(r'<article class="claim" id="ackley-success-bbi".*?</article>', html, re.DOTALL)
    words = " ".join(re.sub("<[^>]*>", " ", claim).split())
    for said in (
        "From 100 random points",
        "Measured: proportion of points",
        "published 0.9",
        "3 runs diverged.",
        "wider than 0.25",
        "quick/ackley : 1 s of computing",
        "python -m experiments claim=ackley-success-bbi",
    ):
        assert said in words
    (run,) = re.findall(r'<details class="run" id="run-quick-ackley".*', html, re.DOTALL)
    words = " ".join(re.sub("<[^>]*>", " ", run).split())
    for said in ("seed 7", "points 100 500", "BBI tuned: lr 0.00964948 0.0125 released code", "runs.csv"):
        assert said in words
    assert html.count("data:image/webp") == 1 and 'data-plot="fig-quick-ackley-solved"' in html


def test_the_largest_run_is_shown_first(finished):
    """A copy elsewhere under the root, of a larger profile, takes the place of the first run."""
    shutil.copytree(finished / "quick" / "ackley", finished / "more" / "paper" / "ackley")
    file = finished / "more" / "paper" / "ackley" / "config.yaml"
    record = file.with_name("provenance.json")
    changed = file.read_text().replace("profile: quick", "profile: paper")
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in (file.read_text(), changed)]
    file.write_text(changed)
    record.write_text(record.read_text().replace(*digests))
    write.write(finished)
    with (finished / "verdicts.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["claim"] == "ackley-success-bbi"]
    assert [(row["run"], row["largest"]) for row in rows] == [
        ("more/paper/ackley", "True"),
        ("more/paper/ackley", "True"),
        ("quick/ackley", "False"),
        ("quick/ackley", "False"),
    ]


def test_the_csv_holds_every_claim_and_its_numbers(finished):
    *_, path = write.write(finished)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["claim"] for row in rows)) == CLAIMS
    assert {row["verdict"] for row in rows} <= set(VERDICTS)
    first, second = (row for row in rows if row["claim"] == "ackley-success-bbi")
    assert (float(first["low"]), float(first["high"])) == pytest.approx(wilson(88, 100), rel=1e-9)
    assert (first["variant"], first["verdict"]) == ("0.02", "reproduced")
    assert (second["variant"], second["verdict"]) == ("0.2 | printed", "not reproduced")


def test_the_same_tables_give_the_same_bytes(finished):
    write.draw(finished, "quick")
    write.write(finished)
    files = [path for path in finished.rglob("*") if path.suffix in (".html", ".md", ".csv", ".png", ".pdf")]
    before = {path: path.read_bytes() for path in files}
    write.draw(finished, "quick")
    write.write(finished)
    assert len(files) == 6 and {path: path.read_bytes() for path in files} == before


def test_damaged_texts_of_figures_are_refused_in_one_line(finished):
    write.draw(finished, "quick")
    file = finished / "quick" / "ackley" / "figures" / "alt.json"
    for content in (b"", b"[]", b'{"solved": "x"}', b"\xff"):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"alt.json is damaged; delete it"):
            write.write(finished)
    write.draw(finished, "quick")
    assert write.write(finished)


def test_an_unfinished_experiment_was_not_run(finished):
    (finished / "quick" / "ackley" / "provenance.json").unlink()
    assert write.draw(finished, "quick") == []
    with pytest.raises(UserError, match=r"no results .*make reproduce"):
        write.write(finished)


def test_an_estimate_of_nothing_known_is_refused(finished, monkeypatch):
    toy = _toy()
    toy.estimate = lambda tables, cfg: [Estimate("ackley-succes", 1, 1, 1, 1)]
    monkeypatch.setitem(sys.modules, "experiments.ackley", toy)
    with pytest.raises(ValueError, match="ackley-succes"):
        write.write(finished)
    assert not (finished / "report.md").exists()


def test_a_run_of_another_version_is_left_out_and_named(finished, monkeypatch, capsys):
    changed = _toy()
    changed.Config = Experiment  # without points
    monkeypatch.setitem(sys.modules, "experiments.zakharov", changed)
    shutil.copytree(finished / "quick/ackley", finished / "quick/zakharov")
    write.write(finished)
    line = capsys.readouterr().err
    assert re.fullmatch(r"left out: .*zakharov/config\.yaml is of another version \(.*points.*again\n", line)
    assert "88" in (finished / "report.md").read_text()
    shutil.rmtree(finished / "quick/ackley")
    with pytest.raises(UserError, match="no results"):
        write.write(finished)


def _script(capsys, *arguments):
    """Exit code, stdout and stderr of the script."""
    return report.main([str(argument) for argument in arguments]), *capsys.readouterr()


def test_it_prints_what_it_wrote(finished, capsys):
    code, out, _ = _script(capsys, "--figures", "--results", finished)
    assert code == 0 and [Path(line).name for line in out.splitlines()] == FIGURES
    code, out, _ = _script(capsys, "--results", finished)
    assert code == 0 and [Path(line) for line in out.splitlines()] == [
        finished / name for name in ("report.html", "report.md", "verdicts.csv")
    ]


@pytest.mark.parametrize("action", [["--figures"], []])
def test_it_says_what_is_wrong_in_one_line(finished, capsys, action):
    where = finished if action else finished / "quick"
    code, _, error = _script(capsys, *action, "--results", where, "--profile", "qick")
    assert code == 2 and error.count("\n") == 1
    assert error.startswith("error: no results") and "make reproduce" in error

    (finished / "quick" / "ackley" / "runs.csv").write_text("solved\n1\n")  # a truncated table
    code, _, error = _script(capsys, *action, "--results", finished)
    assert code == 2 and error.count("\n") == 1 and "runs.csv" in error


def test_an_unwritable_folder_is_one_line(finished, capsys):
    (finished / ".report.md.part").mkdir()  # refuses the file even to root
    code, _, error = _script(capsys, "--results", finished)
    assert code == 2 and error.count("\n") == 1 and "report.md.part" in error and "--results" in error
