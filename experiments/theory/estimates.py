"""What the tables of sections 2 and 3.3 and appendix A say of their claims."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from experiments.competitors import baselines, method
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import UNKNOWN, Estimate, bootstrap, power_law
from experiments.harness.tables import Tables, where
from experiments.landscapes.volumes import sphere
from experiments.theory.config import Config, Diffusion

EXACT = 1e-9  # relative: rounding, and the tolerances of the integrator in continuous time
FAR = 0.1  # F at which a run that rests has stalled "far above zero": ΔV = 1e-4, the next minimum at 2.58
LOW = 1e-6  # of its first V: where a law has optimized
REST = 1e-6  # diagonal of the box, of a landscape 8 across, in which a run that rests spends its last tenth
DRIFT = 1.5  # κ between 1, diffusion, and 2, drift


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of sections 2, 3.3 and appendix A."""
    runs, curves, reduced = tables["runs"], tables["curves"], Reduced(cfg)
    stages = {stage: rows for stage, rows in runs.groupby("stage")}
    return [
        *_energy(stages["energy"], reduced("energy.*")),
        _no_stall(stages["stall"], cfg, reduced("stall.*")),
        *_shallow(stages["shallow"], cfg, reduced("shallow.*")),
        _overshoot(stages["overshoot"], reduced("overshoot.*")),
        *_family(stages["family"], where(curves, stage="family"), cfg, reduced("family.*")),
        _volumes(stages["volumes"], cfg, reduced("volumes.*")),
        *_diffusion(stages["diffusion"], curves, cfg.diffusion, reduced("diffusion.*")),
        *_tuned(stages["tuned"], reduced("tuned.*")),
    ]


def exponent(x: "pd.Series[float]", y: "pd.Series[float]") -> tuple[float, float, float]:
    """k of y ∝ x^k with its interval, from the points where both are above 0; NaN for fewer than three."""
    seen = np.isfinite(y) & (y > 0) & (x > 0)
    return power_law(x[seen], y[seen]) if seen.sum() > 2 else UNKNOWN


def _energy(rows: pd.DataFrame, reduced: str) -> list[Estimate]:
    restored, left, continuous = (where(rows, variant=key) for key in ("restored", "left", "continuous"))
    steps = int(restored["steps"].sum())
    smallest = left[left["lr"] == left.groupby("name")["lr"].transform("min")]
    each = [exponent(run["lr"], run["deviation"])[0] for _, run in left.groupby(["name", "run"])]
    orders = {name: _order(mine, "deviation") for name, mine in left.groupby("name", sort=False)}
    first_order = all(map(_first_order, orders.values()))
    error = {"orders": orders, "first_order": sum(map(_first_order, each)), "each": len(each)}
    excess = restored.groupby(["name", "lr"])["stride"].max().sub(1).reset_index().groupby("name", sort=False)
    powers = {name: exponent(mine["lr"], mine["stride"])[0] for name, mine in excess}
    stride = {"stride": restored["stride"].max(), "excess": powers}
    worst, moved = restored[["deviation", "speed"]].max(skipna=False), continuous["deviation"]
    off = smallest.groupby("name")["deviation"].median().max()
    found = [
        Estimate("energy", worst["deviation"], n=steps, variant="rescaled"),
        Estimate("energy", moved.max(skipna=False), n=len(moved), variant="continuous time"),
        Estimate("energy", off, n=len(smallest), numbers=error, holds=first_order, variant="not rescaled"),
        Estimate("speed-limit", worst["speed"], n=steps, numbers=stride, variant="landscapes, BBI"),
    ]
    return [one._replace(reduced=reduced) for one in found]


def _order(rows: pd.DataFrame, column: str) -> float:
    """Exponent of Δt in the median run's error."""
    median = rows.groupby("lr", as_index=False)[column].median()
    return exponent(median["lr"], median[column])[0]


def _first_order(order: float) -> bool:
    return abs(order - 1) < 0.1


def _no_stall(rows: pd.DataFrame, cfg: Config, reduced: str) -> Estimate:
    """Share of the method's runs that are at rest far above zero; the baseline's have to be, for contrast."""
    counts: dict[str, list[int]] = {"method": [0, 0], "baseline": [0, 0], "other": [0, 0]}
    each = []
    for name, competitor in cfg.stall.competitors.items():
        mine = rows[(rows["name"] == name) & (rows["span"].notna() | (rows["status"] == "converged"))]
        at_rest, n = int(((mine["span"] < REST) & (mine["value"] > FAR)).sum()), len(mine)
        counts[competitor.role][0] += at_rest
        counts[competitor.role][1] += n
        each.append({"label": competitor.label, "at_rest": at_rest, "runs": n, "span": mine["span"].min()})
    (k, n), (others, _) = counts["method"], counts["baseline"]
    share, holds = (k / n, k == 0 < others) if n else (math.nan, None)
    return Estimate("no-stall", share, n=n, numbers={"competitors": each}, holds=holds, reduced=reduced)


def _shallow(rows: pd.DataFrame, cfg: Config, reduced: str) -> list[Estimate]:
    found = []
    for name, competitor in cfg.shallow.competitors.items():
        if competitor.paper:
            mine = where(rows, name=name, status="stopped")
            fit, times = exponent(mine["m"], mine["steps"]), mine[["m", "steps"]].to_dict("records")
            variant = f"{competitor.paper}, {competitor.label}"
            found.append(Estimate("shallow-rate", *fit, len(mine), {"times": times}, variant=variant))
    return [one._replace(reduced=reduced) for one in found]


