"""What the tables of sections 2 and 3.3 and appendix A say of their claims."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from experiments.competitors import baselines, method
from experiments.harness.claims import thresholds
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import UNKNOWN, Estimate, of_mean, of_median, power_law
from experiments.harness.tables import Tables, where
from experiments.landscapes.volumes import sphere
from experiments.theory.config import Config, Diffusion, Phase


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
        *_diffusion(stages["diffusion"], where(curves, stage="diffusion"), cfg, reduced),
        *_tuned(stages["tuned"], cfg, reduced("tuned.*")),
    ]


def exponent(x: "pd.Series[float]", y: "pd.Series[float]", fewest: int = 3) -> float:
    """k of y ∝ x^k from the points where both are above 0; NaN for fewer than ``fewest``."""
    seen = np.isfinite(y) & (y > 0) & (x > 0)
    return power_law(x[seen], y[seen]) if seen.sum() >= fewest else math.nan


def _energy(rows: pd.DataFrame, reduced: str) -> list[Estimate]:
    restored, left, continuous = (where(rows, variant=key) for key in ("restored", "left", "continuous"))
    steps = int(restored["steps"].sum())
    smallest = left[left["lr"] == left.groupby("name")["lr"].transform("min")]
    each = [exponent(run["lr"], run["deviation"]) for _, run in left.groupby(["name", "run"])]
    orders = {name: _order(mine, "deviation") for name, mine in left.groupby("name", sort=False)}
    error = {
        "orders": orders,
        "order_low": np.min(list(orders.values())),
        "order_high": np.max(list(orders.values())),
        "each_low": np.min(each),
        "each_high": np.max(each),
        "worst": smallest["deviation"].max(),
    }
    excess = restored.groupby(["name", "lr"])["stride"].max().sub(1).reset_index().groupby("name", sort=False)
    worst, moved = restored[["deviation", "speed", "stride"]].max(skipna=False), continuous["deviation"]
    stride = {"excess": [_excess(*one) for one in excess], "speed": worst["speed"], "share": 1.0}
    off = smallest.groupby("name")["deviation"].median().max()
    found = [
        Estimate("energy", worst["deviation"], n=steps, variant="rescaled"),
        Estimate("energy", moved.max(skipna=False), n=len(moved), variant="continuous time"),
        Estimate("energy", off, n=len(smallest), numbers=error, variant="not rescaled"),
        Estimate("speed-limit", worst["stride"], n=steps, numbers=stride, variant="landscapes, BBI"),
    ]
    return [one._replace(reduced=reduced) for one in found]


def _order(rows: pd.DataFrame, column: str) -> float:
    """Exponent of Δt in the median run's error."""
    median = rows.groupby("lr", as_index=False)[column].median()
    return exponent(median["lr"], median[column])


def _excess(name: object, rows: pd.DataFrame) -> dict[str, Any]:
    """How far |ΔΘ|²/(Δt² V) exceeds 1 at the largest and the smallest step, and the power of Δt between."""
    finest, *_, coarsest = rows.sort_values("lr").itertuples()
    ends = {"largest": coarsest.stride, "lr": coarsest.lr, "smallest": finest.stride, "finest": finest.lr}
    return {"name": name, **ends, "order": exponent(rows["lr"], rows["stride"])}


def _no_stall(rows: pd.DataFrame, cfg: Config, reduced: str) -> Estimate:
    """Share of the method's runs that are at rest far above zero; the baseline's have to be, for contrast."""
    limits = thresholds("no-stall")
    counts: dict[str, list[int]] = {"method": [0, 0], "baseline": [0, 0], "other": [0, 0]}
    each = []
    for name, competitor in cfg.stall.competitors.items():
        mine = rows[(rows["name"] == name) & (rows["span"].notna() | (rows["status"] == "converged"))]
        at_rest, n = int(((mine["span"] < limits["rest"]) & (mine["value"] > limits["far"])).sum()), len(mine)
        counts[competitor.role][0] += at_rest
        counts[competitor.role][1] += n
        each.append({"label": competitor.label, "at_rest": at_rest, "runs": n, "span": mine["span"].min()})
    (k, n), (others, _) = counts["method"], counts["baseline"]
    numbers = {"competitors": each, "baselines_at_rest": others}
    return Estimate("no-stall", k / n if n else math.nan, n=n, numbers=numbers, reduced=reduced)


