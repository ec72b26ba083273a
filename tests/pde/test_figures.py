"""The figures of section 4.4, from rows that were made up: is what they show what the rows say?"""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyQuadMesh, QuadMesh

from experiments.harness.claims import published
from experiments.harness.plotting import style
from experiments.harness.statistics import wilson
from experiments.pde import figures
from tests.composed import composed

R = np.linspace(0, 1, 41)
ENDS = {  # (competitor, network): labels of runs 0, 1, …
    ("bbi", 0): ["second", "first", "first", "neither"],
    ("bbi", 1): ["first", "second", "second", "second"],
    ("adam", 0): ["first", "first"],
}
CFG = composed("pde", "problems.k5.reduced=smaller")
COLOURS = {name: competitor.color for name, competitor in CFG.problems["k5"].competitors.items()}


def solution(k, name):
    return np.sin(k * R**2) ** 2 - (10 * (1 - R**2) if name == "second" else 0)


def searched(k, label):
    u0 = np.linspace(-80, 20, 101)
    residual = np.where((u0 < -65) | (u0 > 12), np.inf, 0.05 * u0 * (u0 + 10))
    scan = pd.DataFrame({"stage": "shooting_scan", "problem": label, "u0": u0, "boundary_residual": residual})
    profiles = [
        pd.DataFrame({"stage": "radial", "problem": label, "solution": name, "r": R, "u": solution(k, name)})
        for name in ("first", "second")
    ]
    return pd.concat([scan, *profiles])


def trained(k, label):
    runs, curves = [], []
    for (competitor, network), labels in ENDS.items():
        for run, end in enumerate(labels):
            who = {"problem": label, "competitor": competitor, "network": network, "run": run}
            at = np.arange(0, 50 if end == "neither" else 101, 10)  # that run breaks off
            near, far = np.full(len(at), 0.1 * (run + 1)), np.full(len(at), 5.0)
            if end == "second":
                near, far = far, near
            who_curve = pd.DataFrame({"iteration": at, "l1_first": near, "l1_second": far})
            profile = pd.DataFrame(
                {"r": R, "u": solution(k, end if end != "neither" else "first") + 0.01 * run}
            )
            curves += [who_curve.assign(stage="train", **who), profile.assign(stage="network", **who)]
            status = "diverged" if end == "neither" else "done"
            ended = {"status": status, "label": end, "iterations": at[-1]}
            runs.append({"stage": "train", **who, **ended})
    return pd.DataFrame(runs), pd.concat(curves)


def tables(*trainings):
    runs, curves = zip(*trainings, strict=True) if trainings else ([pd.DataFrame()], [])
    searches = [searched(5.0, "k=5"), searched(20.0, "k=20")]
    return {"runs": pd.concat(runs), "curves": pd.concat([*searches, *curves], ignore_index=True)}


@pytest.fixture(scope="module")
def drawn():
    with style():
        return figures.draw(tables(trained(5.0, "k=5")), CFG, published())


def test_every_figure_is_drawn(drawn):
    names = ["shooting", "fig7_solutions_k5", "fig7_solutions_k20", "error_curves_k5", "outcomes"]
    assert list(drawn) == names


def test_the_search_shows_its_zeros_and_where_shots_blow_up(drawn):
    whole, near = drawn["shooting"].figure.axes
    (zeros,) = [line for line in whole.lines if line.get_marker() == "o"]
    assert zeros.get_xdata() == pytest.approx([-10, 0]) and list(zeros.get_ydata()) == [0, 0]
    spans = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in whole.patches)
    assert spans == [pytest.approx((-80, -65)), pytest.approx((12, 20))]
    assert whole.get_title() == "k = 20, 101 shots"
    assert [text.get_text() for text in near.texts] == ["k = 20: −10", "k = 20: 0"]
    assert [text.get_text() for text in near.get_legend().texts] == ["k = 5", "k = 20"]


