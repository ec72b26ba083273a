"""What the tables of section 4.1 say of its claims."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch

from experiments.ackley.config import Config
from experiments.competitors import baselines, method
from experiments.harness.claims import published, thresholds
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import FEWEST, UNKNOWN, Estimate, of_median, of_next, welch, wilson
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.estimates import depends_on, over_searches, searched
from experiments.landscapes.functions import Ackley, lowest_pass

COEFFICIENTS = (0.2, 0.02)  # printed, and released
PAPER_REGIMES = ("stuck at the start", "erratic", "diverged")
ROBUST = ("robust.runs", "robust.steps", "robust.side", "robust.success")


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.1, one a coefficient."""
    runs = table_of(tables, "runs", "point", "regime", "delta_e", "left", "lr", "final", "search", "where")
    found: list[Estimate] = []
    trials = table_of(tables, "trials", "coefficient", "competitor", "loss", "status")
    for coefficient in cfg.coefficients:
        mine = where(runs, coefficient=coefficient)
        variant = f"coefficient {coefficient:g}"
        reduced = Reduced(cfg, "" if coefficient in COEFFICIENTS else variant)
        found += _solved(mine, cfg, variant, reduced)
        found += _over_gamma(mine, cfg, variant, reduced)
        found += _in_the_long_run(mine, cfg, variant, reduced)
        found += _regimes(mine, cfg, variant, reduced)
        found.append(_barrier(mine, cfg, coefficient, variant, reduced))
        found += searched(where(trials, coefficient=coefficient), cfg, reduced, variant)
    return found


def solved_runs(runs: pd.DataFrame, name: str, success: float) -> pd.Series:
    """Whether each run of a competitor from the random points is solved, by its point."""
    return where(runs, stage="robust", competitor=name).set_index("point")["best"] < success