def _shallow(rows: pd.DataFrame, cfg: Config, reduced: str) -> Iterator[Estimate]:
    for name, competitor in cfg.shallow.competitors.items():
        if competitor.paper:
            mine = where(rows, name=name, status="stopped")
            fit, parts = exponent(mine["m"], mine["steps"]), mine.sort_values("m").rolling(2)
            local = [exponent(two["m"], two["steps"], 2) for two in parts][1:] or [math.nan]
            numbers = {
                "times": mine[["m", "steps"]].to_dict("records"),
                "local_low": min(local),
                "local_high": max(local),
            }
            one = Estimate("shallow-rate", fit, fit, fit, len(mine), numbers, reduced=reduced)
            yield one._replace(variant=f"{competitor.paper}, {competitor.label}")


def _overshoot(rows: pd.DataFrame, reduced: str) -> Estimate:
    crossed = rows.dropna(subset="overshoot")
    ratio = (crossed["overshoot"] / crossed["bound"]).max()
    numbers = {
        "runs": len(rows),
        "order": _order(crossed, "overshoot"),
        "second_order": (crossed["overshoot"] / crossed["second_order"]).max(),
    }
    return Estimate("no-overshoot", ratio, n=len(crossed), numbers=numbers, reduced=reduced)


def _family(rows: pd.DataFrame, curves: pd.DataFrame, cfg: Config, reduced: str) -> Iterator[Estimate]:
    best, limits = rows.groupby("name")["best"].median(), thresholds("family")
    laws = cfg.family.laws.items()
    contrasts = [{"label": law.label, "best": best[name]} for name, law in laws if law.role == "contrast"]
    for name, law in laws:
        if law.role == "contrast":
            continue
        mine, order = where(rows, name=name), _speed_exponent(where(curves, name=name), limits["slow"])
        deviation = float(np.max([mine["deviation"].max(skipna=False), mine["continuous"].max()]))
        low = int((mine["best"] < limits["low"]).sum())
        numbers = {
            "order": order,
            "low": low,
            "low_share": low / len(mine),
            "limit": limits["low"],
            "above": int((mine["last"] > 1).sum()),
            "median": best[name],
            "highest": mine["best"].max(),
            "contrasts": contrasts,
        }
        yield Estimate("family", deviation, n=len(mine), numbers=numbers, variant=law.label, reduced=reduced)


def _speed_exponent(curve: pd.DataFrame, fraction: float) -> float:
    """Exponent of V in |ΔΘ|²/Δt² where V has fallen to a fraction of the highest; NaN if it has not."""
    low = curve[curve["v"] < fraction * curve["v"].max()]
    return exponent(low["v"], low["stride2"])


def _volumes(rows: pd.DataFrame, cfg: Config, reduced: str) -> Estimate:
    worst = float((rows["closed"] / rows["integral"] - 1).abs().max(skipna=False))
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
    return Estimate("volume-laws", worst, n=len(rows), numbers=numbers, reduced=reduced)


def _log_slope(rows: pd.DataFrame, energy: float) -> float:
    """Growth of a volume with log(1/V_I) over what eq. (46) gives for V_I → 0, 2^(n/2 - 1) S² E^(n-1)."""
    n = int(rows["n"].iloc[0])
    [low, high] = rows.sort_values("v_i").iloc[:2].itertuples()
    growth = (low.integral - high.integral) / math.log(high.v_i / low.v_i)
    return float(growth / (sphere(n) ** 2 * energy ** (n - 1)) / 2 ** (n / 2 - 1))


