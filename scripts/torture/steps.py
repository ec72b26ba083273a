"""Optimizer runs over laws, types, layouts, extreme settings, gradients and losses."""

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

import bbi
from bbi import BBI, ECD, ECDq1, ECDSep
from torture.outcome import Deadline, Row

STEPS = 6
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64)
LAYOUTS = (
    "contiguous",
    "transposed",
    "strided",
    "channels last",
    "scalar",
    "empty",
    "several",
)
LAWS = ("BornInfeld", "InverseMass", "Logarithmic", "Frictionless")
DOCUMENTED = (ValueError, TypeError, RuntimeError)
SLACK = {
    torch.float64: 1e-6,
    torch.float32: 1e-3,
    torch.complex64: 1e-3,
    torch.bfloat16: 0.1,
    torch.float16: 0.1,
}
"""Rounding of a step: allowed excess over the bound of :func:`_bound`."""


def attack(seed: int, count: int, deadline: Deadline) -> Iterator[Row]:
    """``count`` runs, half of them with moderate input, of which nothing may be infinite."""
    for moderate in (True, False):
        row = Row("steps", f"{'moderate' if moderate else 'extreme'} settings, gradients and losses")
        counts = {"steps": 0, "within the speed bound": 0, "resumed": 0}
        draw = random.Random(f"{seed} {moderate}")
        with row.timed():
            for number in range(count // 2):
                if not deadline:
                    break
                row.runs += 1
                _run(row, draw, number, moderate, counts)
            row.note = ", ".join(f"{value:,} {name}" for name, value in counts.items())
        yield row


def _run(row: Row, draw: random.Random, number: int, moderate: bool, counts: dict[str, int]) -> None:
    dtype, layout = draw.choice(DTYPES), draw.choice(LAYOUTS)
    kind, settings = _settings(draw, moderate)
    name = f"run {number}: {kind.__name__} {settings} {dtype} {layout}"
    try:
        parameters = _parameters(layout, dtype, number)
        problem = _Problem(draw, number, moderate, dtype)
        optimizer = kind(parameters, **settings)
        again: tuple[torch.optim.Optimizer, list[Tensor]] | None = None
        resume = draw.randrange(1, STEPS)
        for step in range(STEPS):
            if step == resume:
                copies = _parameters(layout, dtype, number)
                again = _resumed(kind, settings, optimizer, parameters, copies)
                counts["resumed"] += 1
            before = [p.detach().clone() for p in parameters]
            problem.step(optimizer, parameters, step)
            counts["steps"] += 1
            if kind is BBI and moderate:
                bound = _bound(optimizer, parameters, settings["lr"])
                if bound is not None:
                    moved = _norm([p.detach() - old for p, old in zip(parameters, before, strict=True)])
                    counts["within the speed bound"] += 1
                    reach = _norm(before) * torch.finfo(dtype).eps * 2
                    if moved > bound * (1 + SLACK[dtype]) + reach:
                        row.fail(f"{name}: step {step} moves {moved:.6g}, at most {bound:.6g}")
            if again is not None:
                problem.step(*again, step)
                if not all(map(_same, parameters, again[1])):
                    row.fail(f"{name}: step {step} after resuming at {resume} has other bits")
                    return
            if moderate and not all(p.isfinite().all() for p in parameters):
                row.fail(f"{name}: step {step} leaves a parameter that is not finite")
                return
    except DOCUMENTED as error:
        row.refused += 1
        if moderate and not _expected(error):
            row.fail(f"{name}: {type(error).__name__}: {error}")
    except Exception as error:
        row.fail(f"{name}: {type(error).__name__}: {error}")


def _expected(error: Exception) -> bool:
    """Whether moderate input may be refused so: settings that exclude each other."""
    return any(
        words in str(error) for words in ("has no effect with nu", "would never move", "turns a direction")
    )


def _settings(draw: random.Random, moderate: bool) -> tuple[type[ECD], dict[str, Any]]:
    """A class and its settings."""
    kind = draw.choice((BBI, BBI, ECDSep, ECDq1, ECD))
    lr = 10 ** draw.uniform(-4, -1) if moderate else 10 ** draw.uniform(-12, 6)
    found: dict[str, Any] = {"lr": lr, "seed": draw.randrange(2**31)}
    level = draw.choice((-1.0, 0.0, -10.0)) if moderate else draw.choice((0.0, -1e300, 1e300, 1e-300, 5.0))
    found["delta_v" if kind in (BBI, ECD) else "f0"] = level
    if kind is not ECDq1:
        found["delta_e"] = (
            draw.choice((0.0, 0.5, 2.0)) if moderate else draw.choice((0.0, 1e-300, 1e12, 1e300))
        )
    if kind in (BBI, ECD):
        found["t0"], found["t1"] = draw.choice((1, 2, 5, math.inf)), draw.choice((1, 3, 100, math.inf))
        found["n_bounces"] = draw.choice((0, 1, 4, math.inf))
        found["variant"] = draw.choice(("paper", "released"))
        found["tune_delta_v"] = draw.random() < 0.2
    if kind is ECD:
        found["law"] = getattr(bbi, draw.choice(LAWS))()
    elif kind is not BBI:
        found["nu"] = draw.choice((0.0, 1e-5, 0.1)) if moderate else draw.choice((0.0, 1e-300, 1e6, 1e300))
        found["eta"] = draw.choice((1.0, 1.4)) if moderate else draw.choice((1e-12, 1e12, 30.0))
    if draw.random() < 0.2:
        found["weight_decay"] = draw.choice((1e-3, 0.1)) if moderate else 1e30
    return kind, found


def _parameters(layout: str, dtype: torch.dtype, seed: int) -> list[Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 4, 3, 6, generator=g, dtype=torch.float64).to(dtype)
    made = {
        "contiguous": [x], "transposed": [x.transpose(1, 3)], "strided": [x[..., ::2]],
        "channels last": [x.contiguous(memory_format=torch.channels_last)], "scalar": [x[0, 0, 0, 0].clone()],
        "empty": [x[:0].clone(), x], "several": list(x.clone().unbind(0)),
    }[layout]  # fmt: skip
    return [p.detach().requires_grad_() for p in made]


class _Problem:
    """Losses and gradients as functions of the parameters and the step: h θ plus noise, of some size."""

    def __init__(self, draw: random.Random, seed: int, moderate: bool, dtype: torch.dtype) -> None:
        self._seed, self._dtype = seed, dtype
        self.scale = 10 ** draw.uniform(-2, 1) if moderate else 10 ** draw.uniform(-40, 40)
        self.bad = None if moderate else draw.choice((None, math.nan, math.inf, -math.inf, 0.0))
        self.loss = (
            1.0 if moderate else draw.choice((1.0, 0.0, -5.0, 1e300, 1e-300, math.nan, math.inf, -math.inf))
        )
        self.at = draw.randrange(STEPS)

    def step(self, optimizer: torch.optim.Optimizer, parameters: list[Tensor], number: int) -> None:
        """Set the gradients at the parameters, and make a step with the loss there."""
        g = torch.Generator().manual_seed(1_000_003 * self._seed + number)
        total = 0.0
        for index, p in enumerate(parameters):
            if index and p.dim() == 3 and number % 2:  # in every second step the second of two tensors
                p.grad = None
                continue
            noise = torch.randn(p.shape, generator=g, dtype=torch.float64)
            wide = p.detach().to(torch.complex128 if p.is_complex() else torch.float64)
            grad = (self.scale * (wide + 0.1 * noise)).to(p.dtype)
            if self.bad is not None and number == self.at:
                grad = grad * self.bad if self.bad == 0 else torch.full_like(grad, self.bad)
            p.grad = grad
            total += float((wide.abs() ** 2).sum())
        value = self.loss if self.loss != 1.0 and number == self.at else 1 + 0.5 * self.scale * total
        optimizer.step(loss=torch.tensor(value, dtype=torch.float64))  # type: ignore[call-arg]


def _resumed(
    kind: type[ECD],
    settings: dict[str, Any],
    optimizer: torch.optim.Optimizer,
    parameters: list[Tensor],
    copies: list[Tensor],
) -> tuple[torch.optim.Optimizer, list[Tensor]]:
    """The run again, from what a checkpoint contains, in ``copies`` of the same memory layout."""
    for copied, parameter in zip(copies, parameters, strict=True):
        copied.data.copy_(parameter.detach())
    made = kind(copies, **settings)
    made.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return made, copies


def _bound(optimizer: Any, parameters: list[Tensor], lr: float) -> float | None:
    """The longest step that Algorithm 1 can make from this loss and these gradients.

    Before the kick Π² = P = E²/V - V, so that Δt (V/E) (√P + Δt H_V |∇V|) bounds |ΔΘ|; its first term is at
    most Δt √V. None where V ≥ E or V ≤ 0, at which Π keeps its size (`bbi.algorithm.Algorithm.restored`), and
    with weight decay.
    """
    v, e = float(optimizer.potential), float(optimizer.energy)
    if not 0 < v < e < math.inf or optimizer.param_groups[0]["weight_decay"]:
        return None
    gradient = _norm([p.grad for p in parameters if p.grad is not None])
    return lr * (v / e) * (math.sqrt(max(e * e / v - v, 0.0)) + 0.5 * lr * (v / e + e / v) * gradient)


def _norm(tensors: list[Tensor]) -> float:
    return math.sqrt(sum(float((x.to(torch.complex128).abs() ** 2).sum()) for x in tensors))


def _same(a: Tensor, b: Tensor) -> bool:
    """The same bits; NaN equals NaN."""
    return torch.equal(torch.nan_to_num(a.detach()), torch.nan_to_num(b.detach())) and torch.equal(
        a.isnan(), b.isnan()
    )
