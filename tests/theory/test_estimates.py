"""The answers of sections 2, 3.3 and appendix A: verdicts on rows that were made up."""

import numpy as np
import pandas as pd
import pytest

from experiments.landscapes.volumes import sphere
from experiments.theory.estimates import estimate
from experiments.theory.figures import draw
from tests.answers import CLAIMS, judged, note
from tests.composed import composed

CFG = composed("theory")
NAN = np.nan


def energy(deviation=1e-15, order=1.0, continuous=1e-12, stride=0.99):
    rows = [
        {"name": name, "variant": variant, "run": run, "lr": lr, "deviation": value, "stride": stride}
        for name in ("ackley", "zakharov")
        for run in range(2)
        for lr in (0.1, 0.05, 0.025)
        for variant, value in (("restored", deviation), ("left", lr**order), ("continuous", continuous))
    ]
    return pd.DataFrame(rows).assign(speed=1.0, steps=5.0)


def stall(bbi=(1.0, 2.0), gdm=(0.0, 1e-12), value=3.0):
    spans = {"bbi": bbi, "bbi_spare": [NAN], "gdm": gdm}
    rows = [pd.DataFrame({"name": name, "span": span, "value": value}) for name, span in spans.items()]
    return pd.concat(rows).assign(status="budget")


def shallow(friction=-2.0, bi=-1.0):
    m = np.array([0.1, 0.05, 0.025, 0.0125])
    noise = 1 + 0.001 * np.array([1, -1, -1, 1])
    powers = {"friction": friction, "bi": bi}
    rows = [pd.DataFrame({"name": name, "m": m, "steps": 9 * m**k * noise}) for name, k in powers.items()]
    return pd.concat(rows).assign(status="stopped")


def overshoot(scale=0.2, power=2):
    lr = np.repeat([0.1, 0.05, 0.025], 4)
    return pd.DataFrame({"lr": lr, "overshoot": scale * lr**power, "bound": lr, "second_order": 0.4 * lr**2})


def family(deviation=1e-13, best=1e-9, last=1e-8):
    rows = {"name": list(CFG.family.laws), "deviation": 1e-15, "continuous": deviation, "last": last}
    return pd.concat([pd.DataFrame({**rows, "best": best}), pd.DataFrame({**rows, "best": 1e-9})])


def volumes(closed=1.0, plain=1.0):
    v = np.array([1e-2, 1e-4, 1e-6])
    whole = sphere(2) ** 2 * CFG.volumes.energy * (3 + np.log(1 / v))
    rows = {"n": 2, "v_i": v, "closed": closed * whole, "integral": whole, "plain": [1.0, 1.0, plain]}
    return pd.DataFrame(rows)


def tuned(lowered=1e-6, delta_v=0.0):
    spread = np.geomspace(0.9, 1.1, 10)
    rows = {"fixed": 0.1 * spread, "tuned": lowered * spread[::-1], "delta_v": delta_v}
    return pd.DataFrame({"name": "ackley", **rows})


def diffusion(loss=1e-3):
    rows = pd.DataFrame({"name": ["sgd", "bbi"], "loss": loss, "data": "digits"})
    return pd.concat(rows.assign(variant=phase) for phase in CFG.diffusion.phases)


def speeds(order=1.0):
    v = np.geomspace(1, 1e-6, 30)
    return pd.concat(
        pd.DataFrame({"stage": "family", "name": name, "step": range(30), "v": v, "stride2": v**order})
        for name in CFG.family.laws
    )


def distances(sgd=(1.0, 1.4), bbi=(0.1, 0.9)):
    """Eight runs with |ΔΘ|² = scale · t^κ for each phase and two competitors, given (scale, κ)."""
    rows = [
        pd.DataFrame({
            "variant": phase, "name": name, "run": run, "lag": plan.lags,
            "distance2": scale * np.array(plan.lags) ** k * 1.1 ** (run * (1 + (name == "bbi")) % 3),
        })
        for name, (scale, k) in {"sgd": sgd, "bbi": bbi}.items()
        for phase, plan in CFG.diffusion.phases.items()
        for run in range(8)
    ]  # fmt: skip
    return pd.concat(rows).assign(stage="diffusion")


def moved(verdict):
    """The verdicts on displacements."""
    return dict.fromkeys([f"diffusion after {n} epochs" for n in (40, 500)], verdict)


RUNS = (energy, stall, shallow, overshoot, family, volumes, tuned, diffusion)
CURVES = (speeds, distances)


def tables(part="", **changed):
    """Rows with which all claims hold, but for what is ``changed`` in one ``part`` of them."""
    given = {make.__name__: make(**(changed if make.__name__ == part else {})) for make in (*RUNS, *CURVES)}
    runs = [given[make.__name__].assign(stage=make.__name__) for make in RUNS]
    curves = [given[make.__name__] for make in CURVES]
    return {"runs": pd.concat(runs, ignore_index=True), "curves": pd.concat(curves, ignore_index=True)}


def answers(part="", **changed):
    found = estimate(tables(part, **changed), CFG)
    return {f"{one.claim} {one.variant}".strip(): one for one in found}


def verdicts(part="", **changed):
    found = answers(part, **changed).items()
    return {name: judged(one) for name, one in found if one.claim in CLAIMS}