def diffusion_exponents(curves: pd.DataFrame) -> "pd.Series[float]":
    """κ of |Θ(t0 + t) - Θ(t0)|² ∝ t^κ for each run of a competitor."""
    found = {run: exponent(rows["lag"], rows["distance2"]) for run, rows in curves.groupby("run")}
    return pd.Series(found, dtype=float)


def local_exponents(curves: pd.DataFrame) -> "pd.Series[float]":
    """κ between each lag and the one before, of the runs' geometric mean; by lag, NaN at the first."""
    decades = _decades(curves["distance2"]).groupby(curves["lag"]).mean()
    return decades.diff() / np.log10(decades.index.to_series()).diff()


def _diffusion(runs: pd.DataFrame, curves: pd.DataFrame, cfg: Config, reduced: Reduced) -> Iterator[Estimate]:
    for key, phase in cfg.diffusion.phases.items():
        answers = _displaced(where(runs, variant=key), where(curves, variant=key), phase, cfg.diffusion)
        scaled = reduced(f"diffusion.phases.{key}.*", "diffusion.batch")
        for one in answers:
            yield one._replace(variant=f"after {phase.epochs} epochs", reduced=scaled)


def _displaced(runs: pd.DataFrame, curves: pd.DataFrame, phase: Phase, plan: Diffusion) -> list[Estimate]:
    """How much further the baseline goes than the method, as a logarithm, run by run; and the exponents."""
    ours, rival = method(plan.competitors), baselines(plan.competitors)[0]
    furthest = where(curves, lag=max(phase.lags))
    distance = furthest.pivot(index="run", columns="name", values="distance2")
    own = {name: where(curves, name=name) for name in plan.competitors}
    kappas = {name: _mean(diffusion_exponents(mine)) for name, mine in own.items()}
    gap = _mean(_decades(distance[rival]) - _decades(distance[ours]))
    each = [
        {
            "label": plan.competitors[name].label,
            "loss": where(runs, name=name)["loss"].mean(),
            "distance2": distance[name].mean(),
            "kappa": kappas[name][0],
            "last": local_exponents(own[name]).iloc[-1],
        }
        for name in (rival, ours)
    ]
    numbers = {
        "data": runs["data"].iloc[0],
        "images": phase.images,
        "lag": max(phase.lags),
        "competitors": each,
    }
    beside = [
        Estimate(f"diffusion-kappa-{plan.competitors[name].paper}", *kappa)
        for name, kappa in kappas.items()
        if plan.competitors[name].paper
    ]
    return [Estimate("diffusion", *gap, numbers), *beside]


def _decades(values: "pd.Series[float]") -> "pd.Series[float]":
    """Logarithms of what is above 0; NaN for all else, as a run that diverged."""
    return np.log10(values.where(values > 0))


def _mean(values: "pd.Series[float]") -> tuple[float, float, float, int]:
    """The mean of the numbers there are, its interval, and how many they are."""
    there = values[np.isfinite(values)].to_numpy()
    return (float(there.mean()), *of_mean(there, seed=0), len(there)) if len(there) else (*UNKNOWN, 0)


def _tuned(rows: pd.DataFrame, cfg: Config, reduced: str) -> Iterator[Estimate]:
    for name, mine in rows.groupby("name", sort=False):
        gap = (_decades(mine["fixed"]) - _decades(mine["tuned"])).dropna()
        lowered = (mine["delta_v"] < cfg.tuned.landscapes[str(name)].delta_v).mean()
        numbers = {**mine[["fixed", "tuned", "delta_v"]].median().to_dict(), "lowered": lowered}
        middle = (gap.median(), *of_median(gap), len(gap))
        yield Estimate("delta-v-tuning", *middle, numbers, variant=str(name), reduced=reduced)
