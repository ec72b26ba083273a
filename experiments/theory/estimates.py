"""What the tables of sections 2 and 3.3 and appendix A say of their claims."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from experiments.harness.statistics import Estimate, bootstrap, power_law
from experiments.harness.store import Tables
from experiments.landscapes.ensemble import UNKNOWN, Reduced
from experiments.landscapes.volumes import sphere

if TYPE_CHECKING:
    from experiments.theory.diffusion import Diffusion
    from experiments.theory.units import Config

EXACT = 1e-9  # relative: rounding, and the tolerances of the integrator in continuous time
LAW_NAMES = {"bi": "BI", "inverse_mass": "1/V mass", "logarithmic": "logarithmic", "separable": "ECDSep"}
FAR = 0.1  # F at which a run that rests has stalled "far above zero": ΔV = 1e-4, the next minimum at 2.58
LOW = 1e-6  # of its first V: where a law has optimized
REST = 1e-6  # diagonal of the box, of a landscape 8 across, in which a run that rests spends its last tenth


def claims(tables: Tables, cfg: "Config") -> list[Estimate]:
    """Answers to the claims of sections 2, 3.3 and appendix A."""
    runs, curves, reduced = tables["runs"], tables["curves"], Reduced(cfg)
    stages = {stage: rows for stage, rows in runs.groupby("stage")}
    return [
        *_energy(stages["energy"], reduced("energy.*")),
        _no_stall(stages["stall"], cfg, reduced("stall.*")),
        *_shallow(stages["shallow"], cfg, reduced("shallow.*")),
        _overshoot(stages["overshoot"], reduced("overshoot.*")),
        *_family(stages["family"], curves[curves["stage"] == "family"], reduced("family.*")),
        _volumes(stages["volumes"], cfg, reduced("volumes.*")),
        *_diffusion(stages["diffusion"], curves, cfg.diffusion, reduced("diffusion.*")),
        *_tuned(stages["tuned"], reduced("tuned.*")),
    ]


def exponent(x: "pd.Series[float]", y: "pd.Series[float]") -> tuple[float, float, float]:
    """k of y ∝ x^k with its interval, from the points where both are above 0; NaN for fewer than three."""
    seen = np.isfinite(y) & (y > 0) & (x > 0)
    return power_law(x[seen], y[seen]) if seen.sum() > 2 else UNKNOWN


def order_of_error(rows: pd.DataFrame) -> tuple[float, float, float]:
    """Exponent of Δt, with its interval, in the median run's largest deviation of the energy."""
    median = rows.groupby("lr", as_index=False)["deviation"].median()
    return exponent(median["lr"], median["deviation"])


def _energy(rows: pd.DataFrame, reduced: str) -> list[Estimate]:
    restored, left = (rows[rows["reading"] == reading] for reading in ("restored", "left"))
    continuous = rows[rows["reading"] == "continuous"]
    orders = {name: order_of_error(mine)[0] for name, mine in left.groupby("name", sort=False)}
    words = ", ".join(f"{name} {order:.3f}" for name, order in orders.items())
    first_order = all(abs(order - 1) < 0.1 for order in orders.values())
    each = [exponent(run["lr"], run["deviation"])[0] for _, run in left.groupby(["name", "run"])]
    as_it = f"{sum(abs(order - 1) < 0.1 for order in each)} of {len(each)} runs within 0.1 of 1"
    excess = restored.groupby(["name", "lr"])["stride"].max().sub(1).reset_index()
    beyond = [
        f"{name} {exponent(m['lr'], m['stride'])[0]:.2f}" for name, m in excess.groupby("name", sort=False)
    ]
    stride = (
        f"by the law's velocity; {restored['stride'].max():.3g} with the displacement of a step, whose "
        f"excess over 1 goes as a power of Δt: {', '.join(beyond)}"
    )
    steps = int(restored["steps"].sum())
    smallest = left[left["lr"] == left.groupby("name")["lr"].transform("min")]
    return [
        Estimate(
            "energy", restored["deviation"].max(skipna=False), *UNKNOWN[1:], steps,
            "at every step of all runs; |Π|² is put right where it is out by more than ε1 = 1e-10",
            variant="rescaled", reduced=reduced,
        ),
        Estimate(
            "energy", continuous["deviation"].max(skipna=False), *UNKNOWN[1:], len(continuous),
            "Hamilton's equations by an integrator of order 8, relative tolerance 1e-12",
            variant="continuous time", reduced=reduced,
        ),
        Estimate(
            "energy", smallest.groupby("name")["deviation"].median().max(), *UNKNOWN[1:], len(smallest),
            f"median run, smallest step; exponent of the step size: {words}; {as_it}", first_order,
            variant="not rescaled", reduced=reduced,
        ),
        Estimate(
            "speed-limit", restored["speed"].max(skipna=False), *UNKNOWN[1:], steps, stride,
            variant="landscapes, BBI", reduced=reduced,
        ),
    ]  # fmt: skip


