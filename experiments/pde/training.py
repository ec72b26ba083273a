"""Training the network (56) on the problem of section 4.4: the loss (19), its gradients, the loop.

One run at a time, on one thread: its rows stay in the cache. Runs as a leading axis of replicas were measured
at width 64 and 550 points: two at once take 0.94 of the time a run, four 0.99, eight 1.31.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from bbi import compiling
from experiments.competitors import step
from experiments.harness.checkpoint import Row
from experiments.pde.config import Variant
from experiments.pde.network import value_and_laplacian
from experiments.pde.problem import Poisson

PIECE_BYTES = 2**21  # of one layer's rows: at twice the size, and at half of it, the paper's took longer
Parameters = Sequence[Tensor]
Gradients = Callable[[Parameters, Tensor, Tensor], tuple[Tensor, list[Tensor]]]


@dataclass(frozen=True)
class Loss:
    """Eq. (19) with means in the place of sums, as the released code has it.

    The mean of (-∇²u + u² - f)² over the points with a source, plus γ times the mean of (u - f0)² over those
    on the sphere, plus a multiple of |Θ|². Of the points the first ``interior`` are inside.
    """

    f0: float
    interior: int
    gamma: float
    regularizer: float

    def __call__(self, parameters: Parameters, x: Tensor, f: Tensor) -> Tensor:
        """The loss () from points ``x`` (n, d) and the source ``f`` (m,) where the equation is asked for."""
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
    """The points that a network is trained on, fresh ones every ``redraw`` iterations, or never (0).

    The variant ``released`` asks for the equation on the sphere too, ``paper`` inside only.
    """

    problem: Poisson
    interior: int
    boundary: int
    seed: int
    redraw: int = 0
    variant: Variant = "paper"
    device: torch.device | str = "cpu"

    def draw(self, iteration: int) -> int:
        """The number of the draw that an iteration uses."""
        return iteration // self.redraw if self.redraw else 0

    def at(self, draw: int) -> tuple[Tensor, Tensor]:
        """The points (n, d) of a draw and the source (m,), float32 from float64; see :class:`Loss`."""
        inside = self.problem.interior(self.interior, self.seed, draw)
        x = torch.cat([inside, self.problem.sphere(self.boundary, self.seed, draw)])
        f = self.problem.source(x if self.variant == "released" else inside)
        return x.to(self.device, torch.float32), f.to(self.device, torch.float32)


def gradients(loss: Loss, parameters: Parameters, x: Tensor, f: Tensor, compiled: bool) -> Gradients:
    """A function that gives the loss () and its gradients for tensors shaped like these examples.

    On a CPU many points are taken in equal pieces, one after the other, whose layers stay in the cache: the
    loss is the mean of theirs. ``compiled`` makes one kernel of loss and gradients, which also saves
    autograd's time; without a compiler eager torch takes its place, with a warning.
    """
    if (count := pieces(loss, parameters, x)) > 1:
        part = replace(loss, interior=loss.interior // count)
        one = gradients(part, parameters, *_split(loss, x, f, count)[0], compiled)

        def mean(parameters: Parameters, x: Tensor, f: Tensor) -> tuple[Tensor, list[Tensor]]:
            total, slopes = torch.zeros_like(f[0]), [torch.zeros_like(p) for p in parameters]
            for piece in _split(loss, x, f, count):
                value, more = one(parameters, *piece)
                torch._foreach_add_([total, *slopes], [value, *more], alpha=1 / count)
            return total, slopes

        return mean

    def flat(*tensors: Tensor) -> list[Tensor]:
        *parameters, x, f = tensors
        value = loss(parameters, x, f)
        return [value.detach(), *torch.autograd.grad(value, parameters)]

    examples = [p.detach().requires_grad_() for p in parameters]
    function = compiling.compiled(flat, [*examples, x, f], what="gradients") if compiled else flat

    def whole(parameters: Parameters, x: Tensor, f: Tensor) -> tuple[Tensor, list[Tensor]]:
        value, *slopes = function(*parameters, x, f)
        return value, slopes

    return whole


def pieces(loss: Loss, parameters: Parameters, x: Tensor) -> int:
    """In how many equal pieces the points are taken: the fewest whose rows of a layer fit ``PIECE_BYTES``."""
    if x.device.type != "cpu":
        return 1
    rows = (x.shape[1] + 2) * loss.interior  # the value, d slopes and the Laplacian of each point
    most = rows * len(parameters[0]) * parameters[0].element_size() / PIECE_BYTES
    common = math.gcd(loss.interior, len(x) - loss.interior)
    return next((count for count in range(math.ceil(most), common + 1) if common % count == 0), 1)


def _split(loss: Loss, x: Tensor, f: Tensor, count: int) -> list[tuple[Tensor, Tensor]]:
    """Points and sources in equal pieces, each with its share of the sphere."""

    def cut(rows: Tensor) -> list[Tensor]:
        parts = [part.chunk(count) for part in (rows[: loss.interior], rows[loss.interior :]) if len(part)]
        return [torch.cat(some) for some in zip(*parts, strict=True)]

    return list(zip(cut(x), cut(f), strict=True))


@dataclass
class Training:
    """A training as resumable work: a row of the curve and the steps up to the next one are a piece.

    It ends early when the loss of a row is no finite number. ``parameters`` start here and end at the
    result; ``gradient`` is from :func:`gradients`; the curve has a row every ``record_every`` of
    ``iterations`` steps, with what ``measure`` says of the parameters.
    """

    parameters: Parameters
    optimizer: torch.optim.Optimizer
    points: Points
    gradient: Gradients
    iterations: int
    record_every: int
    measure: Callable[[Parameters], Row]
    finished: bool = field(default=False, init=False)
    _iteration: int = field(default=0, init=False)
    _draw: int = field(default=-1, init=False)
    _batch: tuple[Tensor, ...] = field(default=(), init=False)

    def advance(self) -> list[Row]:
        """The row of this iteration: ``iteration``, ``loss`` and the measures; then steps up to the next."""
        loss = self._differentiate()
        row = {"iteration": self._iteration, "loss": loss.item(), **self.measure(self.parameters)}
        steps = min(self.record_every, self.iterations - self._iteration)
        self.finished = steps == 0 or not math.isfinite(row["loss"])
        for number in range(0 if self.finished else steps):
            if number:
                loss = self._differentiate()
            step(self.optimizer, loss, self._differentiate)
            self._iteration += 1
        return [row]

    def _differentiate(self) -> Tensor:
        """The loss on this iteration's points; its gradients are left with the parameters."""
        draw = self.points.draw(min(self._iteration, self.iterations - 1))  # no fresh points for the last row
        if draw != self._draw:
            self._draw, self._batch = draw, self.points.at(draw)
        loss, slopes = self.gradient(self.parameters, *self._batch)
        for p, slope in zip(self.parameters, slopes, strict=True):
            p.grad = slope
        return loss

    def state_dict(self) -> dict[str, Any]:
        """All that the next piece depends on; the points follow from the iteration."""
        parameters, optimizer = [p.detach() for p in self.parameters], self.optimizer.state_dict()
        return {"iteration": self._iteration, "parameters": parameters, "optimizer": optimizer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._iteration = state["iteration"]
        self.optimizer.load_state_dict(state["optimizer"])
        with torch.no_grad():
            for p, stored in zip(self.parameters, state["parameters"], strict=True):
                p.copy_(stored)
