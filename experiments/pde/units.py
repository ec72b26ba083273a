"""Section 4.4: a nonlinear Poisson equation with two solutions. Which one does a network become?"""

import functools
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import nn

from experiments.competitors import Optimizer, create
from experiments.harness import checkpoint
from experiments.harness.devices import device
from experiments.harness.session import Compute
from experiments.harness.settings import Count, Positive, Seed, Settings, Whole
from experiments.harness.tables import Tables, join
from experiments.harness.units import unit
from experiments.pde.config import Config, Engine, Problem, Task, Thresholds
from experiments.pde.network import ResidualNetwork
from experiments.pde.outcome import LABELS, Judge
from experiments.pde.problem import Poisson
from experiments.pde.shooting import scan, solutions
from experiments.pde.training import Gradients, Loss, Points, Training, gradients

RADII = np.linspace(0.0, 1.0, 101)  # where networks are looked at
FINE = np.linspace(0.0, 1.0, 401)  # where the solutions are: 20 r² has eight waves near r = 1


class Seeds(Settings):
    """Where the random numbers of a training come from.

    Attributes:
        network: Of the initial parameters.
        bounces: Of the optimizer.
        points: Of the points it is trained on.
        judge: Of the points it is judged by.
    """

    network: Seed
    bounces: Seed
    points: Seed
    judge: Seed


def run(cfg: Config, compute: Compute) -> Tables:
    """Find the radial solutions by shooting; train networks, and say which solution each became."""
    shots = [
        unit(shooting, k=cfg.problems[name].k, dimension=cfg.problems[name].dimension) for name in cfg.shoot
    ]
    found = compute(shots, "shooting")
    parts = [
        _labelled(table, problem=cfg.problems[name].label)
        for name, table in zip(cfg.shoot, found, strict=True)
    ]
    where = device(cfg.engine.device).type  # decided here, as a worker may have other devices
    engine = cfg.engine.model_copy(update={"device": where})
    runs = [(cfg.problems[name], *each) for name in cfg.train for each in _runs(cfg.problems[name])]
    units = []
    for task, name, network, number in runs:
        entrant = task.competitors[name]
        seeds = Seeds(
            network=compute.seed("network", network),
            bounces=compute.seed("bounces", number),
            points=compute.seed("points", number if entrant.redraw else "fixed"),
            judge=compute.seed("held out"),
        )
        units.append(
            unit(
                training, problem=task.problem, optimizer=entrant.optimizer(), iterations=entrant.iterations,
                redraw=entrant.redraw, seeds=seeds, engine=engine, thresholds=cfg.thresholds,
            )
        )  # fmt: skip
    for (task, name, network, number), table in zip(runs, compute(units, "training"), strict=True):
        parts.append(_labelled(table, problem=task.label, competitor=name, network=network, run=number))
    return join(parts)


def _runs(task: Task) -> Iterator[tuple[str, int, int]]:
    """Competitor, network and run: first run 0 of every competitor from every network, then run 1, …"""
    for run in range(max(entrant.runs for entrant in task.competitors.values())):
        for network in range(task.networks):
            for name, entrant in task.competitors.items():
                if run < entrant.runs:
                    yield name, network, run


def _labelled(tables: Tables, **labels: object) -> Tables:
    return {name: rows.assign(**labels) for name, rows in tables.items()}


def shooting(k: Positive, dimension: Count) -> Tables:
    """Find the radial solutions of a problem.

    Args:
        k: Wiggliness of the manufactured solution.
        dimension: d, of the ball.

    Returns:
        ``curves`` with the stages ``shooting_scan`` (``u0``, ``boundary_residual``) and ``radial``
        (``solution``, ``r``, ``u``).
    """
    problem = Poisson(k, dimension)
    scanned = scan(problem)
    profiles = [
        pd.DataFrame({"stage": "radial", "solution": name, "r": FINE, "u": radial.at(FINE)})
        for name, radial in zip(LABELS, solutions(problem, scanned), strict=False)
        if radial
    ]
    return {"curves": pd.concat([scanned.assign(stage="shooting_scan"), *profiles])}


def training(
    problem: Problem,
    optimizer: Optimizer,
    iterations: Count,
    redraw: Whole,
    seeds: Seeds,
    engine: Engine,
    thresholds: Thresholds,
) -> Tables:
    """Train a network, and say which solution it became.

    Args:
        problem: The problem, the network and the loss.
        optimizer: Class and all settings.
        iterations: Steps of the optimizer.
        redraw: Fresh points every so many iterations; 0 for the same ones throughout.
        seeds: Of the network, the optimizer and the points.
        engine: How it is trained; the device is ``cpu`` or ``cuda``.
        thresholds: What makes it a solution.

    Returns:
        ``runs``, one row; ``curves`` with the stages ``train`` (a row every ``record_every`` iterations) and
        ``network`` (``r``, ``u``).
    """
    where, poisson = device(engine.device), Poisson(problem.k, problem.dimension)
    parameters = list(nn.ParameterList(_network(problem).parameters(seeds.network)).to(where))
    points = Points(poisson, problem.interior, problem.boundary, seeds.points, redraw, engine.variant, where)
    judge = _judge(poisson, seeds.judge, thresholds, where)
    work = Training(
        parameters, create(optimizer, parameters, seeds.bounces), points, _gradients(problem, engine),
        iterations, problem.record_every, judge.near,
    )  # fmt: skip
    rows = checkpoint.run(work)
    end = {
        "stage": "train",
        "status": "done" if math.isfinite(rows[-1]["loss"]) else "diverged",
        **judge.judge(parameters),
        "train_loss": rows[-1]["loss"],
        "iterations": rows[-1]["iteration"],
        "bounces": int(getattr(work.optimizer, "bounces", 0)),
    }
    profile = pd.DataFrame({"stage": "network", "r": RADII, "u": judge.profile(parameters, RADII)})
    curves = pd.concat([pd.DataFrame(rows).assign(stage="train"), profile])
    return {"runs": pd.DataFrame([end]), "curves": curves}


def _network(problem: Problem) -> ResidualNetwork:
    return ResidualNetwork(problem.dimension, problem.width, problem.depth)


# A worker computes many units of the same problem.
@functools.lru_cache(maxsize=8)
def _judge(problem: Poisson, seed: int, thresholds: Thresholds, where: torch.device) -> Judge:
    return Judge(problem, solutions(problem), seed, thresholds, where)


@functools.lru_cache(maxsize=8)
def _gradients(problem: Problem, engine: Engine) -> Gradients:
    where, poisson = device(engine.device), Poisson(problem.k, problem.dimension)
    loss = Loss(poisson.boundary, problem.interior, problem.gamma, problem.regularizer)
    points = Points(poisson, problem.interior, problem.boundary, 0, 0, engine.variant, where)
    examples = [p.to(where) for p in _network(problem).parameters(0)]
    return gradients(loss, examples, *points.at(0), engine.compiled)
