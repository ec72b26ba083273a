"""The answers of sections 2, 3.3 and appendix A: refused settings, and verdicts on rows that were made up."""

import numpy as np
import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.harness import report
from experiments.harness.verdicts import judge, load_paper
from experiments.theory import estimates as theory_claims
from tests.composed import composed

CLAIMS = {claim["id"]: claim for claim in load_paper()[0]}
REFUSED = {
    "energy.landscapes.ackley.lr=0": "above 0",
    "+energy.landscapes.sphere={side:1,lr:0.1,delta_v:0,delta_e:0}": "not known",
    "energy.halvings=1": "2 or more",
    "family.m=[]": "one frequency or more",
    "family.delta_e=-1": "delta_e must be",
    "stall.contenders.bbi_spare.optimizer=adam": "allowed: bbi, gdm",
    "~stall.contenders.gdm": "one must have the optimizer gdm",
    "stall.contenders.gdm.fixed.momentum=2": "momentum must be between",
    "~shallow.contenders.bi.fixed.lr": "bbi needs lr",
    "shallow.m=[1,1,0.5]": "three values or more",
    "shallow.target=1": "between 0 and 1",
    "overshoot.delta_v=3": "must be above 0 and below",
    "overshoot.lr=[0.1]": "three values or more",
    "tuned.landscapes.ackley.delta_v=0": "above 0",
    "volumes.n=[0]": "between 1 and 20",
    "volumes.depths=[3]": "two depths or more",
    "volumes.depths=[2,4,4]": "all different",
    "volumes.n=[2,2]": "all different",
    "~diffusion.contenders.sgd": "one must have the optimizer sgd",
    "+diffusion.contenders.sgd.fixed.t0=5": "sgd has no such parameter",
    "+stall.contenders.gdm.space.lr={low:1e-3,high:1e-2}": "nothing is searched here",
    "diffusion.lags=[1,2]": "three values or more",
}


@pytest.mark.parametrize(("words", "why"), REFUSED.items(), ids=REFUSED)
def test_refused_in_one_line(words, why, capsys, tmp_path):
    code = main(["experiment=theory", f"paths.results={tmp_path}", *words.split()])
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1), error
    assert why in error and not list(tmp_path.iterdir())


def verdict(estimate):
    return judge(CLAIMS[estimate.claim], estimate)


def energy(deviation=1e-15, order=1.0, continuous=1e-12, speed=0.99):
    rows = [
        {
            "name": name,
            "reading": reading,
            "run": run,
            "lr": lr,
            "deviation": value,
            "speed": speed,
            "stride": 1.1,
            "steps": 5,
        }
        for name in ("ackley", "zakharov")
        for run in range(2)
        for lr in (0.1, 0.05, 0.025)
        for reading, value in (("restored", deviation), ("left", lr**order), ("continuous", continuous))
    ]
    return theory_claims._energy(pd.DataFrame(rows), "")


@pytest.mark.parametrize(
    ("changed", "which"),
    [
        ({"deviation": 1e-6}, 0),
        ({"continuous": 1e-3}, 1),
        ({"order": 0.5}, 2),
        ({"order": 2}, 2),
        ({"speed": 1.1}, 3),
    ],
)
def test_energy_and_speed_limit(changed, which):
    assert [verdict(answer) for answer in energy()] == ["holds"] * 4
    expected = ["holds"] * 4
    expected[which] = "violated"
    assert [verdict(answer) for answer in energy(**changed)] == expected


@pytest.mark.parametrize("which", ["deviation", "continuous", "speed"])
def test_a_number_that_is_missing_holds_nothing(which):
    assert "inconclusive" in {verdict(answer) for answer in energy(**{which: np.nan})}


def test_a_rounding_is_no_speed_above_the_limit():
    assert verdict(energy(speed=1 + 1e-15)[3]) == "holds" and verdict(energy(speed=1 + 1e-9)[3]) == "violated"


