"""What the tables of section 4.3 say of its claims."""

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy.integrate
import torch
from scipy.stats.contingency import odds_ratio

from bbi.laws import BornInfeld
from experiments.harness.statistics import LEVEL, Estimate, bootstrap, ratio, wilson
from experiments.harness.store import Tables
from experiments.landscapes import volumes as phase_space
from experiments.landscapes.ensemble import UNKNOWN, Reduced
from experiments.two_basin import units as two_basin

if TYPE_CHECKING:
    from experiments.two_basin.units import Config

ENTRIES = ("start", "settings.*", "steps")  # what every count of first entries depends on


def volume_ratio() -> float:
    """Eq. (18): Π m_2i / Π m_1i, the ratio of phase-space volumes of minima of equal depth."""
    return math.sqrt(math.prod(two_basin.hessian(2)) / math.prod(two_basin.hessian(1)))


def occupation_ratio(delta_v: float, energy: float) -> float:
    """Ratio of the phase-space volumes over the two basins m_I |θ - c_I| < 1, by quadrature of eq. (40)."""

    def volume(basin: int) -> float:
        centre = two_basin.LANDSCAPE.c1 if basin == 1 else two_basin.LANDSCAPE.c2

        def shell(angle: float, r: float) -> float:
            point = torch.tensor(
                [centre[0] + r * math.cos(angle), centre[1] + r * math.sin(angle)], dtype=torch.float64
            )
            return r * phase_space.density(
                BornInfeld(), float(two_basin.LANDSCAPE(point)[0]) - delta_v, energy, 2
            )

        radius = 1 / math.sqrt(two_basin.hessian(basin)[0])
        return float(scipy.integrate.dblquad(shell, 0, radius, 0, 2 * math.pi, epsabs=1e-6)[0])

    return quotient(volume(1), volume(2))


def counted(
    tables: Tables, reading: str, first: int | None = None, stage: str = "entry"
) -> tuple[int, int, int]:
    """(entries into basin 1, into basin 2, runs) of a reading, of its ``first`` runs if given."""
    runs = tables["runs"]
    mine = runs[(runs["stage"] == stage) & (runs["reading"] == reading)]
    basin = mine.sort_values("run")["basin"][:first]
    return int((basin == 1).sum()), int((basin == 2).sum()), len(basin)


def quotient(a: float, b: float) -> float:
    """a / b; infinite where only b is 0, NaN where both are."""
    return a / b if b else math.inf if a else math.nan


def claims(tables: Tables, cfg: "Config") -> list[Estimate]:
    """Answers to the claims of section 4.3."""
    theory, reduced = volume_ratio(), Reduced(cfg)
    first, second = (two_basin.hessian(basin)[0] for basin in (1, 2))
    return [
        Estimate("basin-theory", theory, theory, theory, 1, "from the Hessians at the minima"),
        Estimate("basin-ratio-hessian", theory, theory, theory, 1),
        Estimate("basin-hessian-1", first, math.nan, math.nan, 1),
        Estimate("basin-hessian-2", second, math.nan, math.nan, 1),
        *_ratios(tables, cfg, theory, reduced),
        *_readings(tables, cfg, reduced),
        _without_bounces(tables, reduced),
        _occupied(tables, cfg, reduced),
    ]


def _ratios(tables: Tables, cfg: "Config", theory: float, reduced: Reduced) -> list[Estimate]:
    """First entries into basin 1 over those into basin 2, for each reading."""
    found = []
    fewer = [("paper", cfg.published_runs)] if cfg.published_runs < cfg.counts["paper"].runs else []
    for reading, first in (*fewer, *((name, None) for name in cfg.counts)):
        a, b, n = counted(tables, reading, first)
        value, plan = quotient(a, b), cfg.counts[reading]
        gap = 100 * (1 - value / theory)
        # The paper's claim is about N_b = 1; other numbers of bounces are shown beside it, not judged by it.
        claim = "basin-ratio" if plan.n_bounces == 1 else "basin-ratio-mixing"
        note = f"{a} enter basin 1, {b} basin 2, {n - a - b} neither; {gap:.1f} % below {theory:.4f}"
        size = reduced(*ENTRIES, f"counts.{reading}.rule", f"counts.{reading}.n_bounces")
        variant = f"{plan.label}, {n} runs"
        found.append(Estimate(claim, value, *ratio(a, b), n, note, variant=variant, reduced=size))
    return found