def _solved(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> Iterator[Estimate]:
    """Shares of points solved; competitors without a published one are shown beside the claims."""
    for name, competitor in cfg.competitors.items():
        mine = where(runs, stage="robust", competitor=name)
        each = solved_runs(runs, name, cfg.robust.success)
        points = each.groupby("point").any()
        k, n = int(points.sum()), len(points)
        if not n:
            continue
        claim, which = f"ackley-success-{competitor.paper}", f"{variant}, {competitor.label}"
        claim = claim if claim in published() else "ackley-success-others"
        numbers = {
            "label": competitor.label,
            "points": k,
            "per_point": len(each) // n,
            "solved": int(each.sum()),
            "runs": len(each),
            "success": cfg.robust.success,
            "stay": int((mine["final"] < cfg.robust.success).sum()),
            "lr": mine["lr"].iloc[0],
        }
        size = reduced(*depends_on(cfg, name), *ROBUST)
        one = Estimate(claim, k / n, *wilson(k, n), n, numbers, (k, n), which, size)
        yield _of_searches(one, shares_by_search(runs, name, cfg.robust.success))


def _of_searches(one: Estimate, shares: "pd.Series[float]") -> Estimate:
    """The same of repeated searches, where there are enough: what one further search would solve."""
    if len(shares) < FEWEST:
        return one
    low, high = (min(max(end, 0.0), 1.0) for end in of_next(shares))
    spread = {"searches": len(shares), "middle": shares.median(), "range": (shares.min(), shares.max())}
    numbers = {**one.numbers, **spread}
    return one._replace(
        estimate=shares.mean(), low=low, high=high, n=len(shares), numbers=numbers, counts=None
    )


def _searches_over_gamma(cfg: Config) -> list[tuple[str, str]]:
    """Baselines that search γ = −log μ, each with the first that searches the same settings directly."""
    spaces = {name: cfg.competitors[name].space for name in baselines(cfg.competitors)}
    over = [name for name, space in spaces.items() if any(axis.scale == "neglog" for axis in space.values())]
    plain = {frozenset(spaces[name]): name for name in reversed(spaces) if name not in over}
    return [(name, plain[same]) for name in over if (same := frozenset(spaces[name])) in plain]


def shares_by_search(runs: pd.DataFrame, name: str, success: float) -> "pd.Series[float]":
    """The share of points that each search of a competitor solves."""
    rows = where(runs, stage="search", where="robust", competitor=name)
    return (rows["best"] < success).groupby(rows["search"]).mean()


def _over_gamma(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> Iterator[Estimate]:
    """Mean share of points solved, searches over γ minus searches over μ."""
    for pair in _searches_over_gamma(cfg):
        of_gamma, of_plain = (shares_by_search(runs, name, cfg.robust.success) for name in pair)
        if of_gamma.empty or of_plain.empty:
            continue
        shares = of_gamma.mean(), of_plain.mean()
        numbers = {
            "of_gamma": len(of_gamma),
            "of_plain": len(of_plain),
            "gamma_share": shares[0],
            "plain_share": shares[1],
        }
        size = reduced(*(key for name in pair for key in depends_on(cfg, name)), *ROBUST)
        gap = (shares[0] - shares[1], *welch(of_gamma, of_plain), len(of_gamma) + len(of_plain))
        yield Estimate("ackley-gamma", *gap, numbers, variant=variant, reduced=size)


def _in_the_long_run(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> Iterator[Estimate]:
    """The share of BBI's runs that reach the target, which no baseline may."""
    target = thresholds("ackley-long-run")["target"]
    long = where(runs, stage="long")
    best = {str(name): part["best"] for name, part in long.groupby("competitor", sort=False)}
    reached = {name: (int((part <= target).sum()), len(part)) for name, part in best.items()}
    ours, rivals = method(cfg.competitors), [name for name in baselines(cfg.competitors) if name in best]
    size = reduced("start", "search.*", "competitors.*", "long.steps")
    numbers: dict[str, Any] = {"target": target, "found": list(best)}
    numbers["baselines_within"] = sum(reached[name][0] for name in rivals)
    if ours not in best or not rivals:
        yield Estimate("ackley-long-run", *UNKNOWN, 0, numbers, variant=variant, reduced=size)
        return
    k, n = reached[ours]
    numbers |= {
        "ours": ours,
        "counts": {name: {"reached": a, "runs": b} for name, (a, b) in reached.items()},
        "middle": (best[ours].median(), *of_median(best[ours])),
        "lowest": {name: best[name].iloc[0] for name in rivals},
    }
    one = Estimate("ackley-long-run", k / n, *wilson(k, n), n, numbers, variant=variant, reduced=size)
    yield _long_by_search(one, runs, ours, rivals, target)
    for name, lowest in best.items():
        claim = f"ackley-{cfg.competitors[name].paper}-long"
        if claim in published():
            many = cfg.competitors[name].stochastic
            edges = of_median(lowest) if many else UNKNOWN[1:]
            yield Estimate(claim, lowest.median(), *edges, len(lowest), variant=variant, reduced=size)


def _long_by_search(
    one: Estimate, runs: pd.DataFrame, ours: str, rivals: list[str], target: float
) -> Estimate:
    """The same of repeated searches, where there are enough: the median share, and any baseline's run."""
    again = where(runs, stage="search", where="long")
    reached = (again["best"] <= target).groupby([again["competitor"], again["search"]]).mean()
    shares, *others = (reached.get(name, pd.Series(dtype=float)) for name in (ours, *rivals))
    within = sum(int((other > 0).sum()) for other in others)
    return over_searches(one, shares, baselines_within=within, share_range=(shares.min(), shares.max()))


def _regimes(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> Iterator[Estimate]:
    """The share of runs in none of the paper's regimes: those of all searches as tuned, and of a grid."""
    which = [f"competitors.{name}.*" for name in baselines(cfg.competitors)]
    for what, stage, size in (
        ("tuned", "regimes found", ("search.*", "long.steps")),
        ("all settings", "regimes", ("regimes.*",)),
    ):
        rows = where(runs, stage=stage)
        if rows.empty:
            continue
        other = ~rows["regime"].isin(PAPER_REGIMES)
        numbers: dict[str, Any] = {
            "counts": rows["regime"].value_counts().to_dict(),
            "fewest": min(int((rows["regime"] == name).sum()) for name in PAPER_REGIMES),
        }
        if what == "tuned":
            kinds = rows.groupby("competitor", sort=False)["regime"].value_counts()
            numbers["tuned"] = [
                {"name": name, "counts": kinds[name].to_dict()} for name in kinds.index.unique(0)
            ]
        one = Estimate("ackley-regimes", other.mean(), n=len(rows), numbers=numbers)
        scaled = reduced("start", *which, *size, "robust.success")
        yield one._replace(variant=f"{what}, {variant}", reduced=scaled)


def threshold(cfg: Config, coefficient: float) -> float:
    """δE below which energy conservation keeps a run in the first basin: lowest pass minus F(Θ_0).

    NaN where the landscape has no pass there.
    """
    potential, start = Ackley(coefficient), torch.tensor(cfg.start, dtype=torch.float64)
    x, y = (float(round(value)) for value in cfg.start)
    return lowest_pass(potential, (x, y)) - float(potential(start)[0])


def _barrier(runs: pd.DataFrame, cfg: Config, coefficient: float, variant: str, reduced: Reduced) -> Estimate:
    """Share of the runs with δE above the threshold that leave the first basin."""
    edge = threshold(cfg, coefficient)
    mine = where(runs, stage="barrier")
    left = mine["left"] == 1
    below, above = left[mine["delta_e"] < edge], left[mine["delta_e"] > edge]
    a, n, b, m = int(above.sum()), len(above), int(below.sum()), len(below)
    numbers = {"edge": edge, "below": b, "of_below": m, "above": a, "of_above": n}
    numbers["below_share"] = b / m if m else math.nan
    fixed = f"competitors.{method(cfg.competitors)}.fixed.*"
    size = reduced("start", fixed, "barrier.lr", "barrier.highest", "barrier.steps")
    share = (a / n if n else math.nan, *wilson(a, n))
    return Estimate("ackley-barrier", *share, n, numbers, variant=variant, reduced=size)
