"""Arithmetic for the scalars of one run on the CPU (``np.float64``) and of all other runs (float64 tensors).

A step takes about thirty operations on scalars. On tensors they never read a value, so that they can be
compiled, captured and batched. On ``np.float64`` each costs a twentieth of that. Both kinds follow IEEE
arithmetic: with numpy's warnings off, results beyond the range are inf or NaN and no error.
"""

import math
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

S = TypeVar("S", np.float64, Tensor)
"""np.float64, or float64 tensor of shape () or (R,). Type checkers check each function for both."""


class Flag(Protocol):
    """np.bool, bool tensor of shape () or (R,), or :class:`Numbers`."""

    def __and__(self, other: Any, /) -> "Flag": ...
    def __rand__(self, other: Any, /) -> "Flag": ...
    def __or__(self, other: Any, /) -> "Flag": ...
    def __ror__(self, other: Any, /) -> "Flag": ...
    def __invert__(self) -> "Flag": ...


class Numbers:
    """A flag of R runs as the numbers 0 and 1, for compiled code.

    Inductor joins two masks of doubles by way of integers, which took nearly half of a compiled step. Joined
    with a number, a mask only chooses.

    Args:
        value: float64 (R,).
    """

    def __init__(self, value: Tensor) -> None:
        self.value = value

    @classmethod
    def of(cls, mask: Tensor, like: Tensor) -> "Numbers":
        """Those of a bool tensor, as numbers of the kind of ``like``."""
        return Numbers(torch.where(mask, torch.ones_like(like), 0.0))

    @property
    def mask(self) -> Tensor:
        """The bool tensor."""
        return self.value != 0

    def __and__(self, other: "Numbers | Tensor", /) -> "Numbers":
        return Numbers(torch.where(other.mask if isinstance(other, Numbers) else other, self.value, 0.0))

    def __or__(self, other: "Numbers | Tensor", /) -> "Numbers":
        return Numbers(torch.where(other.mask if isinstance(other, Numbers) else other, 1.0, self.value))

    def __invert__(self) -> "Numbers":
        return Numbers(1.0 - self.value)

    __rand__, __ror__ = __and__, __or__


def where(condition: Flag, yes: S | float, no: S | float) -> S:
    """``yes`` where ``condition`` holds, else ``no``; at least one of them is of the kind of the result."""
    chosen: Any
    if isinstance(condition, np.bool_):  # its own type is recognised faster than that it is no tensor
        chosen = yes if condition else no
        chosen = chosen if isinstance(chosen, np.float64) else np.float64(chosen)
    else:
        mask = condition.mask if isinstance(condition, Numbers) else cast(Tensor, condition)
        chosen = torch.where(mask, yes, no)
    result: S = chosen  # a cast would cost time in every call
    return result


def sqrt(x: S) -> S:
    """Square root of a number ≥ 0."""
    return x.sqrt() if isinstance(x, Tensor) else x**0.5


def at_least(x: S, low: float) -> S:
    """max(x, low)."""
    return x.clamp(min=low) if isinstance(x, Tensor) else max(x, np.float64(low))


def power_of_two(x: S) -> S:
    """The largest power of two ≤ x, by which a division is exact; 1 where x is 0, inf or NaN."""
    if isinstance(x, Tensor):
        power = torch.exp2(torch.frexp(x).exponent.to(torch.float64) - 1.0)
        return torch.where((x > 0) & (x < math.inf), power, 1.0)
    return np.float64(2.0 ** (math.frexp(x)[1] - 1) if 0 < x < math.inf else 1.0)


def log1p(x: S) -> S:
    """log(1 + x) for x > -1, and NaN below."""
    if isinstance(x, Tensor):
        return x.log1p()
    return np.float64(math.log1p(x) if x > -1 else math.nan)


def as_kind(x: Tensor | float, like: S) -> S:
    """``x`` as np.float64 where ``like`` is one, else as a float64 tensor on its device."""
    if isinstance(like, np.float64):
        return np.float64(x)
    if not isinstance(x, Tensor):
        return torch.full_like(like, x)
    if x.device.type == "cpu" and x.numel() == 1 and like.device.type != "cpu":
        return torch.full_like(like, x.item())  # reading a number on the CPU synchronises nothing
    return x.to(like.device, torch.float64)


def may_hold(flag: Flag) -> bool:
    """Whether a flag may hold for some replica: True on a device, because reading it would synchronise."""
    if isinstance(flag, Tensor):
        return flag.device.type != "cpu" or bool(flag.any())
    return bool(flag)
