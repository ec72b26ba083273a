"""Trainings on section 4.4's problem as units of work: who trains on what, and the rows that come of it."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from bbi import BBI
from experiments.competitors import Contender, check_complete
from experiments.harness.devices import check_device, device
from experiments.harness.errors import UserError
from experiments.harness.settings import at_least, one_of, positive
from experiments.harness.store import Lab, Tables, Unit
from experiments.images.networks import optimizer_for
from experiments.pde.network import ResidualNetwork
from experiments.pde.outcome import LABELS, Judge, Thresholds
from experiments.pde.problem import Poisson
from experiments.pde.shooting import Radial, scan, solutions
from experiments.pde.training import READINGS, Gradients, Loss, Plan, Points, gradients, train

RADII = np.linspace(0.0, 1.0, 101)  # where networks are looked at
FINE = np.linspace(0.0, 1.0, 401)  # where the solutions are: 20 r² has eight waves near r = 1


@dataclass(kw_only=True)
class Entrant(Contender):
    """A contender and its budget.

    Attributes:
        iterations: Of each run.
        redraw: Fresh points every so many iterations; 0 for the same points in all runs.
        runs: From each initial network; they differ by the bounces and, where redrawn, by the points.
    """

    iterations: int
    redraw: int
    runs: int

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for a number out of range, or parameters that are not all given."""
        super().check(name)
        at_least(f"{name}.iterations", self.iterations, 1)
        at_least(f"{name}.redraw", self.redraw, 0)
        at_least(f"{name}.runs", self.runs, 0)
        if self.space:
            raise UserError(f"{name}.space: nothing is searched here; give all parameters in {name}.fixed")
        check_complete(name, self.optimizer, self.fixed, f"{name}.fixed")


@dataclass
class Task:
    """The problem for one k, and who trains on it.

    Attributes:
        k: Wiggliness of the manufactured solution.
        dimension: d, of the ball.
        width: N of the network (56).
        depth: D of it.
        interior: Points in the ball.
        boundary: Points on the sphere.
        gamma: γ of the loss (19).
        regularizer: Of |Θ|² in it.
        record_every: Iterations from one row of the curves to the next.
        networks: How many initial networks: numbers 0, 1, … in their order.
        reduced: What is smaller than published; empty for the paper's own problem.
        contenders: Who trains, by name.
    """

    k: float
    dimension: int
    width: int
    depth: int
    interior: int
    boundary: int
    gamma: float
    regularizer: float
    record_every: int
    networks: int
    reduced: str
    contenders: dict[str, Entrant]

    @property
    def label(self) -> str:
        """How tables name the problem."""
        return f"k={self.k:g}" + ("" if self.dimension == 2 else f", d={self.dimension}")

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for a number out of range."""
        positive(f"{name}.k", self.k)
        for key in ("dimension", "width", "interior", "boundary", "record_every", "networks"):
            at_least(f"{name}.{key}", getattr(self, key), 1)
        for key in ("depth", "gamma", "regularizer"):
            at_least(f"{name}.{key}", getattr(self, key), 0)


@dataclass
class Engine:
    """How all trainings are done.

    Attributes:
        reading: ``paper``, or ``released``: the equation is asked for on the boundary points too.
        device: ``cpu``, ``cuda``, or ``auto``: the GPU if there is one.
        compiled: Compile the gradients.
        checkpoint_every: Iterations from one checkpoint to the next.
    """

    reading: str
    device: str
    compiled: bool
    checkpoint_every: int

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for an unknown reading or device, or no iterations."""
        one_of(f"{name}.reading", self.reading, READINGS)
        check_device(f"{name}.device", self.device)
        at_least(f"{name}.checkpoint_every", self.checkpoint_every, 1)

    @property
    def where(self) -> torch.device:
        """The device itself."""
        return device(self.device)