LAWS = [f"family {label}" for label in ("BI", "1/V mass", "logarithmic", "ECDSep")]
GOOD = {
    "energy rescaled": "holds",
    "energy continuous time": "holds",
    "energy not rescaled": "holds",
    "speed-limit landscapes, BBI": "holds",
    "no-stall": "holds",
    "shallow-rate friction, GDM": "reproduced",
    "shallow-rate bi, BBI": "reproduced",
    "no-overshoot": "holds",
    **dict.fromkeys(LAWS, "holds"),
    "volume-laws": "holds",
    **moved("holds"),
    "delta-v-tuning ackley": "holds",
}
FALLS = dict.fromkeys(LAWS, "violated")
CASES = [
    ("energy", {"deviation": 1e-6}, {"energy rescaled": "violated"}),
    ("energy", {"deviation": NAN}, {"energy rescaled": "inconclusive"}),
    ("energy", {"continuous": 1e-3}, {"energy continuous time": "violated"}),
    ("energy", {"continuous": NAN}, {"energy continuous time": "inconclusive"}),
    ("energy", {"order": 0.5}, {"energy not rescaled": "violated"}),
    ("energy", {"order": 2}, {"energy not rescaled": "violated"}),
    ("energy", {"stride": 1.1}, {"speed-limit landscapes, BBI": "violated"}),
    ("energy", {"stride": NAN}, {"speed-limit landscapes, BBI": "inconclusive"}),
    ("energy", {"stride": 1 + 1e-15}, {}),  # rounding
    ("energy", {"stride": 1 + 1e-9}, {"speed-limit landscapes, BBI": "violated"}),
    ("stall", {"bbi": [1.0, 2.0, NAN]}, {}),
    ("stall", {"bbi": [1.0, 1e-9, 2.0]}, {"no-stall": "violated"}),
    ("stall", {"gdm": [1.0, 2.0]}, {"no-stall": "violated"}),  # nothing to be different from
    ("stall", {"bbi": [NAN, NAN]}, {"no-stall": "inconclusive"}),
    ("stall", {"bbi": [1.0, 1e-9], "value": 1e-3}, {"no-stall": "violated"}),  # all rest where they should
    ("shallow", {"friction": -1.5}, {"shallow-rate friction, GDM": "not reproduced"}),
    ("shallow", {"bi": NAN}, {"shallow-rate bi, BBI": "inconclusive"}),
    ("overshoot", {"scale": 2, "power": 1}, {"no-overshoot": "violated"}),
    ("overshoot", {"power": 0}, {"no-overshoot": "violated"}),  # it does not fall with the step
    ("overshoot", {"scale": NAN}, {"no-overshoot": "inconclusive"}),
    ("family", {"deviation": 1e-4}, FALLS),
    ("family", {"deviation": NAN}, dict.fromkeys(LAWS, "inconclusive")),
    ("family", {"best": 0.1}, FALLS),
    ("speeds", {"order": 0.5}, FALLS),
    ("volumes", {"closed": 1.2}, {"volume-laws": "violated"}),
    ("volumes", {"plain": 9.0}, {"volume-laws": "violated"}),
    ("distances", {"sgd": (1.0, 1.0), "bbi": (1.0, 1.4)}, moved("violated")),
    ("distances", {"sgd": (1, 1), "bbi": (0.5, 1)}, moved("violated")),  # less, but not much less
    ("distances", {"sgd": (1, 1), "bbi": (0.1, 1)}, moved("inconclusive")),
    ("distances", {"sgd": (1.0, 1.8)}, {}),
    ("distances", {"bbi": (NAN, 1.0)}, moved("inconclusive")),  # diverged
    ("tuned", {"lowered": 0.1}, {"delta-v-tuning ackley": "inconclusive"}),
    ("tuned", {"lowered": 1.0}, {"delta-v-tuning ackley": "violated"}),
    ("tuned", {"delta_v": 9.0}, {"delta-v-tuning ackley": "violated"}),  # it was not lowered
]


@pytest.mark.parametrize(("part", "changed", "expected"), CASES, ids=[f"{p} {c}" for p, c, _ in CASES])
def test_verdicts(part, changed, expected):
    assert verdicts(part, **changed) == {**GOOD, **expected}


def test_numbers_and_sentences():
    found = answers()
    exponents = [found[f"diffusion-kappa-{name} after 40 epochs"].estimate for name in ("sgd", "bbi")]
    assert exponents == pytest.approx([1.4, 0.9])
    [late] = [row["last"] for row in found["diffusion after 500 epochs"].numbers["competitors"][1:]]
    assert late == pytest.approx(0.9)
    assert answers("stall", bbi=[1.0, NAN])["no-stall"].n == 1  # one that diverged neither rests nor moves
    said = {name: note(one) for name, one in found.items() if one.claim in CLAIMS}
    assert all(said.values())
    assert "goes as Δt^2.00" in said["no-overshoot"] and "0.500 of" in said["no-overshoot"]
    bad = note(answers("family", best=0.1, last=30.0)["family BI"])
    assert "1 of 2 runs come below" in bad and "2 end above it" in bad and "for plain momentum" in bad


def test_figures_show_every_competitor_in_its_own_colour():
    shown = draw(tables(), CFG, {"shallow-rate": CLAIMS["shallow-rate"].published})
    assert len(shown) == 8
    [axes] = shown["shallow_valley"].figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    for competitor in CFG.shallow.competitors.values():
        assert lines[competitor.label].get_color() == competitor.color
    assert {"$\\propto m^{-2}$", "$\\propto m^{-1}$"} <= lines.keys()
