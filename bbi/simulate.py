"""Whole ensembles of runs on an analytic potential: a loop over one step, compiled.

R replicas pass through a fixed number of batch slots. So one compiled kernel serves any R, its state stays in
the cache, and every replica has the same bits whoever runs beside it. A replica that has finished gives its
slot to one that waits.

Random vectors are computed by a kernel of their own, for all slots at once and only when a slot needs a new
one. Most steps need none, and compiling is faster without them.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from bbi.compiling import Function, compiled, frozen
from bbi.noise import replica_keys
from bbi.records import Curves, Records
from bbi.rules import Replicas, Rule

STATUS = ("running", "budget", "converged", "stopped", "diverged")
"""Why a replica ended, by code: its steps were used up, V ≤ ε2, ``stop`` said so, or NaN/inf."""
_BUDGET, _CONVERGED, _STOPPED, _DIVERGED = 1.0, 2.0, 3.0, 4.0

SLOTS = (16, 512)
"""Numbers of batch slots that kernels are compiled for: two vector registers, and what fits the cache."""
OPTIONS = {
    "cpp.threads": 1,
    "size_asserts": False,
    "alignment_asserts": False,
    "realize_reads_threshold": 16,
    "realize_opcount_threshold": 16,
}
"""Of inductor: one thread, since slots fit one core's cache; and which results it stores instead of computing
them for each use. Without the last one generating a step's kernel takes twice as long, and that of random
vectors ten times: each number of the hash is used twice in the next."""
CHECK = 32
"""Steps between two checks of which replicas have finished."""

Potential = Callable[..., tuple[Tensor, Tensor]]
Stop = Callable[[Tensor, Tensor], Tensor]
Setting = float | Tensor | Sequence[float]


class Run(NamedTuple):
    """How R replicas ended."""

    theta: Tensor
    """float64 (R, n), last positions."""
    value: Tensor
    """float64 (R,), F there."""
    best: Tensor
    """float64 (R,), lowest F on the way, start and end included."""
    steps: Tensor
    """int64 (R,), moves made."""
    status: list[str]
    """R words of :data:`STATUS`."""
    scalars: tuple[Tensor, ...]
    """The rule's own scalars at the end, each float64 (R,)."""
    curves: Curves | None


def simulate(
    potential: Potential,
    start: Tensor,
    rule: Rule,
    settings: Mapping[str, Setting],
    steps: int,
    *,
    seed: int = 0,
    replicas: Tensor | None = None,
    stop: Stop | None = None,
    record_every: int = 0,
    slots: int | None = None,
    compiled: bool = True,
) -> Run:
    """Run R replicas of ``rule`` on ``potential``.

    A replica depends on its own start, settings, ``seed`` and replica number only: its trajectory has the
    same bits alone and among any others, for the same ``compiled``.

    Args:
        potential: Maps float64 points (..., n) to values (...) and gradients (..., n); hashable (a frozen
            dataclass, a function), since compiled kernels are cached by it. The numbers in its attribute
            ``parameters``, if it has one, are passed to it by keyword as tensors (R,), so that potentials
            which differ in them only share a kernel.
        start: (R, n), starting points; converted to float64.
        rule: How replicas move; see :mod:`bbi.rules`.
        settings: The rule's settings by name, each a number or R of them.
        steps: Moves at most, ≥ 0.
        seed: With the replica number, it determines all random numbers.
        replicas: int64 (R,), replica numbers; by default 0 … R-1.
        stop: Tells of points (R, n) and values (R,) which replicas end there, as bool (R,); hashable.
        record_every: Record every so many steps (and the start and the end); 0 for no curves.
        slots: How many replicas run side by side, 16 or 512; by default what suits their number. Naming a
            number that is compiled already saves compiling another kernel.
        compiled: False for eager torch, which is also the fallback without a compiler.

    Raises:
        ValueError: For an unknown or missing setting, or a shape that does not fit.
    """
    start = torch.as_tensor(start, dtype=torch.float64)
    if start.dim() != 2:
        raise ValueError(f"start must have shape (R, n), got {tuple(start.shape)}")
    if min(steps, record_every) < 0:
        raise ValueError(f"steps and record_every must be 0 or more, got {steps} and {record_every}")
    width = slots or next((n for n in SLOTS if len(start) <= n), max(SLOTS))
    if width not in SLOTS:
        raise ValueError(f"slots must be one of {list(SLOTS)}, got {slots}")
    with torch.no_grad():
        full, names = _initial(potential, start, rule, settings, steps, seed, replicas)
        records = Records(min(record_every, max(steps, 1)))  # the end is recorded in any case
        _loop(_kernel(potential, rule, stop, names, compiled), full, width, records)
        theta, _, value, best, taken, code = full[:6]
        return Run(
            theta.T.contiguous(),
            value,
            best,
            taken.to(torch.int64),
            [STATUS[int(c)] for c in code.tolist()],
            tuple(full[8 : len(full) - len(names)]),
            records.curves(potential) if record_every else None,
        )


