"""How runs end: at rest or not, how soon in a shallow valley, how far beyond V = 0, with ΔV lowered."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bbi import BBI
from bbi.simulate import Potential, Rule, simulate
from experiments.competitors import Contender, check_complete, check_parameter
from experiments.harness.errors import UserError
from experiments.harness.settings import at_least, one_of, positive
from experiments.harness.store import Lab, Tables, Unit
from experiments.landscapes.ensemble import RULES, uniform_points
from experiments.landscapes.functions import Ackley, Quadratic
from experiments.theory.conservation import (
    LANDSCAPES,
    NO_BOUNCES,
    Landscape,
    check_bowl,
    check_landscapes,
    on_sphere,
)


@dataclass
class Stall:
    """Long runs on Ackley's function from points in [-side, side]²: who comes to rest (theorem 2.1)?"""

    runs: int
    steps: int
    side: float
    contenders: dict[str, Contender]

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for budgets too small, or no BBI or GDM to compare."""
        at_least(f"{name}.runs", self.runs, 1)
        at_least(f"{name}.steps", self.steps, 100)
        positive(f"{name}.side", self.side)
        check_given(name, self.contenders, ("bbi", "gdm"))


@dataclass
class Shallow:
    """Steps until |θ| has shrunk from 1 to ``target`` in V = ½ m² θ², for several m; at most ``steps``."""

    m: list[float]
    target: float
    steps: int
    contenders: dict[str, Contender]

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for fewer than three m, or a target that is not on the way."""
        check_fit(f"{name}.m", self.m)
        at_least(f"{name}.steps", self.steps, 1)
        if not 0 < self.target < 1:
            raise UserError(f"{name}.target={self.target}: must be between 0 and 1, where θ starts")
        check_given(name, self.contenders, ("bbi", "gdm"))


@dataclass
class Overshoot:
    """Runs across V = 0 in a bowl V = ½ Σ m_i² θ_i² - ΔV, for several step sizes."""

    m: list[float]
    radius: float
    delta_v: float
    delta_e: float
    lr: list[float]
    runs: int
    steps: int

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for fewer than three step sizes, or a ΔV that is not on the way."""
        check_bowl(name, self.m)
        check_fit(f"{name}.lr", self.lr)
        at_least(f"{name}.runs", self.runs, 1)
        at_least(f"{name}.steps", self.steps, 1)
        check_parameter(f"{name}.delta_e", "delta_e", self.delta_e)
        lowest_start = 0.5 * (min(self.m) * self.radius) ** 2
        if not 0 < self.delta_v < lowest_start:
            raise UserError(
                f"{name}.delta_v={self.delta_v}: must be above 0 and below {lowest_start:g}, "
                "the lowest F that a run may start from"
            )


@dataclass
class Tuned:
    """Runs with a ΔV above the minimum F = 0, fixed or lowered on the way (section 3.3)."""

    runs: int
    steps: int
    landscapes: dict[str, Landscape]

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for budgets below 1, an unknown landscape, or a ΔV not too high."""
        at_least(f"{name}.runs", self.runs, 1)
        at_least(f"{name}.steps", self.steps, 1)
        check_landscapes(name, self.landscapes)
        for key, place in self.landscapes.items():
            positive(f"{name}.landscapes.{key}.delta_v", place.delta_v)


def check_given(name: str, contenders: dict[str, Contender], needed: tuple[str, ...]) -> None:
    """Raise :class:`UserError` unless each optimizer ``needed`` is there, no other, and all is given.

    Args:
        name: The dotted key of the check that they take part in.
        contenders: Whose settings are all fixed: nothing is searched here.
        needed: Optimizers that are compared.
    """
    for key, contender in contenders.items():
        where = f"{name}.contenders.{key}"
        one_of(f"{where}.optimizer", contender.optimizer, needed)
        check_complete(where, contender.optimizer, contender.fixed, f"{where}.fixed")
        if contender.space:
            raise UserError(f"{where}.space: nothing is searched here; give its parameters in {where}.fixed")
    for optimizer in needed:
        if optimizer not in {contender.optimizer for contender in contenders.values()}:
            raise UserError(f"{name}.contenders: one must have the optimizer {optimizer}: they are compared")


