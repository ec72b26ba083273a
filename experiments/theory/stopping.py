"""How runs end: at rest or not, how soon in a shallow valley, how far beyond V = 0, with ΔV lowered."""

import math
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bbi import ECD
from bbi.laws import BornInfeld
from bbi.rules import ecd
from bbi.simulate import simulate
from experiments.competitors import create
from experiments.harness.settings import Count, Seed
from experiments.harness.tables import Tables
from experiments.landscapes.ensemble import run, uniform_points
from experiments.landscapes.functions import Ackley, Quadratic
from experiments.theory.config import Landscape
from experiments.theory.conservation import on_sphere


def valley(theta: Tensor) -> tuple[Tensor, Tensor]:
    """V = ½ m² θ² for points (θ, m), float64 (..., 2): each run has its own m, along which nothing pulls."""
    position, m = theta.unbind(-1)
    slope = m * m * position
    return 0.5 * slope * position, torch.stack((slope, torch.zeros_like(slope)), -1)


def stall(
    optimizer: dict[str, Any], ensemble: str, runs: Count, steps: Count, side: float, seed: Seed
) -> Tables:
    """A unit of work: long runs of one competitor; see :class:`experiments.theory.config.Stall`.

    Returns:
        ``runs``, one row a run: ``span``, the diagonal of the box in which the last tenth of the run stays,
        NaN for a run that ended before it; ``value``, the last F.
    """
    starts = uniform_points(runs, 2, -side, side, seed)
    ran = run(Ackley(), optimizer, ensemble, starts, steps, seed, record_every=10, compiled=False)
    curves = ran.curves
    assert curves is not None
    late = curves.step >= 0.9 * steps
    points = pd.DataFrame(curves.theta[late].numpy()).groupby(curves.replica[late].numpy())
    box = (points.max() - points.min()).reindex(range(runs))
    row = {"run": range(runs), "span": np.hypot(box[0], box[1]), "value": ran.value.numpy()}
    return {"runs": pd.DataFrame({**row, "status": ran.status, "steps": ran.steps.numpy()})}


def shallow(optimizer: dict[str, Any], ensemble: str, m: list[float], target: float, steps: Count) -> Tables:
    """A unit of work: one competitor in shallow valleys; see :class:`experiments.theory.config.Shallow`.

    Returns:
        ``runs``, one row an ``m``: ``steps``, ``status``.
    """

    def arrived(theta: Tensor, value: Tensor) -> Tensor:
        return theta[..., 0].abs() <= target

    frequency = torch.tensor(m, dtype=torch.float64)
    starts = torch.stack((torch.ones_like(frequency), frequency), -1)
    ran = run(valley, optimizer, ensemble, starts, steps, stop=arrived, compiled=False)
    return {"runs": pd.DataFrame({"m": m, "steps": ran.steps.numpy(), "status": ran.status})}


def overshoot(
    m: list[float], radius: float, delta_v: float, delta_e: float, lr: float, runs: Count, steps: Count,
    seed: Seed,
) -> Tables:  # fmt: skip
    """A unit of work: runs across V = 0 with one step size; see :class:`experiments.theory.config.Overshoot`.

    Returns:
        ``runs``, one row a run. ``overshoot`` is -V after the step that crossed V = 0, NaN for a run that did
        not. ``bound`` is what one step at the speed limit of the start makes of it to first order,
        |∇F| √V_0 Δt. ``second_order`` is the most that a step from V > 0 makes of it where F is linear: with
        √V Δt from the momentum and ½ Δt² |∇F| from the kick before the move,
        V' ≥ V - |∇F| √V Δt - ½ |∇F|² Δt², which is least, -¾ |∇F|² Δt², at √V = ½ |∇F| Δt.
    """
    potential = Quadratic(tuple(m))
    starts = on_sphere(runs, len(m), radius, seed)
    rule, settings = ecd(law=BornInfeld(), lr=lr, delta_v=delta_v, delta_e=delta_e, n_bounces=0, t1=math.inf)
    ran = simulate(potential, starts, rule, settings, steps, compiled=False)
    (value, grad), first = potential(ran.theta), potential(starts)[0] - delta_v
    below = torch.where(value < delta_v, delta_v - value, math.nan)
    steep = grad.norm(dim=1)
    row = {"lr": lr, "run": range(runs), "overshoot": below.numpy()}
    row["bound"] = (steep * first.sqrt() * lr).numpy()
    row["second_order"] = (0.75 * (steep * lr) ** 2).numpy()
    return {"runs": pd.DataFrame({**row, "status": ran.status})}


def tuned(place: Landscape, optimizer: dict[str, Any], runs: Count, steps: Count, seed: Seed) -> Tables:
    """A unit of work: the same runs with ΔV fixed and lowered; see :class:`experiments.theory.config.Tuned`.

    Returns:
        ``runs``, one row a run: ``fixed`` and ``tuned``, the lowest F on the way; ``delta_v``, where ΔV
        ended.
    """
    settings = {**optimizer, "lr": place.lr, "delta_v": place.delta_v, "delta_e": place.delta_e}
    starts = place.starts(runs, seed)
    fixed, _ = _lowest(place, {**settings, "tune_delta_v": False}, starts, steps)
    lowered, delta_v = _lowest(place, {**settings, "tune_delta_v": True}, starts, steps)
    row = {"fixed": fixed.numpy(), "tuned": lowered.numpy(), "delta_v": delta_v.numpy()}
    return {"runs": pd.DataFrame({"run": range(runs), **row})}


def _lowest(place: Landscape, optimizer: dict[str, Any], starts: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The lowest F of each run of the optimizer class, which alone can lower ΔV, and its ΔV at the end."""
    potential, theta = place.potential, starts.clone().requires_grad_()
    made = cast(ECD, create({**optimizer, "replicas": len(starts)}, [theta]))
    lowest = torch.full((len(starts),), math.inf, dtype=torch.float64)
    for _ in range(steps):
        value, theta.grad = potential(theta.detach())
        lowest = torch.fmin(lowest, value)  # a run that diverged keeps what it saw
        made.step(loss=value)
    return lowest, torch.as_tensor(made.delta_v).expand(len(starts))
