"""Estimates with 95 % intervals: what stands beside every published number.

Every function returns an interval as `(low, high)`, so that an estimate reads
`Estimate("claim", solved / points, *wilson(solved, points), n=points)`.
"""

import math
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95
FEWEST = 8
"""Values that a bootstrap needs: of fewer it knows too little of the spread, and covers far below 95 %."""
_CELLS = 5_000_000  # resampled values held at once: 40 MB


class Estimate(NamedTuple):
    """One number answering a claim, or a number published beside the claims.

    Attributes:
        claim: an id of `results/paper.yaml`.
        estimate: the number, in the unit that the entry's `quantity` states.
        low, high: its 95 % interval; both equal `estimate` where nothing is random, NaN where unknown.
        n: how many runs (points, trials, fitted points) stand behind it.
        numbers: named numbers and words for the sentence beside the claim, its `note` in `paper.yaml`.
        holds: whether the stated relation was seen, where a number cannot say so.
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
    holds: bool | None = None
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


def ratio(a: int, b: int) -> tuple[float, float]:
    """Interval of `a/b`, the two outcomes of `a + b` independent runs.

    The odds p/(1 − p) are monotonic in the proportion p = a/(a + b), so Wilson's bounds of p carry over.
    """
    low, high = wilson(a, a + b)
    return low / (1 - low), (high / (1 - high) if b > 0 else math.inf)


def bootstrap(
    values: ArrayLike, statistic: Callable[..., Any], seed: int, resamples: int = 9_999
) -> tuple[float, float]:
    """Bootstrap interval of `statistic(values)`: BCa, or percentiles where BCa is undefined (equal values).

    It is unknown, NaN, for fewer than `FEWEST` values.

    Args:
        values: one number a run. Infinities are allowed, and widen the interval of a median as they should.
        statistic: takes `axis`, as `numpy.mean` and `numpy.median` do.
        seed: of the resampling.
        resamples: number of bootstrap samples.
    """
    data = np.asarray(values, dtype=float)
    if data.size < FEWEST:
        return math.nan, math.nan
    for method in ("BCa", "percentile"):
        # equal or infinite values make BCa warn and return NaN, which is the sign to go on with percentiles
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            interval = stats.bootstrap(
                (data,),
                statistic,
                n_resamples=resamples,
                batch=max(1, _CELLS // data.size),
                confidence_level=LEVEL,
                method=method,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if not (np.isnan(interval.low) or np.isnan(interval.high)):
            break
    return float(interval.low), float(interval.high)


def power_law(x: ArrayLike, y: ArrayLike) -> tuple[float, float, float]:
    """Exponent k of y ∝ x^k with its interval: `(k, low, high)`, by least squares on the logarithms.

    The interval is Student's, with `len(x) − 2` degrees of freedom; unknown (NaN) with two points.

    Raises:
        ValueError: when a value is not positive.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not ((xs > 0).all() and (ys > 0).all()):
        raise ValueError("a power law needs positive values")
    fit = stats.linregress(np.log(xs), np.log(ys))
    if xs.size < 3:
        return float(fit.slope), math.nan, math.nan
    half = float(stats.t.ppf((1 + LEVEL) / 2, xs.size - 2) * fit.stderr)
    return float(fit.slope), float(fit.slope) - half, float(fit.slope) + half