@pytest.mark.parametrize(
    ("bbi", "gdm", "expected"),
    [
        ([1.0, 2.0, np.nan], [0.0, 1e-12], "holds"),
        ([1.0, 1e-9, 2.0], [0.0, 1e-12], "violated"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "violated"),  # nothing to be different from
        ([np.nan, np.nan], [0.0, 1e-12], "inconclusive"),
    ],
)
def test_rest(bbi, gdm, expected):
    cfg = composed("theory")
    spans = {"bbi": bbi, "bbi_spare": [np.nan], "gdm": gdm}
    rows = pd.concat(pd.DataFrame({"name": name, "span": span, "value": 3.0}) for name, span in spans.items())
    rows["status"] = "budget"
    found = theory_claims._no_stall(rows, cfg, "")
    assert found.n == np.isfinite(bbi).sum()  # a run that diverged neither rests nor goes on
    rows.loc[rows["span"].isna(), "status"] = "converged"
    assert theory_claims._no_stall(rows, cfg, "").n == len(bbi) + 1
    rows["status"] = "budget"
    assert verdict(theory_claims._no_stall(rows, cfg, "")) == expected
    rows["value"] = 1e-3  # at rest where it should be
    assert not theory_claims.stalled(rows).any()


@pytest.mark.parametrize(("power", "expected"), [(-2.0, "reproduced"), (-1.5, "not reproduced")])
def test_shallow_rates(power, expected):
    cfg = composed("theory")
    m = np.array([0.1, 0.05, 0.025, 0.0125])
    noise = 1 + 0.001 * np.array([1, -1, -1, 1])
    rows = pd.DataFrame({"name": "friction", "m": m, "steps": 9 * m**power * noise, "status": "stopped"})
    found = theory_claims._shallow(rows, cfg, "")
    assert [answer.variant for answer in found] == ["friction, GDM", "bi, BBI"]
    assert [verdict(answer) for answer in found] == [expected, "inconclusive"]  # no rows of BBI


def test_overshoot():
    lr = np.repeat([0.1, 0.05, 0.025], 4)
    rows = pd.DataFrame({"lr": lr, "overshoot": 0.2 * lr**2, "bound": lr, "second_order": 0.4 * lr**2})
    found = theory_claims._overshoot(rows, "")
    assert verdict(found) == "holds" and "Δt^2.00" in found.note and "by 0.500 of" in found.note
    assert verdict(theory_claims._overshoot(rows.assign(overshoot=2 * lr), "")) == "violated"
    assert verdict(theory_claims._overshoot(rows.assign(overshoot=np.nan), "")) == "inconclusive"


def family(deviation=1e-13, order=1.0, best=1e-9, last=1e-8):
    v = np.geomspace(1, 1e-6, 30)
    names = ("bi", "inverse_mass", "logarithmic", "separable", "frictionless")
    columns = {"name": names, "deviation": 1e-15, "continuous": deviation, "best": best, "last": last}
    rows = pd.concat([pd.DataFrame(columns), pd.DataFrame({**columns, "continuous": np.nan, "best": 1e-9})])
    curves = pd.concat(pd.DataFrame({"name": name, "v": v, "stride2": v**order}) for name in names)
    return theory_claims._family(rows, curves, "")


def test_family():
    assert [answer.variant for answer in family()] == ["BI", "1/V mass", "logarithmic", "ECDSep"]
    assert {verdict(answer) for answer in family()} == {"holds"}
    for changed in ({"deviation": 1e-4}, {"deviation": np.nan}, {"order": 0.5}, {"best": 0.1}):
        assert {verdict(answer) for answer in family(**changed)} == {"violated"}, changed
    [note] = {answer.note for answer in family(best=0.1, last=30.0)}
    assert "1 of 2 runs come below" in note and "2 end above it" in note


@pytest.mark.parametrize(
    ("closed", "plain", "expected"),
    [(1.0, 1.0, "reproduced"), (1.2, 1.0, "not reproduced"), (1.0, 9.0, "inconclusive")],
)
def test_volumes(closed, plain, expected):
    cfg = composed("theory")
    unit = theory_claims.sphere(2) ** 2 * cfg.volumes.energy
    v = np.array([1e-2, 1e-4, 1e-6])
    whole = unit * (3 + np.log(1 / v))
    rows = pd.DataFrame(
        {"n": 2, "v_i": v, "closed": closed * whole, "integral": whole, "plain": [1.0, 1.0, plain]}
    )
    assert verdict(theory_claims._volumes(rows, cfg, "")) == expected