def _readings(tables: Tables, cfg: "Config", reduced: Reduced) -> list[Estimate]:
    """Logarithm of the ratio with the released code's bounces minus that with the paper's.

    The interval is Woolf's, of an odds ratio of independent counts.
    """
    counts = [counted(tables, name)[:2] for name in ("paper", "released")]
    if "released" not in cfg.counts or not all(map(all, counts)):
        return []
    paper, released = counts
    odds = odds_ratio([released, paper], kind="sample")
    ends = odds.confidence_interval(LEVEL)
    size = reduced(
        *ENTRIES, *(f"counts.{n}.{k}" for n in ("paper", "released") for k in ("rule", "n_bounces"))
    )
    gap, low, high = map(math.log, (odds.statistic, ends.low, ends.high))
    return [Estimate("basin-readings", gap, low, high, sum(paper) + sum(released), reduced=size)]


def _without_bounces(tables: Tables, reduced: Reduced) -> Estimate:
    """Of a cloud of starts, the share that enters the basin entered less, without bounces over with bounces.

    The interval is that of two Wilson intervals, divided end by end: cautious.
    """
    shares, words = [], []
    for reading in ("no bounces", "bounces"):
        a, b, n = counted(tables, reading, stage="cloud")
        less, some = min(a, b), a + b
        shares.append((less / some if some else math.nan, *wilson(less, some)))
        words.append(f"{reading}: {a} of {n} enter basin 1, {b} basin 2")
    (value, low, high), (other, other_low, other_high) = shares
    edges = quotient(low, other_high), quotient(high, other_low)
    size = reduced(*ENTRIES, "cloud.side")
    note = "; ".join(words)
    return Estimate("basin-no-bounce", quotient(value, other), *edges, n, note, reduced=size)


def _occupied(tables: Tables, cfg: "Config", reduced: Reduced) -> Estimate:
    """Time in basin 1 over time in basin 2, over what eq. (40) gives, minus 1; over independent runs."""
    plan = cfg.occupation
    mine = tables["runs"][tables["runs"]["stage"] == "occupation"]
    start = torch.tensor(plan.start, dtype=torch.float64)
    delta_v, delta_e = (plan.settings.get(name, 0.0) for name in ("delta_v", "delta_e"))
    expected = occupation_ratio(delta_v, float(two_basin.LANDSCAPE(start)[0]) - delta_v + delta_e)
    first, second = mine["in_basin_1"].to_numpy(), mine["in_basin_2"].to_numpy()
    size = reduced("occupation.start", "occupation.settings.*", "occupation.steps", "occupation.burn_in")
    if np.isnan(second).any() or not second.any() or not expected > 0:
        early = f"{np.isnan(second).sum()} of {len(mine)} runs ended before step {plan.burn_in}"
        note = f"{early}; eq. (40) gives {expected:.4f}; runs seen in basin 2: {(second > 0).sum()}"
        return Estimate("basin-occupation", *UNKNOWN, len(mine), note, reduced=size)
    value = float(first.mean() / second.mean())
    deviation = (first - value * second) / second.mean()  # of a ratio of means, to first order
    low, high = bootstrap(value + deviation, np.mean, seed=cfg.seed)
    note = (
        f"the ratio is {value:.4f} [{low:.4f}, {high:.4f}], eq. (40) over the same regions gives "
        f"{expected:.4f}; {len(mine)} runs of {plan.steps} steps"
    )
    off, low, high = (x / expected - 1 for x in (value, low, high))
    return Estimate("basin-occupation", off, low, high, len(mine), note, reduced=size)
