"""Arithmetic for scalars that are Python floats (one run on the CPU) or float64 tensors (all else).

A step is thirty operations on scalars. On tensors they need no look from the CPU, so they can be
compiled, captured and batched; on Python floats each costs a thirtieth of the time. Everything
that decides a step is written once, with operators and these functions.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

Scalar: TypeAlias = Any
"""float, or float64 tensor of shape () or (R,). (A union would make mypy reject each operator.)"""
Flag: TypeAlias = Any
"""bool, or bool tensor of shape () or (R,)."""


def where(condition: Flag, yes: Scalar, no: Scalar) -> Scalar:
    """``yes`` where ``condition`` holds, else ``no``."""
    if isinstance(condition, Tensor):
        return torch.where(condition, yes, no)
    return yes if condition else no


def both_not(a: Flag, b: Flag) -> Flag:
    """``a and not b``, since ``~`` on a Python bool is arithmetic."""
    return a & ~b if isinstance(b, Tensor) else a and not b


def sqrt(x: Scalar) -> Scalar:
    """Square root of a number ≥ 0."""
    return x.sqrt() if isinstance(x, Tensor) else x**0.5


def at_least(x: Scalar, low: float) -> Scalar:
    """max(x, low)."""
    return x.clamp(min=low) if isinstance(x, Tensor) else max(x, low)


def log1p(x: Scalar) -> Scalar:
    """log(1 + x) for x > -1; NaN below, where :mod:`math` raises."""
    if isinstance(x, Tensor):
        return x.log1p()
    return math.log1p(x) if x > -1 else math.nan


def power(x: Scalar, exponent: float) -> Scalar:
    """x^exponent for x > 0; inf beyond float64, where a float's ``**`` raises."""
    try:
        return x**exponent
    except OverflowError:
        return math.inf


def attempt(function: Callable[..., Scalar], *arguments: Scalar) -> Scalar:
    """``function(*arguments)``; NaN where floats raise beyond their range, as tensors become inf or NaN."""
    try:
        return function(*arguments)
    except (OverflowError, ZeroDivisionError):
        return math.nan


def as_kind(x: Scalar, like: Scalar) -> Scalar:
    """``x`` as a float where ``like`` is one, else as a float64 tensor on its device."""
    if not isinstance(like, Tensor):
        return float(x)
    if isinstance(x, Tensor):
        if x.device.type == "cpu" and x.numel() == 1 and like.device.type != "cpu":
            return torch.full_like(like, x.item())  # a number on the CPU is read without waiting
        return x.to(like.device, torch.float64)
    return torch.full_like(like, x)


def perhaps(flag: Flag) -> bool:
    """Whether a flag is set for anyone; True of a tensor on a device, which is not asked."""
    if isinstance(flag, Tensor):
        return flag.device.type != "cpu" or bool(flag.any())
    return bool(flag)
