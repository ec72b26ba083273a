"""The experiments that train networks, run for real at the smoke budgets, without data or a network."""

from pathlib import Path

import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.report import write
from tests.coarse import coarse

NAMES = ("cifar", "mnist", "pde")
TABLES = ("config.yaml", "trials.csv", "runs.csv", "curves.parquet")


def run(experiment: str, folder: Path) -> int:
    given = [f"experiment={experiment}", "profile=smoke", f"paths.results={folder}", "paths.download=false"]
    return main([*given, "executor=serial"])


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES if (folder / name).exists()}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BBI_DATA", raising=False)
        coarse(patch)
        assert [run(name, root) for name in NAMES] == [0, 0, 0]
    write.write(root)
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
    drawn = {path.name for path in (results / experiment / "figures").glob("*.png")}
    assert {f"{name}.png" for name in names} == drawn


def test_numbers_of_another_size_are_not_compared(results: Path) -> None:
    verdicts = pd.read_csv(results.parent / "verdicts.csv").set_index("claim")
    for claim in ("mnist-sgd", "mnist-bbi", "cifar-sgd", "cifar-bbi", "pde-both", "training-loss"):
        assert set(verdicts.loc[[claim], "verdict"]) == {"reduced"}
    assert verdicts.loc[["mnist-sgd"], "note"].str.contains("data: MNIST (5,000 digits)", regex=False).all()
    assert verdicts.loc[["cifar-sgd"], "note"].str.contains("data: synthetic stand-in").all()
    assert set(verdicts.loc[["batch-rescale"], "verdict"]) == {"holds"}


def test_both_protocols_choose_and_what_they_chose_is_trained(results: Path) -> None:
    runs = pd.read_csv(results / "cifar/runs.csv")
    chosen = runs[runs["stage"] == "selected"]
    assert set(zip(chosen["protocol"], chosen["competitor"], strict=True)) == {
        (protocol, name) for protocol in ("paper", "validation") for name in ("sgd", "bbi", "bbi_2000")
    }
    trained = runs[runs["stage"] == "train"]
    assert set(chosen["setting"]) == set(trained["setting"])
    assert trained["test_accuracy"].between(0, 100).all()


def test_a_run_says_what_became_of_it(results: Path) -> None:
    runs = pd.read_csv(results / "pde/runs.csv")
    assert set(runs["status"]) == {"done"} and set(runs["label"]) <= {"first", "second", "neither"}
    assert set(runs["competitor"]) == {"bbi", "bbi_fixed", "gdm", "adam"}
