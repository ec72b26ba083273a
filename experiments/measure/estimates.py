"""What the tables say of the volume law, and of the time to pass a barrier."""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bbi.laws import BornInfeld
from experiments.competitors import Competitor, baselines, method
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import LEVEL, UNKNOWN, Estimate
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.volumes import basin_closed
from experiments.measure.config import Config
from experiments.measure.units import wells

RESAMPLES = 999
"""Bootstrap samples of the runs at each barrier."""


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the questions beyond the paper."""
    names = [f"in_{i + 1}" for i in range(len(cfg.occupation.bottoms))]
    runs = table_of(
        tables, "runs", "stage", "name", "dimension", "energy", "barrier", "steps", "crossed", *names
    )
    reduced = Reduced(cfg)
    found = list[Estimate]()
    for n, energy, name in product(dimensions(cfg), cfg.occupation.energies, cfg.occupation.competitors):
        mine = where(runs, stage="occupation", dimension=n, energy=energy, name=name)[names]
        found += _occupation(mine.to_numpy(), cfg, n, energy, name, reduced)
    found += _entries(counted(tables), cfg, reduced)
    return [*found, *_escape(where(runs, stage="escape"), cfg, reduced)]


def counted(tables: Tables) -> pd.DataFrame:
    """First entries, ``first_1`` and ``first_2`` of ``runs``, by name, lr, t0 and n_bounces."""
    labels, sums = ["name", "lr", "t0", "n_bounces"], ["first_1", "first_2", "runs"]
    rows = where(table_of(tables, "runs", "stage", *labels, *sums), stage="entries")
    return rows.groupby(labels, sort=False)[sums].sum().reset_index()


def _entries(rows: pd.DataFrame, cfg: Config, reduced: Reduced) -> Iterator[Estimate]:
    """Log of the ratio of first entries with a smaller Δt, another T0 or N_b over that with the paper's."""
    plan = cfg.entries
    lr, t0, n_bounces = plan.settings()[0]
    for name, competitor in plan.competitors.items():
        mine = where(rows, name=name)
        base = where(mine, lr=lr, t0=t0, n_bounces=n_bounces)
        size = reduced("entries.start", "entries.steps", f"entries.competitors.{name}.*")
        for row in mine.itertuples():
            changed = {"Δt": (row.lr, lr), "T0": (row.t0, t0), "N_b": (row.n_bounces, n_bounces)}
            words = [f"{key} = {value:g}" for key, (value, usual) in changed.items() if value != usual]
            a, b = (int(base[column].sum()) for column in ("first_1", "first_2"))
            c, d = int(row.first_1), int(row.first_2)
            counts = a, b, c, d
            if not words or not all(counts):
                continue
            gap, error = math.log(c / d) - math.log(a / b), math.sqrt(sum(1 / one for one in counts))
            half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error  # Woolf's interval
            numbers = {"ratio": c / d, "usual": a / b, "first": c, "second": d}
            claim = "measure-entries-step" if words[0].startswith("Δt") else "measure-entries-clocks"
            variant = f"{competitor.label}, {', '.join(words)}"
            interval = (gap, gap - half, gap + half)
            yield Estimate(claim, *interval, int(row.runs), numbers, variant=variant, reduced=size)


def dimensions(cfg: Config) -> list[int]:
    """The numbers of dimensions in which there are wells."""
    return [place.dimension for place in cfg.occupation.places.values()]


def law(cfg: Config, n: int, energy: float) -> np.ndarray:
    """Share of each well in the phase-space volume of all wells, by quadrature of eq. (40)."""
    landscape = wells(cfg.occupation, n)
    volumes = np.array([
        landscape.volume(BornInfeld(), energy, i) for i in range(len(cfg.occupation.bottoms))
    ])  # fmt: skip
    share: np.ndarray = volumes / volumes.sum()
    return share


