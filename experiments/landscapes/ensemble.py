"""How contenders run on a landscape: tuning them, running them from many points, rows from runs."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bbi.laws import BornInfeld
from bbi.simulate import Potential, Rule, Run, Stop, simulate
from bbi.step import ECD, GDM
from experiments.competitors import Contender, Search, check_complete
from experiments.harness.errors import UserError
from experiments.harness.reduced import describe, reductions
from experiments.harness.search import best, tpe
from experiments.harness.settings import Base, one_of
from experiments.harness.store import Lab, Tables

RULES: dict[str, Rule] = {
    "bbi": ECD(BornInfeld()),
    "bbi_free": ECD(BornInfeld(), bounces=False),
    "bbi_released": ECD(BornInfeld(), reading="released"),
    "gdm": GDM(),
}
UNKNOWN = (math.nan, math.nan, math.nan)
"""An estimate and its interval where the runs do not give them."""


def check_contenders(contenders: Mapping[str, Contender]) -> None:
    """Raise :class:`UserError` where one cannot run on a landscape, or ``bbi``, BBI's own, is missing."""
    if "bbi" not in contenders or contenders["bbi"].optimizer != "bbi":
        raise UserError("contenders.bbi: must be there, with optimizer bbi: the claims are about it")
    for key, contender in contenders.items():
        name = f"contenders.{key}"
        one_of(f"{name}.optimizer", contender.optimizer, ("bbi", "gdm"))
        given = (*contender.fixed, *contender.space)
        check_complete(name, contender.optimizer, given, f"{name}.fixed or {name}.space")


def check_plane(name: str, point: Sequence[float]) -> None:
    """Raise :class:`UserError` unless ``point`` is one of the plane; ``name`` is its dotted key."""
    if len(point) != 2 or not all(map(math.isfinite, point)):
        raise UserError(f"{name}={list(point)}: must be two numbers, a point of the plane")


def first_axis(contender: Contender) -> str:
    """The searched parameter that tells trials apart, and is drawn: the step size if it is searched."""
    return "lr" if "lr" in contender.space else next(iter(contender.space))


class Reduced:
    """What a claim's settings have that is not as published; they are compared once for all claims.

    :param cfg: the settings of the run.
    :param always: in words, what is not as published whatever a claim depends on.
    """

    def __init__(self, cfg: Base, always: str = "") -> None:
        self._found, self._always = reductions(cfg, ignore=("contenders.*.label",)), always

    def __call__(self, *patterns: str) -> str:
        """In words, for the settings that a claim depends on, numbers of runs and points apart.

        :param patterns: of dotted keys, such as ``search.*``.
        :returns: empty if they are all as published.
        """
        return ", ".join(filter(None, [self._always, describe(self._found, *patterns)]))

    def tuned(self, name: str, contender: Contender, *patterns: str) -> str:
        """The same for what a contender does with its best settings: those of its search count too."""
        search = ("start", "search.*") if contender.space else ()
        return self(f"contenders.{name}.*", *search, *patterns)


class Contest:
    """Runs on landscapes for one experiment.

    :param lab: store and seeds.
    :param compiled: compile kernels; eager torch takes a hundred times as long a step, but no
        seconds to compile, which is right for the few steps of a smoke test.
    """

    def __init__(self, lab: Lab, compiled: bool) -> None:
        self.lab = lab
        self._compiled = compiled

    def run(
        self,
        potential: Potential,
        rule: str,
        settings: Mapping[str, Any],
        starts: Tensor,
        steps: int,
        seed: int,
        *,
        replicas: Tensor | None = None,
        stop: Stop | None = None,
        record_every: int = 0,
        lanes: int | None = None,
    ) -> Run:
        """One replica from each of ``starts`` (R, n) under the rule of that name in :data:`RULES`."""
        if rule == "bbi" and (settings.get("n_bounces"), settings.get("t1")) == (0, math.inf):
            rule = "bbi_free"  # the same run by a smaller kernel
        return simulate(
            potential,
            starts,
            RULES[rule],
            settings,
            steps,
            seed=seed,
            replicas=replicas,
            stop=stop,
            record_every=record_every,
            lanes=lanes,
            compiled=self._compiled,
        )

    def tune(
        self,
        labels: Mapping[str, Any],
        contender: Contender,
        potential: Potential,
        start: Sequence[float],
        search: Search,
    ) -> dict[str, float] | None:
        """The contender's settings with those searched by TPE put in: lowest F in ``search.steps`` steps.

        :returns: all settings by name, or None if every trial diverged.
        """
        if not contender.space:
            return dict(contender.fixed)
        seed = self.lab.seed("trials", *labels.values())

        def evaluate(points: list[dict[str, float]]) -> pd.DataFrame:
            columns = {k: torch.tensor([p[k] for p in points], dtype=torch.float64) for k in contender.space}
            # The bits of its step size number a trial, so that each draws its own bounces in any batch.
            numbers = columns[first_axis(contender)].view(torch.int64)
            starts = torch.tensor([list(start)] * len(points), dtype=torch.float64)
            settings = {**contender.fixed, **columns}
            done = self.run(
                potential, contender.optimizer, settings, starts, search.steps, seed, replicas=numbers
            )
            # A run that ends in NaN or infinity is a failed trial, whatever it saw on the way.
            loss = np.where(np.array(done.status) == "diverged", np.nan, done.best.numpy())
            return pd.DataFrame({"loss": loss, "status": done.status, "steps": done.steps.numpy()})

        depends = {
            "fixed": contender.fixed,
            "start": list(start),
            "steps": search.steps,
            "potential": repr(potential),
            "compiled": self._compiled,
        }
        trials = tpe(
            self.lab,
            {"stage": "search", **labels},
            contender.space,
            evaluate,
            search.trials,
            search.batch,
            depends,
        )
        found = best(trials, contender.space)
        return None if found is None else {**contender.fixed, **found}

    def unit(self, key: Mapping[str, Any], compute: Callable[[], Tables]) -> Tables:
        """:meth:`Lab.unit`, told also whether kernels are compiled: their last bits differ."""
        return self.lab.unit({**key, "compiled": self._compiled}, compute)


def rows(done: Run, **labels: object) -> pd.DataFrame:
    """One row a replica: the labels (scalars or R of them), how it ended and where (x1, x2, …)."""
    position = {f"x{i + 1}": column.numpy() for i, column in enumerate(done.theta.T)}
    ends = {
        "best": done.best.numpy(),
        "final": done.value.numpy(),
        "steps": done.steps.numpy(),
        "status": done.status,
    }
    return pd.DataFrame({**labels, **ends, **position})


def curve_rows(done: Run, **labels: object) -> pd.DataFrame:
    """One row a recorded point: the labels, ``run``, ``step``, ``loss`` and the position (x1, x2, …)."""
    curves = done.curves
    assert curves is not None
    position = {f"x{i + 1}": column.numpy() for i, column in enumerate(curves.theta.T)}
    table = {"run": curves.replica.numpy(), "step": curves.step.numpy(), "loss": curves.value.numpy()}
    return pd.DataFrame({**labels, **table, **position})


def uniform_points(count: int, n: int, low: float, high: float, seed: int) -> Tensor:
    """``count`` points, uniform in [low, high]ⁿ, float64 (count, n)."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(low, high, (count, n)))
