"""Many runs side by side: instances of the functions and networks, for points (R, n)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import ortho_group
from torch import Tensor

from experiments.harness.units import derived_seed
from experiments.race import networks
from experiments.race.functions import TASKS

BOX = 5.0
"""Half the side of the box in which runs start."""
INNER = 4.0
"""Half the side of the box in which minima are."""

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]


class Problems(NamedTuple):
    """R runs on some problems.

    Attributes:
        start: float64 (R, n), where the runs start.
        targets: float64 (R, T), the values of F to be reached, falling.
        evaluate: Maps points (R, n) to F (R,) and ∇F (R, n).
        alone: Of run i: maps points (..., n) to F (...) and ∇F (..., n).
        box: Half the side of the box that a method may know; None if there is none.
    """

    start: Tensor
    targets: Tensor
    evaluate: Evaluate
    alone: Callable[[int], Evaluate]
    box: float | None


class Instance(NamedTuple):
    """A function, rotated and shifted, and where a run on it starts."""

    rotation: Tensor
    shift: Tensor
    start: Tensor


def instance(n: int, seed: int) -> Instance:
    """Rotation (n, n), place of the minimum (n,) and start (n,), which follow from ``seed``."""
    rng = np.random.default_rng(seed)
    rotation = ortho_group.rvs(n, random_state=rng)
    shift, start = rng.uniform(-INNER, INNER, n), rng.uniform(-BOX, BOX, n)
    return Instance(*(torch.from_numpy(np.ascontiguousarray(x)) for x in (rotation, shift, start)))


def functions(
    names: Sequence[str], n: int, seeds: Sequence[int], repeats: int, targets: Sequence[float]
) -> Problems:
    """Runs on functions: those of one function together, in these those of one instance.

    Args:
        names: Of :data:`experiments.race.functions.TASKS`.
        n: Dimensions.
        seeds: One an instance; instances of different functions differ too.
        repeats: Runs on each instance, all from its start.
        targets: Values of F.
    """
    tasks = [TASKS[name] for name in names]
    flat = [instance(n, derived_seed(seed, name, n)) for name in names for seed in seeds]
    rotations, shifts = (torch.stack([one[k] for one in flat]) for k in (0, 1))
    scales = torch.tensor([task.scale for task in tasks], dtype=torch.float64)
    scales = scales.repeat_interleave(len(seeds))[:, None, None]
    back = rotations * scales
    rotated, each = back.mT.contiguous(), len(seeds) * repeats

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.bmm(x.reshape(len(flat), repeats, n) - shifts[:, None], rotated).reshape(-1, n)
        parts = [task.function(z[k * each : (k + 1) * each] + task.minimiser) for k, task in enumerate(tasks)]
        values, grads = (torch.cat(some) for some in zip(*parts, strict=True))
        return values, torch.bmm(grads.reshape(len(flat), repeats, n), back).reshape(-1, n)

    def alone(i: int) -> Evaluate:
        task, one = tasks[i // each], flat[i // repeats]
        forward = one.rotation * task.scale
        turned = forward.mT.contiguous()

        def evaluate_one(x: Tensor) -> tuple[Tensor, Tensor]:
            value, grad = task.function((x - one.shift) @ turned + task.minimiser)
            return value, grad @ forward

        return evaluate_one

    start = torch.stack([one.start for one in flat]).repeat_interleave(repeats, 0)
    levels = torch.tensor(list(targets), dtype=torch.float64).expand(len(start), -1)
    return Problems(start, levels, evaluate, alone, BOX)


def network(name: str, seeds: Sequence[int], repeats: int, targets: Sequence[float]) -> Problems:
    """Runs on a network of :data:`experiments.race.networks.NETWORKS`, one instance a seed."""
    made = networks.NETWORKS[name]
    parts = [made(derived_seed(seed, name)) for seed in seeds]
    start = torch.stack([part.start for part in parts]).repeat_interleave(repeats, 0)

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        done = [part.evaluate(some) for part, some in zip(parts, torch.split(x, repeats), strict=True)]
        values, grads = zip(*done, strict=True)
        return torch.cat(values), torch.cat(grads)

    def alone(i: int) -> Evaluate:
        part = parts[i // repeats]

        def evaluate_one(x: Tensor) -> tuple[Tensor, Tensor]:
            value, grad = part.evaluate(x.reshape(-1, x.shape[-1]))
            return value.reshape(x.shape[:-1]), grad.reshape(x.shape)

        return evaluate_one

    levels = torch.tensor(list(targets), dtype=torch.float64).expand(len(start), -1)
    return Problems(start, levels, evaluate, alone, None)