def shares(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of each well in the time in all wells, and its deviation in each run to first order.

    Args:
        runs: (R, wells), shares of all time.

    Returns:
        The shares (wells,); (R, wells), whose mean is 0 and whose spread is that of a ratio of means.
    """
    total = runs.sum(1, keepdims=True).mean()
    share = runs.mean(0) / total
    return share, (runs - share * runs.sum(1, keepdims=True)) / total


def _occupation(
    runs: np.ndarray, cfg: Config, n: int, energy: float, name: str, reduced: Reduced
) -> Iterator[Estimate]:
    """The well that is furthest from eq. (40), with intervals that hold for all wells at once."""
    plan = cfg.occupation
    variant = f"{plan.competitors[name].label}, n = {n}, E = {energy:g}"
    keys = (f"occupation.{key}" for key in ("bottoms", "steepness", "distance", "radius", "steps", "burn_in"))
    size = reduced(*keys, f"occupation.competitors.{name}.*")
    expected, count = law(cfg, n, energy), len(runs)
    numbers: dict[str, Any] = {"expected": expected.tolist(), "bottoms": plan.bottoms, "steps": plan.steps}
    if count < 2 or np.isnan(runs).any() or not runs.mean(0).all():
        numbers |= {"shares": [math.nan] * len(expected), "half": math.nan, "mixing": math.nan}
        yield Estimate("measure-occupation", *UNKNOWN, count, numbers, variant=variant, reduced=size)
        return
    share, spread = shares(runs)
    off = share / expected - 1
    level = 1 - (1 - LEVEL) / len(off)  # Bonferroni's: the intervals of all wells hold together
    half = stats.t.ppf((1 + level) / 2, count - 1) * spread.std(0, ddof=1) / expected / math.sqrt(count)
    worst = int(np.abs(off).argmax())
    # Of T independent points of a share p the variance is p (1 - p)/T: how many steps make one of them?
    p, steps = runs.mean(0), plan.steps - plan.burn_in
    mixing = steps * runs.var(0, ddof=1) / (p * (1 - p))
    numbers |= {"shares": share.tolist(), "half": float(half.max()), "mixing": float(mixing.max())}
    interval = (float(off[worst]), float(off[worst] - half[worst]), float(off[worst] + half[worst]))
    yield Estimate("measure-occupation", *interval, count, numbers, variant=variant, reduced=size)
    if name == method(plan.competitors):
        yield _logarithm(runs, cfg, n, energy, size)


def _logarithm(runs: np.ndarray, cfg: Config, n: int, energy: float, size: str) -> Estimate:
    """How the share grows with the closed form, eqs. (46) and (47), which is a log(1/V_I).

    The exponent of share times Π m_I against the closed form, minus that of the law's share by quadrature.
    The closed form is that of parabolas and V ≪ E, which the wells are not at their edges.
    """
    landscape, variant = wells(cfg.occupation, n), f"n = {n}, E = {energy:g}"
    frequency = np.array([landscape.frequency(i) for i in range(runs.shape[1])])
    closed = [basin_closed(v, energy, n) for v in cfg.occupation.bottoms]

    def exponent(share: np.ndarray) -> float:
        return float(np.polyfit(np.log(closed), np.log(share * frequency**n), 1)[0])

    mean, count = runs.mean(0), len(runs)
    without = (count * mean - runs) / (count - 1)  # the jackknife: leave out a run
    if (without <= 0).any():
        return Estimate("measure-logarithm", *UNKNOWN, count, variant=variant, reduced=size)
    each = np.array([exponent(one) for one in without])
    error = math.sqrt((count - 1) / count * ((each - each.mean()) ** 2).sum())
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error
    numbers = {"measured": exponent(mean), "expected": exponent(law(cfg, n, energy))}
    off = numbers["measured"] - numbers["expected"]
    interval = (off, off - half, off + half)
    return Estimate("measure-logarithm", *interval, count, numbers, variant=variant, reduced=size)


def medians(runs: pd.DataFrame, name: str) -> pd.Series:
    """Median steps of a competitor by the height of the barrier; infinite where less than half cross."""
    mine = where(runs, name=name)
    steps = mine["steps"].where(mine["crossed"] == 1, np.inf)
    return steps.groupby(mine["barrier"]).median()


def temperature(competitor: Competitor) -> float | None:
    """σ² lr / 2 of gradient descent with noise; None of another optimizer."""
    fixed = competitor.fixed
    return 0.5 * fixed["sigma"] ** 2 * fixed["lr"] if {"sigma", "lr"} <= fixed.keys() else None


def _slopes(runs: pd.DataFrame, name: str, seed: int) -> np.ndarray:
    """Slope of log(median steps) against the barrier, of the runs and then of resampled ones.

    NaN unless three barriers are passed. Of a resampled median that is infinite, the steps made count.
    """
    median = medians(runs, name)
    passed = median.index[np.isfinite(median) & (median > 0)].to_numpy()
    if len(passed) < 3:
        return np.full(1 + RESAMPLES, math.nan)
    random, columns = np.random.default_rng(seed), []
    for barrier in passed:
        steps = where(runs, name=name, barrier=barrier)["steps"].to_numpy()
        again = random.choice(steps, (RESAMPLES, len(steps)))
        columns.append(np.append(median[barrier], np.median(again, axis=1)))
    slopes: np.ndarray = np.polyfit(passed, np.log(np.array(columns)), 1)[0]
    return slopes


def _escape(runs: pd.DataFrame, cfg: Config, reduced: Reduced) -> Iterator[Estimate]:
    """How much faster the noisy baseline's time grows with the barrier than the method's.

    In units of 1/temperature of the baseline, so that Kramers' law gives 1.
    """
    plan = cfg.escape
    table = {name: medians(runs, name) for name in plan.competitors}
    heats = {name: temperature(plan.competitors[name]) for name in baselines(plan.competitors)}
    size = reduced("escape.barriers", "escape.tilt", "escape.steps", "escape.competitors.*")
    ours = _slopes(runs, method(plan.competitors), cfg.seed)
    for name, heat in heats.items():
        if heat is None:
            continue
        theirs = _slopes(runs, name, cfg.seed + 1)
        gap = heat * (theirs - ours)
        compared = runs[runs["name"].isin([name, method(plan.competitors)])]
        ends = np.quantile(gap[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        numbers = {
            "noisy": heat * theirs[0],
            "ours": heat * ours[0],
            "temperature": heat,
            "barriers": plan.barriers,
            "medians": [
                {"label": competitor.label, "steps": table[one].reindex(plan.barriers).tolist()}
                for one, competitor in plan.competitors.items()
            ],
        }
        interval = (float(gap[0]), float(ends[0]), float(ends[1]))
        yield Estimate("measure-barrier", *interval, len(compared), numbers, reduced=size)
