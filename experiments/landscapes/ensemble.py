"""Many runs of one optimizer on a landscape, compiled or by ``torch.optim``, with the same result."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bbi.records import Curves
from bbi.simulate import Potential, Run, Stop, simulate
from experiments.competitors import Optimizer, create, rule, step
from experiments.harness.units import derived_seed


def run(
    potential: Potential,
    optimizer: Optimizer,
    ensemble: str,
    starts: Tensor,
    steps: int,
    seed: int = 0,
    *,
    replicas: Tensor | None = None,
    stop: Stop | None = None,
    record_every: int = 0,
    slots: int | None = None,
    compiled: bool = True,
) -> Run:
    """One run from each of ``starts``, which depends on its own start, settings and number only.

    The arguments are those of :func:`bbi.simulate.simulate`, but for ``optimizer`` and ``ensemble``, as in
    :class:`experiments.competitors.Competitor`; a setting of a compiled ensemble may be a tensor (R,). Eager
    torch, without ``compiled`` kernels, takes a hundred times as long a step, but no seconds to compile,
    which is right for the few steps of a smoke test. Their last bits differ.

    Raises:
        ValueError: For settings that the ensemble does not know.
    """
    if ensemble not in ("elementwise", "single"):
        made, values = rule(ensemble, optimizer)
        return simulate(
            potential, starts, made, values, steps, seed=seed, replicas=replicas, stop=stop,
            record_every=record_every, slots=slots, compiled=compiled,
        )  # fmt: skip
    apart = {name for name, value in optimizer.items() if isinstance(value, Tensor) and value.numel() > 1}
    if ensemble == "elementwise" and not apart:
        return _together(potential, _row(optimizer, 0), starts, seed, steps, stop, record_every)
    numbers = range(len(starts)) if replicas is None else replicas.tolist()
    return _joined([
        _together(potential, _row(optimizer, i), starts[i : i + 1], derived_seed(seed, number), steps, stop,
                  record_every)
        for i, number in enumerate(numbers)
    ])  # fmt: skip


def _row(optimizer: Optimizer, i: int) -> dict[str, Any]:
    """The optimizer of run ``i``: numbers in the place of tensors (R,)."""
    return {
        name: float(value.reshape(-1)[i % value.numel()]) if isinstance(value, Tensor) else value
        for name, value in optimizer.items()
    }


def _together(
    potential: Potential,
    optimizer: Optimizer,
    starts: Tensor,
    seed: int,
    steps: int,
    stop: Stop | None,
    record_every: int,
) -> Run:
    """Runs as rows of one parameter; one that has ended stays where it is."""
    theta = torch.nn.Parameter(starts.to(torch.float64).clone())
    if "fused" in optimizer:  # its last bits depend on the number of rows
        optimizer = {**optimizer, "fused": False}
    made = create(optimizer, [theta], seed)
    best = torch.full((len(starts),), math.inf, dtype=torch.float64)
    taken = torch.zeros(len(starts), dtype=torch.int64)
    status, points = np.full(len(starts), "running", dtype=object), list[tuple[Tensor, ...]]()

    def closure() -> Tensor:
        value, theta.grad = potential(theta.detach())
        return value.sum()

    for number in range(steps + 1):
        value, grad = potential(theta.detach())
        best = torch.where(value < best, value, best)
        before = status == "running"
        status[before & (number == steps)] = "budget"
        if stop is not None:
            status[before & stop(theta.detach(), value).numpy()] = "stopped"
        status[before & ~(value.abs() < math.inf).numpy()] = "diverged"
        active = torch.from_numpy(status == "running")
        if record_every:
            shown = before & ((number % record_every == 0) | (status != "running"))
            which = torch.from_numpy(shown.nonzero()[0])
            at = (torch.full_like(which, number), value[which], theta.detach()[which], best[which])
            points.append((which, *at))
        if not active.any():
            break
        theta.grad = torch.where(active[:, None], grad, 0.0)
        old = theta.detach().clone()
        step(made, value.sum(), closure)
        with torch.no_grad():
            theta.copy_(torch.where(active[:, None], theta, old))
        taken += active
    curves = _curves(points, starts.shape[1]) if record_every else None
    return Run(theta.detach(), value, best, taken, status.tolist(), (), curves)


def _curves(points: Sequence[tuple[Tensor, ...]], n: int) -> Curves:
    """The recorded points by run and step; momenta of other optimizers are not known: NaN."""
    run, step, value, theta, best = map(torch.cat, zip(*points, strict=True))
    order = torch.argsort(run, stable=True)
    momentum = torch.full((len(run), n), math.nan)
    return Curves(run[order], step[order], value[order], theta[order], momentum, best[order])


def _joined(runs: Sequence[Run]) -> Run:
    """Runs that were computed one by one."""
    columns = zip(*((run.theta, run.value, run.best, run.steps) for run in runs), strict=True)
    theta, value, best, steps = map(torch.cat, columns)
    parts = [
        run.curves._replace(replica=run.curves.replica + number)
        for number, run in enumerate(runs)
        if run.curves is not None
    ]
    curves = Curves(*map(torch.cat, zip(*parts, strict=True))) if parts else None
    return Run(theta, value, best, steps, [run.status[0] for run in runs], (), curves)


def ends(done: Run) -> pd.DataFrame:
    """One row a run: ``best``, ``final``, ``steps``, ``status`` and the last position (x1, x2, …)."""
    columns = {"best": done.best.numpy(), "final": done.value.numpy(), "steps": done.steps.numpy()}
    return pd.DataFrame({**columns, "status": done.status, **_position(done.theta)})


def curve_rows(done: Run) -> pd.DataFrame:
    """One row a recorded point: ``run``, ``step``, ``loss``, ``lowest`` and the position (x1, x2, …).

    ``lowest`` is the lowest F of all steps up to that one, whether they are recorded or not.
    """
    curves = done.curves
    assert curves is not None
    table = {"run": curves.replica.numpy(), "step": curves.step.numpy(), "loss": curves.value.numpy(),
             "lowest": curves.best.numpy()}  # fmt: skip
    return pd.DataFrame({**table, **_position(curves.theta)})


def _position(theta: Tensor) -> dict[str, np.ndarray]:
    return {f"x{i + 1}": column.numpy() for i, column in enumerate(theta.T)}


def uniform_points(count: int, n: int, low: float, high: float, seed: int) -> Tensor:
    """``count`` points, uniform in [low, high]ⁿ, float64 (count, n)."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(low, high, (count, n)))
