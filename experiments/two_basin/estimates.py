"""What the tables of section 4.3 say of its claims."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.integrate
import torch
from scipy.stats.contingency import odds_ratio

from bbi.laws import BornInfeld
from experiments.competitors import method
from experiments.harness.claims import published
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import LEVEL, UNKNOWN, Estimate, of_mean, ratio, wilson
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.basins import LANDSCAPE, center, hessian, radius, volume_ratio
from experiments.landscapes.volumes import density
from experiments.two_basin.config import Config


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.3."""
    theory, reduced = volume_ratio(), Reduced(cfg)
    return [
        Estimate("basin-theory", theory, theory, theory, 1),
        Estimate("basin-ratio-hessian", theory, theory, theory, 1),
        *(Estimate(f"basin-hessian-{i}", hessian(i)[0]) for i in (1, 2)),
        *_ratios(tables, cfg, theory, reduced),
        *_variants(tables, cfg, reduced),
        _without_bounces(tables, cfg, reduced),
        _occupied(tables, cfg, reduced),
    ]


@functools.cache  # two double integrals take seconds
def occupation_ratio(delta_v: float, energy: float) -> float:
    """Ratio of the phase-space volumes over the two basins m_I |θ - c_I| < 1, by quadrature of eq. (40)."""

    def volume(basin: int) -> float:
        x, y = center(basin)

        def shell(angle: float, r: float) -> float:
            point = torch.tensor([x + r * math.cos(angle), y + r * math.sin(angle)], dtype=torch.float64)
            return r * density(BornInfeld(), float(LANDSCAPE(point)[0]) - delta_v, energy, 2)

        return float(scipy.integrate.dblquad(shell, 0, radius(basin), 0, 2 * math.pi, epsabs=1e-6)[0])

    return quotient(volume(1), volume(2))


def counted(
    tables: Tables, variant: str, first: int | None = None, stage: str = "entry"
) -> tuple[int, int, int]:
    """(entries into basin 1, into basin 2, runs) of a variant, of its ``first`` runs if given."""
    basin = where(tables["runs"], stage=stage, variant=variant).sort_values("run")["basin"][:first]
    return int((basin == 1).sum()), int((basin == 2).sum()), len(basin)


def quotient(a: float, b: float) -> float:
    """a / b; infinite where only b is 0, NaN where both are."""
    return a / b if b else math.inf if a else math.nan


def _depends_on(cfg: Config, *counts: str) -> list[str]:
    """Patterns of the settings that counts of first entries depend on, numbers of runs apart."""
    competitors = dict.fromkeys(cfg.counts[name].competitor for name in counts)
    return [
        *("start", "steps"),
        *(f"competitors.{name}.*" for name in competitors),
        *(f"counts.{name}.{key}" for name in counts for key in ("competitor", "n_bounces")),
    ]


def _ratios(tables: Tables, cfg: Config, theory: float, reduced: Reduced) -> Iterator[Estimate]:
    """First entries into basin 1 over those into basin 2, for each count.

    The paper's claim is about N_b = 1; other numbers of bounces, and optimizers without bounces, are shown
    beside it and not judged by it.
    """
    paper = cfg.counts[cfg.published]
    fewer = [(cfg.published, paper.published_runs)] if paper.published_runs < paper.runs else []
    for name, first in (*fewer, *((name, None) for name in cfg.counts)):
        a, b, n = counted(tables, name, first)
        value, plan = quotient(a, b), cfg.counts[name]
        kind = "" if plan.n_bounces == paper.n_bounces else "-others" if plan.n_bounces is None else "-mixing"
        numbers = {"first": a, "second": b, "gap": 100 * (1 - value / theory), "theory": theory}
        numbers |= _blocks(tables, name, n, paper.published_runs)
        variant, size = f"{plan.label}, {n} runs", reduced(*_depends_on(cfg, name))
        counts = (a, a + b)
        one = Estimate(f"basin-ratio{kind}", value, *ratio(a, b), n, numbers, counts, variant, size)
        yield one
        if not kind:
            yield one._replace(claim="basin-entries")


