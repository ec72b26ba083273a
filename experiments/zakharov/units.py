"""Section 4.2: the Zakharov function in ten dimensions. Who is faster along a shallow valley?"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments.competitors import Contender, Search
from experiments.harness.errors import UserError
from experiments.harness.settings import Base, at_least, positive
from experiments.harness.statistics import Estimate
from experiments.harness.store import Lab, Tables
from experiments.landscapes.ensemble import Contest, check_contenders, curve_rows, rows, uniform_points
from experiments.landscapes.functions import Zakharov
from experiments.zakharov import estimates as zakharov_claims
from experiments.zakharov import figures as zakharov_figures


@dataclass
class Long:
    """Long runs with the best settings from the search's start (Fig. 4)."""

    steps: int
    record_every: int


@dataclass
class Random:
    """Runs from ``points`` random points of each cube [-side, side]ⁿ."""

    points: int
    steps: int
    sides: list[float]


@dataclass(kw_only=True)
class Config(Base):
    """Settings of section 4.2."""

    start: list[float]
    search: Search
    contenders: dict[str, Contender]
    long: Long
    random: Random
    compiled: bool

    def validate(self) -> None:
        """Budgets of 1 or more, sides above 0, a start, contenders that can run."""
        super().validate()
        if not self.start or not all(map(math.isfinite, self.start)):
            raise UserError(f"start={self.start}: must be a list of numbers, one for each dimension")
        for name in ("steps", "record_every"):
            at_least(f"long.{name}", getattr(self.long, name), 1)
        for name in ("points", "steps"):
            at_least(f"random.{name}", getattr(self.random, name), 1)
        check_contenders(self.contenders)
        if not self.random.sides:
            raise UserError("random.sides=[]: must be one number or more, as in [1.0, 5.0]")
        for side in self.random.sides:
            positive("random.sides", side)


def run(cfg: Config, lab: Lab) -> None:
    """Search each contender; run those that found settings long, and from random points."""
    contest = Contest(lab, cfg.compiled)
    for name, contender in cfg.contenders.items():
        settings = contest.tune({"contender": name}, contender, Zakharov(), cfg.start, cfg.search)
        if settings is not None:
            _long(cfg, contest, name, settings)
            for side in cfg.random.sides:
                _random(cfg, contest, name, settings, side)


def _long(cfg: Config, contest: Contest, name: str, settings: dict[str, float]) -> None:
    plan, stage = cfg.long, {"stage": "long", "contender": name}

    def compute() -> Tables:
        start, rule = torch.tensor([cfg.start], dtype=torch.float64), cfg.contenders[name].optimizer
        done = contest.run(Zakharov(), rule, settings, start, plan.steps, 0, record_every=plan.record_every)
        curves = curve_rows(done, **stage)[["stage", "contender", "run", "step", "loss"]]
        return {"runs": rows(done, **stage, side=0.0, point=0, **settings), "curves": curves}

    key = {"long": {"contender": name}, "start": cfg.start, "settings": settings, "plan": vars(plan)}
    contest.unit(key, compute)


def _random(cfg: Config, contest: Contest, name: str, settings: dict[str, float], side: float) -> None:
    n, plan, stage = len(cfg.start), cfg.random, {"stage": "random", "contender": name}

    def compute() -> Tables:
        starts = uniform_points(plan.points, n, -side, side, contest.lab.seed("points", side))
        rule = cfg.contenders[name].optimizer
        # So few runs that the lanes of the searches, which are compiled already, are the faster ones.
        done = contest.run(Zakharov(), rule, settings, starts, plan.steps, 0, lanes=16)
        return {"runs": rows(done, **stage, side=side, point=np.arange(len(starts)), **settings)}

    what = {"n": n, "points": plan.points, "steps": plan.steps, "side": side}
    contest.unit({"random": {"contender": name}, "settings": settings, "plan": what}, compute)


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """Fig. 4, the random starts, and what the searches saw."""
    return zakharov_figures.figures(tables, cfg)


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.2."""
    return zakharov_claims.claims(tables, cfg)