def _initial(
    potential: Potential,
    start: Tensor,
    rule: Rule,
    settings: Mapping[str, Setting],
    steps: int,
    seed: int,
    replicas: Tensor | None,
) -> tuple[list[Tensor], tuple[str, ...]]:
    """State of all replicas: theta, momentum, value, best, steps, code, limit, key, *scalars, *settings.

    The settings are the rule's and the potential's; their names are the second result.
    """
    extra: dict[str, float] = getattr(potential, "parameters", {})
    count = len(start)
    unknown = set(settings) - set(rule.settings)
    if unknown:
        raise ValueError(
            f"unknown settings {sorted(unknown)}: {type(rule).__name__} takes {list(rule.settings)}"
        )
    s = {}
    for name, default in {**rule.settings, **extra}.items():
        given = settings.get(name, default)
        if given is None:
            raise ValueError(f"setting {name!r} must be given")
        column = torch.as_tensor(given, dtype=torch.float64, device=start.device)
        if column.dim() and column.shape != (count,):
            raise ValueError(f"{name} must be one number or {count}, got shape {tuple(column.shape)}")
        s[name] = column.expand(count).contiguous()
    if replicas is not None and replicas.shape != (count,):
        raise ValueError(f"replicas must be {count} numbers, got shape {tuple(replicas.shape)}")
    numbers = torch.arange(count, device=start.device) if replicas is None else replicas.to(torch.int64)
    key = replica_keys(seed, numbers)
    value, grad = potential(start)
    momentum, scalars = rule.start(value, grad.T.contiguous(), s, key)
    zero = torch.zeros_like(value)
    inf = torch.full_like(value, math.inf)
    state = (start.T, momentum, value, inf, zero, zero, zero + steps, key, *scalars, *s.values())
    return [x.clone(memory_format=torch.contiguous_format) for x in state], tuple(s)


