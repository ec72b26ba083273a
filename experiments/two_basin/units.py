"""Section 4.3: two basins. Does a bouncing run choose between minima by their phase-space volume?"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments.competitors import check_parameter
from experiments.harness.errors import UserError
from experiments.harness.settings import Base, at_least, positive
from experiments.harness.statistics import Estimate
from experiments.harness.store import Lab, Tables
from experiments.landscapes.ensemble import Contest, check_plane, curve_rows, uniform_points
from experiments.landscapes.functions import TwoBasins
from experiments.two_basin import estimates as two_basin_claims
from experiments.two_basin import figures as two_basin_figures


@dataclass
class Counts:
    """Runs until first entry, for one reading of the algorithm and one N_b."""

    rule: str
    label: str
    runs: int
    n_bounces: float


@dataclass
class Cloud:
    """Runs from points around the start, in the square of ± ``side``, with bounces and without."""

    runs: int
    side: float


@dataclass
class Occupation:
    """Endless runs: the share of time in each basin (beyond the paper)."""

    runs: int
    steps: int
    burn_in: int
    every: int
    settings: dict[str, float]
    start: list[float]


@dataclass(kw_only=True)
class Config(Base):
    """Settings of section 4.3."""

    start: list[float]
    settings: dict[str, float]
    steps: int
    counts: dict[str, Counts]
    published_runs: int
    trajectories: int
    cloud: Cloud
    occupation: Occupation
    compiled: bool

    def validate(self) -> None:
        """Settings that suit BBI, budgets of 1 or more, starts in the plane, and the paper's own count."""
        super().validate()
        for where, given in (("settings", self.settings), ("occupation.settings", self.occupation.settings)):
            for name, value in given.items():
                if name not in ("lr", "delta_v", "delta_e", "t0", "t1", "n_bounces"):
                    raise UserError(f"{where}.{name}: bbi has no such parameter")
                check_parameter(f"{where}.{name}", name, value)
            positive(f"{where}.lr", given.get("lr", 0.0))
        check_plane("start", self.start)
        check_plane("occupation.start", self.occupation.start)
        if "paper" not in self.counts:
            raise UserError("counts.paper: must be there: Fig. 6 and the claim on the ratio are about it")
        for name, part in self.counts.items():
            at_least(f"counts.{name}.runs", part.runs, 1)
            check_parameter(f"counts.{name}.n_bounces", "n_bounces", part.n_bounces)
            if part.rule not in ("bbi", "bbi_released"):
                raise UserError(f"counts.{name}.rule={part.rule}: must be bbi or bbi_released")
        for name in ("steps", "published_runs", "trajectories"):
            at_least(name, getattr(self, name), 1)
        for name in ("runs", "steps", "every"):
            at_least(f"occupation.{name}", getattr(self.occupation, name), 1)
        delta_v = self.occupation.settings.get("delta_v", 0.0)
        if not delta_v < 0:
            raise UserError(
                f"occupation.settings.delta_v={delta_v}: must be below 0, so that V > 0 and no run ends"
            )
        if not 0 <= self.occupation.burn_in < self.occupation.steps:
            raise UserError(
                f"occupation.burn_in={self.occupation.burn_in}: must be 0 or more and below steps"
            )
        at_least("cloud.runs", self.cloud.runs, 1)
        positive("cloud.side", self.cloud.side)


LANDSCAPE = TwoBasins()


def inside(theta: Tensor, basin: int) -> Tensor:
    """Whether points (..., 2) are in basin 1 or 2: m_I |θ - c_I| < 1 (section 4.3)."""
    centre = LANDSCAPE.c1 if basin == 1 else LANDSCAPE.c2
    # m² is the Hessian's eigenvalue, twice the same at each minimum.
    m2 = hessian(basin)[0]
    return m2 * ((theta[..., 0] - centre[0]) ** 2 + (theta[..., 1] - centre[1]) ** 2) < 1


def hessian(basin: int) -> tuple[float, float]:
    """Eigenvalues of ∇∇F at the centre of basin 1 or 2, from a ∂∂F of the wells and the wall, eq. (17)."""
    f = LANDSCAPE
    far = (f.c1[0] - f.c2[0]) ** 2 + (f.c1[1] - f.c2[1]) ** 2
    value = 2 * f.wall * far + (2 * f.a1 if basin == 1 else 2 * f.a2 * (1 - f.epsilon))
    return value, value


