"""Scores of the race from its tables: expected running times, ECDFs, profiles, tunings, sensitivity."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from experiments.harness.statistics import of_mean

RESAMPLES = 2000
"""Bootstrap samples of an interval."""
PROBLEM = ["problem", "n"]
SCORES = r"^score\d+$"
"""The columns of trials that hold scores, one for each training instance."""


def hits(runs: pd.DataFrame) -> np.ndarray:
    """The columns hit1, hit2, …: float64 (R, T), evaluations at the first hit of a target, inf for none.

    A target that none of the runs has is left out: networks may have more of them than functions.
    """
    found: np.ndarray = runs.filter(regex=r"^hit\d+$").to_numpy(float)
    return found[:, ~np.isnan(found).all(0)]


def mean_score(trials: pd.DataFrame) -> "pd.Series[float]":
    """The mean score of each trial over its training instances."""
    return trials.filter(regex=SCORES).mean(axis=1)


def ert(hit: ArrayLike, evaluations: ArrayLike) -> np.ndarray:
    """Expected running time: evaluations of all runs up to their hit, by the number of hits; inf for none.

    It is the expectation of the evaluations when a run without a hit is followed by another one (Hansen,
    Auger, Ros, Mersmann, Tušar and Brockhoff, arXiv 1603.08785).

    Args:
        hit: (R,) or (..., R), evaluations at the first hit, inf for none.
        evaluations: Of each run, of the same shape.
    """
    first, spent = np.asarray(hit, float), np.asarray(evaluations, float)
    reached = np.isfinite(first).sum(-1)
    total = np.where(np.isfinite(first), first, spent).sum(-1)
    return np.asarray(np.where(reached > 0, total / np.maximum(reached, 1), np.inf))


def ert_interval(hit: np.ndarray, evaluations: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the ERT from resampled runs; its upper end may be inf."""
    chosen = np.random.default_rng(seed).integers(0, len(hit), (RESAMPLES, len(hit)))
    low, high = np.quantile(ert(hit[chosen], evaluations[chosen]), [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def erts(runs: pd.DataFrame, intervals: bool = False) -> pd.DataFrame:
    """One row an entrant, problem and target: ``ert``, and its interval ``low`` and ``high``.

    Without ``intervals``, which take a hundred times as long, low and high are NaN.
    """
    rows = []
    for key, some in runs.groupby(["entrant", *PROBLEM], sort=False):
        spent = some["evaluations"].to_numpy(float)
        for number, column in enumerate(hits(some).T):
            low, high = ert_interval(column, spent, number) if intervals else (math.nan, math.nan)
            rows.append((*key, number + 1, float(ert(column, spent)), low, high))
    return pd.DataFrame(rows, columns=["entrant", *PROBLEM, "target", "ert", "low", "high"])


def totals(runs: pd.DataFrame) -> pd.DataFrame:
    """The mean score over problems of each entrant (rows) in each tuning (columns)."""
    cells = runs.groupby(["entrant", "tuning", *PROBLEM], sort=False)["score"].mean()
    return cells.groupby(level=["entrant", "tuning"], sort=False).mean().unstack("tuning")


def ecdf(runs: pd.DataFrame, at: np.ndarray) -> pd.DataFrame:
    """The share of runs and targets that are hit within ``at`` evaluations, as ``mean``, ``low``, ``high``.

    The mean is over all tunings; low and high are the lowest and the highest tuning.
    """
    tunings = runs.groupby("tuning", sort=False)
    each = np.array([(hits(some)[..., None] <= at).mean((0, 1)) for _, some in tunings])
    return pd.DataFrame({"at": at, "mean": each.mean(0), "low": each.min(0), "high": each.max(0)})


def profile(times: pd.DataFrame, names: Sequence[str], tau: np.ndarray) -> dict[str, np.ndarray]:
    """Performance profiles (Dolan and Moré, 2002) of entrants over all problems and targets.

    For each entrant the share of problem–target pairs whose ERT is at most τ times the lowest ERT of all
    ``names``. Pairs that nobody hits count as not reached.

    Args:
        times: From :func:`erts`.
        names: The entrants that are compared.
        tau: Factors ≥ 1.
    """
    some = times[times["entrant"].isin(names)]
    table = some.pivot(index=[*PROBLEM, "target"], columns="entrant", values="ert")
    best = table.min(axis=1)
    ratio = table.div(best.where(np.isfinite(best)), axis=0)
    return {str(name): (each.to_numpy()[:, None] <= tau).mean(0) for name, each in ratio.items()}


def difference(runs: pd.DataFrame, one: str, other: str) -> dict[str, float]:
    """How much higher ``one`` scores than ``other``, on the problems that both ran.

    Returns:
        ``estimate``: mean over problems, which are averaged over runs and tunings; ``low`` and ``high``: 95 %
        interval with functions as the unit; ``p``: of Wilcoxon's signed-rank test over problems;
        ``noise``: largest difference of ``one`` between two tunings; ``problems`` and those ``higher``.
    """
    cells = runs.groupby(["entrant", *PROBLEM], sort=False)["score"].mean().unstack("entrant")
    if not {one, other} <= set(cells):
        return {"problems": 0}
    gap = (cells[one] - cells[other]).dropna()
    low, high = of_mean(gap.groupby(level="problem", sort=False).mean(), seed=0)
    own = totals(runs).loc[one]
    return {
        "estimate": float(gap.mean()), "low": low, "high": high, "p": signed_rank(gap, method="approx"),
        "noise": float(own.max() - own.min()), "problems": len(gap), "higher": int((gap > 0).sum()),
    }  # fmt: skip


def signed_rank(gap: "pd.Series[float]", **settings: str) -> float:
    """P-value of Wilcoxon's signed-rank test with these settings of scipy; 1 where no gap differs from 0."""
    return float(stats.wilcoxon(gap, **settings).pvalue) if gap.any() else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's step-down method (1979)."""
    order = np.argsort(p, kind="stable")
    corrected, largest = [1.0] * len(p), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * float(p[index])))
        corrected[index] = largest
    return corrected


