"""Intervals against scipy, closed forms, and the coverage that they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from experiments.harness.statistics import newcombe, of_mean, of_median, power_law, ratio, welch, wilson


def test_wilson_solves_the_score_equation():
    # Wilson's bounds are the p where |p̂ − p| = z √(p(1−p)/n): an equation that is checked, not the formula
    z = scipy_stats.norm.ppf(0.975)
    for successes, n in [(90, 100), (2, 100), (1, 12), (50_000, 100_000)]:
        for p in wilson(successes, n):
            assert abs(successes / n - p) == pytest.approx(z * math.sqrt(p * (1 - p) / n), rel=1e-9)


def test_wilson_at_the_ends():
    z2 = scipy_stats.norm.ppf(0.975) ** 2
    assert wilson(0, 100) == pytest.approx((0.0, z2 / (100 + z2)))
    assert wilson(100, 100) == pytest.approx((100 / (100 + z2), 1.0))
    assert wilson(0, 0) == (0.0, 1.0)


def test_newcombe_matches_his_published_example():
    # Newcombe (1998), Table II, method 10: 56/70 − 48/80
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_newcombe_contains_the_difference_and_is_antisymmetric(n, m, data):
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    low, high = newcombe(a, n, b, m)
    assert -1 - 1e-12 <= low <= a / n - b / m + 1e-12
    assert a / n - b / m - 1e-12 <= high <= 1 + 1e-12
    assert newcombe(b, m, a, n) == pytest.approx((-high, -low))


def test_newcombe_covers():
    p, q, n, m = 0.3, 0.1, 40, 60
    weights = np.outer(
        scipy_stats.binom.pmf(np.arange(n + 1), n, p), scipy_stats.binom.pmf(np.arange(m + 1), m, q)
    )
    covered = 0.0
    for a, b in np.argwhere(weights > 1e-7).tolist():
        low, high = newcombe(a, n, b, m)
        covered += weights[a, b] * (low <= p - q <= high)
    assert 0.94 <= covered <= 0.97


def test_newcombe_of_nothing_knows_nothing():
    assert newcombe(0, 0, 3, 10) == (-1.0, 1.0)


def test_ratio_matches_the_delta_method_for_many_runs():
    a, b = 75_300, 44_700
    half = 1.959964 * math.sqrt(1 / a + 1 / b)
    assert ratio(a, b) == pytest.approx((a / b * math.exp(-half), a / b * math.exp(half)), rel=1e-4)


def test_ratio_inverts_with_its_counts():
    low, high = ratio(30, 12)
    assert ratio(12, 30) == pytest.approx((1 / high, 1 / low))


def test_ratio_without_runs_on_one_side():
    assert ratio(20, 0)[1] == math.inf and ratio(20, 0)[0] > 4
    assert ratio(0, 20)[0] == 0.0 and ratio(0, 20)[1] < 0.25
    assert ratio(0, 0) == (0.0, math.inf)


def test_ratio_covers():
    counts = range(1100, 1400)  # all others have a probability of 1e-9
    weights = scipy_stats.binom.pmf(counts, 2000, 1.684 / 2.684)
    intervals = [ratio(k, 2000 - k) for k in counts]
    assert weights @ [low <= 1.684 <= high for low, high in intervals] == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("n", "difference"), [(10, 1e-10), (400, 2e-4)])
def test_a_mean_is_students_for_few_values_and_near_it_for_many(n, difference):
    values = np.random.default_rng(1).normal(99.17, 0.03, size=n)
    expected = scipy_stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert of_mean(values, seed=0) == pytest.approx(tuple(expected), abs=difference)


def test_a_bootstrap_repeats_with_its_seed_only_in_batches_of_any_size(monkeypatch):
    values = np.random.default_rng(2).normal(size=30)
    whole = of_mean(values, seed=3)
    assert whole == of_mean(values, seed=3) != of_mean(values, seed=4)
    assert of_mean(values[:19], seed=3) == of_mean(values[:19], seed=4)
    monkeypatch.setattr("experiments.harness.statistics._CELLS", 3000)
    assert of_mean(values, seed=3) == pytest.approx(whole)


@pytest.mark.parametrize("values", [[], [0.5], [0.4, 0.5], [0.5] * 10, [0.5] * 50, [1.0, 2.0, math.inf]])
def test_a_mean_without_a_known_spread_has_no_interval(values):
    assert all(map(math.isnan, of_mean(values, seed=0)))


def test_the_reason_for_students_interval(monkeypatch):
    """BCa of eight normal values misses their mean twice as often as it says; Student's does not."""
    samples = np.random.default_rng(6).normal(size=(400, 8))

    def covered():
        intervals = [of_mean(sample, seed, resamples=400) for seed, sample in enumerate(samples)]
        return np.mean([low <= 0 <= high for low, high in intervals])

    assert covered() == pytest.approx(0.95, abs=0.035)
    monkeypatch.setattr("experiments.harness.statistics.MANY", 2)
    assert covered() < 0.92


def test_a_mean_of_many_skewed_values_is_covered():
    samples = np.random.default_rng(5).exponential(size=(300, 50))
    intervals = [of_mean(sample, seed, resamples=400) for seed, sample in enumerate(samples)]
    assert 0.90 <= np.mean([low <= 1.0 <= high for low, high in intervals]) <= 0.99


@pytest.mark.parametrize("n", [6, 50])
def test_a_median_is_covered_whatever_the_distribution(n):
    samples = np.random.default_rng(5).exponential(size=(500, n))
    intervals = [of_median(sample) for sample in samples]
    assert np.mean([low <= math.log(2) <= high for low, high in intervals]) >= 0.94


def test_a_median_of_few_values_and_of_diverged_runs():
    assert of_median(range(6)) == (0.0, 5.0)  # 1 - 2/2^6 = 97 %
    assert all(map(math.isnan, (*of_median(range(5)), *of_median([]), *of_median([math.nan] * 9))))
    assert of_median([1.0, 2.0, 3.0, 4.0, *[math.inf] * 4]) == (1.0, math.inf)


def test_welch_is_scipys():
    rng = np.random.default_rng(3)
    ours, others = rng.normal(1, 1, 5), rng.normal(0, 3, 9)
    expected = scipy_stats.ttest_ind(ours, others, equal_var=False).confidence_interval(0.95)
    assert welch(ours, others) == pytest.approx(tuple(expected))
    low, high = welch(others, ours)
    assert (-high, -low) == pytest.approx(tuple(expected))


def test_welch_of_too_little():
    assert all(map(math.isnan, (*welch([1.0, 2.0], [1.0, 2.0, 3.0]), *welch([1.0] * 5, [1.0] * 5))))
    low, high = welch([0.0] * 5, [0.0, 0.1, 0.2])  # one of them varies
    assert low < -0.1 < high


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_power_law(noise):
    x = np.logspace(0, 2, 12)
    y = 3 * x**-1.5 * np.exp(np.random.default_rng(11).normal(0, noise, size=12))
    assert power_law(x, y) == pytest.approx(np.polyfit(np.log(x), np.log(y), 1)[0])
    assert power_law([1, 2], [1, 4]) == pytest.approx(2)
    with pytest.raises(ValueError, match="positive"):
        power_law([1, 2, 3], [1, 0, 3])
