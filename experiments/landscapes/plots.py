"""Landscapes as pictures: Fig. 1, and the contours under trajectories."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bbi.simulate import Potential
from experiments.landscapes.functions import Ackley, TwoBasins, Zakharov

Box = tuple[float, float, float, float]


def grid(potential: Potential, box: Box, points: int = 201) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and F on a grid over ``box`` = (x low, x high, y low, y high)."""
    x, y = np.meshgrid(np.linspace(*box[:2], points), np.linspace(*box[2:], points))
    value = potential(torch.from_numpy(np.stack((x, y), -1)))[0].numpy()
    return x, y, value


def contours(axes: Axes, potential: Potential, box: Box, scale: Callable[[Any], Any] = lambda f: f) -> Any:
    """Filled contours of scale(F); returns what a colour bar needs."""
    x, y, value = grid(potential, box)
    filled = axes.contourf(x, y, scale(value), levels=30, cmap="Greys", alpha=0.75)
    axes.set(xlabel="θ₁", ylabel="θ₂", aspect="equal")
    axes.grid(False)
    filled.set_rasterized(True)
    return filled


def three_landscapes(coefficient: float) -> Figure:
    """Fig. 1: the Ackley function, the Zakharov function in two dimensions, and the two basins."""
    panels: tuple[tuple[str, Potential, Callable[[Any], Any]], ...] = (
        (f"Ackley, coefficient {coefficient:g}: F", Ackley(coefficient), lambda f: f),
        ("Zakharov, n = 2: log₁₀(1 + F)", Zakharov(), lambda f: np.log10(1 + f)),
        ("Two basins: F", TwoBasins(), lambda f: f),
    )
    figure = plt.figure(figsize=(12, 4.2))
    for number, (title, potential, scale) in enumerate(panels, 1):
        axes: Any = figure.add_subplot(1, 3, number, projection="3d")
        x, y, value = grid(potential, (-5.0, 5.0, -5.0, 5.0), 121)
        axes.plot_surface(
            x, y, scale(value), cmap="viridis", linewidth=0, rcount=121, ccount=121, rasterized=True
        )
        axes.set(title=title, xlabel="θ₁", ylabel="θ₂")  # a label of z would be cut off
    return figure
