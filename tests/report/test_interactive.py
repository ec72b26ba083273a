"""Figures as plotly's data: what is kept, what is left static, and that plotly accepts it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from experiments.harness import plotting
from experiments.report.interactive import panels, plain, thinned

plotly = pytest.importorskip("plotly.graph_objects", reason="plotly is not installed")


@pytest.fixture
def drawn() -> Figure:
    """Lines with a band, a limit, error bars, bars, dots and a text, on two axes."""
    with plotting.style():
        figure, (left, right) = plt.subplots(1, 2)
        steps = np.geomspace(1, 1e4, 50)
        left.plot(steps, 1 / steps, color="#0072B2", label="median, $\\Theta^{2}$")
        left.fill_between(steps, 0.5 / steps, 2 / steps, color="#0072B2", alpha=0.2, label="95 %")
        left.axhline(1e-3, color="black", linestyle=":", label="ΔV")
        left.set(xscale="log", yscale="log", xlabel="step", ylabel="F", title="one")
        right.bar([0, 1], [3.0, 4.0], 0.5, color="#D55E00", label="runs")
        right.errorbar([0, 1], [3.0, 4.0], yerr=[[1, 1], [0.5, 0.5]], fmt="none", ecolor="black")
        right.scatter([0.0, 1.0], [2.0, 2.5], color="#009E73", label="points")
        right.set_xticks([0, 1], ["SGD", "BBI"])
        right.annotate("best", (1, 4))
    plt.close(figure)
    return figure


def test_plotly_accepts_every_plot(drawn: Figure) -> None:
    for panel in panels(drawn):
        layout = {"xaxis": panel["xaxis"], "yaxis": panel["yaxis"], "annotations": panel["annotations"]}
        assert plotly.Figure(data=panel["traces"], layout=layout).to_json()


def test_lines_bands_bars_and_points_are_kept(drawn: Figure) -> None:
    left, right = panels(drawn)
    by_name = {trace["name"]: trace for trace in left["traces"]}
    assert set(by_name) == {"median, Θ<sup>2</sup>", "95 %", "ΔV"}
    assert by_name["ΔV"]["y"] == [1e-3, 1e-3] and by_name["ΔV"]["line"]["dash"] == "dot"
    assert by_name["95 %"]["fill"] == "toself"
    line = by_name["median, Θ<sup>2</sup>"]
    np.testing.assert_allclose(np.multiply(line["x"], line["y"]), 1, rtol=1e-4)
    assert (left["title"], left["xaxis"]["type"], left["yaxis"]["title"]) == ("one", "log", "F")
    bars = [trace for trace in right["traces"] if trace["type"] == "bar"]
    assert [(bar["x"], bar["y"], bar["name"]) for bar in bars] == [([0], [3], "runs"), ([1], [4], "runs")]
    assert right["xaxis"]["ticktext"] == ["SGD", "BBI"]
    assert [text["text"] for text in right["annotations"]] == ["best"]
    errors = next(trace for trace in right["traces"] if trace.get("mode") == "lines")
    assert errors["y"] == [2, 3.5, None, 3, 4.5, None]


@pytest.mark.parametrize("what", ["contours", "image", "3D", "curved scale"])
def test_a_figure_with_anything_else_stays_static(what: str) -> None:
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d" if what == "3D" else None)
    if what == "contours":
        axes.contourf(np.eye(3))
    elif what == "image":
        axes.imshow(np.eye(3))
    elif what == "curved scale":
        axes.set_yscale("symlog")
    plt.close(figure)
    assert panels(figure) == []


@given(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=3, max_size=400), st.integers(10, 50))
def test_thinning_keeps_the_ends_and_the_extremes(values: list[float], most: int) -> None:
    x, y = np.arange(len(values), dtype=float), np.array(values)
    few, those = thinned(x, y, most)
    assert len(few) <= max(most + 2, 10) or len(values) <= most
    assert (few[0], few[-1]) == (x[0], x[-1]) and (np.diff(few) > 0).all()
    if np.isfinite(y).any():
        assert (np.nanmin(those), np.nanmax(those)) == (np.nanmin(y), np.nanmax(y))


def test_labels_are_without_tex() -> None:
    assert plain("$\\propto m^{-2}$, a < b") == "∝ m<sup>−2</sup>, a &lt; b"
    assert plain("$|\\dot\\Theta|^2 = V_0$") == "|Θ̇|<sup>2</sup> = V<sub>0</sub>"
