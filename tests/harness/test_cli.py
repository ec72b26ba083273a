"""The command line, as a user meets it: real processes, their output and their exit codes."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.__main__ import CONF, main

ROOT = Path(__file__).resolve().parents[2]
HILL = """
# @package _global_
experiment: hill
title: a hill to descend
section: "4.1"
lr: 0.1
search: {trials: "${oc.select:profile.hill.trials,30}", steps: 200, batch: 1}
"""
MODULE = """
import os, time
from dataclasses import dataclass
import pandas as pd
from matplotlib.figure import Figure
from experiments.harness.settings import Base, positive
from experiments.competitors import Range, Search
from experiments.harness.search import tpe

@dataclass(kw_only=True)
class Config(Base):
    lr: float
    search: Search

    def validate(self):
        super().validate()
        positive("lr", self.lr)

def evaluate(points):
    time.sleep(float(os.environ.get("SLEEP", "0")))
    return pd.DataFrame([{"loss": (point["lr"] - 0.2) ** 2, "status": "done"} for point in points])

def run(cfg, lab):
    if cfg.lr > 100:
        raise ZeroDivisionError("a bug")
    tpe(lab, {"contender": "gdm"}, {"lr": Range(0.0, 0.5)}, evaluate, cfg.search.trials)

def figures(tables, cfg):
    figure = Figure()
    figure.add_subplot().plot(tables["trials"]["loss"])
    return {"losses": figure}

def claims(tables, cfg):
    return []
