"""Animate BBI and gradient descent with momentum on Ackley's function, from the same start.

    python scripts/animate.py

It writes `ackley.gif`, its last frame as `ackley.png`, and `alt.json` into `docs/images`. Both optimizers
have the settings that the released code found. Of some runs of BBI the one that comes lowest is shown, and
the caption says so.
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.artist import Artist

from experiments.ackley.config import Config, landscape
from experiments.harness import plotting
from experiments.harness.results import FIGURE_TEXTS
from experiments.harness.settings import compose, load
from experiments.landscapes.ensemble import curve_rows, run
from experiments.landscapes.functions import Ackley
from experiments.landscapes.plots import contours

COEFFICIENT, STEPS, RUNS, FRAMES = 0.02, 2000, 32, 60


def paths(cfg: Config, name: str, runs: int) -> pd.DataFrame:
    """Every step of some runs of a competitor with its own settings."""
    competitor = cfg.competitors[name]
    potential = Ackley(landscape(COEFFICIENT)["coefficient"])
    starts = torch.tensor([cfg.start] * runs, dtype=torch.float64)
    found = run(
        potential, competitor.optimizer(), competitor.ensemble, starts, STEPS, seed=cfg.seed, record_every=1,
        compiled=False,
    )  # fmt: skip
    return curve_rows(found)


def main() -> int:
    """Simulate, draw and print the paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("docs/images"), help="default: %(default)s")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    cfg = load(compose("experiment=ackley"), Config)
    every, gdm = paths(cfg, "bbi_released", RUNS), paths(cfg, "gdm_released", 1)
    lowest = every.groupby("run")["lowest"].min()
    shown, solved = lowest.idxmin(), int((lowest < cfg.robust.success).sum())
    with plotting.style():
        animation, figure = animate(cfg, every[every["run"] == shown], gdm)
        animation.save(folder / "ackley.gif", PillowWriter(fps=12, metadata={"comment": ""}), dpi=100)
        figure.savefig(folder / "ackley.png", dpi=200, metadata={"Software": None})
    alt = (
        "A map of pits and a plot of the lowest F so far. From the same start the path of BBI passes from "
        f"pit to pit and comes to the pit in the middle (F = {lowest[shown]:.1g}); that of GDM jumps about "
        f"and stays at {gdm['lowest'].min():.2g} or above."
    )
    caption = (
        f"BBI and GDM on Ackley's function (coefficient {COEFFICIENT}), with the step sizes that the "
        f"released code found. BBI has random bounces: of {RUNS} runs of {STEPS:,} steps this one comes "
        f"lowest, and {solved} find the minimum. GDM has no random numbers."
    )
    texts = json.dumps({"ackley": {"caption": caption, "alt": alt}}, indent=2, ensure_ascii=False)
    (folder / FIGURE_TEXTS).write_text(texts + "\n", encoding="utf-8")
    print(*(folder / name for name in ("ackley.gif", "ackley.png", FIGURE_TEXTS)), sep="\n")
    return 0


def animate(cfg: Config, bbi: pd.DataFrame, gdm: pd.DataFrame) -> tuple[FuncAnimation, plt.Figure]:
    """Both paths over the landscape, and the lowest F so far beside them."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2), width_ratios=(1, 1))
    contours(left, Ackley(COEFFICIENT), (-6, 6, -6, 6), levels=8)
    left.plot(*cfg.start, "s", color="black", label="start")
    left.plot(0, 0, "*", color="black", markersize=9, label="global minimum")
    left.legend(loc="lower left", frameon=True)
    left.set(xlim=(-6, 6), ylim=(-6, 6))
    last = int(bbi["step"].max())
    low = min(bbi["lowest"].min(), gdm["lowest"].min())
    right.set(yscale="log", xlabel="step", ylabel="lowest F so far", xlim=(0, last), ylim=(low / 2, 3))
    drawn = []
    for name, path in (("bbi_released", bbi), ("gdm_released", gdm)):
        color, label = cfg.competitors[name].color, cfg.competitors[name].label.partition(",")[0]
        (trail,) = left.plot([], [], color=color, linewidth=0.8)
        (head,) = left.plot([], [], cfg.competitors[name].marker, color=color, markersize=6)
        (curve,) = right.plot([], [], color=color, label=label)
        drawn.append((path.reset_index(drop=True), trail, head, curve))
    right.legend(loc="lower left")

    def show(frame: int) -> list[Artist]:
        step = round(last * frame / FRAMES)
        for path, trail, head, curve in drawn:
            seen = path[path["step"] <= step]
            trail.set_data(seen["x1"], seen["x2"])
            head.set_data(seen["x1"].iloc[-1:], seen["x2"].iloc[-1:])
            curve.set_data(seen["step"], seen["lowest"])
        return []

    frames = [*range(FRAMES + 1), *[FRAMES] * 12]  # it rests at the end
    return FuncAnimation(figure, show, frames=frames, blit=False), figure


if __name__ == "__main__":
    sys.exit(main())
