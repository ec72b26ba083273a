"""Section 4.1: the Ackley function. Who leaves a local minimum, and who finds the global one?"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments.ackley import estimates as ackley_claims
from experiments.ackley import figures as ackley_figures
from experiments.competitors import Contender, Search
from experiments.harness.errors import UserError
from experiments.harness.settings import Base, at_least, positive
from experiments.harness.statistics import Estimate
from experiments.harness.store import Lab, Tables
from experiments.landscapes.ensemble import (
    Contest,
    check_contenders,
    check_plane,
    curve_rows,
    rows,
    uniform_points,
)
from experiments.landscapes.functions import Ackley


@dataclass
class Long:
    """Long runs with the best settings (Figs. 2 and 3): BBI ``runs`` times, ``drawn`` as curves; GDM once."""

    steps: int
    runs: int
    drawn: int
    record_every: int


@dataclass
class Barrier:
    """Runs of BBI over δE from 0 to ``highest``: who leaves the first basin?"""

    lr: float
    highest: float
    values: int
    runs: int
    steps: int


@dataclass
class Regimes:
    """A grid of GDM's settings, step size (logarithmic) by momentum: what becomes of each run?"""

    lr: int
    momentum: int
    steps: int


@dataclass
class Robust:
    """Runs from random points in the square [-side, side]²; solved is F < ``success``."""

    points: int
    runs: int
    steps: int
    side: float
    success: float


@dataclass(kw_only=True)
class Config(Base):
    """Settings of section 4.1."""

    coefficients: list[float]
    start: list[float]
    search: Search
    contenders: dict[str, Contender]
    long: Long
    barrier: Barrier
    regimes: Regimes
    robust: Robust
    compiled: bool

    def validate(self) -> None:
        """Numbers above 0, budgets of 1 or more, a start in the plane, contenders that can run."""
        super().validate()
        for part in (self.long, self.barrier, self.regimes, self.robust):
            for entry in fields(part):
                name, value = f"{type(part).__name__.lower()}.{entry.name}", getattr(part, entry.name)
                at_least(name, value, 1) if entry.type is int else positive(name, value)
        if not self.coefficients:
            raise UserError("coefficients=[]: must be one number or more, as in [0.2, 0.02]")
        for value in self.coefficients:
            positive("coefficients", value)
        check_plane("start", self.start)
        check_contenders(self.contenders)


def run(cfg: Config, lab: Lab) -> None:
    """For each coefficient: search, run long, vary δE, map GDM's settings, start anywhere."""
    contest = Contest(lab, cfg.compiled)
    for coefficient in cfg.coefficients:
        potential = Ackley(coefficient)
        for name, contender in cfg.contenders.items():
            labels = {"coefficient": coefficient, "contender": name}
            settings = contest.tune(labels, contender, potential, cfg.start, cfg.search)
            if settings is not None:
                for stage in (_long, _robust):
                    stage(cfg, contest, labels, contender.optimizer, potential, settings)
        _barrier(cfg, contest, potential)
        _regimes(cfg, contest, potential)


def _long(
    cfg: Config,
    contest: Contest,
    labels: dict[str, Any],
    rule: str,
    potential: Ackley,
    settings: dict[str, float],
) -> None:
    plan, labels = cfg.long, {"stage": "long", **labels}

    def compute() -> Tables:
        count = plan.runs if rule == "bbi" else 1  # GDM has no random numbers
        starts = torch.tensor([cfg.start] * count, dtype=torch.float64)
        seed = contest.lab.seed("long")
        done = contest.run(
            potential, rule, settings, starts, plan.steps, seed, record_every=plan.record_every
        )
        ends = rows(done, **labels, run=np.arange(count), **settings)
        if rule == "gdm":
            ends = _with_regimes(ends, cfg, contest, potential, settings, done.theta)
        curves = curve_rows(done, **labels)
        return {"runs": ends, "curves": curves[curves["run"] < plan.drawn]}

    key = {**labels, "start": cfg.start, "settings": settings, "plan": vars(plan)}
    contest.unit({**key, "success": cfg.robust.success}, compute)


