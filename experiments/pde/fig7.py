"""The radial solutions and how they were searched for: Fig. 7 of section 4.4 and appendix B."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.harness.plotting import COLUMN, PAGE, PALETTE, Picture, legend_below, styles
from experiments.harness.tables import where
from experiments.pde.config import Task

_TITLES = {"first": "first solution, sin²(k r²)", "second": "second solution, by shooting"}


def described(task: Task, runs: pd.DataFrame) -> str:
    """The problem, how long networks were trained on it, and what of it is reduced: a sentence or two."""
    mine = where(runs, problem=task.label)
    if mine.empty:
        return f"{task.title}."
    reduced = f" ({task.reduced})" if task.reduced else ""
    iterations = f"{mine['iterations'].max():,.0f} iterations at most"
    return f"{task.title}, networks trained for {iterations}{reduced}."


def _starts(radial: pd.DataFrame, task: Task) -> list[float]:
    """u(0) of a problem's solutions."""
    return sorted(where(radial, problem=task.label, r=0.0)["u"])


def search(tasks: list[Task], scans: pd.DataFrame, radial: pd.DataFrame) -> Picture:
    """The proof of the search: u(1) - f0 against u(0), over the whole range and around its zeros."""
    figure, (whole, near) = plt.subplots(1, 2, figsize=(PAGE, 3.0))
    _whole_range(whole, tasks[-1], where(scans, problem=tasks[-1].label).sort_values("u0"))
    starts = _starts(radial, tasks[-1])
    _zeros(whole, starts, PALETTE[0])
    lowest = 0.0
    colours = plt.get_cmap("viridis")(np.linspace(0.85, 0, len(tasks)))
    for task, colour in zip(tasks, colours, strict=True):
        mine = where(scans, problem=task.label).sort_values("u0")
        residual = mine["boundary_residual"]
        near.plot(mine["u0"], residual.where(np.isfinite(residual)), color=colour, label=task.title)
        _zeros(near, _starts(radial, task), colour)
        lowest = min(lowest, float(residual.min()))
    for start in starts:
        text = f"{start:.6f}".rstrip("0").rstrip(".").replace("-", "−")
        words = f"{tasks[-1].title}: {text}"
        near.annotate(words, (start, 0), xytext=(9, 14), textcoords="offset points", fontsize=7)
    width = max(starts) - min(starts) or 10.0
    near.set(
        xlim=(min(starts) - 0.5 * width, max(starts) + 0.5 * width),
        ylim=(1.25 * lowest - 0.2, 3 * abs(lowest) + 0.2),
        title="around the solutions",
        xlabel="u(0)",
    )
    near.locator_params(axis="x", nbins=5)
    near.legend(loc="upper center", ncols=1 + len(tasks) // 8)
    caption = (
        f"The search for radial solutions by shooting: u(1) − f₀ against u(0). Left: {tasks[-1].title}, "
        "the whole range, with the parts where shots blow up. Right: around the zeros, which are the "
        "solutions (dots)."
    )
    zeros = ", ".join(f"{start:.6g}" for start in starts)
    alt = (
        f"A curve that crosses zero {len(starts)} times, for {tasks[-1].title} at u(0) = {zeros}, and "
        "rises without bound towards the shaded parts at both ends."
    )
    return Picture(figure, caption, alt)


def _whole_range(axes: Axes, task: Task, scan: pd.DataFrame) -> None:
    """The boundary residual of every shot, and where shots blow up."""
    arrived = scan[np.isfinite(scan["boundary_residual"])]
    axes.plot(arrived["u0"], arrived["boundary_residual"], color=PALETTE[0])
    ends, edges = (scan["u0"].min(), scan["u0"].max()), (arrived["u0"].min(), arrived["u0"].max())
    for low, high in ((ends[0], edges[0]), (edges[1], ends[1])):
        if low < high:
            axes.axvspan(low, high, color=PALETTE[1], alpha=0.15, linewidth=0)
            place, frame = ((low + high) / 2, 0.5), ("data", "axes fraction")
            axes.annotate(
                "blows up", place, xycoords=frame, rotation=90, ha="center", va="center", fontsize=7
            )
    axes.set(title=f"{task.title}, {len(scan)} shots", ylabel="u(1) − f₀", xlabel="u(0)")
    axes.set_yscale("symlog", linthresh=1)
    axes.margins(x=0)


def _zeros(axes: Axes, starts: list[float], colour: object) -> None:
    axes.axhline(0, color="black", linewidth=0.8)
    axes.plot(starts, [0.0] * len(starts), "o", color=colour, markeredgecolor="black", zorder=3)


def solutions(task: Task, curves: pd.DataFrame, runs: pd.DataFrame) -> Picture:
    """Fig. 7: both solutions against r, with the networks that became them, and over the disc."""
    mine = where(curves, problem=task.label)
    exact = dict(list(where(mine, stage="radial").groupby("solution")))
    figure, panels = plt.subplots(
        2, len(exact), figsize=(PAGE if len(exact) > 1 else COLUMN, 5.4), squeeze=False,
        height_ratios=(1, 1.2),
    )  # fmt: skip
    said = []
    for (name, solution), (above, below) in zip(exact.items(), panels.T, strict=True):
        above.plot(
            solution["r"], solution["u"], color="black", linewidth=1.2, label="the solution", zorder=20
        )
        _networks(above, task, where(mine, stage="network"), runs, name)
        above.set(title=_TITLES[name], xlabel="r")
        above.margins(x=0)
        _disc(figure, below, solution)
        said.append(
            f"the {name} from u(0) = {solution['u'].iloc[0]:.4g} to {solution['u'].iloc[-1]:.3g} at r = 1"
        )
    panels[0, 0].set_ylabel("u")
    legend_below(figure, panels[0], ncols=3)
    figure.suptitle(task.title)
    trained = where(runs, problem=task.label)
    count = trained["label"].isin(exact).sum()
    networks = "There are no lines of networks, as none were trained on it here."
    if count:
        networks = f"Thin lines: the {count} of {len(trained)} networks that ended at a solution."
    elif len(trained):
        networks = f"There are no lines of networks: of {len(trained)} trained, none ended at a solution."
    how = "The radial solutions, found by shooting: against r, and over the disc."
    caption = f"{described(task, trained)} {how} {networks}"
    alt = f"Two rows: u against r, and discs coloured by u, with rings. The solutions run {'; '.join(said)}."
    return Picture(figure, caption, alt)


def _networks(axes: Axes, task: Task, profiles: pd.DataFrame, runs: pd.DataFrame, label: str) -> None:
    """The profiles of the networks with this label, a colour for each competitor, the first ones on top."""
    found = where(runs, problem=task.label, label=label)
    for order, (name, look) in enumerate(styles(task.competitors).items()):
        for _, run in where(found, competitor=name).iterrows():
            path = where(profiles, competitor=name, network=run["network"], run=run["run"])
            axes.plot(
                path["r"], path["u"], color=look["color"], linestyle=look["linestyle"], linewidth=0.5,
                alpha=0.5, label=f"networks by {task.competitors[name].label}",
                zorder=3 + len(task.competitors) - order,
            )  # fmt: skip


def _disc(figure: Figure, axes: Axes, exact: pd.DataFrame) -> None:
    """u over the disc (of a ball: over a plane through its centre)."""
    r, angle = np.meshgrid(exact["r"], np.linspace(0, 2 * np.pi, 181))
    x, y, u = r * np.cos(angle), r * np.sin(angle), np.broadcast_to(exact["u"].to_numpy(), r.shape)
    shade = axes.pcolormesh(x, y, u, shading="gouraud", cmap="viridis", rasterized=True)
    figure.colorbar(shade, ax=axes, label="u", shrink=0.85)
    axes.set(aspect="equal", xlabel="x₁", ylabel="x₂")
    axes.grid(False)
