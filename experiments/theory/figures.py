"""The figures of sections 2 and 3.3 and appendix A, drawn from the tables. The paper has none of them."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.harness.plotting import COLUMN, PAGE, PALETTE, Picture, decades, legend_below, styles, words
from experiments.harness.tables import Tables, where
from experiments.landscapes.plots import logarithmic
from experiments.landscapes.volumes import sphere
from experiments.theory.config import Config
from experiments.theory.estimates import diffusion_exponents, local_exponents


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """Energy, the family, rest and overshoot, shallow valleys, volumes, ΔV, diffusion."""
    runs, curves = tables["runs"], tables["curves"]
    stages = {stage: rows for stage, rows in runs.groupby("stage")}
    return {
        "energy": _energy(stages["energy"]),
        "family": _family(where(curves, stage="family"), stages["family"], cfg),
        "rest_and_overshoot": _ends(stages["stall"], stages["overshoot"], cfg),
        "shallow_valley": _shallow(stages["shallow"], cfg, published["shallow-rate"]),
        "volumes": _volumes(stages["volumes"], cfg),
        "delta_v_tuning": _tuned(stages["tuned"], cfg),
        **{f"diffusion_{key}": _diffusion(tables, cfg, key) for key in cfg.diffusion.phases},
    }


def _power(axes: Axes, x: np.ndarray, through: tuple[float, float], exponent: float, label: str) -> None:
    """A thin line y ∝ x^exponent through a point, for the eye."""
    y = through[1] * (x / through[0]) ** exponent
    axes.plot(x, y, color="black", linewidth=0.8, linestyle=":", label=label)


def _energy(rows: pd.DataFrame) -> Picture:
    """The median run's largest deviation of the energy against the step size."""
    figure, axes = plt.subplots(figsize=(COLUMN, 3.2))
    said = []
    for number, (name, mine) in enumerate(rows.groupby("name", sort=False)):
        colour = PALETTE[number % len(PALETTE)]
        styled = (("left", "o-", "not rescaled"), ("restored", "s--", "rescaled"))
        for variant, line, how in styled:
            median = where(mine, variant=variant).groupby("lr")["deviation"].median()
            label = f"{words(str(name))}, {how}"
            axes.plot(median.index, median, line, color=colour, label=label)
            said.append(f"{label} {median.max():.0e}")
        largest = where(mine, variant="left").groupby("lr")["deviation"].max()
        axes.plot(largest.index, largest, color=colour, linewidth=0.6, alpha=0.6)
    left = where(rows, variant="left").groupby("lr")["deviation"].median()
    _power(axes, left.index.to_numpy(), (left.index[-1], 3 * left.iloc[-1]), 1.0, "∝ Δt")
    axes.set(xlabel="step size Δt", ylabel="largest |H/E − 1|")
    logarithmic(axes, "x", "y")
    legend_below(figure, axes)
    caption = (
        "How far the energy of BBI without bounces strays, against the step size: the largest deviation in "
        "a run, without the rescaling of the momentum and with it. Points: the median run; thin lines: the "
        "largest of all runs without it. The largest of all runs with it is in the claim beside."
    )
    alt = (
        "Without the rescaling the lines rise in proportion to Δt; with it they lie flat. Largest median: "
        f"{'; '.join(said)}."
    )
    return Picture(figure, caption, alt)


def _family(curves: pd.DataFrame, ends: pd.DataFrame, cfg: Config) -> Picture:
    """Speed against potential, potential against step of the first run of every law, and all runs' ends."""
    figure, (left, right, last) = plt.subplots(1, 3, figsize=(PAGE, 2.9), width_ratios=(1, 1, 0.6))
    said = []
    for number, (name, look) in enumerate(styles(cfg.family.laws).items()):
        law, curve = cfg.family.laws[name], where(curves, name=name)
        end = where(ends, name=name)["last"]
        marks = {"color": law.color, "marker": law.marker, "linestyle": "", "markersize": 2.5}
        left.plot(curve["v"].iloc[::8], curve["stride2"].iloc[::8], alpha=0.7, **marks)
        right.plot(curve["step"], curve["v"] / curve["v"].iloc[:1].max(), label=law.label, **look)
        last.plot(np.full(len(end), number), end, **marks)
        said.append(f"{law.label} {end.median():.0e}")
    ends_of_v, v = curves["v"].agg(["min", "max"]).to_numpy(), curves["v"].max()
    _power(left, ends_of_v, (v, v), 1.0, "|dΘ/dt|² = V")
    left.set(xlabel="V", ylabel="squared speed", title="speed")
    right.set(xlabel="step", ylabel="V by its first value", title="the first run")
    last.set(xticks=[], xlabel="law", title="ends of all runs")
    logarithmic(left, "x", "y")
    logarithmic(right, "y")
    logarithmic(last, "y")
    low, high = zip(right.get_ylim(), last.get_ylim(), strict=True)
    for axes in (right, last):
        axes.set_ylim(min(low), max(high))
    last.set_yticklabels([])
    legend_below(figure, (left, right), ncols=6)
    caption = (
        f"The laws of the family in a bowl, n = {len(cfg.family.m)}, Δt = {cfg.family.lr:g}. Left: squared "
        "speed against V, with the speed limit. Middle: V of the first run, by its first value. Right: the "
        f"same at the end of all {cfg.family.runs} runs of each law, after {cfg.family.steps:,} steps."
    )
    alt = (
        "All points lie along the line of the speed limit, except plain momentum's. V at the end by its "
        f"first value, medians: {'; '.join(said)}."
    )
    return Picture(figure, caption, alt)