def _blocks(tables: Tables, variant: str, runs: int, size: int) -> dict[str, float]:
    """Blocks of ``size`` runs, and how many of them have the released code's ratio or more."""
    printed = published()["basin-ratio-released"]
    basin = where(tables["runs"], stage="entry", variant=variant).sort_values("run")["basin"][:runs]
    rows = basin.to_numpy()[: runs // size * size].reshape(-1, size)
    first, second = (rows == 1).sum(axis=1), (rows == 2).sum(axis=1)
    above = int((first >= printed * second).sum())
    return {"blocks": len(rows), "block": size, "above": above, "printed": printed}


def _variants(tables: Tables, cfg: Config, reduced: Reduced) -> Iterator[Estimate]:
    """Logarithm of the ratio with other bounces (the released code's) minus that with the paper's.

    Both have the same N_b. The interval is Woolf's, of an odds ratio of independent counts.
    """
    paper = cfg.counts[cfg.published]
    for name, plan in cfg.counts.items():
        ours, other = (counted(tables, each)[:2] for each in (cfg.published, name))
        same = plan.n_bounces == paper.n_bounces and plan.competitor != paper.competitor
        if same and all(ours) and all(other):
            odds = odds_ratio([other, ours], kind="sample")
            ends = odds.confidence_interval(LEVEL)
            gap, low, high = map(math.log, (odds.statistic, ends.low, ends.high))
            size = reduced(*_depends_on(cfg, cfg.published, name))
            yield Estimate("basin-readings", gap, low, high, sum(ours) + sum(other), reduced=size)


def _without_bounces(tables: Tables, cfg: Config, reduced: Reduced) -> Estimate:
    """Of a cloud of starts, the share that enters the basin entered less, without bounces over with bounces.

    The interval is that of two Wilson intervals, divided end by end: cautious.
    """
    shares, numbers = [], {}
    for variant in ("no bounces", "bounces"):
        a, b, n = counted(tables, variant, stage="cloud")
        less, some = min(a, b), a + b
        shares.append((less / some if some else math.nan, *wilson(less, some)))
        numbers[variant.replace(" ", "_")] = {"first": a, "second": b, "runs": n}
    (value, low, high), (other, other_low, other_high) = shares
    edges = quotient(low, other_high), quotient(high, other_low)
    ours = f"competitors.{method(cfg.competitors)}.*"
    size = reduced("start", "steps", ours, "cloud.side", "cloud.no_bounces.*")
    return Estimate("basin-no-bounce", quotient(value, other), *edges, n, numbers, reduced=size)


def _occupied(tables: Tables, cfg: Config, reduced: Reduced) -> Estimate:
    """Time in basin 1 over time in basin 2, over what eq. (40) gives, minus 1; over independent runs."""
    plan = cfg.occupation
    mine = where(table_of(tables, "runs", "in_basin_1", "in_basin_2"), stage="occupation")
    start = torch.tensor(plan.start, dtype=torch.float64)
    settings = cfg.competitors[plan.competitor].fixed
    delta_v, delta_e = (settings.get(name, 0.0) for name in ("delta_v", "delta_e"))
    expected = occupation_ratio(delta_v, float(LANDSCAPE(start)[0]) - delta_v + delta_e)
    first, second = mine["in_basin_1"].to_numpy(), mine["in_basin_2"].to_numpy()
    keys = (f"occupation.{key}" for key in ("start", "steps", "burn_in", "competitor"))
    size = reduced(*keys, f"competitors.{plan.competitor}.*")
    numbers: dict[str, Any] = {
        "expected": expected,
        "steps": plan.steps,
        "burn_in": plan.burn_in,
        "early": int(np.isnan(second).sum()),
        "seen": int((second > 0).sum()),
    }
    if numbers["early"] or not second.any() or not expected > 0:
        return Estimate("basin-occupation", *UNKNOWN, len(mine), numbers, reduced=size)
    value = float(first.mean() / second.mean())
    deviation = (first - value * second) / second.mean()  # of a ratio of means, to first order
    interval = value, *of_mean(value + deviation, seed=cfg.seed)
    off, low, high = (x / expected - 1 for x in interval)
    numbers["ratio"] = interval
    return Estimate("basin-occupation", off, low, high, len(mine), numbers, reduced=size)