def check_fit(name: str, values: list[float]) -> None:
    """Raise :class:`UserError` unless there are three different values above 0: an exponent is fitted."""
    for value in values:
        positive(name, value)
    if len(set(values)) < 3:
        raise UserError(f"{name}={values}: must be three values or more, as an exponent is fitted")


@dataclass(frozen=True)
class Valley:
    """V = ½ m² θ² for points (θ, m): each run has its own m, along which nothing pulls."""

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """F (...) and its derivative by θ, beside 0 for m, at (..., 2)."""
        position, m = theta.unbind(-1)
        slope = m * m * position
        return 0.5 * slope * position, torch.stack((slope, torch.zeros_like(slope)), -1)


@dataclass(frozen=True)
class Within:
    """Stop condition: |θ| ≤ ``target``."""

    target: float

    def __call__(self, theta: Tensor, value: Tensor) -> Tensor:
        """Bool (R,) for points (R, 2)."""
        return theta[..., 0].abs() <= self.target


def stall(plan: Stall, lab: Lab) -> Iterator[Unit]:
    """Units of work, one a contender: rows of ``runs`` (stage ``stall``), one a run.

    ``span`` is the diagonal of the box that the last tenth of the run keeps within, ``value`` the last F;
    a run that ended before it has a span of NaN.
    """

    def unit(name: str, contender: Contender) -> Unit:
        def compute() -> Tables:
            starts = uniform_points(plan.runs, 2, -plan.side, plan.side, lab.seed("stall"))
            rule, settings = _without_bounces(contender)
            ran = simulate(Ackley(), starts, rule, settings, plan.steps, record_every=10, compiled=False)
            curves = ran.curves
            assert curves is not None
            late = curves.step >= 0.9 * plan.steps
            points = pd.DataFrame(curves.theta[late].numpy()).groupby(curves.replica[late].numpy())
            box = (points.max() - points.min()).reindex(range(plan.runs))
            row = {"run": range(plan.runs), "span": np.hypot(box[0], box[1]), "value": ran.value.numpy()}
            row |= {"status": ran.status, "steps": ran.steps.numpy()}
            return {"runs": pd.DataFrame({**row, "stage": "stall", "name": name})}

        budget = (plan.runs, plan.steps, plan.side)
        return _key("stall", name, contender, budget), compute

    for name, contender in plan.contenders.items():
        yield unit(name, contender)


def shallow(plan: Shallow) -> Iterator[Unit]:
    """Units of work, one a contender: rows of ``runs`` (stage ``shallow``), one an ``m``."""

    def unit(name: str, contender: Contender) -> Unit:
        def compute() -> Tables:
            m = torch.tensor(plan.m, dtype=torch.float64)
            rule, settings = _without_bounces(contender)
            starts = torch.stack((torch.ones_like(m), m), -1)
            ran = simulate(
                Valley(), starts, rule, settings, plan.steps, stop=Within(plan.target), compiled=False
            )
            row = {"m": plan.m, "steps": ran.steps.numpy(), "status": ran.status}
            return {"runs": pd.DataFrame({**row, "stage": "shallow", "name": name})}

        return _key("shallow", name, contender, (plan.m, plan.target, plan.steps)), compute

    for name, contender in plan.contenders.items():
        yield unit(name, contender)


def _without_bounces(contender: Contender) -> tuple[Rule, dict[str, float]]:
    """The rule of a contender and its settings; BBI's are without bounces."""
    if contender.optimizer == "bbi":
        return RULES["bbi_free"], {**contender.fixed, **NO_BOUNCES}
    return RULES["gdm"], contender.fixed


def _key(stage: str, name: str, contender: Contender, budget: tuple[Any, ...]) -> dict[str, Any]:
    who = {"optimizer": contender.optimizer, "fixed": contender.fixed}
    return {"stage": stage, "name": name, "contender": who, "budget": budget}


