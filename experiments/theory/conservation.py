"""Whether runs conserve the energy: BBI on the paper's landscapes, and every law of the family in a bowl."""

import math
from typing import Any

import hydra.utils
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bbi.laws import Law
from bbi.rules import ecd
from bbi.simulate import Potential, Run, simulate
from experiments.harness.settings import Count, Seed
from experiments.harness.tables import Tables
from experiments.landscapes.functions import Quadratic
from experiments.theory.config import Landscape
from experiments.theory.integrator import audit, flow

VARIANTS = {"restored": 1e-10, "left": math.inf}
"""ε1: that of Algorithm 1, which restores the energy, and one that leaves the energy to the integrator."""


def on_sphere(count: int, n: int, radius: float, seed: int) -> Tensor:
    """``count`` points of n dimensions at the distance ``radius`` from the origin, in random directions."""
    points = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, n)))
    return radius * torch.nn.functional.normalize(points)


def energy(
    place: Landscape, law: dict[str, Any], runs: Count, steps: Count, eps1: float, seed: Seed
) -> Tables:
    """A unit of work: runs on a landscape whose every step is audited; see the settings ``Energy``.

    ``eps1`` is ε1, as in :data:`VARIANTS`.

    Returns:
        ``runs``, one row a run: ``deviation``, the largest |H/E - 1| on the way; ``speed``, the largest
        |dΘ/dt|²/V by the law; ``stride``, the largest |ΔΘ|²/(Δt² V).
    """
    settings = {"lr": place.lr, "delta_v": place.delta_v, "delta_e": place.delta_e}
    starts = place.starts(runs, seed)
    ran, rows = _audited(place.potential, hydra.utils.instantiate(law), starts, steps, eps1, settings)
    return {"runs": _extremes(rows, ran)}


def continuous(place: Landscape, law: dict[str, Any], runs: Count, span: float, seed: Seed) -> Tables:
    """A unit of work: the first of these runs for the time ``span`` in continuous time.

    Returns:
        ``runs``, one row a run: ``deviation``, the largest |H/E - 1| on the way.
    """
    starts, hamiltonian = place.starts(runs, seed), hydra.utils.instantiate(law)
    deviation = _deviation(place.potential, hamiltonian, starts, place.delta_v, place.delta_e, span)
    return {"runs": pd.DataFrame({"run": range(runs), "deviation": deviation})}


def bowl(
    law: dict[str, Any], m: list[float], radius: float, runs: Count, steps: Count, continued: Count,
    lr: float, delta_e: float, seed: Seed,
) -> Tables:  # fmt: skip
    """A unit of work: runs under one law in a bowl; see :class:`experiments.theory.config.Family`.

    Returns:
        ``runs``, one row a run, has beside what :func:`energy` gives ``best`` and ``last``, the lowest V on
        the way and the last one, divided by the first; of the first ``continued`` runs ``continuous``, the
        largest |H/E - 1| in continuous time. ``curves`` of the first run has V and ``stride2`` = |ΔΘ|²/Δt².
    """
    potential, hamiltonian = Quadratic(tuple(m)), hydra.utils.instantiate(law)
    starts = on_sphere(runs, len(m), radius, seed)
    settings = {"lr": lr, "delta_v": 0.0, "delta_e": delta_e}
    ran, rows = _audited(potential, hamiltonian, starts, steps, VARIANTS["restored"], settings)
    table, first = _extremes(rows, ran), potential(starts)[0]
    table["best"], table["last"] = (ran.best / first).numpy(), (ran.value / first).numpy()
    moved = _deviation(potential, hamiltonian, starts[:continued], 0.0, delta_e, steps * lr / 10)
    table["continuous"] = pd.Series(moved)
    curve = rows.query("run == 0")[["run", "step", "v", "stride2"]].iloc[:: max(1, steps // 500)]
    return {"runs": table, "curves": curve}


def _audited(
    potential: Potential, law: Law, starts: Tensor, steps: int, eps1: float, settings: dict[str, float]
) -> tuple[Run, pd.DataFrame]:
    rule, values = ecd(law=law, eps1=eps1, n_bounces=0, t1=math.inf, **settings)
    ran = simulate(potential, starts, rule, values, steps, record_every=1, compiled=False)
    assert ran.curves is not None
    return ran, audit(ran.curves, law, potential, settings["lr"], settings["delta_v"], ran.scalars[0])


def _extremes(rows: pd.DataFrame, ran: Run) -> pd.DataFrame:
    """One row a run from one row a step; NaN for a run that made none."""
    columns = {
        "deviation": rows["energy"].abs(),
        "speed": rows["speed2"] / rows["v"],
        "stride": rows["stride2"] / rows["v"],
    }
    worst = pd.DataFrame({"run": rows["run"], **columns}).groupby("run").max()
    every = worst.reindex(pd.RangeIndex(len(ran.status), name="run")).reset_index()
    return every.assign(steps=ran.steps.numpy(), status=ran.status)


def _deviation(
    potential: Potential, law: Law, starts: Tensor, delta_v: float, delta_e: float, span: float
) -> list[float]:
    """Largest |H/E - 1| of motions in continuous time that start as BBI does, eqs. (13) and (14).

    NaN for a motion that starts at V ≤ 0, where there is none, or that cannot be integrated.
    """
    found = []
    for start in starts:
        value, grad = potential(start)
        v = value - delta_v
        if v <= 0:
            found.append(math.nan)
            continue
        p2 = law.momentum_squared(v, law.start(v, torch.full_like(v, delta_e))).clamp(min=0)
        momentum, times = -grad / grad.norm() * p2.sqrt(), np.linspace(0.0, span, 201)
        try:
            theta, pi = flow(law, potential, start, momentum, delta_v, times)
        except RuntimeError:
            found.append(math.nan)
        else:
            v = torch.stack([potential(point)[0] for point in theta]) - delta_v
            energy = law.energy(v, torch.stack([one.square().sum() for one in pi]))
            found.append(float((energy / energy[0] - 1).abs().max()))
    return found
