"""A drawn figure as plotly's data: the same lines, bands, bars and points, with hover and zoom.

Each axes becomes a plot of its own, so that the page can put them beside each other or one below the other.
A figure with anything else in it (contours, images, 3D) has no interactive form.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, LogFormatter, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

POINTS = 8_000
"""Points of a figure that are kept at most, shared among its lines."""
DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
SYMBOLS = {
    ".": "circle", "o": "circle", "s": "square", "^": "triangle-up", "v": "triangle-down", "D": "diamond",
    "d": "diamond-tall", "*": "star", "x": "x-thin-open", "X": "x", "+": "cross-thin-open", "P": "cross",
    "<": "triangle-left", ">": "triangle-right", "p": "pentagon", "h": "hexagon", "|": "line-ns-open",
}  # fmt: skip
MATH = {
    r"\Delta": "Δ", r"\delta": "δ", r"\dot\Theta": "Θ̇", r"\Theta": "Θ", r"\theta": "θ", r"\propto": "∝",
    r"\nabla": "∇", r"\mu": "μ", r"\eta": "η", r"\kappa": "κ", r"\gamma": "γ", r"\Pi": "Π", r"\times": "×",
    r"\leq": "≤", r"\geq": "≥", r"\cdot": "·", r"\,": " ", r"\mathrm": "", r"\sqrt": "√", "-": "−",
}  # fmt: skip
NUMBERS = (ScalarFormatter, LogFormatter, NullFormatter)
"""Formatters whose ticks plotly chooses itself."""


class _Static(Exception):
    """The figure contains something that has no interactive form."""


def panels(figure: Figure) -> list[dict[str, Any]]:
    """The plots of a figure: title, traces, axes, annotations; none if it has no interactive form."""
    shown = [axes for axes in figure.axes if axes.axison]
    number = sum(len(axes.lines) for axes in shown) or 1
    try:
        return [_panel(axes, max(40, POINTS // number)) for axes in shown]
    except _Static:
        return []


def _panel(axes: Axes, most: int) -> dict[str, Any]:
    if axes.name != "rectilinear" or axes.images or axes.child_axes:
        raise _Static
    names = _names(axes)
    traces: list[dict[str, Any]] = []
    for artist in axes.get_children():
        name = plain(names.get(id(artist), ""))
        traces += [{**trace, "name": name, "legendgroup": name} for trace in _traces(artist, axes, most)]
    return {
        "title": plain(axes.get_title() or axes.get_title(loc="left")),
        "traces": traces,
        "xaxis": _axis(axes, "x"),
        "yaxis": _axis(axes, "y"),
        "annotations": list(_texts(axes)),
    }


def _traces(artist: Artist, axes: Axes, most: int) -> Iterable[dict[str, Any]]:
    if isinstance(artist, Line2D):
        return _line(artist, axes, most)
    if isinstance(artist, LineCollection):
        return _segments(artist)
    if isinstance(artist, PolyCollection):
        return _band(artist)
    if isinstance(artist, PathCollection):
        return _points(artist)
    if isinstance(artist, Rectangle) and artist in axes.patches:
        return _bar(artist, axes)
    if artist in axes.patches or artist in axes.collections:
        raise _Static
    return ()


def _names(axes: Axes) -> dict[int, str]:
    """Labels by the identity of the artist, those of containers given to their members."""
    names: dict[int, str] = {}
    labelled: list[Any] = [*axes.containers, *axes.get_children()]
    for artist in labelled:
        label = str(artist.get_label())
        if not label or label.startswith("_"):
            continue
        for one in artist.get_children() if isinstance(artist, Container) else [artist]:
            names.setdefault(id(one), label)
    # Artists of one colour belong to the label of that colour, as a run's line to its optimizer.
    by_look = {_look(one): names[id(one)] for one in axes.lines if id(one) in names}
    for one in axes.lines:
        names.setdefault(id(one), by_look.get(_look(one), ""))
    return names


def _look(line: Line2D) -> tuple[str, str]:
    return to_hex(line.get_color()), str(line.get_linestyle())


def _hex(colors: Any) -> str:
    """A colour, or the first of several."""
    return to_hex(np.atleast_2d(np.asarray(colors, dtype=float))[0].tolist())


def _line(line: Line2D, axes: Axes, most: int) -> Iterator[dict[str, Any]]:
    x, y = (np.asarray(values, dtype=float) for values in (line.get_xdata(), line.get_ydata()))
    along_x, along_y = line.get_transform().contains_branch_seperately(axes.transData)
    if not along_x:  # drawn across the axes, as a limit is
        x = np.asarray(axes.get_xlim())
    if not along_y:
        y = np.asarray(axes.get_ylim())
    marker, style = str(line.get_marker()), str(line.get_linestyle())
    mode = [word for word, there in (("lines", style in DASHES), ("markers", marker in SYMBOLS)) if there]
    if len(x) == 0 or not line.get_visible() or not mode:
        return
    x, y = thinned(x, y, most)
    trace: dict[str, Any] = {"type": "scatter", "mode": "+".join(mode), "x": _list(x), "y": _list(y)}
    trace["opacity"] = float(line.get_alpha() or 1)
    color = to_hex(line.get_color())
    if "lines" in mode:
        width = round(min(2.5, max(1.0, 1.25 * line.get_linewidth())), 2)
        trace["line"] = {"color": color, "width": width, "dash": DASHES[style]}
    if "markers" in mode:
        face, symbol = line.get_markerfacecolor(), SYMBOLS[marker]
        trace["marker"] = {
            "color": color if face in ("none", "auto") else to_hex(face),
            "size": round(max(4.0, 1.2 * line.get_markersize()), 1) if marker != "." else 5,
            "symbol": symbol.removesuffix("-open") + "-open" if face == "none" else symbol,
        }
    yield trace


def _segments(lines: LineCollection) -> Iterator[dict[str, Any]]:
    """Error bars: one trace of separate pieces."""
    pieces = [np.asarray(piece, dtype=float) for piece in lines.get_segments()]
    if pieces:
        gap = np.full((1, 2), np.nan)
        joined = np.concatenate([part for piece in pieces for part in (piece, gap)])
        yield {
            "type": "scatter", "mode": "lines", "x": _list(joined[:, 0]), "y": _list(joined[:, 1]),
            "line": {"color": _hex(lines.get_color()), "width": 1.5}, "hoverinfo": "skip", "opacity": 1.0,
        }  # fmt: skip


def _band(band: PolyCollection) -> Iterator[dict[str, Any]]:
    for path in band.get_paths():
        vertices = np.asarray(path.vertices, dtype=float)
        x, y = vertices[:, 0], vertices[:, 1]
        if len(x) > 1200:
            step = len(x) // 600
            x, y = x[::step], y[::step]
        red, green, blue, alpha = to_rgba(np.asarray(band.get_facecolor())[0])
        color = f"rgba({round(255 * red)},{round(255 * green)},{round(255 * blue)},{alpha:.2f})"
        yield {
            "type": "scatter", "mode": "none", "x": _list(x), "y": _list(y), "fill": "toself",
            "fillcolor": color, "hoverinfo": "skip",
        }  # fmt: skip


def _points(points: PathCollection) -> Iterator[dict[str, Any]]:
    places = np.asarray(points.get_offsets(), dtype=float)
    if len(places) == 0:
        return
    step = max(1, len(places) // 4_000)
    colors = [_hex(color) for color in np.asarray(points.get_facecolor())] or ["#000000"]
    sizes = points.get_sizes()
    yield {
        "type": "scatter", "mode": "markers", "x": _list(places[::step, 0]), "y": _list(places[::step, 1]),
        "marker": {
            "color": colors[0] if len(set(colors)) == 1 else colors[::step],
            "size": round(float(np.clip(math.sqrt(sizes[0]) if len(sizes) else 5, 4, 12)), 1),
        },
    }  # fmt: skip


def _bar(bar: Rectangle, axes: Axes) -> Iterator[dict[str, Any]]:
    if not all(bar.get_data_transform().contains_branch_seperately(axes.transData)):
        raise _Static
    color, (x, y) = to_hex(bar.get_facecolor()), bar.get_xy()
    middle, width, height = x + bar.get_width() / 2, bar.get_width(), bar.get_height()
    yield {
        "type": "bar", "x": _list([middle]), "y": _list([height]), "base": _list([y]),
        "width": _list([width]), "marker": {"color": color},
    }  # fmt: skip


def _axis(axes: Axes, side: str) -> dict[str, Any]:
    axis = getattr(axes, f"{side}axis")
    scale, ends = axis.get_scale(), getattr(axes, f"get_{side}lim")()
    if scale not in ("linear", "log"):
        raise _Static
    ends = np.log10(ends) if scale == "log" else ends
    made: dict[str, Any] = {"type": scale, "title": plain(axis.get_label_text()), "range": _list(ends)}
    locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
    if isinstance(locator, FixedLocator) and not isinstance(formatter, NUMBERS):
        places = list(locator())  # of names, such as those of optimizers
        made |= {
            "tickvals": _list(places),
            "ticktext": [plain(word) for word in formatter.format_ticks(places)],
        }
    return made


def _texts(axes: Axes) -> Iterator[dict[str, Any]]:
    for text in axes.texts:
        x, y = text.xy if hasattr(text, "xy") else text.get_position()
        in_data = getattr(text, "xycoords", "data") == "data" and (
            hasattr(text, "xy") or all(text.get_transform().contains_branch_seperately(axes.transData))
        )
        if not in_data or not text.get_text().strip():
            raise _Static
        logs = [axis.get_scale() == "log" for axis in (axes.xaxis, axes.yaxis)]
        x, y = (math.log10(v) if log else float(v) for v, log in zip((x, y), logs, strict=True))
        vertical = {"bottom": "bottom", "top": "top"}.get(text.get_verticalalignment(), "middle")
        yield {
            "x": x, "y": y, "text": plain(text.get_text()), "showarrow": False, "yanchor": vertical,
            "xanchor": text.get_horizontalalignment(), "font": {"size": 11},
        }  # fmt: skip


def thinned(x: NDArray[Any], y: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fewer points of a line that keep what is seen of it: in each stretch the lowest and the highest.

    Args:
        x, y: The points.
        most: How many to keep, or a few more.
    """
    if len(x) <= most:
        return x, y
    lowest, highest = (np.where(np.isfinite(y), y, fill) for fill in (np.inf, -np.inf))
    kept = {0, len(x) - 1}
    for part in np.array_split(np.arange(len(x)), max(1, most // 2)):
        kept |= {int(part[np.argmin(lowest[part])]), int(part[np.argmax(highest[part])])}
    where = sorted(kept)
    return x[where], y[where]


def _list(values: Sequence[float] | NDArray[Any]) -> list[float | None]:
    """Numbers for JSON, to five digits; None for what is not finite."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in map(float, values)]


def plain(words: str) -> str:
    """A label of matplotlib as plotly's: without TeX."""
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")

    def piece(found: re.Match[str]) -> str:
        tex = found[1]
        for command, sign in MATH.items():
            tex = tex.replace(command, sign)
        tex = re.sub(r"\^\{([^}]*)\}|\^(\w)", lambda m: f"<sup>{m[1] or m[2]}</sup>", tex)
        tex = re.sub(r"_\{([^}]*)\}|_(\w)", lambda m: f"<sub>{m[1] or m[2]}</sub>", tex)
        return re.sub(r"[{}\\]", "", tex)

    return re.sub(r"\$([^$]*)\$", piece, words)
