"""A first value of lr, from the energy error of trial steps."""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch

from bbi.optimizer import ECD
from bbi.state import SYSTEM, at_first

TRIAL = 8
"""Steps of a trial."""
LIMIT = 0.3
"""Median of |H/E - 1| in a trial, above which lr is too large. BBI had up to 0.19 at its best lr on the tasks
of scripts/tasks.py, and minibatches alone made up to 0.17."""
SHARE = {False: 1 / 3, True: 1.0}
"""What is taken of the lowest lr that is too large, by whether the law is separable.

Above it BBI leaves for infinity, since its speed grows with V. The speed of ECDSep, 2|Π|/(s + Π²) ≤ 1/√s,
does not, and it comes back."""
DOUBLINGS = 40
"""Trials before it is given up."""


def first_lr(optimizer: ECD, closure: Callable[[], Any], model: torch.nn.Module | None = None) -> float:
    """Propose an lr from a few dozen trial steps; parameters, optimizer and random numbers stay as they were.

    A step conserves H(V, Π²) = E up to an error that grows as lr² and, where steps become unstable, at once.
    Trials of 8 steps from the present parameters, each with twice or half the lr of the one before, find the
    lowest lr at which the median of |H/E - 1| is above 0.3. A third of it is proposed, for a separable law
    (ECDSep) all of it. The same idea sets the step size of Hamiltonian samplers.

        lr = first_lr(optimizer, closure, model)
        optimizer.param_groups[0]["lr"] = lr

    Args:
        optimizer: With one lr for all groups, and without ``replicas``. It may have made steps; the trials
            begin anew from its parameters, with its settings.
        closure: Clears the gradients, computes the loss of a batch, calls ``backward`` and returns the loss.
            What it draws from data loaders, numpy or generators of its own is drawn.
        model: Its buffers, as those of batch norm, are put back, too.

    Returns:
        The lr proposed.

    Raises:
        TypeError: For another optimizer than those of this package.
        ValueError: For an optimizer with replicas, several lr or an isokinetic law, for a closure without
            ``backward``, or where the error never is above its limit, or always.
    """
    if not isinstance(optimizer, ECD):
        raise TypeError(f"Invalid optimizer: {type(optimizer).__name__} (one of bbi, such as BBI)")
    groups = optimizer.param_groups
    if groups[0]["replicas"] is not None or len({float(group["lr"]) for group in groups}) > 1:
        raise ValueError("Invalid optimizer: first_lr proposes one lr for one run: no replicas, one lr")
    if optimizer.law.isokinetic:
        raise ValueError("Invalid optimizer: an isokinetic law has no energy error; take lr = 0.1 at first")
    tensors = [p for group in groups for p in group["params"]]
    buffers = list(model.buffers()) if model is not None else []
    kept = [t.detach().clone() for t in (*tensors, *buffers)]
    grads, rates = [p.grad for p in tensors], [group["lr"] for group in groups]
    state, system = optimizer.state, groups[0][SYSTEM]
    for p in tensors:
        p.grad = None  # the closure may clear gradients in place

    def put_back() -> None:
        with torch.no_grad():
            for tensor, value in zip((*tensors, *buffers), kept, strict=True):
                tensor.copy_(value)

    def too_large(lr: float) -> bool:
        put_back()
        optimizer.state, groups[0][SYSTEM] = defaultdict(dict), at_first(groups)
        for group in groups:
            group["lr"] = lr
        return not _error(optimizer, closure) <= LIMIT

    devices = sorted({p.device.index for p in tensors if p.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices):
            lr = float(rates[0]) or 0.1
            factor = 0.5 if (was := too_large(lr)) else 2.0
            for _ in range(DOUBLINGS):
                lr *= factor
                if too_large(lr) != was:
                    return SHARE[optimizer.law.separable] * max(lr, lr / factor)
    finally:
        put_back()
        optimizer.state, groups[0][SYSTEM] = state, system
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        for p, grad in zip(tensors, grads, strict=True):
            p.grad = grad
    raise ValueError(f"found no lr: the energy error is on the same side of {LIMIT} up to lr = {lr:.3g}")


def _error(optimizer: ECD, closure: Callable[[], Any]) -> float:
    """The median of |H(V, Π²)/E - 1| before Π² is corrected, over a trial; inf if V is not finite."""
    errors = []
    p2 = None
    for _ in range(TRIAL + 1):
        optimizer.step(closure)
        if not any(p.grad is not None for group in optimizer.param_groups for p in group["params"]):
            raise ValueError("Invalid closure: it leaves no gradient; it must call backward on the loss")
        v, e = optimizer.potential, optimizer.energy
        if p2 is not None:
            errors.append((optimizer.law.energy(v, p2) / e - 1).abs())
        p2 = optimizer.momentum_norm.square()
    return float(torch.stack(errors).nan_to_num(nan=math.inf).median())