def stalled(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which runs are at rest far above zero."""
    return (rows["span"] < REST) & (rows["value"] > FAR)


def _no_stall(rows: pd.DataFrame, cfg: "Config", reduced: str) -> Estimate:
    counts, words = {"bbi": [0, 0], "gdm": [0, 0]}, []
    for name, contender in cfg.stall.contenders.items():
        mine = rows[(rows["name"] == name) & (rows["span"].notna() | (rows["status"] == "converged"))]
        k, n, least = int(stalled(mine).sum()), len(mine), mine["span"].min()
        counts[contender.optimizer] = [
            a + b for a, b in zip(counts[contender.optimizer], (k, n), strict=True)
        ]
        words.append(f"{contender.label}: {k} of {n} runs at rest, least span of the last tenth {least:.2g}")
    (k, n), (others, _) = counts["bbi"], counts["gdm"]
    share, holds = (k / n, k == 0 < others) if n else (math.nan, None)
    return Estimate("no-stall", share, *UNKNOWN[1:], n, "; ".join(words), holds, reduced=reduced)


def _shallow(rows: pd.DataFrame, cfg: "Config", reduced: str) -> list[Estimate]:
    found = []
    for name, contender in cfg.shallow.contenders.items():
        mine = rows[(rows["name"] == name) & (rows["status"] == "stopped")]
        fit = exponent(mine["m"], mine["steps"])
        steps = ", ".join(f"{row.steps:,.0f} at m = {row.m:.3g}" for row in mine.itertuples())
        variant = f"{'bi' if contender.optimizer == 'bbi' else 'friction'}, {contender.label}"
        found.append(
            Estimate("shallow-rate", *fit, len(mine), f"steps: {steps}", variant=variant, reduced=reduced)
        )
    return found


def _overshoot(rows: pd.DataFrame, reduced: str) -> Estimate:
    crossed = rows.dropna(subset="overshoot")
    median = crossed.groupby("lr", as_index=False)["overshoot"].median()
    order = exponent(median["lr"], median["overshoot"])[0]
    second = (crossed["overshoot"] / crossed["second_order"]).max()
    note = (
        f"{len(crossed)} of {len(rows)} runs crossed V = 0; by a median that goes as Δt^{order:.2f}, and by "
        f"{second:.3f} of ¾|∇F|²Δt² at the most"
    )
    ratio = (crossed["overshoot"] / crossed["bound"]).max()
    return Estimate("no-overshoot", ratio, *UNKNOWN[1:], len(crossed), note, reduced=reduced)


def speed_exponent(curve: pd.DataFrame) -> float:
    """Exponent of V in |ΔΘ|²/Δt² where V has fallen to a hundredth of the highest; NaN if it has not."""
    low = curve[curve["v"] < 0.01 * curve["v"].max()]
    return exponent(low["v"], low["stride2"])[0]


def _family(rows: pd.DataFrame, curves: pd.DataFrame, reduced: str) -> list[Estimate]:
    plain = rows.loc[rows["name"] == "frictionless", "best"].median()
    found = []
    for name, label in LAW_NAMES.items():
        mine, order = rows[rows["name"] == name], speed_exponent(curves[curves["name"] == name])
        deviation = float(np.max([mine["deviation"].max(skipna=False), mine["continuous"].max()]))
        low = int((mine["best"] < LOW).sum())
        note = (
            f"|ΔΘ|²/Δt² goes as V^{order:.3f}; {low} of {len(mine)} runs come below {LOW:g} of their first "
            f"V, {int((mine['last'] > 1).sum())} end above it; lowest V of the first one: "
            f"{mine['best'].median():.2g} (median run), {mine['best'].max():.2g} (highest), "
            f"{plain:.2g} for plain momentum (41)"
        )
        holds = deviation <= EXACT and abs(order - 1) < 0.05 and low == len(mine)
        found.append(
            Estimate(
                "family", deviation, *UNKNOWN[1:], len(mine), note, bool(holds),
                variant=label, reduced=reduced,
            )
        )  # fmt: skip
    return found


def log_slope(rows: pd.DataFrame, energy: float) -> float:
    """Growth of a volume with log(1/V_I) over what eq. (46) gives for V_I → 0, 2^(n/2 - 1) S² E^(n-1)."""
    n = int(rows["n"].iloc[0])
    [low, high] = rows.sort_values("v_i").iloc[:2].itertuples()
    growth = (low.integral - high.integral) / math.log(high.v_i / low.v_i)
    return float(growth / (sphere(n) ** 2 * energy ** (n - 1)) / 2 ** (n / 2 - 1))


def _volumes(rows: pd.DataFrame, cfg: "Config", reduced: str) -> Estimate:
    ratio = rows["closed"] / rows["integral"]
    worst = float(ratio.loc[(ratio - 1).abs().idxmax()])
    slopes = np.array([log_slope(mine, cfg.volumes.energy) for _, mine in rows.groupby("n")])
    plain = float(rows.groupby("n")["plain"].agg(lambda column: column.max() / column.min()).max())
    growth = float(rows.groupby("n")["integral"].agg(lambda column: column.max() / column.min()).max())
    note = (
        f"growth by log(1/V_I) over its law: {slopes.min():.4f} to {slopes.max():.4f}; from V_I = "
        f"{rows['v_i'].max():g} to {rows['v_i'].min():g} BI's volume grows up to {growth:.2f}-fold, "
        f"plain momentum's {plain:.5f}-fold"
    )
    holds = bool((np.abs(slopes - 1) < 0.05).all() and plain < 1.01)
    return Estimate("volume-laws", worst, ratio.min(), ratio.max(), len(rows), note, holds, reduced=reduced)


def diffusion_exponents(curves: pd.DataFrame, name: str) -> "pd.Series[float]":
    """κ of |Θ(t0 + t) - Θ(t0)|² ∝ t^κ for each run of a contender."""
    mine = curves[(curves["stage"] == "diffusion") & (curves["name"] == name)]
    return pd.Series(
        {run: exponent(rows["lag"], rows["distance2"])[0] for run, rows in mine.groupby("run")}, dtype=float
    )


def _diffusion(runs: pd.DataFrame, curves: pd.DataFrame, plan: "Diffusion", reduced: str) -> list[Estimate]:
    """How much further SGD goes than BBI, as a logarithm, run by run; and the exponents beside it.

    Where one of them drifts (κ nearer to 2) rather than diffuses (κ = 1), the number has no interval: it says
    how far they go, but nothing of the claim.
    """
    names = {contender.optimizer: name for name, contender in plan.contenders.items()}
    bbi, sgd = names["bbi"], names["sgd"]
    loss = runs.groupby("name")["loss"].mean()
    furthest = curves[(curves["stage"] == "diffusion") & (curves["lag"] == max(plan.lags))]
    distance = furthest.pivot(index="run", columns="name", values="distance2")
    note = (
        f"{runs['data'].iloc[0]}, the first {plan.images:,}, after {plan.epochs} epochs; "
        f"loss {loss[sgd]:.2g} (SGD), {loss[bbi]:.2g} (BBI); squared displacement in {max(plan.lags)} steps "
        f"{distance[sgd].mean():.2g} and {distance[bbi].mean():.2g}"
    )
    value, low, high, n = _centre(_decades(distance[sgd]) - _decades(distance[bbi]), np.mean)
    kappas = {
        optimizer: _centre(diffusion_exponents(curves, name), np.mean)
        for optimizer, name in (("sgd", sgd), ("bbi", bbi))
    }
    if any(kappa[0] > 1.5 for kappa in kappas.values()):
        note += (
            f"; log10 of their ratio {value:.3g} [{low:.3g}, {high:.3g}], but both have to diffuse before it "
            f"answers the claim: κ = {kappas['sgd'][0]:.2f} and {kappas['bbi'][0]:.2f}, where 2 is drift"
        )
        low = high = math.nan
    others = (Estimate(f"diffusion-kappa-{key}", *kappa, reduced=reduced) for key, kappa in kappas.items())
    return [Estimate("diffusion", value, low, high, n, note, reduced=reduced), *others]


def _decades(values: "pd.Series[float]") -> "pd.Series[float]":
    """Logarithms of what is above 0; NaN for all else, as a run that diverged."""
    return np.log10(values.where(values > 0))


def _centre(values: "pd.Series[float]", statistic: Callable[..., Any]) -> tuple[float, float, float, int]:
    """A mean or median of the numbers there are, its bootstrap interval, and how many they are."""
    there = values[np.isfinite(values)].to_numpy()
    if not len(there):
        return *UNKNOWN, 0
    return float(statistic(there)), *bootstrap(there, statistic, seed=0), len(there)


def _tuned(rows: pd.DataFrame, reduced: str) -> list[Estimate]:
    found = []
    for name, mine in rows.groupby("name", sort=False):
        gap = _decades(mine["fixed"]) - _decades(mine["tuned"])
        note = (
            f"lowest F, median: {mine['fixed'].median():.3g} with ΔV fixed, {mine['tuned'].median():.3g} "
            f"with ΔV lowered, to {mine['delta_v'].median():.3g}"
        )
        centre = _centre(gap, np.median)
        found.append(Estimate("delta-v-tuning", *centre, note, variant=str(name), reduced=reduced))
    return found
