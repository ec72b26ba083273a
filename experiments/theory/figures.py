"""The figures of sections 2 and 3.3 and appendix A, drawn from the tables. The paper has none of them."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.harness.plotting import PALETTE, styles
from experiments.harness.tables import Tables, where
from experiments.landscapes.volumes import sphere
from experiments.theory.config import Config
from experiments.theory.estimates import diffusion_exponents


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Figure]:
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
        "diffusion": _diffusion(tables, cfg),
    }


def _power(axes: Axes, x: np.ndarray, through: tuple[float, float], exponent: float, label: str) -> None:
    """A thin line y ∝ x^exponent through a point, for the eye."""
    y = through[1] * (x / through[0]) ** exponent
    axes.plot(x, y, color="black", linewidth=0.8, linestyle=":", label=label)


def _log(axes: Axes, *sides: str) -> None:
    """Logarithmic axes (``x``, ``y``), where there is something above 0 to show."""
    for side in sides:
        shown = [np.asarray(line.get_data()[side == "y"], dtype=float) for line in axes.lines]
        if any((np.isfinite(values) & (values > 0)).any() for values in shown):
            axes.set(**{f"{side}scale": "log"})


def _energy(rows: pd.DataFrame) -> Figure:
    """The median run's largest deviation of the energy against the step size."""
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    for number, (name, mine) in enumerate(rows.groupby("name", sort=False)):
        colour = PALETTE[number % len(PALETTE)]
        styled = (("left", "o-", "left to the integrator"), ("restored", "s--", "restored"))
        for variant, line, words in styled:
            median = where(mine, variant=variant).groupby("lr")["deviation"].median()
            axes.plot(median.index, median, line, color=colour, markersize=4, label=f"{name}, {words}")
        largest = where(mine, variant="left").groupby("lr")["deviation"].max()
        axes.plot(largest.index, largest, color=colour, linewidth=0.6, alpha=0.6)
    left = where(rows, variant="left").groupby("lr")["deviation"].median()
    _power(axes, left.index.to_numpy(), (left.index[-1], 3 * left.iloc[-1]), 1.0, "∝ Δt")
    axes.set(xlabel="step size Δt", ylabel="largest |H/E − 1|")
    _log(axes, "x", "y")
    axes.set_title("Energy of BBI without bounces: median run, thin the largest left to the integrator")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _family(curves: pd.DataFrame, ends: pd.DataFrame, cfg: Config) -> Figure:
    """Speed against potential, and potential against step, of the first run of every law; all runs' ends."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2))
    for number, (name, law) in enumerate(cfg.family.laws.items(), 1):
        curve, last = where(curves, name=name), where(ends, name=name)["last"]
        look = {"color": law.color, "label": law.label}
        left.plot(curve["v"], curve["stride2"], ".", markersize=3, **look)
        right.plot(curve["step"], curve["v"] / curve["v"].iloc[:1].max(), linewidth=1.0, **look)
        beside = np.full(len(last), cfg.family.steps * (1 + 0.03 * number))
        right.plot(beside, last, ".", markersize=4, color=law.color)
    ends_of_v, v = curves["v"].agg(["min", "max"]).to_numpy(), curves["v"].max()
    _power(left, ends_of_v, (v, v), 1.0, "the speed limit, $|\\dot\\Theta|^2 = V$")
    left.set(xlabel="V", ylabel=r"$|\Delta\Theta|^2/\Delta t^2$")
    right.set(xlabel="step (dots: the ends of all runs)", ylabel="V by its first value")
    _log(left, "x", "y")
    _log(right, "y")
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    left.legend(handles=[left.lines[-1]], loc="lower right")
    bowl = f"The family in a bowl, n = {len(cfg.family.m)}, Δt = {cfg.family.lr:g}"
    figure.suptitle(f"{bowl}: the first of {cfg.family.runs} runs of each law")
    return figure


def _ends(rest: pd.DataFrame, crossed: pd.DataFrame, cfg: Config) -> Figure:
    """How far each run still moves at its end, and by how much V = 0 is overshot."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12.4, 4.2))
    for name, look in styles(cfg.stall.competitors).items():
        span = np.sort(rest.loc[rest["name"] == name, "span"].dropna().clip(lower=1e-17))
        left.plot(np.arange(1, len(span) + 1), span, label=cfg.stall.competitors[name].label, **look)
    left.set(xlabel="runs on Ackley's function, sorted", ylabel="span of the last tenth (0 as 1e-17)")
    _log(left, "y")
    left.legend()
    by_step = crossed.dropna(subset="overshoot").groupby("lr")
    for number, which in enumerate(("largest", "median")):
        for words, line, column in (
            (f"overshoot, {which}", "o-", "overshoot"),
            (f"its bound ¾|∇F|²Δt², {which}", ":", "second_order"),
            (f"a bound of first order, {which}", "--", "bound"),
        ):
            points = by_step[column].max() if which == "largest" else by_step[column].median()
            right.plot(points.index, points, line, markersize=4, color=PALETTE[number], label=words)
    right.set(xlabel="step size Δt", ylabel="overshoot below V = 0")
    _log(right, "x", "y")
    right.xaxis.set_minor_formatter(NullFormatter())  # they would overlap
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _shallow(rows: pd.DataFrame, cfg: Config, exponents: dict[str, float]) -> Figure:
    """Steps to the target against m, with eqs. (7) and (8)."""
    figure, axes = plt.subplots()
    for name, look in styles(cfg.shallow.competitors).items():
        competitor = cfg.shallow.competitors[name]
        mine = where(rows, name=name, status="stopped").sort_values("m")
        axes.plot(mine["m"], mine["steps"], **look | {"markevery": 1}, label=competitor.label)
        if len(mine) and competitor.paper in exponents:
            exponent, end = exponents[competitor.paper], mine.iloc[-1]
            law = f"$\\propto m^{{{exponent:g}}}$"
            _power(axes, mine["m"].to_numpy(), (end["m"], end["steps"]), exponent, law)
    axes.set(xlabel="m", ylabel=f"steps until |θ| < {cfg.shallow.target:g}")
    _log(axes, "x", "y")
    axes.xaxis.set_minor_formatter(NullFormatter())  # they would overlap
    axes.set_title("A valley V = ½ m² θ²")
    axes.legend()
    return figure