def _overshoot(rows: pd.DataFrame, reduced: str) -> Estimate:
    crossed = rows.dropna(subset="overshoot")
    ratio = (crossed["overshoot"] / crossed["bound"]).max()
    numbers = {
        "runs": len(rows),
        "order": _order(crossed, "overshoot"),
        "second_order": (crossed["overshoot"] / crossed["second_order"]).max(),
    }
    return Estimate("no-overshoot", ratio, n=len(crossed), numbers=numbers, reduced=reduced)


def _family(rows: pd.DataFrame, curves: pd.DataFrame, cfg: Config, reduced: str) -> list[Estimate]:
    best = rows.groupby("name")["best"].median()
    laws = cfg.family.laws.items()
    contrasts = [{"label": law.label, "best": best[name]} for name, law in laws if law.role == "contrast"]
    found = []
    for name, law in laws:
        if law.role == "contrast":
            continue
        mine, order = where(rows, name=name), _speed_exponent(where(curves, name=name))
        deviation = float(np.max([mine["deviation"].max(skipna=False), mine["continuous"].max()]))
        low = int((mine["best"] < LOW).sum())
        numbers = {
            "order": order,
            "low": low,
            "limit": LOW,
            "above": int((mine["last"] > 1).sum()),
            "median": best[name],
            "highest": mine["best"].max(),
            "contrasts": contrasts,
        }
        holds = deviation <= EXACT and abs(order - 1) < 0.05 and low == len(mine)
        one = Estimate("family", deviation, n=len(mine), numbers=numbers, holds=bool(holds))
        found.append(one._replace(variant=law.label, reduced=reduced))
    return found


def _speed_exponent(curve: pd.DataFrame) -> float:
    """Exponent of V in |ΔΘ|²/Δt² where V has fallen to a hundredth of the highest; NaN if it has not."""
    low = curve[curve["v"] < 0.01 * curve["v"].max()]
    return exponent(low["v"], low["stride2"])[0]


def _volumes(rows: pd.DataFrame, cfg: Config, reduced: str) -> Estimate:
    ratio = rows["closed"] / rows["integral"]
    worst = float(ratio.loc[(ratio - 1).abs().idxmax()])
    slopes = np.array([_log_slope(mine, cfg.volumes.energy) for _, mine in rows.groupby("n")])
    growth = rows.groupby("n")[["integral", "plain"]].agg(lambda column: column.max() / column.min()).max()
    numbers = {
        "slope_low": slopes.min(),
        "slope_high": slopes.max(),
        "shallow": rows["v_i"].max(),
        "deep": rows["v_i"].min(),
        "growth": growth["integral"],
        "plain": growth["plain"],
    }
    holds = bool((np.abs(slopes - 1) < 0.05).all() and growth["plain"] < 1.01)
    edges = (ratio.min(), ratio.max())
    return Estimate("volume-laws", worst, *edges, len(rows), numbers, holds, reduced=reduced)


def _log_slope(rows: pd.DataFrame, energy: float) -> float:
    """Growth of a volume with log(1/V_I) over what eq. (46) gives for V_I → 0, 2^(n/2 - 1) S² E^(n-1)."""
    n = int(rows["n"].iloc[0])
    [low, high] = rows.sort_values("v_i").iloc[:2].itertuples()
    growth = (low.integral - high.integral) / math.log(high.v_i / low.v_i)
    return float(growth / (sphere(n) ** 2 * energy ** (n - 1)) / 2 ** (n / 2 - 1))


def diffusion_exponents(curves: pd.DataFrame, name: str) -> "pd.Series[float]":
    """κ of |Θ(t0 + t) - Θ(t0)|² ∝ t^κ for each run of a competitor."""
    runs = where(curves, stage="diffusion", name=name).groupby("run")
    found = {run: exponent(rows["lag"], rows["distance2"])[0] for run, rows in runs}
    return pd.Series(found, dtype=float)


def _diffusion(runs: pd.DataFrame, curves: pd.DataFrame, plan: Diffusion, reduced: str) -> list[Estimate]:
    """How much further the baseline goes than the method, as a logarithm, run by run; and the exponents.

    Where one of them drifts (κ nearer to 2) rather than diffuses (κ = 1), the number has no interval: it says
    how far they go, but nothing of the claim.
    """
    ours, rival = method(plan.competitors), baselines(plan.competitors)[0]
    furthest = where(curves, stage="diffusion", lag=max(plan.lags))
    distance = furthest.pivot(index="run", columns="name", values="distance2")
    kappas = {name: _centre(diffusion_exponents(curves, name), np.mean) for name in plan.competitors}
    value, low, high, n = _centre(_decades(distance[rival]) - _decades(distance[ours]), np.mean)
    each = [
        {
            "label": plan.competitors[name].label,
            "loss": runs.loc[runs["name"] == name, "loss"].mean(),
            "distance2": distance[name].mean(),
            "kappa": kappas[name][0],
        }
        for name in (rival, ours)
    ]
    drifts = any(one["kappa"] > DRIFT for one in each)
    numbers = {
        "data": runs["data"].iloc[0],
        "images": plan.images,
        "epochs": plan.epochs,
        "lag": max(plan.lags),
        "competitors": each,
        "drifts": drifts,
        "ratio": (value, low, high),
    }
    found = [Estimate("diffusion", value, *(UNKNOWN[1:] if drifts else (low, high)), n, numbers)]
    for name, kappa in kappas.items():
        if paper := plan.competitors[name].paper:
            found.append(Estimate(f"diffusion-kappa-{paper}", *kappa))
    return [one._replace(reduced=reduced) for one in found]


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
        numbers = mine[["fixed", "tuned", "delta_v"]].median().to_dict()
        centre = _centre(gap, np.median)
        found.append(Estimate("delta-v-tuning", *centre, numbers, variant=str(name), reduced=reduced))
    return found