def _robust(
    cfg: Config,
    contest: Contest,
    labels: dict[str, Any],
    rule: str,
    potential: Ackley,
    settings: dict[str, float],
) -> None:
    plan, labels = cfg.robust, {"stage": "robust", **labels}

    def compute() -> Tables:
        repeats = plan.runs if rule == "bbi" else 1
        points = uniform_points(plan.points, 2, -plan.side, plan.side, contest.lab.seed("points"))
        starts = points.repeat_interleave(repeats, 0)
        done = contest.run(potential, rule, settings, starts, plan.steps, contest.lab.seed("robust"))
        point, number = np.divmod(np.arange(len(starts)), repeats)
        return {"runs": rows(done, **labels, point=point, run=number, **settings)}

    contest.unit({**labels, "settings": settings, "plan": vars(plan)}, compute)


def _barrier(cfg: Config, contest: Contest, potential: Ackley) -> None:
    plan = cfg.barrier
    fixed = {**cfg.contenders["bbi"].fixed, "lr": plan.lr}
    labels = {"stage": "barrier", "coefficient": potential.coefficient, "contender": "bbi"}

    def compute() -> Tables:
        extra = torch.linspace(0, plan.highest, plan.values, dtype=torch.float64).repeat_interleave(plan.runs)
        starts = torch.tensor([cfg.start] * len(extra), dtype=torch.float64)
        settings = {**fixed, "delta_e": extra}
        seed = contest.lab.seed("barrier")
        # Recorded every 20 steps, a run that passes the next cell of the lattice is seen there.
        done = contest.run(potential, "bbi", settings, starts, plan.steps, seed, record_every=20)
        assert done.curves is not None
        away = (done.curves.theta - starts[0]).abs().amax(-1) > 1
        left = np.isin(np.arange(len(extra)), done.curves.replica[away].numpy())
        number = np.arange(len(extra)) % plan.runs
        return {"runs": rows(done, **labels, run=number, left=left, **{**fixed, "delta_e": extra.numpy()})}

    contest.unit({**labels, "start": cfg.start, "settings": fixed, "plan": vars(plan)}, compute)


def _regimes(cfg: Config, contest: Contest, potential: Ackley) -> None:
    plan = cfg.regimes
    labels = {"stage": "regimes", "coefficient": potential.coefficient, "contender": "gdm"}

    def compute() -> Tables:
        lr = torch.logspace(-4, np.log10(0.5), plan.lr, dtype=torch.float64).repeat_interleave(plan.momentum)
        momentum = torch.linspace(0, 1, plan.momentum, dtype=torch.float64).repeat(plan.lr)
        settings = {"lr": lr, "momentum": momentum}
        starts = torch.tensor([cfg.start] * len(lr), dtype=torch.float64)
        done = contest.run(potential, "gdm", settings, starts, plan.steps, 0)
        table = rows(done, **labels, lr=lr.numpy(), momentum=momentum.numpy())
        return {"runs": _with_regimes(table, cfg, contest, potential, settings, done.theta)}

    contest.unit({**labels, "start": cfg.start, "success": cfg.robust.success, "plan": vars(plan)}, compute)


def _with_regimes(
    table: pd.DataFrame,
    cfg: Config,
    contest: Contest,
    potential: Ackley,
    settings: Mapping[str, Any],
    ends: Tensor,
) -> pd.DataFrame:
    """Rows of GDM's runs with how far each moves in 100 steps more from its end, and what became of it."""
    after = contest.run(potential, "gdm", settings, ends, 100, 0)
    table = table.assign(moved=(after.theta - ends).abs().amax(-1).numpy())
    return table.assign(regime=[_regime(row, cfg) for row in table.itertuples()])


REGIMES = ("stuck at the start", "settled elsewhere", "erratic", "diverged", "solved")


def _regime(row: object, cfg: Config) -> str:
    """What became of a run of GDM: found the minimum, ran off, still moving, or at rest where."""
    x, y, moved, best = (getattr(row, name) for name in ("x1", "x2", "moved", "best"))
    far = max(abs(x), abs(y))
    if best < cfg.robust.success:
        return "solved"
    if not far < 32.768:  # the usual domain of the function; NaN counts as off
        return "diverged"
    if moved > 1e-6:
        return "erratic"
    near = max(abs(x - cfg.start[0]), abs(y - cfg.start[1])) < 0.5
    return "stuck at the start" if near else "settled elsewhere"


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """Figs. 1 to 3, the barrier, the regimes, and who solves from how many points."""
    return ackley_figures.figures(tables, cfg)


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.1, one a coefficient."""
    return ackley_claims.claims(tables, cfg)
