"""What motion conserves: the energy of BBI on the paper's landscapes, and of the whole family in a bowl."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bbi.laws import BornInfeld, Frictionless, InverseMass, Law, Logarithmic, Separable
from bbi.simulate import Potential, Run, simulate
from bbi.step import ECD, EPS1
from experiments.competitors import check_parameter
from experiments.harness.errors import UserError
from experiments.harness.settings import at_least, one_of, positive
from experiments.harness.store import Lab, Tables, Unit
from experiments.landscapes.ensemble import uniform_points
from experiments.landscapes.functions import Ackley, Quadratic, TwoBasins, Zakharov
from experiments.theory.integrator import audit, flow

LANDSCAPES: dict[str, tuple[Potential, int]] = {
    "ackley": (Ackley(), 2),
    "zakharov": (Zakharov(), 10),
    "two_basin": (TwoBasins(), 2),
}
"""Functions of section 4 and their dimensions."""
LAWS: dict[str, Law] = {
    "bi": BornInfeld(),
    "inverse_mass": InverseMass(),
    "logarithmic": Logarithmic(),
    "separable": Separable(),
    "frictionless": Frictionless(),
}
NO_BOUNCES = {"n_bounces": 0.0, "t1": math.inf}


@dataclass
class Landscape:
    """Where to start, in the cube [-side, side]ⁿ, and the settings of BBI there."""

    side: float
    lr: float
    delta_v: float
    delta_e: float

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for a side or a step size of 0 or less, or settings that BBI has not."""
        positive(f"{name}.side", self.side)
        positive(f"{name}.lr", self.lr)
        for key in ("delta_v", "delta_e"):
            check_parameter(f"{name}.{key}", key, getattr(self, key))


@dataclass
class Energy:
    """Runs without bounces whose every step is audited.

    Attributes:
        runs: Runs on each landscape.
        steps: Steps of each with the landscape's step size.
        halvings: How often the step size is halved, with twice the steps, to see the order of the error.
        continued: How many of the runs are integrated in continuous time too.
        landscapes: By their names in :data:`LANDSCAPES`.
    """

    runs: int
    steps: int
    halvings: int
    continued: int
    landscapes: dict[str, Landscape]

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for budgets too small to fit an exponent, or an unknown landscape."""
        for key, low in (("runs", 1), ("steps", 1), ("halvings", 2), ("continued", 1)):
            at_least(f"{name}.{key}", getattr(self, key), low)
        check_landscapes(name, self.landscapes)


@dataclass
class Family:
    """Every law in an anisotropic bowl V = ½ Σ m_i² θ_i², from points at the distance ``radius``."""

    m: list[float]
    radius: float
    runs: int
    steps: int
    continued: int
    lr: float
    delta_e: float

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for a bowl without directions, or numbers that are not above 0."""
        check_bowl(name, self.m)
        for key in ("radius", "lr"):
            positive(f"{name}.{key}", getattr(self, key))
        for key in ("runs", "steps", "continued"):
            at_least(f"{name}.{key}", getattr(self, key), 1)
        check_parameter(f"{name}.delta_e", "delta_e", self.delta_e)


def check_landscapes(name: str, landscapes: dict[str, Landscape]) -> None:
    """Raise :class:`UserError` for a landscape that is none of :data:`LANDSCAPES`, or none at all."""
    if not landscapes:
        raise UserError(f"{name}.landscapes: must be one or more of {', '.join(LANDSCAPES)}")
    for key in landscapes:
        one_of(f"{name}.landscapes", key, tuple(LANDSCAPES))


def check_bowl(name: str, m: list[float]) -> None:
    """Raise :class:`UserError` for a bowl without directions, or a frequency that is not above 0."""
    if not m:
        raise UserError(f"{name}.m=[]: must be one frequency or more, such as [1.0, 0.5]")
    for frequency in m:
        positive(f"{name}.m", frequency)


def on_sphere(count: int, n: int, radius: float, seed: int) -> Tensor:
    """``count`` points of n dimensions at the distance ``radius`` from the origin, in random directions."""
    points = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, n)))
    return radius * torch.nn.functional.normalize(points)


