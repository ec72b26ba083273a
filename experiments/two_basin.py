"""Section 4.3: two basins. Does a bouncing run choose between minima by their phase-space volume?"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.integrate
import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments import two_basin_figures
from experiments.harness.config import Base, at_least, positive
from experiments.harness.contenders import check_parameter
from experiments.harness.errors import UserError
from experiments.harness.stats import Estimate, bootstrap, ratio, wilson
from experiments.harness.store import Lab, Tables
from experiments.problems.contest import Contest, curve_rows
from experiments.problems.landscapes import TwoBasins


@dataclass
class Counts:
    """Runs until first entry, for one reading of the algorithm and one N_b."""

    rule: str
    label: str
    runs: int
    n_bounces: float


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
    occupation: Occupation
    compiled: bool

    def validate(self) -> None:
        """Settings that suit BBI, budgets of 1 or more."""
        super().validate()
        for where, given in (("settings", self.settings), ("occupation.settings", self.occupation.settings)):
            for name, value in given.items():
                if name not in ("lr", "delta_v", "delta_e", "t0", "t1", "n_bounces"):
                    raise UserError(f"{where}.{name}: bbi has no such parameter")
                check_parameter(f"{where}.{name}", name, value)
        for name, part in self.counts.items():
            at_least(f"counts.{name}.runs", part.runs, 1)
            check_parameter(f"counts.{name}.n_bounces", "n_bounces", part.n_bounces)
            if part.rule not in ("bbi", "bbi_released"):
                raise UserError(f"counts.{name}.rule={part.rule}: must be bbi or bbi_released")
        for name in ("steps", "published_runs", "trajectories"):
            at_least(name, getattr(self, name), 1)
        for name in ("runs", "steps", "every"):
            at_least(f"occupation.{name}", getattr(self.occupation, name), 1)
        if not 0 <= self.occupation.burn_in < self.occupation.steps:
            raise UserError(
                f"occupation.burn_in={self.occupation.burn_in}: must be 0 or more and below steps"
            )
        positive("settings.lr", self.settings.get("lr", 0.0))


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
    _without_bounces(cfg, contest)
    _occupation(cfg, contest)


def _entries(cfg: Config, contest: Contest, name: str, plan: Counts) -> None:
    settings = {**cfg.settings, "n_bounces": plan.n_bounces}

    def compute() -> Tables:
        starts = torch.tensor([cfg.start], dtype=torch.float64).expand(plan.runs, -1)
        seed = contest.lab.seed("entries")
        done = contest.run(LANDSCAPE, plan.rule, settings, starts, cfg.steps, seed, stop=Entered())
        basin = inside(done.theta, 1).long() + 2 * inside(done.theta, 2).long()
        table = {"stage": "entry", "reading": name, "run": np.arange(plan.runs)}
        return {"runs": pd.DataFrame({**table, "basin": basin.numpy(), "steps": done.steps.numpy()})}

    key = {"entries": name, "plan": vars(plan), "settings": settings, "start": cfg.start, "steps": cfg.steps}
    contest.unit(key, compute)


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


def _without_bounces(cfg: Config, contest: Contest) -> None:
    settings = {**cfg.settings, "n_bounces": 0.0, "t1": math.inf}

    def compute() -> Tables:
        starts = torch.tensor([cfg.start] * cfg.trajectories, dtype=torch.float64)
        done = contest.run(LANDSCAPE, "bbi", settings, starts, cfg.steps, 0, stop=Entered(), lanes=512)
        basin = inside(done.theta, 1).long() + 2 * inside(done.theta, 2).long()
        table = {"stage": "entry", "reading": "without_bounces", "run": np.arange(cfg.trajectories)}
        return {"runs": pd.DataFrame({**table, "basin": basin.numpy(), "steps": done.steps.numpy()})}

    contest.unit(
        {"without_bounces": settings, "start": cfg.start, "steps": cfg.steps, "n": cfg.trajectories}, compute
    )


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
        share = pd.DataFrame(table).groupby("run", as_index=False).mean()
        return {"runs": share.assign(stage="occupation", reading="endless", steps=done.steps.numpy())}

    contest.unit({"occupation": vars(plan)}, compute)


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """Figs. 5 and 6, and the ratio against the number of bounces."""
    return two_basin_figures.figures(tables, cfg)


def volume_ratio() -> float:
    """Eq. (18): Π m_2i / Π m_1i, the ratio of phase-space volumes of minima of equal depth."""
    return math.sqrt(math.prod(hessian(2)) / math.prod(hessian(1)))


def occupation_ratio(delta_v: float, energy: float) -> float:
    """Ratio of the phase-space volumes over the two basins m_I |θ - c_I| < 1, by quadrature of eq. (40).

    With n = 2 the integrand is E/V alone.
    """

    def volume(basin: int) -> float:
        centre = LANDSCAPE.c1 if basin == 1 else LANDSCAPE.c2

        def density(angle: float, r: float) -> float:
            point = torch.tensor(
                [centre[0] + r * math.cos(angle), centre[1] + r * math.sin(angle)], dtype=torch.float64
            )
            return r * energy / (float(LANDSCAPE(point)[0]) - delta_v)

        radius = 1 / math.sqrt(hessian(basin)[0])
        return float(scipy.integrate.dblquad(density, 0, radius, 0, 2 * math.pi, epsabs=1e-6)[0])

    return volume(1) / volume(2)


def counted(tables: Tables, reading: str, first: int | None = None) -> tuple[int, int, int]:
    """(entries into basin 1, into basin 2, runs) of a reading, of its ``first`` runs if given."""
    runs = tables["runs"]
    basin = runs[(runs["stage"] == "entry") & (runs["reading"] == reading)].sort_values("run")["basin"][
        :first
    ]
    return int((basin == 1).sum()), int((basin == 2).sum()), len(basin)


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.3."""
    theory = volume_ratio()
    found = [
        Estimate("basin-theory", theory, theory, theory, 1, "from the Hessians at the minima"),
        Estimate("basin-ratio-hessian", theory, theory, theory, 1),
        Estimate("basin-hessian-1", hessian(1)[0], np.nan, np.nan, 1),
        Estimate("basin-hessian-2", hessian(2)[0], np.nan, np.nan, 1),
    ]
    readings = [("paper", cfg.published_runs), *((name, None) for name in cfg.counts)]
    for reading, first in readings:
        a, b, n = counted(tables, reading, first)
        label = f"{cfg.counts[reading].label}, {n} runs"
        value = a / b if b else math.inf
        gap = 100 * (1 - value / theory)
        # The paper's claim is about N_b = 1; other numbers of bounces are shown beside it, not judged by it.
        claim = "basin-ratio" if cfg.counts[reading].n_bounces == 1 else "basin-ratio-mixing"
        note = f"{a} enter basin 1, {b} basin 2, {n - a - b} neither; {gap:.1f} % below {theory:.4f}"
        found.append(Estimate(claim, value, *ratio(a, b), n, note, variant=label))
    a, b, n = counted(tables, "without_bounces")
    low, high = wilson(max(a, b, n - a - b), n)
    same = tables["runs"][tables["runs"]["reading"] == "without_bounces"]["steps"].nunique() == 1
    note = f"{n} runs from the start: {a} enter basin 1, {b} basin 2, {n - a - b} neither; all alike: {same}"
    found.append(Estimate("basin-no-bounce", max(a, b, n - a - b) / n, low, high, n, note, holds=same))
    found.append(_occupied(tables, cfg))
    return found


def _occupied(tables: Tables, cfg: Config) -> Estimate:
    """Time in basin 1 over time in basin 2, with the interval over independent runs."""
    plan = cfg.occupation
    mine = tables["runs"][tables["runs"]["stage"] == "occupation"]
    both = mine[["in_basin_1", "in_basin_2"]].to_numpy()
    value = float(both[:, 0].mean() / both[:, 1].mean())
    deviation = both[:, 0] - value * both[:, 1]  # of a ratio of means, to first order
    low, high = bootstrap(value + deviation / both[:, 1].mean(), np.mean, seed=cfg.seed)
    start = torch.tensor(plan.start, dtype=torch.float64)
    energy = float(LANDSCAPE(start)[0]) - plan.settings["delta_v"] + plan.settings["delta_e"]
    expected = occupation_ratio(plan.settings["delta_v"], energy)
    note = f"eq. (40) over the same regions gives {expected:.4f}; {len(mine)} runs of {plan.steps} steps"
    return Estimate("basin-occupation", value, low, high, len(mine), note)
