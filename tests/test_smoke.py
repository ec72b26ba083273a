"""The landscape experiments and the theory, run for real at the smoke budgets."""

import hashlib
import json
import shutil
from contextlib import redirect_stderr
from pathlib import Path

import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.harness.claims import load_paper
from experiments.report import write
from tests.coarse import coarse
from tests.harness.test_reproduce import load

ROOT = Path(__file__).resolve().parents[1]
LANDSCAPES = ("ackley", "zakharov", "two_basin")
EXPERIMENTS = (*LANDSCAPES, "theory")
TABLES = ("config.yaml", "trials.csv", "runs.csv", "curves.parquet")


def digests(folder: Path) -> dict[str, str]:
    files = [folder / name for name in TABLES if (folder / name).exists()]
    files += sorted((folder / "figures").glob("*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    given = [f"paths.results={root}", "executor=serial", "paths.download=false"]
    with pytest.MonkeyPatch.context() as patch, (root / "stderr").open("w") as err, redirect_stderr(err):
        patch.delenv("BBI_DATA", raising=False)
        coarse(patch)
        assert load().main(["--profile", "smoke", "--only", " ".join(EXPERIMENTS), *given]) == 0
    return root / "smoke"


def test_a_report_is_written_after_the_first_experiment_and_at_the_end(results: Path) -> None:
    lines = (results.parent / "stderr").read_text().splitlines()
    reports = [number for number, line in enumerate(lines) if line == f"report: {results.parent}/report.html"]
    finished = [number for number, line in enumerate(lines) if "tables and figures are in" in line]
    assert reports[0] < finished[0] and reports[-1] > finished[-1]
    for name in EXPERIMENTS:
        record = json.loads((results / name / "provenance.json").read_text())
        assert record["command"].startswith(f"python -m experiments experiment={name} profile=smoke")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_leaves_tables_and_figures(results: Path, experiment: str) -> None:
    names = set(digests(results / experiment))
    assert {"config.yaml", "runs.csv", "curves.parquet"} <= names
    pictures = {name.removesuffix(".png") for name in names if name.endswith(".png")}
    assert pictures


def test_figures_1_to_6_of_the_paper_are_there(results: Path) -> None:
    names = " ".join(path.name for path in results.glob("*/figures/*.png"))
    assert [n for n in range(1, 7) if f"fig{n}_" not in names] == []


def test_every_claim_of_these_experiments_has_a_verdict(results: Path) -> None:
    verdicts = pd.read_csv(results.parent / "verdicts.csv").groupby("claim")["verdict"].agg(set)
    for claim in load_paper().claims.values():
        here = claim.experiment in EXPERIMENTS
        assert (verdicts[claim.id] == {"not run"}) == (not here), claim.id


def test_what_is_scaled_down_is_not_compared(results: Path) -> None:
    """Fewer runs of a size as published only widen an interval; fewer steps or trials make another number."""
    verdicts = (
        pd.read_csv(results.parent / "verdicts.csv").query("experiment in @LANDSCAPES").set_index("claim")
    )
    assert verdicts["verdict"]["basin-theory"] == "reproduced"  # from the Hessians alone
    assert set(verdicts["verdict"].drop("basin-theory")) == {"reduced"}
    assert "search.trials 6 (published: 500)" in verdicts["note"].loc["zakharov-speed"]


def test_trials_and_runs_cover_what_was_asked(results: Path) -> None:
    trials = pd.read_csv(results / "ackley/trials.csv")
    assert set(trials.groupby(["coefficient", "competitor"]).size()) == {6}
    assert trials["coefficient"].nunique() == 2
    robust = pd.read_csv(results / "ackley/runs.csv").query(
        "stage == 'robust' and competitor == 'bbi_released'"
    )
    assert set(robust.groupby(["coefficient", "point"]).size()) == {5}


def test_all_trials_failing_is_a_result(results: Path) -> None:
    trials = pd.read_csv(results / "zakharov/trials.csv").query("competitor == 'gdm'")
    assert set(trials["status"]) == {"diverged"}
    runs = pd.read_csv(results / "zakharov/runs.csv").query("competitor == 'gdm'")
    assert set(runs["stage"]) == {"search"}  # nothing found, so nothing to repeat
    assert set(runs["diverged"]) == {6}
    assert "gdm 6 of 6" in (results.parent / "report.html").read_text()


@pytest.mark.usefixtures("coarse_figures")
def test_figures_and_report_come_from_the_tables_alone(results: Path, tmp_path: Path) -> None:
    files = [results.parent / name for name in ("report.html", "report.md", "verdicts.csv")]
    before = [file.read_bytes() for file in files]
    assert write.write(results.parent) == files
    assert [file.read_bytes() for file in files] == before
    no_figures = shutil.ignore_patterns("figures", "units.sqlite")
    shutil.copytree(results / "two_basin", tmp_path / "smoke/two_basin", ignore=no_figures)
    write.draw(tmp_path, "smoke")
    assert digests(tmp_path / "smoke/two_basin") == digests(results / "two_basin")


@pytest.mark.usefixtures("coarse_figures")
def test_a_rerun_computes_nothing(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment=two_basin", "profile=smoke", f"paths.results={results.parent}"]) == 0
    assert "finished before" in capsys.readouterr().err


@pytest.mark.usefixtures("coarse_figures")
def test_the_order_of_workers_does_not_matter(results: Path, tmp_path: Path) -> None:
    assert main(["experiment=two_basin", "profile=smoke", f"paths.results={tmp_path}"]) == 0
    assert digests(tmp_path / "smoke/two_basin") == digests(results / "two_basin")