def _ends(rest: pd.DataFrame, crossed: pd.DataFrame, cfg: Config) -> Picture:
    """How far each run still moves at its end, and by how much V = 0 is overshot."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 3.2))
    for name, look in styles(cfg.stall.competitors).items():
        span = np.sort(rest.loc[rest["name"] == name, "span"].dropna().clip(lower=1e-17))
        left.plot(np.arange(1, len(span) + 1), span, label=cfg.stall.competitors[name].label, **look)
    left.set(xlabel="runs on Ackley, sorted", ylabel="span of the last tenth", title="who comes to rest")
    logarithmic(left, "y")
    left.legend(loc="center left", bbox_to_anchor=(0.02, 0.6))
    by_step = crossed.dropna(subset="overshoot").groupby("lr")
    for number, which in enumerate(("largest", "median")):
        for label, line, column in (
            (f"overshoot, {which}", "o-", "overshoot"),
            (f"¾|∇F|²Δt², {which}", ":", "second_order"),
            (f"first order, {which}", "--", "bound"),
        ):
            points = by_step[column].max() if which == "largest" else by_step[column].median()
            right.plot(points.index, points, line, markersize=4, color=PALETTE[number], label=label)
    right.set(xlabel="step size Δt", ylabel="overshoot below V = 0", title="V = 0 is overshot")
    logarithmic(right, "x", "y")
    decades(right, "x")
    legend_below(figure, right, ncols=3)
    caption = (
        "Left: how far the last tenth of each run on Ackley's function spans, sorted (0 is drawn as 1e-17). "
        f"Right: by how much {cfg.overshoot.runs} runs in a bowl overshoot V = 0, against the step size, "
        "with a bound of second order and one of first order; the largest of all runs, and the median."
    )
    still = {name: int((mine["span"].dropna() < 1e-6).sum()) for name, mine in rest.groupby("name")}
    said = ", ".join(f"{still.get(name, 0)} of {c.label}" for name, c in cfg.stall.competitors.items())
    alt = (
        f"Left: of {cfg.stall.runs} runs each, these span less than 1e-6 at their end: {said}. Right: the "
        "overshoot falls with the square of the step size, below its bound."
    )
    return Picture(figure, caption, alt)


def _shallow(rows: pd.DataFrame, cfg: Config, exponents: dict[str, float]) -> Picture:
    """Steps to the target against m, with eqs. (7) and (8)."""
    figure, axes = plt.subplots()
    for name, look in styles(cfg.shallow.competitors).items():
        competitor = cfg.shallow.competitors[name]
        mine = where(rows, name=name, status="stopped").sort_values("m")
        axes.plot(mine["m"], mine["steps"], **look | {"markevery": 1}, label=competitor.label)
        if len(mine) and competitor.paper in exponents:
            exponent, end = exponents[competitor.paper], mine.iloc[0]
            law = f"$\\propto m^{{{exponent:g}}}$"
            _power(axes, mine["m"].to_numpy(), (end["m"], end["steps"]), exponent, law)
    axes.set(xlabel="m", ylabel=f"steps until |θ| < {cfg.shallow.target:g}")
    logarithmic(axes, "x", "y")
    decades(axes, "x")
    axes.set_title("a valley V = ½ m² θ²")
    axes.legend()
    slope = ", ".join(f"{name} {value:g}" for name, value in exponents.items())
    caption = (
        "Steps until the target is reached, against m. Dotted: the powers of m of eqs. (7) and (8), through "
        "the point with the smallest m."
    )
    alt = f"Two straight falling lines in logarithmic axes, along the powers that are expected ({slope})."
    return Picture(figure, caption, alt)


def _volumes(rows: pd.DataFrame, cfg: Config) -> Picture:
    """Volume around a minimum against its depth: quadrature, closed form, plain momentum."""
    figure, axes = plt.subplots(figsize=(COLUMN, 3.0))
    for number, (n, mine) in enumerate(rows.groupby("n")):
        colour = PALETTE[number % len(PALETTE)]
        # Divided by the law's own coefficient of log(1/V_I), all dimensions have the same slope.
        unit = sphere(int(n)) ** 2 * cfg.volumes.energy ** (n - 1) * 2 ** (n / 2 - 1)
        axes.plot(mine["v_i"], mine["integral"] / unit, "o", color=colour, markersize=4, label=f"n = {n:.0f}")
        axes.plot(mine["v_i"], mine["closed"] / unit, color=colour, linewidth=1.0)
        plain = mine["plain"] / mine["plain"].iloc[0] * mine["integral"].iloc[0] / unit
        axes.plot(mine["v_i"], plain, ":", color=colour, linewidth=1.0)
    axes.set(xlabel="V at the minimum", ylabel="volume (scaled)", xscale="log")
    axes.set_title("phase-space volume around a minimum")
    legend_below(figure, axes, ncols=3)
    caption = (
        "The volume around a minimum against its V. Points: the integral of eq. (40); lines: the closed form "
        "(46), (47); dotted: plain momentum, eq. (41), scaled to the first point."
    )
    alt = (
        "For every dimension the points lie on a straight line that rises as V falls, by as much each "
        "decade; the dotted lines are flat."
    )
    return Picture(figure, caption, alt)


def _tuned(rows: pd.DataFrame, cfg: Config) -> Picture:
    """Lowest F of every run, sorted, with ΔV fixed and with ΔV lowered on the way."""
    figure, panels = plt.subplots(1, rows["name"].nunique(), figsize=(PAGE, 2.6), squeeze=False)
    said = []
    for axes, (name, mine) in zip(panels[0], rows.groupby("name", sort=False), strict=True):
        for column, label in (("fixed", "ΔV fixed"), ("tuned", "ΔV lowered")):
            axes.plot(np.arange(1, len(mine) + 1), np.sort(mine[column]), label=label)
        level = cfg.tuned.landscapes[name].delta_v
        axes.axhline(level, color="black", linewidth=0.8, linestyle=":", label="ΔV")
        axes.set(xlabel="runs, sorted", ylabel="lowest F", title=words(str(name)))
        logarithmic(axes, "y")
        said.append(f"{words(str(name))} from {mine['fixed'].median():.0e} to {mine['tuned'].median():.0e}")
    legend_below(figure, panels, ncols=3)
    caption = (
        f"The lowest F of {cfg.tuned.runs} runs, sorted, with a ΔV far too high (dotted) that stays fixed, "
        "and that is lowered on the way."
    )
    alt = f"With ΔV fixed, runs end at ΔV. Lowering it takes the median of the lowest F: {'; '.join(said)}."
    return Picture(figure, caption, alt)


def _diffusion(tables: Tables, cfg: Config, key: str) -> Picture:
    """Squared displacement against the steps since, and its local slope, beside diffusion's."""
    plan, phase = cfg.diffusion, cfg.diffusion.phases[key]
    curves = where(tables["curves"], stage="diffusion", variant=key)
    figure, (axes, slopes) = plt.subplots(2, 1, figsize=(COLUMN, 4.2), sharex=True, height_ratios=(2, 1))
    ends, said = {}, []
    for name, look in styles(plan.competitors).items():
        mine, label = where(curves, name=name), plan.competitors[name].label
        for _, run in mine.groupby("run"):
            axes.plot(run["lag"], run["distance2"], color=look["color"], linewidth=0.5, alpha=0.5)
        mean, kappa = mine.groupby("lag")["distance2"].mean(), diffusion_exponents(mine).mean()
        axes.plot(mean.index, mean, **look | {"markevery": 1}, label=f"{label}, κ = {kappa:.2f}")
        local = local_exponents(mine).iloc[1:]
        slopes.plot(local.index, local, **look | {"markevery": 1})
        ends[name] = mean.iloc[-1]
        said.append(f"{label} {mean.iloc[-1]:.2g} (κ = {kappa:.2f}, at the end {local.iloc[-1]:.2f})")
    lags = np.array(phase.lags, dtype=float)
    _power(axes, lags, (lags[0], min(ends.values()) / 30), 1.0, "diffusion, κ = 1")
    slopes.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    axes.set(ylabel="|Θ(t₀ + t) − Θ(t₀)|²")
    slopes.set(xlabel="steps t", ylabel="local κ")
    logarithmic(axes, "x", "y")
    decades(slopes, "x")
    axes.set_title(f"after {phase.epochs} epochs")
    legend_below(figure, axes)
    data = where(tables["runs"], stage="diffusion", variant=key)["data"].iloc[0]
    near, far = min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)
    caption = (
        f"Squared displacement of the weights after {phase.epochs} epochs: {data}, the first "
        f"{phase.images:,} images. Above: points are the mean of {phase.runs} runs, thin lines each run. "
        "Below: the local exponent κ between a lag and the one before. The paper expects BBI to diffuse much "
        f"less than SGD. Here {plan.competitors[far].label} goes further, {ends[far] / ends[near]:.1f} times "
        "as far squared at the end. κ = 1 is diffusion; where κ is well above 1, the weights still drift."
    )
    alt = f"Rising lines, and below them their slopes. At {lags[-1]:.0f} steps: {'; '.join(said)}."
    return Picture(figure, caption, alt)
