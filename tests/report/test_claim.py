"""One claim by itself: the command, what it says, and what it refuses."""

import re
from pathlib import Path

import pytest

from experiments.__main__ import main, prepare
from experiments.harness import session
from experiments.harness.claims import load_paper
from experiments.harness.settings import Job, compose
from experiments.report import claim, runs


def test_a_finished_claim_is_told_at_once(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    assert main(["claim=basin-theory"]) == 0
    out, err = capsys.readouterr()
    first, title, *rest = out.splitlines()
    assert first.startswith("experiment two_basin, profile paper: finished in results/paper/two_basin")
    assert title.startswith("basin-theory (section 4.3, (18)): The Hessians")
    assert re.fullmatch(r"  1\.926, published 1\.93 \(n = 1\): reproduced", rest[-2])
    assert any(line.startswith("rule (interval): Reproduced: ") for line in rest)
    assert err == ""


def test_the_time_is_told_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def run(jobs: list[Job]) -> int:
        said.append(capsys.readouterr().out)
        assert [(job.cfg.experiment, job.cfg.profile) for job in jobs] == [("two_basin", "paper")]
        return 2

    monkeypatch.setattr(session, "run", run)
    assert main(["claim=basin-theory", f"paths.results={tmp_path}", "executor.workers=2"]) == 2
    words = r"experiment two_basin, profile paper: [\d.]+ min of one core \(.*\) when it was committed, "
    assert re.match(words + r"so about [\d.]+ min in 2 processes", said[0])
    assert capsys.readouterr().out == ""  # no verdict without tables


@pytest.mark.parametrize("name", runs.experiments())
def test_committed_tables_are_used_and_never_replaced_unasked(name: str, tmp_path: Path) -> None:
    """With nothing but a claim the settings are those of the committed run, or its tables stand."""
    told = next(one for one in load_paper().claims.values() if one.experiment == name)
    given = [f"paths.results={claim.COMMITTED}"]
    overrides = claim.plan(told.id, given)
    cfg = prepare(compose(*overrides), overrides).cfg
    committed = (cfg.folder / "provenance.json").exists()
    assert cfg.experiment == name and claim.stands(cfg, given) == committed
    assert ("finished in" in claim.expectation(cfg, given)) == committed
    there = cfg.model_copy(update={"paths": cfg.paths.model_copy(update={"results": str(tmp_path)})})
    assert not claim.stands(there, given)
    words = "when it was committed, so about" if committed else "no committed run tells how long"
    assert words in claim.expectation(there, given)


def test_other_settings_are_computed() -> None:
    given = [f"paths.results={claim.COMMITTED}", "seed=5"]
    overrides = claim.plan("basin-theory", given)
    cfg = prepare(compose(*overrides), overrides).cfg
    assert not claim.stands(cfg, given)
    cluster = cfg.model_copy(update={"executor": cfg.executor.model_copy(update={"kind": "dask"})})
    assert claim.expectation(cluster, given).endswith("when it was committed; it is computed elsewhere")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["claim=ackley-barier"], "claim=ackley-barier: no such claim (did you mean 'ackley-barrier'?)"),
        (["claim=energy", "claim=family"], "only one claim at a time"),
        (["claim=energy", "experiment=ackley"], "experiment=ackley: the claim says which experiment"),
        (["claim=energy", "-m"], "-m: beside claim=energy only settings"),
        (["claim=energy", "sede=1"], "sede"),
        (["claim=energy", "profile=null"], "profile=null: must be a name, one of cpu, paper, "),
        (["claim=energy", "profile@_global_=paper/x"], "a profile's budgets belong to it"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