@dataclass(frozen=True)
class Entered:
    """Stop condition: in one of the basins."""

    def __call__(self, theta: Tensor, value: Tensor) -> Tensor:
        """Bool (R,) for points (R, 2)."""
        return inside(theta, 1) | inside(theta, 2)


def run(cfg: Config, lab: Lab) -> None:
    """Count first entries for each reading, draw trajectories, switch bounces off, and run for ever."""
    contest = Contest(lab, cfg.compiled)
    for name, plan in cfg.counts.items():
        _entries(cfg, contest, name, plan)
    _trajectories(cfg, contest)
    _cloud(cfg, contest)
    _occupation(cfg, contest)


def _entries(cfg: Config, contest: Contest, name: str, plan: Counts) -> None:
    settings = {**cfg.settings, "n_bounces": plan.n_bounces}

    def compute() -> Tables:
        starts = torch.tensor([cfg.start], dtype=torch.float64).expand(plan.runs, -1)
        return _first_entries(cfg, contest, plan.rule, settings, starts, stage="entry", reading=name)

    key = {"entries": name, "plan": vars(plan), "settings": settings, "start": cfg.start, "steps": cfg.steps}
    contest.unit(key, compute)


def _first_entries(
    cfg: Config, contest: Contest, rule: str, settings: dict[str, float], starts: Tensor, **labels: str
) -> Tables:
    """Runs until they enter a basin: which one (0 for neither), and after how many steps."""
    seed = contest.lab.seed("entries")
    done = contest.run(LANDSCAPE, rule, settings, starts, cfg.steps, seed, stop=Entered(), lanes=512)
    basin = inside(done.theta, 1).long() + 2 * inside(done.theta, 2).long()
    table = {**labels, "run": np.arange(len(starts)), "basin": basin.numpy(), "steps": done.steps.numpy()}
    return {"runs": pd.DataFrame(table)}


def _trajectories(cfg: Config, contest: Contest) -> None:
    def compute() -> Tables:
        starts = torch.tensor([cfg.start] * cfg.trajectories, dtype=torch.float64)
        seed = contest.lab.seed("entries")
        done = contest.run(
            LANDSCAPE,
            "bbi",
            cfg.settings,
            starts,
            cfg.steps,
            seed,
            stop=Entered(),
            record_every=10,
            lanes=512,  # few runs, but this kernel is there
        )
        return {"curves": curve_rows(done, stage="trajectory")}

    key = {"trajectories": cfg.trajectories, "settings": cfg.settings, "start": cfg.start, "steps": cfg.steps}
    contest.unit(key, compute)


def _cloud(cfg: Config, contest: Contest) -> None:
    plan = cfg.cloud
    off = {"n_bounces": 0.0, "t1": math.inf}
    for reading, settings in (("bounces", cfg.settings), ("no bounces", {**cfg.settings, **off})):

        def compute(reading: str = reading, settings: dict[str, float] = settings) -> Tables:
            around = uniform_points(plan.runs, 2, -plan.side, plan.side, contest.lab.seed("cloud"))
            starts = torch.tensor(cfg.start, dtype=torch.float64) + around
            return _first_entries(cfg, contest, "bbi", settings, starts, stage="cloud", reading=reading)

        key = {"cloud": vars(plan), "reading": reading, "settings": settings, "start": cfg.start}
        contest.unit({**key, "steps": cfg.steps}, compute)


def _occupation(cfg: Config, contest: Contest) -> None:
    plan = cfg.occupation

    def compute() -> Tables:
        starts = torch.tensor([plan.start] * plan.runs, dtype=torch.float64)
        seed = contest.lab.seed("occupation")
        done = contest.run(LANDSCAPE, "bbi", plan.settings, starts, plan.steps, seed, record_every=plan.every)
        curves = done.curves
        assert curves is not None
        late = curves.step >= plan.burn_in
        table = {"run": curves.replica[late].numpy()}
        table |= {f"in_basin_{i}": inside(curves.theta[late], i).double().numpy() for i in (1, 2)}
        # A run that ended before burn_in has no share, but is a row.
        share = pd.DataFrame(table).groupby("run").mean().reindex(range(plan.runs)).reset_index(names="run")
        return {"runs": share.assign(stage="occupation", reading="endless", steps=done.steps.numpy())}

    contest.unit({"occupation": vars(plan)}, compute)


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """Figs. 5 and 6, and the ratio against the number of bounces."""
    return two_basin_figures.figures(tables, cfg)


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.3."""
    return two_basin_claims.claims(tables, cfg)