def energy(plan: Energy, lab: Lab) -> Iterator[Unit]:
    """Units of work, one a landscape: rows of ``runs`` (stage ``energy``), one a run, step size and reading.

    ``deviation`` is the largest |H/E - 1| on the way, ``speed`` the largest |dΘ/dt|²/V by the law, ``stride``
    the largest |ΔΘ|²/(Δt² V). The readings: ``restored`` (Algorithm 1), ``left`` to the integrator alone, and
    ``continuous`` time.
    """

    def unit(name: str, place: Landscape) -> Unit:
        def compute() -> Tables:
            potential, n = LANDSCAPES[name]
            starts = uniform_points(plan.runs, n, -place.side, place.side, lab.seed("energy", name))
            tables = []
            for reading, eps1 in (("restored", EPS1), ("left", math.inf)):
                for halving in range(plan.halvings + 1):
                    lr, steps = place.lr / 2**halving, plan.steps * 2**halving
                    ran, rows = _audited(potential, BornInfeld(), starts, lr, place, steps, eps1)
                    labels = {"stage": "energy", "name": name, "reading": reading, "lr": lr}
                    tables.append(_extremes(rows, ran).assign(**labels))
            span = plan.steps * place.lr
            deviation = _continuous(potential, BornInfeld(), starts[: plan.continued], place, span)
            rows = {"run": range(len(deviation)), "deviation": deviation}
            tables.append(pd.DataFrame({**rows, "stage": "energy", "name": name, "reading": "continuous"}))
            return {"runs": pd.concat(tables, ignore_index=True)}

        budget = (plan.runs, plan.steps, plan.halvings, plan.continued)
        return {"stage": "energy", "name": name, "budget": budget, "place": asdict(place)}, compute

    for name, place in plan.landscapes.items():
        yield unit(name, place)


def family(plan: Family, lab: Lab) -> Iterator[Unit]:
    """Units of work, one a law: rows of ``runs`` (stage ``family``), one a run, ``curves`` of the first run.

    Beside what :func:`energy` gives: ``best`` and ``last``, the lowest V on the way and the one at the end,
    divided by the first one; of the first runs ``continuous``, the largest |H/E - 1| in continuous time; on
    the curves V and ``stride2`` = |ΔΘ|²/Δt².
    """

    def unit(name: str, law: Law) -> Unit:
        def compute() -> Tables:
            potential = Quadratic(tuple(plan.m))
            starts = on_sphere(plan.runs, len(plan.m), plan.radius, lab.seed("family"))
            place = Landscape(plan.radius, plan.lr, 0.0, plan.delta_e)
            ran, rows = _audited(potential, law, starts, plan.lr, place, plan.steps, EPS1)
            runs = _extremes(rows, ran)
            runs["best"] = (ran.best / potential(starts)[0]).numpy()
            runs["last"] = (ran.value / potential(starts)[0]).numpy()
            first = starts[: plan.continued]
            runs["continuous"] = math.nan
            runs.loc[: len(first) - 1, "continuous"] = _continuous(
                potential, law, first, place, plan.steps * plan.lr / 10
            )
            labels = {"stage": "family", "name": name}
            curve = rows.query("run == 0")[["run", "step", "v", "stride2"]].iloc[:: max(1, plan.steps // 500)]
            return {"runs": runs.assign(**labels), "curves": curve.assign(**labels)}

        return {"stage": "family", "law": repr(law), "plan": asdict(plan)}, compute

    for name, law in LAWS.items():
        yield unit(name, law)


def _audited(
    potential: Potential, law: Law, starts: Tensor, lr: float, place: Landscape, steps: int, eps1: float
) -> tuple[Run, pd.DataFrame]:
    settings = {"lr": lr, "delta_v": place.delta_v, "delta_e": place.delta_e, **NO_BOUNCES}
    rule = ECD(law, eps1=eps1, bounces=False)
    ran = simulate(potential, starts, rule, settings, steps, record_every=1, compiled=False)
    assert ran.curves is not None
    return ran, audit(ran.curves, law, potential, lr, place.delta_v, ran.scalars[0])


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


def _continuous(potential: Potential, law: Law, starts: Tensor, place: Landscape, span: float) -> list[float]:
    """Largest |H/E - 1| of motions in continuous time that start as BBI does, eqs. (13) and (14).

    NaN for a motion that starts at V ≤ 0, where there is none, or that cannot be integrated.
    """
    found = []
    for start in starts:
        value, grad = potential(start)
        v = value - place.delta_v
        if v <= 0:
            found.append(math.nan)
            continue
        p2 = torch.as_tensor(law.momentum_squared(v, law.start(v, place.delta_e))).clamp(min=0)
        momentum, times = -grad / grad.norm() * p2.sqrt(), np.linspace(0.0, span, 201)
        try:
            moved = flow(law, potential, start, momentum, place.delta_v, times)
        except RuntimeError:
            found.append(math.nan)
        else:
            found.append(float(np.abs(moved.energy / moved.energy[0] - 1).max()))
    return found