@dataclass(eq=False)
class _Kernel:
    """One step of some batch slots in place, compiled once for each number of slots and dimensions.

    The state of the slots is that of :func:`_initial` and then

    - vectors (n, slots), the random vectors that the slots take next,
    - spent (slots,), 1 where the vector was taken and has to be replaced before the next one is taken,
    - wanted (), 1 if the next step of some slot takes a vector that is spent.

    These are numbers because inductor stores masks byte by byte, which took a quarter of the kernel's time.
    """

    potential: Potential
    rule: Rule
    stop: Stop | None
    names: tuple[str, ...]
    compile: bool
    shapes: dict[tuple[str, torch.Size], Function] = field(default_factory=dict)

    def for_state(self, state: list[Tensor]) -> Callable[[], None]:
        """A function that makes a step of ``state``."""
        kernel, wanted = self._shaped(self._step, state), state[-1]
        eager = kernel == self._step
        step = functools.partial(kernel, *state) if eager else frozen(kernel, state)
        scalars, s = self._named(state)
        if self.rule.due(scalars, s) is None:
            return step
        own = [state[7], *state[-3:-1], *scalars]
        renew = self._renew if eager else self._shaped(self._renew, own)

        def step_with_vectors() -> None:
            step()
            if wanted.item():
                renew(*own)

        return step_with_vectors

    def _shaped(self, function: Function, state: list[Tensor]) -> Function:
        """A method, compiled for tensors of these shapes if it is to be."""
        name = (function.__name__, state[1].shape)
        if self.compile and name not in self.shapes:
            self.shapes[name] = compiled(function, state, what="kernel", options=OPTIONS)
        return self.shapes.get(name, function)

    def _renew(self, key: Tensor, vectors: Tensor, spent: Tensor, *scalars: Tensor) -> tuple[()]:
        """Compute the random vectors that all slots take next."""
        index = torch.arange(len(vectors), device=key.device)[:, None]
        vectors.copy_(self.rule.vectors(scalars, key, index))
        spent.zero_()
        return ()

    def _named(self, state: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """The rule's scalars, and the settings by name."""
        end = len(state) - 3
        middle = end - len(self.names)
        return tuple(state[8:middle]), dict(zip(self.names, state[middle:end], strict=True))

    def _step(self, *state: Tensor) -> tuple[()]:
        theta, momentum, value, best, steps, code, limit, key = state[:8]
        vectors, spent, wanted = state[-3:]
        scalars, s = self._named(state)
        old = (theta, momentum, value, best, steps, code, *scalars)
        extra = {name: s[name] for name in getattr(self.potential, "parameters", ())}
        value, grad = self.potential(theta.T, **extra)
        code = torch.where(steps < limit, torch.zeros_like(value), _BUDGET)
        if self.stop is not None:
            code = torch.where(self.stop(theta.T, value), _STOPPED, code)
        code = torch.where(self.rule.active(value, s), code, _CONVERGED)
        code = torch.where(value.abs() < torch.inf, code, _DIVERGED)
        active = code == 0
        best = torch.where(value < best, value, best)
        due = self.rule.due(scalars, s)
        at = Replicas(theta, momentum, scalars, value, grad.T, s, key, vectors)
        theta, momentum, scalars = self.rule.move(at, active)
        steps = torch.where(active, steps + 1.0, steps)
        due_next = self.rule.due(scalars, s)
        if due is not None and due_next is not None:
            used = torch.where(active, torch.where(due, 1.0, spent), spent)
            wanted.copy_(torch.where(due_next, used, 0.0).amax())
            spent.copy_(used)
        for target, new in zip(old, (theta, momentum, value, best, steps, code, *scalars), strict=True):
            if new is not target:
                target.copy_(new)
        return ()


_kernel = functools.lru_cache(maxsize=64)(_Kernel)


def _loop(kernel: _Kernel, full: list[Tensor], slots: int, records: Records) -> None:
    """Pass all replicas of ``full`` through batch slots, in place."""
    count, every = len(full[2]), records.every
    ids = torch.full((slots,), -1, device=full[0].device)
    ids[: min(slots, count)] = torch.arange(min(slots, count), device=ids.device)
    waiting = min(slots, count)
    state = [x[..., ids.clamp(min=0)].contiguous() for x in full]
    spent = torch.ones_like(state[2])
    state += [torch.zeros_like(state[0]), spent, torch.ones_like(spent[0])]
    step = kernel.for_state(state)
    if every:
        records.add(ids, state)
    while True:
        for _ in range(every or CHECK):
            step()
        if every:
            records.add(ids, state)
        done = (state[5] != 0) & (ids >= 0)
        finished = int(done.sum())
        running = int((ids >= 0).sum()) - finished
        # Replacing replicas costs time: wait until a sixteenth of the slots is free.
        if finished * 16 < slots and running and waiting < count:
            continue
        if finished and (waiting < count or not running):
            for all_, own in zip(full, state, strict=False):
                all_[..., ids[done]] = own[..., done]
            ids[done] = -1
            free = (ids < 0).nonzero().flatten()[: count - waiting]
            ids[free] = torch.arange(waiting, waiting + len(free), device=ids.device)
            waiting += len(free)
            for all_, own in zip(full, state, strict=False):
                own[..., free] = all_[..., ids[free]]
            spent[free] = 1.0
            if every and len(free):
                records.add(ids, state)
        if not (ids >= 0).any():
            return