def overshoot(plan: Overshoot, lab: Lab) -> Iterator[Unit]:
    """Units of work, one a step size: rows of ``runs`` (stage ``overshoot``), one a run.

    ``overshoot`` is -V after the step that crossed V = 0 (NaN for a run that did not), ``bound`` what one
    step at the speed limit of the start can make of it to first order, |∇F| √V_0 Δt. ``second_order`` is
    what a step from V > 0 can make of it where F is linear: with √V Δt from the momentum and ½ Δt² |∇F| from
    the kick before the move, V' ≥ V - |∇F| √V Δt - ½ |∇F|² Δt², which is least, -¾ |∇F|² Δt², at
    √V = ½ |∇F| Δt.
    """

    def unit(lr: float) -> Unit:
        def compute() -> Tables:
            potential = Quadratic(tuple(plan.m))
            starts = on_sphere(plan.runs, len(plan.m), plan.radius, lab.seed("overshoot"))
            settings = {"lr": lr, "delta_v": plan.delta_v, "delta_e": plan.delta_e, **NO_BOUNCES}
            ran = simulate(potential, starts, RULES["bbi_free"], settings, plan.steps, compiled=False)
            (value, grad), first = potential(ran.theta), potential(starts)[0] - plan.delta_v
            below = torch.where(value < plan.delta_v, plan.delta_v - value, math.nan)
            row = {"lr": lr, "run": range(plan.runs), "overshoot": below.numpy()}
            steep = grad.norm(dim=1)
            row["bound"] = (steep * first.sqrt() * lr).numpy()
            row["second_order"] = (0.75 * (steep * lr) ** 2).numpy()
            return {"runs": pd.DataFrame({**row, "status": ran.status, "stage": "overshoot"})}

        return {"stage": "overshoot", "lr": lr, "plan": shared}, compute

    shared = {key: value for key, value in asdict(plan).items() if key != "lr"}
    for lr in plan.lr:
        yield unit(lr)


def tuned(plan: Tuned, lab: Lab) -> Iterator[Unit]:
    """Units of work, one a landscape: rows of ``runs`` (stage ``tuned``), one a run.

    ``fixed`` and ``tuned`` are the lowest F on the way with ΔV as it is and with ΔV lowered, ``delta_v``
    where the latter ended.
    """

    def unit(name: str, place: Landscape) -> Unit:
        def compute() -> Tables:
            potential, n = LANDSCAPES[name]
            starts = uniform_points(plan.runs, n, -place.side, place.side, lab.seed("tuned", name))
            fixed, _ = _lowest(potential, starts, place, plan.steps, tune=False)
            lowered, delta_v = _lowest(potential, starts, place, plan.steps, tune=True)
            row = {"fixed": fixed.numpy(), "tuned": lowered.numpy(), "delta_v": delta_v.numpy()}
            return {"runs": pd.DataFrame({"run": range(plan.runs), **row, "stage": "tuned", "name": name})}

        return {
            "stage": "tuned",
            "name": name,
            "budget": (plan.runs, plan.steps),
            "place": asdict(place),
        }, compute

    for name, place in plan.landscapes.items():
        yield unit(name, place)


def _lowest(
    potential: Potential, starts: Tensor, place: Landscape, steps: int, tune: bool
) -> tuple[Tensor, Tensor]:
    """The lowest F of each run of the optimizer class, which alone can tune ΔV, and its ΔV at the end."""
    theta = starts.clone().requires_grad_()
    settings = {"delta_v": place.delta_v, "delta_e": place.delta_e, "n_bounces": 0, "t1": math.inf}
    optimizer = BBI([theta], place.lr, tune_delta_v=tune, replicas=len(starts), **settings)
    lowest = torch.full((len(starts),), math.inf, dtype=torch.float64)
    for _ in range(steps):
        value, theta.grad = potential(theta.detach())
        lowest = torch.fmin(lowest, value)  # a run that diverged keeps what it saw
        optimizer.step(loss=value)
    return lowest, torch.as_tensor(optimizer.delta_v).expand(len(starts))
