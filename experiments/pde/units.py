"""Section 4.4: a nonlinear Poisson equation with two solutions. Which one does a network become?"""

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from experiments.competitors import Optimizer, create
from experiments.harness import checkpoint
from experiments.harness.devices import torch_device
from experiments.harness.session import Compute
from experiments.harness.settings import Count, Positive, Seed, Whole
from experiments.harness.tables import Tables, join
from experiments.harness.units import Unit, unit
from experiments.pde.config import Config, Engine, Problem, Task, Thresholds
from experiments.pde.network import ResidualNetwork
from experiments.pde.outcome import LABELS, Judge
from experiments.pde.problem import Poisson
from experiments.pde.shooting import scan, solutions
from experiments.pde.training import Gradients, Loss, Points, Training, gradients

RADII = np.linspace(0.0, 1.0, 101)  # where networks are looked at
FINE = np.linspace(0.0, 1.0, 401)  # where the solutions are: 20 r² has eight waves near r = 1


def run(cfg: Config, compute: Compute) -> Tables:
    """Find the radial solutions by shooting; train networks, and say which solution each became."""
    shot = [cfg.problems[name] for name in cfg.shoot]
    shots = [({"problem": p.label}, unit(shooting, k=p.k, dimension=p.dimension)) for p in shot]
    trainings = (each for name in cfg.train for each in _trainings(cfg.problems[name], cfg, compute))
    return join(compute.labelled(shots, "shooting") + compute.labelled(trainings, "training"))


def _trainings(task: Task, cfg: Config, compute: Compute) -> Iterator[tuple[dict[str, Any], Unit]]:
    """Labels and units: first run 0 of every competitor from every network, then run 1, …"""
    where = torch_device(cfg.engine.device).type  # decided here, as a worker may have other devices
    engine = cfg.engine.model_copy(update={"device": where})
    rounds = range(max(entrant.runs for entrant in task.competitors.values()))
    for run, network, name in itertools.product(rounds, range(task.networks), task.competitors):
        entrant = task.competitors[name]
        if run < entrant.runs:
            seeds = {
                "network": compute.seed("network", network),
                "bounces": compute.seed("bounces", run),
                "points": compute.seed("points", run if entrant.redraw else "fixed"),
                "judge": compute.seed("held out"),
            }
            labels = {"problem": task.label, "competitor": name, "network": network, "run": run}
            yield labels, unit(
                training, problem=task.problem, optimizer=entrant.optimizer(), iterations=entrant.iterations,
                redraw=entrant.redraw, seeds=seeds, engine=engine, thresholds=cfg.thresholds,
            )  # fmt: skip


def shooting(k: Positive, dimension: Count) -> Tables:
    """Find the radial solutions of a :class:`experiments.pde.problem.Poisson` problem.

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
    seeds: dict[str, Seed],
    engine: Engine,
    thresholds: Thresholds,
) -> Tables:
    """Train a network, and say which solution it became.

    The ``seeds`` are those of the initial ``network``, the optimizer's ``bounces``, the ``points`` of the
    training, and those that ``judge`` the network.

    Returns:
        ``runs``, one row; ``curves`` with the stages ``train`` (a row every ``record_every`` iterations) and
        ``network`` (``r``, ``u``).
    """
    where, poisson = torch_device(engine.device), Poisson(problem.k, problem.dimension)
    parameters = _parameters(problem, seeds["network"], where)
    points = _points(problem, engine, seeds["points"], redraw)
    judge = _judge(poisson, seeds["judge"], thresholds, where)
    work = Training(
        parameters, create(optimizer, parameters, seeds["bounces"]), points, _gradients(problem, engine),
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


def _parameters(problem: Problem, seed: int, where: torch.device) -> list[nn.Parameter]:
    network = ResidualNetwork(problem.dimension, problem.width, problem.depth)
    return list(nn.ParameterList(network.parameters(seed)).to(where))


def _points(problem: Problem, engine: Engine, seed: int, redraw: int) -> Points:
    poisson, where = Poisson(problem.k, problem.dimension), torch_device(engine.device)
    return Points(poisson, problem.interior, problem.boundary, seed, redraw, engine.variant, where)


# A worker computes many units of the same problem.
@functools.lru_cache(maxsize=8)
def _judge(problem: Poisson, seed: int, thresholds: Thresholds, where: torch.device) -> Judge:
    return Judge(problem, solutions(problem), seed, thresholds, where)


@functools.lru_cache(maxsize=8)
def _gradients(problem: Problem, engine: Engine) -> Gradients:
    points = _points(problem, engine, 0, 0)
    loss = Loss(points.problem.boundary, problem.interior, problem.gamma, problem.regularizer)
    examples = _parameters(problem, 0, torch_device(engine.device))
    return gradients(loss, examples, *points.at(0), engine.compiled)