def test_networks_lie_over_the_solution_that_they_became(drawn):
    panels = {axes.get_title(): axes for axes in drawn["fig7_solutions_k5"].figure.axes}
    first, second = (
        panels[title] for title in ("first solution, sin²(k r²)", "second solution, by shooting")
    )
    for axes, name, bbi, adam in ((first, "first", 3, 2), (second, "second", 4, 0)):
        exact, *networks = axes.lines
        np.testing.assert_array_equal(exact.get_ydata(), solution(5.0, name))
        assert max(np.abs(line.get_ydata() - solution(5.0, name)).max() for line in networks) < 0.05
        colours = [line.get_color() for line in networks]
        assert (colours.count(COLOURS["bbi"]), len(colours)) == (bbi, bbi + adam)
    caption = drawn["fig7_solutions_k5"].caption
    assert "smaller" in caption and "k = 5, networks trained for 100 iterations at most" in caption
    assert "9 of 10 networks" in caption
    assert "none were trained" in drawn["fig7_solutions_k20"].caption


def test_discs_show_the_solutions(drawn):
    discs = [axes for axes in drawn["fig7_solutions_k20"].figure.axes if axes.get_xlabel() == "x₁"]
    for axes, name in zip(discs, ("first", "second"), strict=True):
        (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh | PolyQuadMesh)]
        radius = np.linalg.norm(mesh.get_coordinates(), axis=-1)
        expected = np.interp(radius, R, solution(20.0, name))
        np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(radius.shape), expected, atol=1e-12)


def test_errors_are_to_the_nearer_solution_by_outcome(drawn):
    panels = {axes.get_title(): axes for axes in drawn["error_curves_k5"].figure.axes}
    assert {"BBI (points redrawn): 8 runs", "Adam: 2 runs"} == set(panels)
    lines = {line.get_label(): line for line in panels["BBI (points redrawn): 8 runs"].lines}
    # at the second: .1 of network 0 and .2 .3 .4 of network 1; the run with .4 breaks off after iteration 40
    median = np.quantile([0.1, 0.2, 0.3, 0.4], 0.5, method="nearest")
    assert lines["end at the second"].get_ydata() == pytest.approx([median] * 11)
    assert lines["at neither"].get_ydata() == pytest.approx([0.4] * 5 + [np.inf] * 6)
    assert "end at the second" not in {line.get_label() for line in panels["Adam: 2 runs"].lines}


def test_bars_are_the_shares_of_the_labels_with_the_seconds_interval(drawn):
    (axes,) = drawn["outcomes"].figure.axes
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == [
        "BBI (points redrawn), initial network 0",
        "BBI (points redrawn), initial network 1",
        "Adam, initial network 0",
    ]
    bars = np.array([bar.get_width() for bar in axes.patches]).reshape(3, 3)  # second, first, neither
    np.testing.assert_allclose(bars, [[0.25, 0.5, 0.25], [0.75, 0.25, 0], [0, 1, 0]], atol=1e-12)
    intervals = [line.get_xdata() for line in axes.lines if line.get_marker() == "|"]
    for interval, (second, n) in zip(intervals, ((1, 4), (3, 4), (0, 2)), strict=True):
        assert tuple(interval) == wilson(second, n)
    (published,) = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert published.get_xdata()[0] == pytest.approx(1 / 12, abs=1e-5)


def test_without_trainings_or_a_second_solution_what_there_is_is_drawn():
    made = tables()
    curves = made["curves"]
    made["curves"] = curves[curves["solution"] != "second"]
    with style():
        drawn = figures.draw(made, CFG, published())
    assert list(drawn) == ["shooting", "fig7_solutions_k20"]
    assert sum(axes.get_xlabel() == "r" for axes in drawn["fig7_solutions_k20"].figure.axes) == 1


def test_a_ball_is_named_after_its_dimension_too():
    runs, curves = trained(3.0, "k=3, d=3")
    made = {"runs": runs, "curves": pd.concat([searched(3.0, "k=3, d=3"), curves], ignore_index=True)}
    cfg = composed("pde", "problems.k5.k=3", "problems.k5.dimension=3")
    with style():
        drawn = figures.draw(made, cfg, published())
    assert "fig7_solutions_k3_d3" in drawn and "error_curves_k3_d3" in drawn
