"""Settings of the landscapes: what cannot work is refused at once, what can leaves figures and claims."""

from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.harness import plotting as figures
from experiments.harness import report

REFUSED = {
    "ackley search.trails=5": "trials",
    "ackley search.trials=0": "1 or more",
    "ackley search.trials=abc": "whole number",
    "ackley contenders.gdm.space.momentum.high=1.5": "momentum must be",
    "ackley contenders.bbi.fixed.delta_e=-1": "delta_e must be",
    "ackley contenders.bbi.optimizer=bbl": "bbi",
    "ackley contenders.gdm.optimizer=sgd": "did you mean 'gdm'",
    "ackley contenders.gdm_gamma.optimizer=adam ~contenders.gdm_gamma.space.momentum": "allowed: bbi, gdm",
    "ackley ~contenders.gdm_released.fixed.lr": "gdm needs lr; give it in contenders.gdm_released.fixed",
    "ackley ~contenders.gdm.space.momentum": "gdm needs momentum",
    "ackley ~contenders.bbi ~contenders.bbi_log": "contenders.bbi: must be there",
    "ackley ~contenders.bbi.fixed.t0 +contenders.bbi.space.t0={low:5,high:50}": "cannot be searched",
    "ackley robust.success=-1": "above 0",
    "ackley coefficients=[]": "one number or more",
    "ackley start=[1]": "two numbers",
    "ackley start=[nan,1]": "two numbers",
    "ackley +long.step=3": "steps",
    "zakharov contenders.gdm.optimizer=sgd": "did you mean 'gdm'",
    "zakharov ~contenders.bbi ~contenders.bbi_log": "contenders.bbi: must be there",
    "zakharov random.sides=[]": "one number or more",
    "zakharov start=[inf,1]": "list of numbers",
    "two_basin ~counts.paper": "counts.paper: must be there",
    "two_basin start=[1]": "two numbers",
    "two_basin ~settings.lr": "settings.lr=0.0: must be above 0",
    "two_basin ~occupation.settings.lr": "occupation.settings.lr=0.0: must be above 0",
    "two_basin ~occupation.settings.delta_v": "must be below 0",
    "two_basin cloud.side=0": "above 0",
}
TINY = {
    "ackley": "coefficients=[0.2] search.trials=2 search.steps=3 long.steps=4 long.runs=1 barrier.runs=1 "
    "barrier.steps=3 regimes.lr=2 regimes.momentum=2 regimes.steps=3 robust.points=2 robust.steps=3",
    "zakharov": "search.trials=2 search.steps=3 long.steps=4 random.points=2 random.steps=3",
    "two_basin": "steps=40 cloud.runs=2 occupation.runs=2 occupation.steps=40 occupation.burn_in=0 "
    "profile.two_basin.runs=1 profile.two_basin.other_runs=2 profile.two_basin.mixing_runs=2",
}
NO_GDM = "~contenders.gdm ~contenders.gdm_gamma ~contenders.gdm_log"
ACCEPTED = [
    "ackley ~contenders.gdm_gamma ~contenders.gdm_small barrier.values=1",
    f"ackley {NO_GDM} ~contenders.gdm_small ~contenders.gdm_released coefficients=[9.0] ~contenders.bbi_log "
    "~contenders.bbi.space.lr +contenders.bbi.fixed.lr=0.01 ~contenders.bbi.fixed.delta_e "
    "+contenders.bbi.space.delta_e={low:1,high:3} ~contenders.bbi.fixed.delta_v "
    "regimes.lr=1 barrier.values=2",
    "zakharov ~contenders.gdm_log.space.lr +contenders.gdm_log.fixed.lr=1e-6 ~contenders.gdm_gamma",
    f"zakharov start=[1e100] {NO_GDM} ~contenders.gdm_narrow "
    "~contenders.bbi_log ~contenders.bbi.fixed.delta_v",
    "two_basin ~counts.released occupation.runs=1",
]


def words(line: str, results: Path) -> list[str]:
    experiment, *settings = line.split()
    return [f"experiment={experiment}", "profile=smoke", f"paths.results={results}", *settings]


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_work_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert main(words(line, tmp_path)) == 2
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith("error: ")
    assert REFUSED[line] in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", ACCEPTED)
def test_what_is_accepted_leaves_figures_and_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.setattr(figures, "_METADATA", {"png": {}})  # coarse pictures of one kind: in little time
    monkeypatch.setitem(figures.STYLE, "savefig.dpi", 20)
    experiment, _, settings = line.partition(" ")
    code = main(words(f"{experiment} {TINY[experiment]} {settings}", tmp_path))
    assert code == 0, capsys.readouterr().err
    assert len(list((tmp_path / "smoke" / experiment / "figures").glob("*.png"))) >= 3
    assert report.write(tmp_path, "smoke").exists()