def _volumes(rows: pd.DataFrame, cfg: Config) -> Figure:
    """Volume around a minimum against its depth: quadrature, closed form, plain momentum."""
    figure, axes = plt.subplots(figsize=(8.0, 4.2))
    for number, (n, mine) in enumerate(rows.groupby("n")):
        colour = PALETTE[number % len(PALETTE)]
        # Divided by the law's own coefficient of log(1/V_I), all dimensions have the same slope.
        unit = sphere(int(n)) ** 2 * cfg.volumes.energy ** (n - 1) * 2 ** (n / 2 - 1)
        axes.plot(mine["v_i"], mine["integral"] / unit, "o", color=colour, markersize=4, label=f"n = {n:.0f}")
        axes.plot(mine["v_i"], mine["closed"] / unit, color=colour, linewidth=1.0)
        plain = mine["plain"] / mine["plain"].iloc[0] * mine["integral"].iloc[0] / unit
        axes.plot(mine["v_i"], plain, ":", color=colour, linewidth=1.0)
    axes.set(xlabel="V at the minimum", ylabel="volume / $2^{n/2-1}S^2E^{n-1}$", xscale="log")
    axes.set_title("Phase-space volume: points (40), lines (46), dotted plain momentum (41), scaled")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _tuned(rows: pd.DataFrame, cfg: Config) -> Figure:
    """Lowest F of every run, sorted, with ΔV fixed and with ΔV lowered on the way."""
    figure, panels = plt.subplots(1, rows["name"].nunique(), figsize=(9.6, 4.0), squeeze=False)
    for axes, (name, mine) in zip(panels[0], rows.groupby("name", sort=False), strict=True):
        for column, label in (("fixed", "ΔV fixed"), ("tuned", "ΔV lowered")):
            axes.plot(np.arange(1, len(mine) + 1), np.sort(mine[column]), label=label)
        level = cfg.tuned.landscapes[name].delta_v
        axes.axhline(level, color="black", linewidth=0.8, linestyle=":", label="ΔV")
        axes.set(xlabel="runs, sorted", ylabel="lowest F", title=name)
        _log(axes, "y")
    panels[0][-1].legend()
    return figure


def _diffusion(tables: Tables, cfg: Config) -> Figure:
    """Squared displacement against the steps since, every run and the mean."""
    figure, axes = plt.subplots()
    curves, plan = tables["curves"], cfg.diffusion
    for name, look in styles(plan.competitors).items():
        mine = where(curves, stage="diffusion", name=name)
        for _, run in mine.groupby("run"):
            axes.plot(run["lag"], run["distance2"], color=look["color"], linewidth=0.6, alpha=0.5)
        mean, kappa = mine.groupby("lag")["distance2"].mean(), diffusion_exponents(curves, name).mean()
        axes.plot(mean.index, mean, **look, label=f"{plan.competitors[name].label}, κ = {kappa:.2f}")
    axes.set(xlabel="steps", ylabel="|Θ(t₀ + t) − Θ(t₀)|²")
    _log(axes, "x", "y")
    data = tables["runs"].query("stage == 'diffusion'")["data"].iloc[0]
    axes.set_title(f"{data}, the first {plan.images:,}, after {plan.epochs} epochs")
    axes.legend()
    return figure
