"""The landscape experiments and the theory, run for real at the smoke budgets."""

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from experiments.harness import report
from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[1]
LANDSCAPES = ("ackley", "zakharov", "two_basin")
EXPERIMENTS = (*LANDSCAPES, "theory")
TABLES = ("config.yaml", "trials.csv", "runs.csv", "curves.parquet")


def command(experiment: str, results: Path, *settings: str) -> list[str]:
    given = [f"experiment={experiment}", "profile=smoke", f"paths.results={results}", *settings]
    return [sys.executable, "-m", "experiments", *given]


def digests(folder: Path) -> dict[str, str]:
    files = [folder / name for name in TABLES if (folder / name).exists()]
    files += sorted((folder / "figures").glob("*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    script = [sys.executable, "scripts/reproduce.py", "--profile", "smoke", "--only", " ".join(EXPERIMENTS)]
    done = subprocess.run([*script, f"paths.results={root}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "smoke"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_leaves_tables_and_figures(results: Path, experiment: str) -> None:
    names = set(digests(results / experiment))
    assert {"config.yaml", "runs.csv", "curves.parquet"} <= names
    pictures = {name.removesuffix(".png") for name in names if name.endswith(".png")}
    assert pictures
    assert {f"{name}.pdf" for name in pictures} <= names


def test_all_six_figures_of_the_paper_are_there(results: Path) -> None:
    names = " ".join(path.name for path in results.glob("*/figures/*.png"))
    assert [n for n in range(1, 7) if f"fig{n}_" not in names] == []


def test_every_claim_has_a_verdict(results: Path) -> None:
    verdicts = pd.read_csv(results / "verdicts.csv").set_index("claim")["verdict"]
    for claim in (
        "ackley-success-bbi",
        "ackley-barrier",
        "zakharov-speed",
        "basin-ratio",
        "basin-occupation",
        "energy",
        "no-stall",
        "diffusion",
        "delta-v-tuning",
    ):
        assert "not run" not in set(verdicts.loc[[claim]])
    assert (verdicts.loc[["mnist-bbi"]] == "not run").all()


def test_what_is_scaled_down_is_not_compared(results: Path) -> None:
    """Fewer runs of a size as published only widen an interval; fewer steps or trials make another number."""
    verdicts = pd.read_csv(results / "verdicts.csv").query("experiment in @LANDSCAPES").set_index("claim")
    as_published = {"basin-theory", "basin-ratio", "basin-no-bounce"}
    assert as_published < set(verdicts.index)
    assert set(verdicts["verdict"].drop(as_published)) == {"reduced"}
    assert "reduced" not in set(verdicts["verdict"].loc[list(as_published)])
    assert "search.trials 6 (published: 500)" in verdicts["note"].loc["zakharov-speed"]


def test_the_paper_profile_is_compared(tmp_path: Path) -> None:
    root = shutil.copytree(
        ROOT / "results/paper", tmp_path / "paper", ignore=shutil.ignore_patterns("*.sqlite*")
    )
    report.write(tmp_path, "paper")
    verdicts = pd.read_csv(root / "verdicts.csv").query("experiment in @EXPERIMENTS")
    assert set(verdicts["experiment"]) == set(EXPERIMENTS)
    assert not set(verdicts["verdict"]) & {"reduced", "not run"}


def test_trials_and_runs_cover_what_was_asked(results: Path) -> None:
    trials = pd.read_csv(results / "ackley/trials.csv")
    assert set(trials.groupby(["coefficient", "contender"]).size()) == {6}
    assert trials["coefficient"].nunique() == 2
    robust = pd.read_csv(results / "ackley/runs.csv").query(
        "stage == 'robust' and contender == 'bbi_released'"
    )
    assert set(robust.groupby(["coefficient", "point"]).size()) == {5}


def test_all_trials_failing_is_a_result(results: Path) -> None:
    trials = pd.read_csv(results / "zakharov/trials.csv").query("contender == 'gdm'")
    assert set(trials["status"]) == {"diverged"}
    assert "gdm" not in set(pd.read_csv(results / "zakharov/runs.csv")["contender"])
    assert "gdm 6 of 6" in (results / "report.md").read_text()


def test_figures_and_report_come_from_the_tables_alone(results: Path) -> None:
    before = digests(results / "two_basin"), (results / "report.md").read_bytes()
    report.draw(results.parent, "smoke")
    report.write(results.parent, "smoke")
    assert (digests(results / "two_basin"), (results / "report.md").read_bytes()) == before


def units(folder: Path) -> int:
    """How many units of work are stored for an experiment."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/units.sqlite?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM units").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_killed_five_times_gives_the_same_tables(results: Path, tmp_path: Path) -> None:
    words, folder = command("zakharov", tmp_path), tmp_path / "smoke/zakharov"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    clock, done, whole = random.Random(0), 0, units(results / "zakharov")
    for _ in range(5):
        process = subprocess.Popen(words, cwd=ROOT, start_new_session=True, **quiet)
        enough = done + clock.randint(1, 6)
        until(partial(lambda count: units(folder) >= count, enough))
        time.sleep(clock.uniform(0.0, 0.1))  # into the next unit
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL  # it had not finished before
        done = units(folder)
        assert enough <= done < whole
    assert not (folder / "provenance.json").exists()
    subprocess.run(words, cwd=ROOT, check=True, **quiet)
    assert digests(folder) == digests(results / "zakharov")


def test_a_rerun_computes_nothing(results: Path) -> None:
    again = subprocess.run(command("two_basin", results.parent), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0
    assert "finished before" in again.stderr