def tuned(trials: pd.DataFrame, counts: Sequence[int]) -> pd.DataFrame:
    """Score against the number of trials, where a trial is chosen on all training instances but one.

    The first k trials of a tuning are those of a search with k trials. The score is that of the chosen trial
    on the instance left out, averaged over instances, tunings and problems.

    Returns:
        One row an entrant and count: ``score``, and ``spent``, mean evaluations of k trials on a problem.
    """
    rows = []
    for entrant, mine in trials.groupby("entrant", sort=False):
        scores = mine.filter(regex=SCORES).to_numpy(float)
        scores = scores.reshape(-1, mine["trial"].max() + 1, scores.shape[1])
        spent = mine["evaluations"].to_numpy(float).reshape(scores.shape[:2])
        for count in counts:
            some = scores[:, :count]
            found = []
            for left in range(scores.shape[2]):
                others = np.delete(some, left, axis=2).mean(2)
                best = others.argmax(1)
                found.append(some[np.arange(len(some)), best, left])
            rows.append((entrant, count, float(np.mean(found)), float(spent[:, :count].sum(1).mean())))
    return pd.DataFrame(rows, columns=["entrant", "trials", "score", "spent"])


def sensitivity(trials: pd.DataFrame) -> "pd.Series[float]":
    """The share of random settings with at least 90 % of the best score, by entrant and problem.

    It is NaN where no setting hits a target.
    """
    mean = trials.assign(score=mean_score(trials))
    best = mean.groupby(["entrant", "tuning", *PROBLEM], sort=False)["score"].transform("max")
    mean["good"] = (mean["score"] >= 0.9 * best).where(best > 0)
    cells: pd.Series[float] = mean.groupby(["entrant", *PROBLEM], sort=False)["good"].mean()
    return cells


def log_times(budget: int) -> np.ndarray:
    """Sixty whole numbers of evaluations from 1 to the budget, or fewer, evenly spread over the logarithm."""
    return np.unique(np.round(np.logspace(0, math.log10(budget), 60)))