def diffusing(sgd, bbi):
    """Eight runs with |ΔΘ|² = scale · t^κ for each of two contenders, given (scale, κ)."""
    cfg = composed("theory")
    rows = [
        {
            "stage": "diffusion",
            "name": name,
            "run": run,
            "lag": lag,
            "distance2": scale * lag**kappa * 1.1 ** (run % 3),
        }
        for name, (scale, kappa) in (("sgd", sgd), ("bbi", bbi))
        for run in range(8)
        for lag in cfg.diffusion.lags
    ]
    runs = pd.DataFrame({"name": ["sgd", "bbi"], "loss": 1e-3, "data": "digits"})
    return theory_claims._diffusion(runs, pd.DataFrame(rows), cfg.diffusion, "")


@pytest.mark.parametrize(
    ("sgd", "bbi", "expected"),
    [
        ((1.0, 1.4), (0.1, 0.9), "holds"),
        ((1.0, 1.0), (1.0, 1.4), "violated"),
        ((1, 1), (1, 1), "inconclusive"),
        ((1.0, 1.8), (0.1, 0.9), "inconclusive"),  # drifts
        ((1.0, 1.0), (9.0, 1.8), "inconclusive"),
    ],
)
def test_diffusion(sgd, bbi, expected):
    found = diffusing(sgd, bbi)
    assert verdict(found[0]) == expected
    assert [answer.estimate for answer in found[1:]] == pytest.approx([sgd[1], bbi[1]])


def test_a_run_that_diverged_has_no_displacement():
    cfg = composed("theory")
    rows = pd.DataFrame(
        {"stage": "diffusion", "name": "bbi", "run": 0, "lag": cfg.diffusion.lags, "distance2": np.nan}
    )
    assert theory_claims.diffusion_exponents(rows, "bbi").isna().all()


@pytest.mark.parametrize(("tuned", "expected"), [(1e-6, "holds"), (0.1, "inconclusive"), (1.0, "violated")])
def test_lowering_delta_v(tuned, expected):
    spread = np.geomspace(0.9, 1.1, 10)
    rows = pd.DataFrame(
        {"name": "ackley", "fixed": 0.1 * spread, "tuned": tuned * spread[::-1], "delta_v": 0.0}
    )
    [found] = theory_claims._tuned(rows, "")
    assert verdict(found) == expected


TINY = (
    "energy.runs=2 energy.steps=4 energy.halvings=2 energy.continued=1 family.runs=2 family.steps=5 "
    "family.continued=1 stall.runs=2 stall.steps=100 shallow.steps=300 overshoot.runs=2 overshoot.steps=40 "
    "tuned.runs=2 tuned.steps=3 volumes.n=[2] volumes.depths=[2,4] diffusion.runs=1 diffusion.images=20 "
    "diffusion.epochs=1 diffusion.lags=[1,2,3] workers=1 paths.data=null paths.download=false"
)
ACCEPTED = {
    "nothing moves, or ends at once": "energy.landscapes.ackley.delta_v=100 overshoot.steps=1 "
    "stall.contenders.bbi.fixed.delta_v=50 shallow.steps=1",
    "everything diverges": "energy.landscapes.ackley.lr=1e3 energy.landscapes.zakharov.lr=1e3 "
    "energy.landscapes.two_basin.lr=1e6 family.lr=1e6 family.delta_e=0 stall.contenders.gdm.fixed.lr=1e9 "
    "tuned.landscapes.zakharov.lr=1e6 diffusion.contenders.sgd.fixed.lr=1e9 "
    "diffusion.contenders.bbi.fixed.lr=1e9",
}


@pytest.mark.parametrize("words", ACCEPTED.values(), ids=ACCEPTED)
def test_whatever_can_run_leaves_figures_and_answers(words, tmp_path):
    arguments = ["experiment=theory", f"paths.results={tmp_path}", *TINY.split(), *words.split()]
    assert main(arguments) == 0
    assert len(list((tmp_path / "quick/theory/figures").glob("*.png"))) == 7
    report.write(tmp_path, "quick")
    verdicts = pd.read_csv(tmp_path / "quick/verdicts.csv").query("experiment == 'theory'")
    assert set(verdicts["verdict"]) <= {"reduced", "reproduced"} and len(verdicts) > 15