"""
START = """
import pathlib, sys
from experiments.__main__ import main
sys.exit(main(conf_dir=pathlib.Path({conf!r}), package="toys"))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with two small experiments and the project's own start of the configuration."""
    for folder in ("conf/experiment", "conf/profile", "toys"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(CONF / "config.yaml", tmp_path / "conf")
    for name, trials in (("quick", "{trials: 4}"), ("paper", "{}")):
        text = f"name: {name}\nabout: the {name} one\nhill: {trials}\n"
        (tmp_path / "conf" / "profile" / f"{name}.yaml").write_text(text)
    for name in ("hill", "dale"):
        (tmp_path / "conf" / "experiment" / f"{name}.yaml").write_text(
            HILL.replace("experiment: hill", f"experiment: {name}")
        )
        (tmp_path / "toys" / f"{name}.py").write_text(MODULE)
    return tmp_path


def start(home: Path, words: str, **environment: str) -> "subprocess.Popen[str]":
    paths = f"{ROOT}{os.pathsep}{home}"
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-c", START.format(conf=str(home / "conf")), *words.split()]
    return subprocess.Popen(command, cwd=home, env=environment, text=True, stdout=-1, stderr=-1)


def run(home: Path, words: str, **environment: str) -> tuple[int, str, str]:
    with start(home, words, **environment) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def files(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def units(home: Path) -> int:
    """Units in the store of ``hill`` so far."""
    try:
        database = sqlite3.connect(f"file:{home}/results/quick/hill/units.sqlite?mode=ro", uri=True)
        count: int = database.execute("SELECT count(*) FROM units").fetchone()[0]
        database.close()
        return count
    except sqlite3.OperationalError:
        return 0


def wait_for_units(home: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while units(home) < count and time.monotonic() < deadline:
        time.sleep(0.01)


def test_help(home: Path) -> None:
    code, out, err = run(home, "experiment=hill --help")
    assert (code, err) == (0, "")
    assert re.search(r"hill +section 4\.1: a hill to descend", out) and re.search(
        r"paper +the paper one", out
    )
    assert out.count("  python -m experiments ") == 4


def test_help_of_the_project() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "experiments", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    names = [file.stem for file in (CONF / "experiment").glob("*.yaml")]
    assert (
        process.returncode == 0
        and "quick" in process.stdout
        and all(name in process.stdout for name in names)
    )
    assert "section ?" not in process.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no experiment given; add experiment=NAME, one of dale, hill"),
        ("experiment=hil", "experiment=hil: no such experiment (did you mean 'hill'?)"),
        ("experiment=hill profile=quik", "profile=quik: no such profile (did you mean 'quick'?)"),
        ("experiment=hill serch.trials=3", "serch.trials: no such setting (did you mean 'search.trials'?)"),
        ("experiment=hill trials=3", "trials: no such setting (did you mean 'search.trials'?)"),
        (
            "experiment=hill +search.trails=3",
            "search.trails: no such setting (did you mean 'search.trials'?)",
        ),
        ("experiment=hill ++typo=3", "typo: no such setting (allowed: "),
        (
            "experiment=hill profile.hill.trails=3",
            "profile.hill.trails: no such setting (did you mean 'profile.hill.tr",
        ),
        (
            "experiment=hill +profile.hill.trails=3",
            "profile.hill.trails: no such setting (did you mean 'profile.hill.tr",
        ),
        ("experiment=hill ~nothing", "nothing: no such setting"),
        ("experiment=hill search.trials=abc", "search.trials=abc: must be a whole number"),
        ("experiment=hill search.trials=1e3", "search.trials=1000.0: must be a whole number"),
        ("experiment=hill lr=-1", "lr=-1.0: must be above 0"),
        ("experiment=hill lr", "lr: not a setting of the form key=value"),
        ("experiment=hill lr=1,2", "To sweep over it, add --multirun"),
        ("experiment=hill lr=${nothing}", "lr: Interpolation key 'nothing' not found"),
        ("experiment=hill --bogus", "unrecognized arguments: --bogus; see --help"),
        ("experiment=hill --cfg nothing", "invalid choice: 'nothing'"),
        ("experiment=hill paths.results=conf/config.yaml", "cannot write to conf/config.yaml/quick/hill"),
        ("experiment=hill paths.results=/proc/none", "cannot write to /proc/none/quick/hill"),
        ("-m experiment=hill paths.results=conf/config.yaml lr=1,2", "choose paths.results=FOLDER"),
    ],
)
def test_one_line_for_a_mistake(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(home)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = files(home)
    code = main(words.split(), home / "conf", "toys")
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err
    assert files(home) == before


def test_the_settings_can_be_printed(home: Path) -> None:
    code, out, err = run(home, "experiment=hill search.steps=77 --cfg job --resolve")
    assert (code, err) == (0, "")
    assert "trials: 4" in out and "steps: 77" in out and not (home / "results").exists()


def test_a_run_and_its_rerun(home: Path) -> None:
    before = files(home)
    code, out, _ = run(home, "experiment=hill")
    folder = home / "results" / "quick" / "hill"
    assert (code, out) == (0, "")
    names = [
        ".figures.lock",
        ".units.lock",
        ".units.sqlite.lock",
        "config.yaml",
        "figures/losses.pdf",
        "figures/losses.png",
        "provenance.json",
        "trials.csv",
        "units.sqlite",
    ]
    assert files(home) - before == {f"results/quick/hill/{name}" for name in names}
    assert len((folder / "trials.csv").read_text().splitlines()) == 1 + 4
    assert '"command": "python -m experiments experiment=hill"' in (folder / "provenance.json").read_text()

    (folder / "figures" / "losses.png").unlink()
    code, _, err = run(home, "experiment=hill")
    assert code == 0 and "nothing to compute" in err and (folder / "figures" / "losses.png").exists()

    whole = (folder / "trials.csv").read_bytes()
    (folder / "trials.csv").write_bytes(whole[:-5])
    code, _, err = run(home, "experiment=hill")
    assert code == 2 and err.count("\n") == 1 and "trials.csv" in err and "then run again" in err
    (folder / "trials.csv").unlink()
    assert run(home, "experiment=hill")[0] == 0 and (folder / "trials.csv").read_bytes() == whole


def test_a_budget_given_by_hand_beats_the_profile(home: Path) -> None:
    assert run(home, "experiment=hill search.trials=6")[0] == 0
    assert len((home / "results/quick/hill/trials.csv").read_text().splitlines()) == 1 + 6


def test_a_bug_shows_where_it_is(home: Path) -> None:
    code, _, err = run(home, "experiment=hill lr=101")
    assert code == 1 and "Traceback" in err and "ZeroDivisionError: a bug" in err


def test_a_sweep_goes_on_after_a_failure(home: Path) -> None:
    before = files(home)
    code, _, err = run(home, "experiment=hill,dale lr=-1,0.5 -m")
    assert code == 2 and err.count("error: lr=-1.0: must be above 0\n") == 2 and "Traceback" not in err
    assert (home / "results/quick/hill/trials.csv").exists() and (
        home / "results/quick/dale/trials.csv"
    ).exists()
    assert all(name.startswith("results/") for name in files(home) - before)


def test_ctrl_c_and_kill_lose_nothing(home: Path) -> None:
    words = "experiment=hill search.trials=40"
    with start(home, words, SLEEP="0.05") as process:
        wait_for_units(home, 3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert (
        err.splitlines()[-1] == "interrupted; run the same command again to go on" and "Traceback" not in err
    )
    done = units(home)
    assert 3 <= done < 40
    with start(home, words, SLEEP="0.05") as process:
        wait_for_units(home, done + 5)
        process.kill()
    assert done < units(home) < 40
    assert run(home, words)[0] == 0
    assert run(home, f"{words} paths.results=whole")[0] == 0
    for name in ("trials.csv", "config.yaml"):
        assert (home / "results/quick/hill" / name).read_bytes() == (
            home / "whole/quick/hill" / name
        ).read_bytes()


@pytest.mark.parametrize("words", ["--help", "experiment=hill --cfg job"])
def test_a_reader_that_goes_away(home: Path, words: str) -> None:
    with start(home, words) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
