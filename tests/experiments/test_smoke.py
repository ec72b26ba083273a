"""The three landscape experiments, run for real at the smoke budgets."""

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from experiments.harness import report

ROOT = Path(__file__).resolve().parents[2]
LANDSCAPES = ("ackley", "zakharov", "two_basin")
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
    script = [sys.executable, "scripts/reproduce.py", "--profile", "smoke", "--only", " ".join(LANDSCAPES)]
    done = subprocess.run([*script, f"paths.results={root}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "smoke"


@pytest.mark.parametrize("experiment", LANDSCAPES)
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
    ):
        assert "not run" not in set(verdicts.loc[[claim]])
    assert (verdicts.loc[["mnist-bbi"]] == "not run").all()


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


def test_killed_five_times_gives_the_same_tables(results: Path, tmp_path: Path) -> None:
    clock = random.Random(0)
    words = command("zakharov", tmp_path)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    killed = 0
    while killed < 5:
        process = subprocess.Popen(words, cwd=ROOT, start_new_session=True, **quiet)
        try:
            process.wait(clock.uniform(2.0, 6.0))
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            killed += 1
            time.sleep(0.1)
    assert killed > 0
    subprocess.run(words, cwd=ROOT, check=True, **quiet)
    assert digests(tmp_path / "smoke/zakharov") == digests(results / "zakharov")


def test_a_rerun_computes_nothing(results: Path) -> None:
    again = subprocess.run(command("two_basin", results.parent), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0
    assert "finished before" in again.stderr
