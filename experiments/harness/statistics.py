"""Estimates with 95 % intervals: what stands beside every published number.

Every function returns an interval as `(low, high)`, so that an estimate reads
`Estimate("claim", solved / points, *wilson(solved, points), n=points)`.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95
FEWEST = 3
"""Values that an interval of a mean needs."""
MANY = 20
"""Values from which on a mean's interval is a bootstrap; of fewer BCa covers less than it says."""
_CELLS = 5_000_000  # resampled values held at once: 40 MB


class Estimate(NamedTuple):
    """One number answering a claim, or a number published beside the claims.

    Attributes:
        claim: an id of `results/paper.yaml`.
        estimate: the number, in the unit that the entry's `quantity` states.
        low, high: its 95 % interval; both equal `estimate` where nothing is random, NaN where unknown.
        n: how many runs (points, trials, fitted points) stand behind it.
        numbers: named numbers and words for the sentence beside the claim, its `note` in `paper.yaml`.
        counts: (successes, trials), where the number is a proportion or the odds of one.
        variant: which variant of the claim this is ("0.02" for Ackley's coefficient, "median", ...). What
            follows a comma qualifies it ("mean, honest selection"), beside the same published number.
        reduced: what was run at another size than published, so that the number is shown but not compared.
    """

    claim: str
    estimate: float
    low: float = math.nan
    high: float = math.nan
    n: int = 1
    numbers: Mapping[str, Any] = MappingProxyType({})
    counts: tuple[int, int] | None = None
    variant: str = ""
    reduced: str = ""


UNKNOWN = (math.nan, math.nan, math.nan)
"""An estimate and its interval where the runs do not give them."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's interval of a proportion; `(0, 1)` when nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    interval = stats.binomtest(int(successes), int(n)).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def newcombe(successes: int, n: int, other_successes: int, other_n: int) -> tuple[float, float]:
    """Interval of the difference `successes/n − other_successes/other_n` of two independent proportions.

    Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, method 10); `(-1, 1)` without data.
    """
    if n == 0 or other_n == 0:
        return -1.0, 1.0
    (low, high), (other_low, other_high) = wilson(successes, n), wilson(other_successes, other_n)
    p, q = successes / n, other_successes / other_n
    return p - q - math.hypot(p - low, other_high - q), p - q + math.hypot(high - p, q - other_low)


def welch(ours: ArrayLike, others: ArrayLike) -> tuple[float, float]:
    """Welch's interval of the difference of two means.

    It is unknown, NaN, for fewer than `FEWEST` values of one, and where all values of each are equal.
    """
    both = [np.asarray(values, dtype=float) for values in (ours, others)]
    if min(map(np.size, both)) < FEWEST or not any(map(np.ptp, both)):
        return math.nan, math.nan
    squared = [values.var(ddof=1) / values.size for values in both]
    freedom = sum(squared) ** 2 / sum(
        s**2 / (values.size - 1) for s, values in zip(squared, both, strict=True)
    )
    gap = both[0].mean() - both[1].mean()
    low, high = stats.t.interval(LEVEL, freedom, gap, math.sqrt(sum(squared)))
    return float(low), float(high)


def ratio(a: int, b: int) -> tuple[float, float]:
    """Interval of `a/b`, the two outcomes of `a + b` independent runs.

    The odds p/(1 − p) are monotonic in the proportion p = a/(a + b), so Wilson's bounds of p carry over.
    """
    low, high = wilson(a, a + b)
    return low / (1 - low), (high / (1 - high) if b > 0 else math.inf)


def of_mean(values: ArrayLike, seed: int, resamples: int = 9_999) -> tuple[float, float]:
    """Interval of a mean: Student's for fewer than `MANY` values, a bootstrap (BCa) for more.

    It is unknown, NaN, for fewer than `FEWEST` values, for equal ones (whose spread is finer than what was
    counted or rounded) and with infinite ones.

    Args:
        values: one number a run.
        seed: of the resampling.
        resamples: number of bootstrap samples.
    """
    data = np.asarray(values, dtype=float)
    if data.size < FEWEST or not np.isfinite(data).all() or np.ptp(data) == 0:
        return math.nan, math.nan
    if data.size < MANY:
        low, high = stats.t.interval(LEVEL, data.size - 1, data.mean(), stats.sem(data))
    else:
        low, high = stats.bootstrap(
            (data,),
            np.mean,
            n_resamples=resamples,
            batch=max(1, _CELLS // data.size),
            confidence_level=LEVEL,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return float(low), float(high)


def of_median(values: ArrayLike) -> tuple[float, float]:
    """Interval of a median between two of the sorted values, by the binomial distribution of their ranks.

    It covers 95 % at least whatever the distribution; NaN for fewer than six values, of which no two do.
    Infinite values may be its ends.
    """
    data = np.asarray(values, dtype=float)
    if not data.size or np.isnan(data).any():
        return math.nan, math.nan
    interval = stats.quantile_test(data, p=0.5).confidence_interval(LEVEL)
    return float(interval.low), float(interval.high)


def of_next(values: ArrayLike) -> tuple[float, float]:
    """Student's interval for one further value of the same kind; NaN for fewer than `FEWEST` values.

    It is what a number that was published once is compared with, where ours can be made again.
    """
    data = np.asarray(values, dtype=float)
    if data.size < FEWEST or not np.isfinite(data).all():
        return math.nan, math.nan
    half = stats.t.ppf((1 + LEVEL) / 2, data.size - 1) * data.std(ddof=1) * math.sqrt(1 + 1 / data.size)
    return float(data.mean() - half), float(data.mean() + half)


def power_law(x: ArrayLike, y: ArrayLike) -> float:
    """Exponent k of y ∝ x^k by least squares on the logarithms.

    It has no interval: where nothing is random, what is left of a fit is the curvature of the data.

    Raises:
        ValueError: when a value is not positive.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not ((xs > 0).all() and (ys > 0).all()):
        raise ValueError("a power law needs positive values")
    return float(stats.linregress(np.log(xs), np.log(ys)).slope)
