"""Figures: same bytes, readable colours, nothing left open."""

from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from experiments.harness.plotting import PALETTE, Picture, decades, save, style, styles
from experiments.harness.results import figure_texts
from experiments.harness.settings import CONF, compose


def _figure() -> Figure:
    with style():
        figure, axes = plt.subplots()
        axes.plot([0, 1, 2], [0, 1, 4], color=PALETTE[0], label="BBI, δE = 2")
        axes.scatter([0, 1], [1, 0], label="$\\theta$")
        axes.legend()
        axes.set_xlabel("step")
    return figure


def test_saved_twice_gives_the_same_bytes(tmp_path, monkeypatch):
    first = save({"fig3": _figure()}, tmp_path / "a")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")  # another day, for whoever would write a date
    second = save({"fig3": _figure()}, tmp_path / "b")
    assert [path.name for path in first] == ["fig3.pdf", "fig3.png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert first[0].read_bytes().startswith(b"%PDF") and first[1].read_bytes().startswith(b"\x89PNG")
    assert b"Date" not in first[0].read_bytes()


def test_figures_are_closed_and_no_partial_file_stays(tmp_path):
    plt.close("all")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").touch()  # of an earlier version
    (tmp_path / ".figures.part").mkdir()
    (tmp_path / ".figures.part" / "half.png").write_bytes(b"what a killed process left")
    save({"a": _figure(), "ackley-0.02": _figure()}, tmp_path / "figures")
    assert plt.get_fignums() == []
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["a.pdf", "a.png", "ackley-0.02.pdf", "ackley-0.02.png", "alt.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_captions_and_alternative_texts_are_beside_the_figures(tmp_path):
    assert figure_texts(tmp_path) == {}
    save({"a": Picture(_figure(), "Δt against V.", "A parabola from 0 to 4.")}, tmp_path / "figures")
    assert figure_texts(tmp_path) == {"a": {"caption": "Δt against V.", "alt": "A parabola from 0 to 4."}}


def test_a_failed_drawing_keeps_the_old_file(tmp_path, monkeypatch):
    (old,) = [path for path in save({"a": _figure()}, tmp_path / "f") if path.suffix == ".png"]
    before = old.read_bytes()
    figure = _figure()
    monkeypatch.setattr(figure, "savefig", lambda path, **_: path.write_bytes(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save({"a": figure}, tmp_path / "f")
    assert old.read_bytes() == before
    plt.close(figure)


def test_style_is_undone_and_needs_no_display():
    before = matplotlib.rcParams["font.size"]
    with style():
        assert matplotlib.rcParams["font.size"] == 8
    assert matplotlib.rcParams["font.size"] == before
    assert matplotlib.get_backend().lower() == "agg"


def test_a_users_settings_do_not_change_the_figures(tmp_path):
    expected = save({"a": _figure()}, tmp_path / "a")[1].read_bytes()
    with matplotlib.rc_context({"lines.linewidth": 9, "font.family": "serif"}):
        assert save({"a": _figure()}, tmp_path / "b")[1].read_bytes() == expected


# Machado et al. (2009), applied to linear RGB: full deuteranopia, protanopia, tritanopia
SIGHTS = {
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
TO_XYZ = [[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8728]]  # of white: 1, 1, 1


def _lab(colours, sight):
    """CIELAB coordinates of colours as they are seen."""
    linear = np.clip(np.array([to_rgb(colour) for colour in colours]) ** 2.2 @ np.array(sight).T, 0, 1)
    xyz = linear @ np.array(TO_XYZ).T
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


OPTIMIZERS = {file.stem: OmegaConf.load(file) for file in sorted((CONF / "optimizer").glob("*.yaml"))}
LOOKS = {(one.color, one.marker) for one in OPTIMIZERS.values()}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("colours", [PALETTE, sorted({color for color, _ in LOOKS})])
def test_colours_differ_for_colour_blind_readers(colours, sight):
    seen = _lab(colours, SIGHTS[sight])
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    nearest = distance[np.triu_indices(len(seen), 1)].min()
    assert nearest > 14  # of 2.3 that can just be told apart, side by side


def test_no_two_optimizers_look_alike():
    """Relatives share a colour and differ by marker; SGD and GDM are one, with and without noise."""
    assert OPTIMIZERS["sgd"].color == OPTIMIZERS["gdm"].color
    assert OPTIMIZERS["sgd"].marker == OPTIMIZERS["gdm"].marker
    assert len(LOOKS) == len(OPTIMIZERS) - 1
    laws = compose("experiment=theory").family.laws
    files = {"bi": "bbi", "separable": "ecdsep"}
    for name, law in laws.items():
        file = OPTIMIZERS[files.get(name, name)]
        assert (law.color, law.marker) == (file.color, file.marker)


def test_variants_of_one_optimizer_differ_by_line_and_marker():
    colors = {"a": "red", "b": "blue", "c": "red"}
    found = styles({name: SimpleNamespace(color=color, marker=color[0]) for name, color in colors.items()})
    a, b, c = found.values()
    assert a["color"] == c["color"] and a["marker"] == c["marker"] != b["marker"]
    assert a["linestyle"] != c["linestyle"] and a["markerfacecolor"] != c["markerfacecolor"]
    assert b["linestyle"] == a["linestyle"]


@pytest.mark.parametrize(("low", "high"), [(0.6, 1.9), (2e-3, 9e-3), (1e-5, 1e5)])
def test_a_logarithmic_axis_has_two_labels_at_least(low, high):
    with style():
        figure, axes = plt.subplots()
        axes.semilogy([0, 1], [low, high])
        decades(axes)
        figure.canvas.draw()
    shown = [
        text for text in axes.get_yticklabels() if low <= text.get_position()[1] <= high and text.get_text()
    ]
    assert len(shown) >= 2
    plt.close(figure)
