"""Figures: same bytes, readable colours, nothing left open."""

from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from experiments.harness.plotting import PALETTE, Picture, save, style, styles
from experiments.harness.results import figure_texts


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
        assert matplotlib.rcParams["font.size"] == 11
    assert matplotlib.rcParams["font.size"] == before
    assert matplotlib.get_backend().lower() == "agg"


def test_a_users_settings_do_not_change_the_figures(tmp_path):
    expected = save({"a": _figure()}, tmp_path / "a")[1].read_bytes()
    with matplotlib.rc_context({"lines.linewidth": 9, "font.family": "serif"}):
        assert save({"a": _figure()}, tmp_path / "b")[1].read_bytes() == expected


def test_colours_differ_for_colour_blind_readers():
    # Machado et al. (2009), full deuteranopia and protanopia, applied to linear RGB
    deutan = np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]])
    protan = np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]])
    rgb = np.array([to_rgb(colour) for colour in PALETTE]) ** 2.2
    for seen in (rgb, rgb @ deutan.T, rgb @ protan.T):
        seen = np.clip(seen, 0, 1) ** (1 / 2.2)
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + np.eye(len(seen)) * 9
        assert distance.min() > 0.1


def test_competitors_of_one_colour_differ_by_line():
    colors = {"a": "red", "b": "blue", "c": "red"}
    found = styles({name: SimpleNamespace(color=color) for name, color in colors.items()})
    assert found["a"]["linestyle"] != found["c"]["linestyle"] and found["a"]["color"] == found["c"]["color"]
    assert found["b"] == {"color": "blue", "linestyle": found["a"]["linestyle"]}
