"""Scores by hand, and by COCO's own program from the files that it reads."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from experiments.race import coco, scores

INF = math.inf


def table(**columns):
    size = max(len(column) for column in columns.values() if isinstance(column, list))
    frame = pd.DataFrame({"entrant": "a", "problem": "f", "n": 2, "tuning": 0, **columns})
    assert len(frame) == size
    return frame


def test_the_expected_running_time_counts_all_evaluations():
    assert scores.ert([3.0, INF, 5.0], [9.0, 10.0, 7.0]) == (3 + 10 + 5) / 2
    assert scores.ert([INF, INF], [4.0, 5.0]) == INF
    assert scores.ert([2.0, 8.0], [2.0, 8.0]) == 5.0


def test_the_interval_of_a_certain_time_is_that_time_and_no_hit_has_no_end():
    assert scores.ert_interval(np.full(20, 4.0), np.full(20, 9.0), 0) == (4.0, 4.0)
    low, high = scores.ert_interval(np.r_[4.0, np.full(9, INF)], np.full(10, 9.0), 0)
    assert 4.0 <= low < 85.0  # (4 + 9 · 9)/1 for the sample itself
    assert high == INF


def test_the_ecdf_has_a_band_over_tunings():
    runs = table(tuning=[0, 1], hit1=[2.0, 4.0], hit2=[INF, 8.0], evaluations=[8.0, 8.0])
    found = scores.ecdf(runs, np.array([1.0, 2.0, 4.0, 8.0]))
    assert found["mean"].tolist() == [0.0, 0.25, 0.5, 0.75]
    assert found["low"].tolist() == [0.0, 0.0, 0.5, 0.5]
    assert found["high"].tolist() == [0.0, 0.5, 0.5, 1.0]


def test_a_profile_compares_with_the_best_of_all_on_each_pair():
    times = pd.DataFrame({
        "entrant": ["a", "a", "a", "b", "b", "b"], "problem": "f", "n": 2, "target": [1, 2, 3] * 2,
        "ert": [10.0, 40.0, INF, 20.0, 10.0, INF],
    })  # fmt: skip
    found = scores.profile(times, ["a", "b"], np.array([1.0, 2.0, 4.0]))
    assert found["a"] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert found["b"] == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_a_difference_is_paired_by_problem():
    rows = [
        {"entrant": name, "problem": f"f{k}", "n": 2, "tuning": t, "score": k / 100 + own * (1 + k % 2 / 1e3)}
        for name, own in (("a", 0.2), ("b", 0.1)) for k in range(10) for t in range(2)
    ]  # fmt: skip
    found = scores.difference(pd.DataFrame(rows), "a", "b")
    gaps = 0.1 + 0.0001 * (np.arange(10) % 2)
    assert found["estimate"] == pytest.approx(gaps.mean())
    half = 2.262157 * gaps.std(ddof=1) / math.sqrt(10)  # Student's quantile, 9 degrees of freedom
    assert (found["low"], found["high"]) == pytest.approx((gaps.mean() - half, gaps.mean() + half))
    assert found["p"] < 0.01
    assert found["higher"] == found["problems"] == 10
    assert found["noise"] == pytest.approx(0.0)


def test_targets_that_only_networks_have_are_not_counted():
    runs = table(hit1=[2.0, INF], hit2=[4.0, INF], hit3=[math.nan, math.nan], evaluations=[8.0, 8.0])
    assert scores.hits(runs).tolist() == [[2.0, 4.0], [INF, INF]]
    assert scores.ecdf(runs, np.array([4.0]))["mean"].tolist() == [0.5]


def test_holm_is_the_step_down_of_the_original_example():
    # The largest corrected p so far: 4 · 0.01, 3 · 0.02 = 0.06 > 2 · 0.022 = 0.044, 1 · 0.9.
    assert scores.holm([0.022, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])


def test_a_trial_is_scored_where_it_was_not_chosen():
    trials = table(
        trial=[0, 1, 2], score0=[0.1, 0.9, 0.2], score1=[0.2, 0.3, 0.8], evaluations=[10.0, 20.0, 30.0]
    )
    found = scores.tuned(trials, [1, 3]).set_index("trials")
    assert found["score"][1] == pytest.approx((0.1 + 0.2) / 2)
    # Instance 1 chooses trial 2, which has 0.2 on instance 0, and instance 0 trial 1, which has 0.3.
    assert found["score"][3] == pytest.approx((0.2 + 0.3) / 2)
    assert found["spent"].tolist() == [10.0, 60.0]


def test_sensitivity_is_the_share_of_good_settings():
    trials = table(trial=[0, 1, 2, 3], score0=[1.0, 0.95, 0.5, 0.0], score1=[1.0, 0.95, 0.5, 0.0])
    assert scores.sensitivity(trials)["a", "f", 2] == 0.5
    assert math.isnan(scores.sensitivity(trials.assign(score0=0.0, score1=0.0))["a", "f", 2])


TARGETS = [1e2, 1.0, 1e-8]


@pytest.mark.filterwarnings("ignore")
def test_cocopp_reads_the_runs_and_finds_the_same_running_times(tmp_path, monkeypatch):
    cocopp = pytest.importorskip("cocopp")
    from cocopp.pproc import DataSetList

    random = np.random.default_rng(0)
    rows = []
    for problem in ("levy", "ackley"):
        for n in (2, 10, 50):
            for k in range(8):
                hit = np.sort(random.integers(2, 90, 3)).astype(float)
                hit[random.integers(0, 4) :] = INF
                solved = math.isfinite(hit[2])
                best = 1e-9 if solved else [200.0, 50.0, 0.5][int(np.isfinite(hit).sum())]
                row = {"entrant": "polyak", "problem": problem, "n": n, "tuning": k // 4, "best": best}
                row["evaluations"] = hit[2] if solved else 100.0
                rows.append({**row, **{f"hit{i + 1}": h for i, h in enumerate(hit)}})
    runs = pd.DataFrame(rows)
    [folder] = coco.write(runs, ["ackley", "levy"], TARGETS, {"polyak": "Polyak's step"}, tmp_path)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = DataSetList(str(folder))
    assert len(read) == 6
    for one in read:
        some = runs[(runs["problem"] == ["ackley", "levy"][one.funcId - 1]) & (runs["n"] == one.dim)]
        assert len(one.instancenumbers) == 8
        expected = [float(scores.ert(some[f"hit{k}"], some["evaluations"])) for k in (1, 2, 3)]
        assert one.detERT(TARGETS) == pytest.approx(expected)
    assert cocopp.__version__
