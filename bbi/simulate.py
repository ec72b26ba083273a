"""Whole ensembles of runs on an analytic potential: the loop over the pure step, compiled.

The state of R replicas is cut into lanes of a fixed number, so that one compiled kernel a shape
serves any R, stays in the cache, and gives every replica the same bits whoever runs beside it.
A replica that has finished leaves its lane to the next one that waits: it costs nothing more while one waits.
"""

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from bbi.noise import replica_keys
from bbi.records import Curves, Records

STATUS = ("running", "budget", "converged", "stopped", "diverged")
"""Why a replica ended, by code: its steps were used up, V ≤ ε2, ``stop`` said so, or NaN/inf."""
_BUDGET, _CONVERGED, _STOPPED, _DIVERGED = 1.0, 2.0, 3.0, 4.0

LANES = {16: 2, 512: 1}
"""Lanes that kernels are compiled for, a vector register pair or what fits the cache, and the steps
in one call: two halve the cost of the call where that counts, and take twice as long to compile."""
CHECK = 32
"""Steps between two looks at who has finished."""

Potential = Callable[..., tuple[Tensor, Tensor]]
Stop = Callable[[Tensor, Tensor], Tensor]
Setting = float | Tensor | Sequence[float]


class Rule(Protocol):
    """How replicas move: :class:`bbi.step.ECD` and :class:`bbi.step.GDM`."""

    @property
    def settings(self) -> Mapping[str, float | None]:
        """Names of the per-replica settings with their defaults; None means that it must be given."""

    def __hash__(self) -> int: ...

    def start(
        self, value: Tensor, grad: Tensor, s: dict[str, Tensor], key: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """First momentum and scalars."""

    def alive(self, value: Tensor, s: dict[str, Tensor]) -> Tensor:
        """Who goes on."""

    def move(
        self,
        theta: Tensor,
        momentum: Tensor,
        scalars: tuple[Tensor, ...],
        value: Tensor,
        grad: Tensor,
        s: dict[str, Tensor],
        key: Tensor,
        alive: Tensor,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """One step."""


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

    A replica depends on its own start, settings, ``seed`` and replica number only: it follows the
    same trajectory to the last bit alone and among any others, for the same ``compiled``.

    :param potential: maps float64 points (..., n) to values (...) and gradients (..., n); hashable
        (a frozen dataclass, a function), since the compiled kernel is kept by it. Numbers in its
        ``parameters``, if it has some, are given to it by keyword as tensors (R,), so that potentials
        that differ in them only are compiled once.
    :param start: (R, n), starting points; made float64.
    :param settings: the rule's settings by name, each a number or R of them.
    :param steps: moves at most, ≥ 0.
    :param seed: with the replica number, the address of all random numbers.
    :param replicas: int64 (R,), replica numbers; 0 … R-1 unless given.
    :param stop: says of points (R, n) and values (R,) who is to end there, as bool (R,); hashable.
    :param record_every: record every so many steps (and the start and the end); 0 for no curves.
    :param slots: how many replicas run side by side, 16 or 512; by default what suits their number. To name
        a number that is compiled already saves compiling another kernel.
    :param compiled: False for plain eager torch, which also serves as fallback without a compiler.
    :raises ValueError: for an unknown or missing setting, or a shape that does not fit.
    """
    start = torch.as_tensor(start, dtype=torch.float64)
    if start.dim() != 2:
        raise ValueError(f"start must have shape (R, n), got {tuple(start.shape)}")
    if min(steps, record_every) < 0:
        raise ValueError(f"steps and record_every must be 0 or more, got {steps} and {record_every}")
    with torch.no_grad():
        full, names = _initial(potential, start, rule, settings, steps, seed, replicas)
        width = slots or next((n for n in LANES if len(start) <= n), max(LANES))
        if width not in LANES:
            raise ValueError(f"lanes must be one of {list(LANES)}, got {slots}")
        unroll = math.gcd(record_every, LANES[width])
        records = Records(record_every)
        _loop(_kernel(potential, rule, stop, names, unroll, compiled), full, width, unroll, records)
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
    """State of all replicas: theta, momentum, value, best, steps, code, limit, key, *scalars, *settings."""
    extra: dict[str, float] = getattr(potential, "parameters", {})
    count, names = len(start), (*rule.settings, *extra)
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
    head = [start.T.clone(), momentum, value, torch.full_like(value, math.inf), zero, zero, zero + steps, key]
    return [x.clone(memory_format=torch.contiguous_format) for x in (*head, *scalars, *s.values())], names


@functools.lru_cache(maxsize=64)
def _kernel(
    potential: Potential,
    rule: Rule,
    stop: Stop | None,
    names: tuple[str, ...],
    unroll: int,
    compiled: bool,
) -> "_Kernel":
    extra = tuple(getattr(potential, "parameters", ()))

    def advance(
        theta: Tensor,
        momentum: Tensor,
        value: Tensor,
        best: Tensor,
        steps: Tensor,
        code: Tensor,
        limit: Tensor,
        key: Tensor,
        *rest: Tensor,
    ) -> tuple[()]:
        old = (theta, momentum, value, best, steps, code, *rest[: len(rest) - len(names)])
        s = dict(zip(names, rest[len(rest) - len(names) :], strict=True))
        scalars = rest[: len(rest) - len(names)]
        for _ in range(unroll):
            value, grad = potential(theta.T, **{name: s[name] for name in extra})
            code = torch.where(steps < limit, 0.0, _BUDGET)
            if stop is not None:
                code = torch.where(stop(theta.T, value), _STOPPED, code)
            code = torch.where(rule.alive(value, s), code, _CONVERGED)
            code = torch.where(value.abs() < torch.inf, code, _DIVERGED)
            alive = code == 0
            best = torch.where(value < best, value, best)
            theta, momentum, scalars = rule.move(theta, momentum, scalars, value, grad.T, s, key, alive)
            steps = steps + alive.to(steps.dtype)
        for target, new in zip(old, (theta, momentum, value, best, steps, code, *scalars), strict=True):
            if new is not target:
                target.copy_(new)
        return ()

    return _Kernel(advance, compiled)


class _Kernel:
    """``unroll`` steps in place on the state of some lanes; compiled once a shape."""

    def __init__(self, advance: Callable[..., tuple[()]], compiled: bool) -> None:
        self._advance = advance
        self._compiled = compiled
        self._shapes: dict[torch.Size, Callable[..., Any]] = {}

    def for_state(self, state: list[Tensor]) -> Callable[..., Any]:
        """The callable for tensors shaped like ``state``."""
        if not self._compiled:
            return self._advance
        shape = state[0].shape
        if shape not in self._shapes:
            self._shapes[shape] = _compile(self._advance, state)
        return self._shapes[shape]


def _compile(advance: Callable[..., tuple[()]], state: list[Tensor]) -> Callable[..., Any]:
    """Inductor's kernel without dynamo's guards, 8 µs a call, not 30; eager and a warning if it fails."""
    from torch._inductor import config, standalone_compile
    from torch.fx.experimental.proxy_tensor import make_fx

    example: list[Any] = [x.clone() for x in state]
    try:
        graph = make_fx(advance)(*example)
        # One thread, since lanes fit one core's cache.
        plain = {"cpp.threads": 1, "size_asserts": False, "alignment_asserts": False}
        with config.patch(plain):
            return standalone_compile(graph, example, dynamic_shapes="from_example_inputs")
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        warnings.warn(
            f"no compiled kernel ({reason}): running eagerly, more slowly and with other last bits; "
            "a C++ compiler on the PATH (g++ or clang++) brings the speed back",
            RuntimeWarning,
            stacklevel=2,
        )
        return advance


def _loop(kernel: _Kernel, full: list[Tensor], lanes: int, unroll: int, records: Records) -> None:
    """Pass all replicas of ``full`` through ``lanes`` lanes, in place."""
    count, every = len(full[2]), records.every
    ids = torch.full((lanes,), -1, device=full[0].device)
    ids[: min(lanes, count)] = torch.arange(min(lanes, count), device=ids.device)
    waiting = min(lanes, count)
    state = [x[..., ids.clamp(min=0)].contiguous() for x in full]
    step = kernel.for_state(state)
    calls = max(1, (every or CHECK) // unroll)
    if every:
        records.add(ids, state)
    while True:
        for _ in range(calls):
            step(*state)
        if every:
            records.add(ids, state)
        done = (state[5] != 0) & (ids >= 0)
        finished = int(done.sum())
        running = int((ids >= 0).sum()) - finished
        # Moving replicas in and out has a price: wait for a sixteenth of the lanes.
        if finished * 16 < lanes and running and waiting < count:
            continue
        if finished and (waiting < count or not running):
            for all_, lane in zip(full, state, strict=True):
                all_[..., ids[done]] = lane[..., done]
            ids[done] = -1
            free = (ids < 0).nonzero().flatten()[: count - waiting]
            ids[free] = torch.arange(waiting, waiting + len(free), device=ids.device)
            waiting += len(free)
            for all_, lane in zip(full, state, strict=True):
                lane[..., free] = all_[..., ids[free]]
            if every and len(free):
                records.add(ids, state)
        if not (ids >= 0).any():
            return
