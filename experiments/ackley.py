"""Section 4.1: the Ackley function. Who leaves a local minimum, and who finds the global one?"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from experiments import ackley_figures
from experiments.harness.config import Base, Contender, Search, at_least, positive
from experiments.harness.errors import UserError
from experiments.harness.stats import Estimate, newcombe, wilson
from experiments.harness.store import Lab, Tables
from experiments.problems.contest import Contest, curve_rows, rows, uniform_points
from experiments.problems.landscapes import Ackley, lowest_pass


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
        """Numbers above 0, budgets of 1 or more, a start in the plane."""
        super().validate()
        for part in (self.long, self.barrier, self.regimes, self.robust):
            for entry in fields(part):
                name, value = f"{type(part).__name__.lower()}.{entry.name}", getattr(part, entry.name)
                at_least(name, value, 1) if entry.type is int else positive(name, value)
        for value in self.coefficients:
            positive("coefficients", value)
        if len(self.start) != 2:
            raise UserError(f"start={self.start}: must be two numbers, a point of the plane")


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
        curves = curve_rows(done, **labels)
        return {"runs": ends, "curves": curves[curves["run"] < plan.drawn]}

    contest.unit({**labels, "start": cfg.start, "settings": settings, "plan": vars(plan)}, compute)


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
        after = contest.run(potential, "gdm", settings, done.theta, 100, 0)
        moved = (after.theta - done.theta).abs().amax(-1).numpy()
        table = rows(done, **labels, lr=lr.numpy(), momentum=momentum.numpy(), moved=moved)
        table["regime"] = [_regime(row, cfg) for row in table.itertuples()]
        return {"runs": table}

    contest.unit({**labels, "start": cfg.start, "success": cfg.robust.success, "plan": vars(plan)}, compute)


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
    runs, found = tables["runs"], list[Estimate]()
    for coefficient in cfg.coefficients:
        mine = runs[runs["coefficient"] == coefficient]
        reading = f"coefficient {coefficient:g}"
        found += _solved(mine, cfg, reading)
        found += _in_the_long_run(mine, cfg, reading)
        found.append(_barrier_claim(mine, cfg, coefficient, reading))
        found += _searched(tables.get("trials"), cfg, coefficient, reading)
    return found


def solved_points(runs: pd.DataFrame, contender: str, success: float) -> tuple[int, int]:
    """(points of the robust stage that at least one run of ``contender`` solves, points)."""
    mine = runs[(runs["stage"] == "robust") & (runs["contender"] == contender)]
    best = mine.groupby("point")["best"].min()
    return int((best < success).sum()), len(best)


def _solved(runs: pd.DataFrame, cfg: Config, reading: str) -> list[Estimate]:
    found, counts = [], {}
    for name, contender in cfg.contenders.items():
        k, n = counts[name] = solved_points(runs, name, cfg.robust.success)
        if n:
            # The paper's claim is about its own two searches; the rest is shown beside it, not judged by it.
            suffix = {
                "bbi": "bbi",
                "gdm": "gdm",
                "bbi_released": "bbi-released",
                "gdm_released": "gdm-released",
            }
            claim = f"ackley-success-{suffix.get(name, 'others')}"
            lr = runs[(runs["stage"] == "robust") & (runs["contender"] == name)]["lr"].iloc[0]
            note = f"{contender.label}: {k} of {n} points, lr {lr:.4g}"
            found.append(
                Estimate(claim, k / n, *wilson(k, n), n, note, variant=f"{reading}, {contender.label}")
            )
    if counts["gdm"][1] and counts["gdm_gamma"][1]:
        (a, n), (b, m) = counts["gdm_gamma"], counts["gdm"]
        found.append(Estimate("ackley-gamma", a / n - b / m, *newcombe(a, n, b, m), n, variant=reading))
    return found


def _in_the_long_run(runs: pd.DataFrame, cfg: Config, reading: str) -> list[Estimate]:
    long = runs[runs["stage"] == "long"]
    if not {"bbi", "gdm"} <= set(long["contender"]):
        return []
    best = long.groupby("contender")["best"].min()
    gdm = [name for name in best.index if cfg.contenders[name].optimizer == "gdm"]
    target = 1.01 * cfg.contenders["bbi"].fixed["delta_v"]  # a run stops at ΔV = 1e-4, give or take a step
    there = long["best"] <= target
    reached = {name: (int(part.sum()), len(part)) for name, part in there.groupby(long["contender"])}
    (k, n), missed = reached["bbi"], not any(reached[name][0] for name in gdm)
    each = "; ".join(f"{name} {k} of {n} runs, lowest {best[name]:.3g}" for name, (k, n) in reached.items())
    gap = float(np.log10(best["gdm"] / best["bbi"]))
    note = f"within {target:.3g}: {each}"
    found = [Estimate("ackley-long-run", gap, np.nan, np.nan, n, note, bool(k and missed), reading)]
    grid = runs[(runs["stage"] == "regimes")]
    tuned = long[long["contender"].isin(gdm)]
    share = float((tuned["best"] > target).mean())
    counts = ", ".join(f"{k} {v}" for k, v in grid["regime"].value_counts().items())
    note = f"of {len(grid)} settings from the start: {counts}"
    holds = share == 1.0
    low, high = wilson(int((tuned["best"] > target).sum()), len(tuned))
    found.append(Estimate("ackley-regimes", share, low, high, len(tuned), note, holds, reading))
    return found


def threshold(cfg: Config, coefficient: float) -> float:
    """δE below which energy conservation shuts a run in the first basin: lowest pass minus F(Θ_0)."""
    potential, start = Ackley(coefficient), torch.tensor(cfg.start, dtype=torch.float64)
    x, y = (float(round(value)) for value in cfg.start)
    return lowest_pass(potential, (x, y)) - float(potential(start)[0])


def _barrier_claim(runs: pd.DataFrame, cfg: Config, coefficient: float, reading: str) -> Estimate:
    edge = threshold(cfg, coefficient)
    mine = runs[runs["stage"] == "barrier"]
    left = mine["left"] == 1
    below, above = left[mine["delta_e"] < edge], left[mine["delta_e"] > edge]
    a, n, b, m = int(above.sum()), len(above), int(below.sum()), len(below)
    low, high = newcombe(a, n, b, m)
    note = f"the pass is {edge:.4f} above the start: below it {b} of {m} runs leave, above it {a} of {n}"
    return Estimate("ackley-barrier", a / n - b / m, low, high, n + m, note, variant=reading)


def _searched(trials: pd.DataFrame | None, cfg: Config, coefficient: float, reading: str) -> list[Estimate]:
    """The searches' best values beside the released code's."""
    found = []
    for name, short in (("gdm", "gdm"), ("gdm_gamma", "gamma"), ("gdm_small", "small"), ("bbi", "bbi")):
        if trials is None or name not in cfg.contenders:
            continue
        mine = trials[(trials["coefficient"] == coefficient) & (trials["contender"] == name)]
        good = mine[np.isfinite(mine["loss"])]
        if len(good):
            top = good.loc[good["loss"].idxmin()]
            for what, column in (("lr", "lr"), ("best", "loss")):
                found.append(
                    Estimate(
                        f"ackley-{short}-{what}",
                        float(top[column]),
                        np.nan,
                        np.nan,
                        len(mine),
                        variant=reading,
                    )
                )
    return found
