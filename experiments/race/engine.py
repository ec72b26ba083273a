"""Runs of one optimizer side by side, and when each reaches its targets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bbi.algorithm import Algorithm
from bbi.noise import replica_keys
from bbi.rules import ECDRule, Replicas, Rule, Scalars, Settings
from experiments import competitors
from experiments.harness.units import derived_seed
from experiments.race.problems import Evaluate, Problems


@dataclass
class Outcome:
    """How R runs went.

    Attributes:
        hits: float64 (R, T), the number of the first evaluation at or below each target; inf for none.
        evaluations: float64 (R,), evaluations of F and ∇F made.
        best: float64 (R,), the lowest F.
        forced: float64 (R,), of a separable law the share of steps whose force is larger than the momentum
            that they keep; NaN for other optimizers.
    """

    hits: Tensor
    evaluations: Tensor
    best: Tensor
    forced: Tensor

    @classmethod
    def of(cls, problems: Problems) -> "Outcome":
        """Before the first evaluation."""
        zero = torch.zeros(len(problems.start), dtype=torch.float64)
        return cls(torch.full_like(problems.targets, math.inf), zero, zero + math.inf, zero + math.nan)

    def see(self, value: Tensor, targets: Tensor, active: Tensor) -> None:
        """Count one more evaluation of the active runs."""
        self.evaluations += active
        lower = active & (value < self.best)
        self.best = torch.where(lower, value, self.best)
        new = (value[:, None] <= targets) & lower[:, None] & (self.hits == math.inf)
        self.hits = torch.where(new, self.evaluations[:, None], self.hits)

    @property
    def done(self) -> Tensor:
        """Mask of the runs that have reached their last target."""
        return self.hits[:, -1] < math.inf


def run(
    problems: Problems, target: str, settings: Mapping[str, Any], ensemble: str, budget: int, seed: int
) -> Outcome:
    """Run all of ``problems`` until the last target or for ``budget`` evaluations.

    Args:
        problems: Where the runs start, and F.
        target: Class of the optimizer.
        settings: Its settings: numbers, or arrays (R,) of one a run.
        ensemble: As of :class:`experiments.competitors.Competitor`; rules of ensembles are computed eagerly.
        budget: Evaluations a run.
        seed: Of all random numbers.
    """
    if ensemble == "single":
        return _alone(problems, target, settings, budget, seed)
    if ensemble == "elementwise":
        return _grouped(problems, target, settings, budget, seed)
    return _ruled(problems, ensemble, settings, budget, seed)


def _ruled(problems: Problems, ensemble: str, settings: Mapping[str, Any], budget: int, seed: int) -> Outcome:
    """All runs as replicas of a rule."""
    tensors = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
    rule: Rule
    rule, given = competitors.rule(ensemble, tensors)
    count = len(problems.start)
    s = {
        k: torch.as_tensor(given.get(k, default), dtype=torch.float64).expand(count)
        for k, default in rule.settings.items()
    }
    key, theta = replica_keys(seed, torch.arange(count)), problems.start.T.contiguous()
    index, outcome = torch.arange(len(theta))[:, None], Outcome.of(problems)
    forced = Forced(rule, s) if isinstance(rule, ECDRule) and rule.law.separable else None
    active = torch.ones(count, dtype=torch.bool)
    momentum, vectors = torch.empty(0), torch.zeros_like(theta)
    scalars: Scalars = ()
    for number in range(budget):
        value, grad = problems.evaluate(theta.T)
        outcome.see(value, problems.targets, active)
        active = active & rule.active(value, s) & grad.isfinite().all(1) & ~outcome.done
        if not active.any():
            break
        grad = torch.where(active, grad.T, 0.0)
        if not number:
            momentum, scalars = rule.start(value, grad, s, key)
        due = rule.due(scalars, s)
        if due is not None and bool(due.any()):
            vectors = rule.vectors(scalars, key, index)
        if forced is not None:
            forced.see(value, grad, momentum, scalars, active)
        theta, momentum, scalars = rule.move(
            Replicas(theta, momentum, scalars, value, grad, s, key, vectors), active
        )
    if forced is not None:
        outcome.forced = forced.larger / forced.steps
    return outcome


class Forced:
    """Counts the steps of a separable law in which the force Δt H_V |∇F| is larger than the momentum kept."""

    def __init__(self, rule: ECDRule, s: Settings) -> None:
        self.algorithm, self.s = Algorithm(rule.law, rule.variant, rule.eps1, nu=rule.nu), s
        self.larger = torch.zeros_like(s["lr"])
        self.steps = torch.zeros_like(s["lr"])

    def see(self, value: Tensor, grad: Tensor, momentum: Tensor, scalars: Scalars, active: Tensor) -> None:
        """Count the step that is about to be made."""
        p2 = momentum.square().sum(0)
        at_v = self.algorithm.coefficients(value - self.s["delta_v"], scalars[0], p2)
        kept = self.algorithm.restored(p2, at_v.p2)
        force = (self.s["lr"] * at_v.kick).square() * grad.square().sum(0)
        self.larger += active & (force > kept)
        self.steps += active


def _grouped(problems: Problems, target: str, settings: Mapping[str, Any], budget: int, seed: int) -> Outcome:
    """Runs as rows of parameters, one parameter and group for each combination of settings."""
    count = len(problems.start)
    arrays = {k: v for k, v in settings.items() if isinstance(v, np.ndarray)}
    rows: dict[tuple[float, ...], list[int]] = {}
    for i in range(count):
        rows.setdefault(tuple(float(v[i]) for v in arrays.values()), []).append(i)
    order = torch.tensor([i for each in rows.values() for i in each])
    place = torch.argsort(order)
    sizes = [len(each) for each in rows.values()]
    flat = problems.start[order].clone()  # the parameters are views of it, which optimizers write to
    leaves = [part.requires_grad_() for part in torch.split(flat, sizes)]
    common = {k: v for k, v in settings.items() if k not in arrays}
    first = dict(zip(arrays, next(iter(rows)), strict=True))
    optimizer = competitors.create({"_target_": target, **common, **first}, leaves[:1], seed)
    for leaf, values in zip(leaves[1:], list(rows)[1:], strict=True):
        optimizer.add_param_group({"params": [leaf], **dict(zip(arrays, values, strict=True))})
    outcome, active = Outcome.of(problems), torch.ones(count, dtype=torch.bool)
    for _ in range(budget):
        value, grad = problems.evaluate(flat.detach()[place])
        outcome.see(value, problems.targets, active)
        active = active & value.isfinite() & grad.isfinite().all(1) & ~outcome.done
        if not active.any():
            break
        grad = torch.where(active[:, None], grad, 0.0)[order]
        for leaf, part in zip(leaves, torch.split(grad, sizes), strict=True):
            leaf.grad = part
        optimizer.step()
    return outcome


class _Over(Exception):
    """A run has used its budget or reached its last target."""


def _alone(problems: Problems, target: str, settings: Mapping[str, Any], budget: int, seed: int) -> Outcome:
    """One run after the other."""
    total = Outcome.of(problems)
    for i in range(len(problems.start)):
        own = {k: float(v[i]) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
        one = _one(problems, i, {"_target_": target, **own}, budget, derived_seed(seed, i))
        total.hits[i], total.evaluations[i], total.best[i] = one
    return total


def _one(
    problems: Problems, i: int, optimizer: Mapping[str, Any], budget: int, seed: int
) -> tuple[Tensor, int, float]:
    """The hits, evaluations and lowest F of run ``i``."""
    theta = torch.nn.Parameter(problems.start[i].clone())
    closure = _Closure(theta, problems.alone(i), problems.targets[i].tolist(), budget)
    made, before = competitors.create(optimizer, [theta], seed), -1
    take: Any = made.step  # whose closure returns a number by its type
    try:
        while closure.evaluations > before and not getattr(made, "finished", False):
            before = closure.evaluations
            take(closure)
    except _Over:
        pass
    return torch.tensor(closure.hits, dtype=torch.float64), closure.evaluations, closure.best


class _Closure:
    """F and ∇F of one run at its parameter, counted; it raises :class:`_Over` when the run is over."""

    def __init__(self, theta: Tensor, evaluate: Evaluate, targets: list[float], budget: int) -> None:
        self.theta, self.evaluate, self.targets, self.budget = theta, evaluate, targets, budget
        self.hits, self.evaluations, self.best, self._next = [math.inf] * len(targets), 0, math.inf, 0

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """F at the parameter, whose gradient is ∇F then."""
        value, self.theta.grad = self.evaluate(self.theta.detach())
        self._see(float(value))
        return value

    @torch.no_grad()
    def values(self, points: Tensor) -> Tensor:
        """F (K,) at points (K, n), without gradients."""
        values = self.evaluate(points)[0]
        for value in values.tolist():
            self._see(value)
        return values

    def _see(self, value: float) -> None:
        self.evaluations += 1
        self.best = min(self.best, value)
        while self._next < len(self.targets) and value <= self.targets[self._next]:
            self.hits[self._next] = self.evaluations
            self._next += 1
        if self._next == len(self.targets) or self.evaluations >= self.budget:
            raise _Over
