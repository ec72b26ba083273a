"""Training the network (56) on the problem of section 4.4: the loss (19), its gradients, the loop.

One run at a time, on one thread: its rows stay in the cache. Runs as a leading axis of replicas were measured
at width 64 and 550 points: two at once take 0.94 of the time a run, four 0.99, eight 1.31.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.harness import checkpoint
from experiments.images.networks import step
from experiments.pde.network import value_and_laplacian
from experiments.pde.problem import Poisson

READINGS = ("paper", "released")
PIECE_BYTES = 2**21  # of one layer's rows: at twice the size, and at half of it, the paper's took longer
Parameters = Sequence[Tensor]
Gradients = Callable[[Parameters, Tensor, Tensor], tuple[Tensor, list[Tensor]]]


@dataclass(frozen=True)
class Loss:
    """Eq. (19) with means in the place of sums, as the released code has it.

    The mean of (-∇²u + u² - f)² over the points with a source, plus γ times the mean of (u - f0)² over those
    on the sphere, plus a multiple of |Θ|².

    Args:
        f0: The boundary value.
        interior: How many points, the first ones, are inside; the others are on the sphere.
        gamma: γ, the weight of the boundary.
        regularizer: Of |Θ|².
    """

    f0: float
    interior: int
    gamma: float
    regularizer: float

    def __call__(self, parameters: Parameters, x: Tensor, f: Tensor) -> Tensor:
        """The loss, a tensor ().

        Args:
            parameters: Of the network.
            x: Points (n, d).
            f: The source at the points where the equation is asked for, the first ones (m,).
        """
        u, laplacian = value_and_laplacian(parameters, x, len(f))
        equation = (residual(u[: len(f)], laplacian, f)).square().mean()
        boundary = (u[self.interior :] - self.f0).square().mean()
        size = sum((p.square().sum() for p in parameters), torch.zeros_like(equation))
        return equation + self.gamma * boundary + self.regularizer * size


def residual(u: Tensor, laplacian: Tensor, f: Tensor) -> Tensor:
    """-∇²u + u² - f, eq. (53), point by point."""
    return u.square() - laplacian - f


@dataclass(frozen=True)
class Points:
    """The points that a run meets.

    Args:
        problem: Whose ball and source.
        interior: How many inside.
        boundary: How many on the sphere.
        seed: Where they come from.
        redraw: Fresh ones every so many iterations; 0 for the same ones throughout.
        reading: ``released`` asks for the equation on the sphere too, ``paper`` inside only.
        device: Where they are wanted.
    """

    problem: Poisson
    interior: int
    boundary: int
    seed: int
    redraw: int = 0
    reading: str = "paper"
    device: torch.device | str = "cpu"

    def due(self, iteration: int) -> bool:
        """Whether the points change before this iteration."""
        return bool(self.redraw) and iteration % self.redraw == 0

    def at(self, iteration: int) -> tuple[Tensor, Tensor]:
        """The points (n, d) of an iteration and the source (m,), float32 from float64; see :class:`Loss`."""
        draw = iteration // self.redraw if self.redraw else 0
        inside = self.problem.interior(self.interior, self.seed, draw)
        x = torch.cat([inside, self.problem.sphere(self.boundary, self.seed, draw)])
        f = self.problem.source(x if self.reading == "released" else inside)
        return x.to(self.device, torch.float32), f.to(self.device, torch.float32)


def gradients(loss: Loss, parameters: Parameters, x: Tensor, f: Tensor, compiled: bool) -> Gradients:
    """A function that gives the loss () and its gradients for tensors shaped like the examples.

    On a CPU many points are taken in equal pieces, one after the other, whose layers stay in the cache: the
    loss is the mean of theirs.

    Args:
        loss: What is differentiated.
        parameters: Examples; their values do not matter.
        x: An example.
        f: An example.
        compiled: Compile loss and gradients to one kernel, which also saves autograd's time; eager torch
            takes the place of a compiler that is missing, with a warning.
    """

    if (count := _pieces(loss, parameters, x)) > 1:
        part = replace(loss, interior=loss.interior // count)
        one = gradients(part, parameters, *_split(loss, x, f, count)[0], compiled)

        def mean(parameters: Parameters, x: Tensor, f: Tensor) -> tuple[Tensor, list[Tensor]]:
            total, slopes = torch.zeros_like(f[0]), [torch.zeros_like(p) for p in parameters]
            for piece in _split(loss, x, f, count):
                value, more = one(parameters, *piece)
                torch._foreach_add_([total, *slopes], [value, *more], alpha=1 / count)
            return total, slopes

        return mean

    def eager(parameters: Parameters, x: Tensor, f: Tensor) -> tuple[Tensor, list[Tensor]]:
        value = loss(parameters, x, f)
        return value.detach(), list(torch.autograd.grad(value, parameters))

    if not compiled:
        return eager
    from torch._inductor import standalone_compile
    from torch.fx.experimental.proxy_tensor import make_fx

    def flat(*tensors: Tensor) -> list[Tensor]:
        value, slopes = eager(tensors[:-2], *tensors[-2:])
        return [value, *slopes]

    examples: list[Any] = [p.detach().clone().requires_grad_() for p in parameters] + [x, f]
    try:
        graph = make_fx(flat)(*examples)
        plain = [tensor.detach() for tensor in examples]
        with torch.no_grad():
            kernel = standalone_compile(graph, plain, dynamic_shapes="from_example_inputs")
    except Exception as error:  # whatever a compiler that is not there, or not able, makes of it
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        warnings.warn(
            f"no compiled gradients ({why}): running eagerly, more slowly and with other last bits",
            RuntimeWarning,
            stacklevel=2,
        )
        return eager

    def fast(parameters: Parameters, x: Tensor, f: Tensor) -> tuple[Tensor, list[Tensor]]:
        with torch.no_grad():
            value, *slopes = kernel(*(p.detach() for p in parameters), x, f)
        return value, slopes

    return fast


def _pieces(loss: Loss, parameters: Parameters, x: Tensor) -> int:
    """In how many equal pieces the points are taken: the fewest whose rows of a layer fit ``PIECE_BYTES``."""
    rows = (x.shape[1] + 2) * loss.interior  # the value, d slopes and the Laplacian of each point
    most = rows * len(parameters[0]) * parameters[0].element_size() / PIECE_BYTES
    common = math.gcd(loss.interior, len(x) - loss.interior)
    if x.device.type != "cpu" or most <= 1:
        return 1
    return next((count for count in range(math.ceil(most), common + 1) if common % count == 0), 1)


def _split(loss: Loss, x: Tensor, f: Tensor, count: int) -> list[tuple[Tensor, Tensor]]:
    """Points and sources in equal pieces, each with its share of the sphere."""

    def cut(rows: Tensor) -> list[Tensor]:
        parts = [part.chunk(count) for part in (rows[: loss.interior], rows[loss.interior :]) if len(part)]
        return [torch.cat(some) for some in zip(*parts, strict=True)]

    return list(zip(cut(x), cut(f), strict=True))


@dataclass(frozen=True)
class Plan:
    """How long a run is and how often it is looked at.

    Args:
        iterations: Steps of the optimizer.
        record_every: Iterations from one row of the curve to the next.
        checkpoint_every: Iterations from one checkpoint to the next.
    """

    iterations: int
    record_every: int
    checkpoint_every: int


Row = dict[str, float]


def train(
    parameters: Sequence[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    points: Points,
    gradient: Gradients,
    plan: Plan,
    measure: Callable[[Parameters], Row],
    keep: Path | None = None,
) -> tuple[bool, list[Row]]:
    """Train, or go on with a training that was interrupted, to the same bits.

    Args:
        parameters: Start here and end at the result.
        optimizer: Of these parameters.
        points: What they are trained on.
        gradient: From :func:`gradients`.
        plan: How long.
        measure: What to know about the parameters, for the curve.
        keep: Where the state is kept, and looked for at the start; None for a short run.

    Returns:
        Whether the loss stayed a finite number at every look, after which nothing is computed any more; and
        the curve: ``iteration``, ``loss`` and the measures of the parameters after that many steps.
    """
    rows: list[Row] = []
    start = 0
    if keep is not None and (state := checkpoint.load(keep)) is not None:
        start, rows = state["iteration"], state["rows"]
        optimizer.load_state_dict(state["optimizer"])
        with torch.no_grad():
            for p, stored in zip(parameters, state["parameters"], strict=True):
                p.copy_(stored)
    x, f = points.at(start)
    for iteration in range(start, plan.iterations + 1):
        if points.due(iteration) and iteration < plan.iterations:
            x, f = points.at(iteration)
        if keep is not None and iteration > start and iteration % plan.checkpoint_every == 0:
            checkpoint.save(keep, _state(iteration, rows, parameters, optimizer))
        loss, slopes = gradient(parameters, x, f)
        if iteration % plan.record_every == 0 or iteration == plan.iterations:
            rows.append({"iteration": iteration, "loss": loss.item(), **measure(parameters)})
            if not math.isfinite(rows[-1]["loss"]):
                return False, rows
        if iteration < plan.iterations:
            for p, slope in zip(parameters, slopes, strict=True):
                p.grad = slope
            step(optimizer, loss)
    return True, rows


def _state(
    iteration: int, rows: list[Row], parameters: Parameters, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """All that the next iteration depends on; the points follow from its number."""
    stored = [p.detach() for p in parameters]
    return {
        "iteration": iteration,
        "rows": rows,
        "parameters": stored,
        "optimizer": optimizer.state_dict(),
    }