class Study:
    """All that is computed about one problem.

    Args:
        lab: Store and seeds.
        task: The problem.
        engine: How it is trained on.
        thresholds: How networks are judged.
    """

    def __init__(self, lab: Lab, task: Task, engine: Engine, thresholds: Thresholds) -> None:
        self._lab, self._task, self._engine, self._thresholds = lab, task, engine, thresholds
        self._problem = Poisson(task.k, task.dimension)
        self._network = ResidualNetwork(task.dimension, task.width, task.depth)
        self._loss = Loss(self._problem.boundary, task.interior, task.gamma, task.regularizer)

    def shooting(self) -> Unit:
        """A unit of work that finds the radial solutions: the scan over u(0), and what the solutions are."""

        def compute() -> Tables:
            scanned = scan(self._problem)
            profiles = [
                pd.DataFrame({"stage": "radial", "solution": name, "r": FINE, "u": radial.at(FINE)})
                for name, radial in zip(LABELS, solutions(self._problem, scanned), strict=False)
                if radial
            ]
            curves = pd.concat([scanned[["u0", "miss"]].assign(stage="shooting_scan"), *profiles])
            return {"curves": curves.assign(problem=self._task.label)}

        return {"shooting": {"k": self._task.k, "dimension": self._task.dimension}}, compute

    def trainings(self) -> list[Unit]:
        """Units of work, a run each: first run 0 of every contender from every network, then run 1, …"""
        task = self._task
        most = max(entrant.runs for entrant in task.contenders.values())
        return [
            self._training(name, entrant, network, run)
            for run in range(most)
            for network in range(task.networks)
            for name, entrant in task.contenders.items()
            if run < entrant.runs
        ]

    def _training(self, name: str, entrant: Entrant, network: int, run: int) -> Unit:
        task, budget = asdict(self._task), asdict(entrant)
        for part, unused in (
            (task, ("networks", "reduced", "contenders")),
            (budget, ("label", "space", "runs")),
        ):
            for field in unused:  # none of these changes the run
                del part[field]
        key = {"training": task, "contender": name, "budget": budget, "network": network, "run": run}
        key |= {"reading": self._engine.reading, "device": self._engine.where.type}
        key |= {"compiled": self._engine.compiled, "judged": asdict(self._thresholds)}

        def compute() -> Tables:
            result = self._run(entrant, network, run, self._lab.checkpoint(key))
            labels = {"problem": self._task.label, "contender": name, "network": network, "run": run}
            return {table: rows.assign(**labels) for table, rows in result.items()}

        return key, compute

    def _run(self, entrant: Entrant, network: int, run: int, keep: Path) -> Tables:
        lab, task, where = self._lab, self._task, self._engine.where
        drawn = self._network.parameters(lab.seed("network", network))
        module = nn.ParameterList(drawn).to(where)
        parameters = list(module)
        optimizer = optimizer_for(entrant.optimizer, module, entrant.fixed, lab.seed("bounces", run))
        points = self._points(entrant.redraw, lab.seed("points", run if entrant.redraw else "fixed"))
        plan = Plan(entrant.iterations, task.record_every, self._engine.checkpoint_every)
        finite, rows = train(parameters, optimizer, points, self._gradient, plan, self._judge.near, keep)
        end = {
            "status": "done" if finite else "diverged",
            **self._judge.judge(parameters),
            "train_loss": rows[-1]["loss"],
            "iterations": int(rows[-1]["iteration"]),
            "bounces": int(optimizer.bounces) if isinstance(optimizer, BBI) else 0,
        }
        profile = pd.DataFrame({"stage": "network", "r": RADII, "u": self._judge.profile(parameters, RADII)})
        curves = pd.concat([pd.DataFrame(rows).assign(stage="train"), profile])
        return {"runs": pd.DataFrame([{"stage": "train", **end}]), "curves": curves}

    def _points(self, redraw: int, seed: int) -> Points:
        task, engine = self._task, self._engine
        return Points(self._problem, task.interior, task.boundary, seed, redraw, engine.reading, engine.where)

    @cached_property
    def _solutions(self) -> tuple[Radial, Radial | None]:
        return solutions(self._problem)

    @cached_property
    def _judge(self) -> Judge:
        seed = self._lab.seed("held out")
        return Judge(self._problem, self._solutions, seed, self._thresholds, self._engine.where)

    @cached_property
    def _gradient(self) -> Gradients:
        examples = [p.to(self._engine.where) for p in self._network.parameters(0)]
        x, f = self._points(0, 0).at(0)
        return gradients(self._loss, examples, x, f, self._engine.compiled)
