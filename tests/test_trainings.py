"""The experiments that train networks, run for real at the smoke budgets, without data or a network."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.harness import report

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("cifar", "mnist", "pde")
TABLES = ("config.yaml", "trials.csv", "runs.csv", "curves.parquet")
ALONE = {key: value for key, value in os.environ.items() if key != "BBI_DATA"}


def run(*words: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=ALONE, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stderr


def settings(experiment: str, folder: Path, *more: str) -> list[str]:
    given = [f"experiment={experiment}", "profile=smoke", f"paths.results={folder}", "paths.download=false"]
    return ["-m", "experiments", *given, *more]


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES if (folder / name).exists()}


def here(*arguments: str) -> int:
    """The command in this process: what it says is the same, and no interpreter has to start."""
    return main([word for word in arguments if word not in ("-m", "experiments")])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BBI_DATA", raising=False)
        assert [here(*settings(name, root, "workers=1")) for name in NAMES] == [0, 0, 0]
    report.write(root, "smoke")
    return root / "smoke"


@pytest.mark.parametrize(
    ("experiment", "names"),
    [
        ("mnist", {"grid", "table2_mnist", "training_curves"}),
        ("cifar", {"table2_cifar", "training_curves"}),
        ("pde", {"shooting", "fig7_solutions_k2", "error_curves_k2", "outcomes"}),
    ],
)
def test_leaves_tables_and_figures(results: Path, experiment: str, names: set[str]) -> None:
    assert {"config.yaml", "runs.csv", "curves.parquet"} <= set(tables(results / experiment))
    drawn = {path.name for path in (results / experiment / "figures").glob("*")}
    assert {f"{name}{kind}" for name in names for kind in (".png", ".pdf")} == drawn


def test_numbers_of_another_size_are_not_compared(results: Path) -> None:
    verdicts = pd.read_csv(results / "verdicts.csv").set_index("claim")
    for claim in ("mnist-sgd", "mnist-bbi", "cifar-sgd", "cifar-bbi", "pde-both", "no-overfit"):
        assert set(verdicts.loc[[claim], "verdict"]) == {"reduced"}
    assert verdicts.loc[["mnist-sgd"], "note"].str.contains("data: MNIST (5,000 digits)", regex=False).all()
    assert verdicts.loc[["cifar-sgd"], "note"].str.contains("data: drawn stand-in").all()
    assert set(verdicts.loc[["batch-rescale"], "verdict"]) == {"holds"}


def test_both_protocols_choose_and_what_they_chose_is_evolved(results: Path) -> None:
    runs = pd.read_csv(results / "cifar/runs.csv")
    chosen = runs[runs["stage"] == "selected"]
    assert set(zip(chosen["protocol"], chosen["contender"], strict=True)) == {
        (protocol, name) for protocol in ("published", "honest") for name in ("sgd", "bbi", "bbi_2000")
    }
    evolved = runs[runs["stage"] == "evolve"]
    assert set(chosen["setting"]) == set(evolved["setting"])
    assert evolved["test_accuracy"].between(0, 100).all()


def test_a_run_says_what_became_of_it(results: Path) -> None:
    runs = pd.read_csv(results / "pde/runs.csv")
    assert set(runs["status"]) == {"done"} and set(runs["label"]) <= {"first", "second", "neither"}
    assert set(runs["contender"]) == {"bbi", "bbi_fixed", "gdm", "adam"}


def test_killed_again_and_again_by_several_processes_gives_the_same_tables(
    results: Path, tmp_path: Path
) -> None:
    clock = random.Random(0)
    words = [sys.executable, *settings("mnist", tmp_path, "workers=2")]
    for _ in range(2):
        process = subprocess.Popen(
            words, cwd=ROOT, env=ALONE, start_new_session=True, stderr=subprocess.DEVNULL
        )
        time.sleep(clock.uniform(5.0, 9.0))
        assert process.poll() is None  # not done yet
        process.kill()  # this one alone: the other has to end by itself
        process.wait()
    run(*words[1:])
    assert tables(tmp_path / "smoke/mnist") == tables(results / "mnist")


def test_divergence_is_a_status(tmp_path: Path) -> None:
    wild = ["problems.k2.contenders.gdm.fixed.lr=1e20", "problems.k2.networks=1", "workers=1"]
    assert here(*settings("pde", tmp_path, *wild)) == 0
    runs = pd.read_csv(tmp_path / "smoke/pde/runs.csv").set_index("contender")
    assert runs.loc["gdm", "status"] == "diverged" and runs.loc["gdm", "label"] == "neither"
    assert runs.loc["adam", "status"] == "done"


NOBODY = ("bbi", "bbi_fixed", "gdm", "adam")
BAD = {
    ("pde", "problems.k2.k=0"): "problems.k2.k=0",
    ("pde", "problems.k2.k=-1"): "above 0",
    ("pde", "problems.k2.dimension=0"): "1 or more",
    ("pde", "problems.k2.interior=0"): "1 or more",
    ("pde", "train=[k3]"): "k2",
    ("pde", " ".join(f"~problems.k2.contenders.{name}" for name in NOBODY)): "keep one",
    (
        "pde",
        "shoot=[] " + " ".join(f"problems.k2.contenders.{name}.runs=0" for name in NOBODY),
    ): "nothing to do",
    ("pde", "engine.device=tpu"): "engine.device=tpu: not known",
    ("mnist", "recipe.batch=0"): "1 or more",
    ("mnist", "protocols.honest.held_out=0"): "1 or more",
    ("mnist", "protocols.honest.criterion=loss"): "train_loss",
    ("mnist", "protocols.honest.held_out=400"): "must be below 400",
    ("mnist", "grid.values.bbi.lr=[-1]"): "lr must be",
    ("mnist", "grid.values.bbi.lr=[x]"): "lr=x: must be a number",
    ("mnist", "+grid.values.bbi.foo=[1]"): "two parameters make a grid",
    ("mnist", "~grid.values.bbi.delta_e +grid.values.bbi.momentum=[0.9]"): "bbi has no such parameter",
    ("mnist", "~grid.values.bbi.delta_e +grid.values.bbi.t0=[9]"): "contenders.bbi.fixed",
    ("mnist", "~grid.values.sgd.lr +grid.values.sgd.foo=[9]"): "sgd has no such parameter",
    ("mnist", "~grid.values.sgd"): "here are 0",
    (
        "cifar",
        "~contenders.bbi.fixed.t0 +contenders.bbi.space.t0={low:9,high:99,scale:linear}",
    ): "whole number",
    ("cifar", "~contenders.sgd.space.momentum"): "sgd needs momentum",
    ("pde", "~problems.k2.contenders.gdm.fixed.momentum"): "gdm needs momentum",
    ("pde", "train=[] shoot=[]"): "nothing to do",
    ("pde", "problems.k20.k=2 train=[k2] shoot=[k20]"): "two of them are k=2",
    ("cifar", "paths.data=/no/such/folder"): "no such folder",
    ("cifar", "part=2"): "between 0 and 0",
}


@pytest.mark.parametrize(("experiment", "setting"), BAD)
def test_bad_settings_are_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    experiment: str,
    setting: str,
) -> None:
    monkeypatch.delenv("BBI_DATA", raising=False)
    assert here(*settings(experiment, tmp_path, *setting.split())) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("mnist: ")]
    [line] = [line for line in lines if "CUDA" not in line]
    assert line.startswith("error: ") and BAD[experiment, setting] in line
    assert not list(tmp_path.iterdir())
