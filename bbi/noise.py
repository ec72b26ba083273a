"""Random numbers that are a function of their address, not of a stream.

Idea: a bounce direction is drawn from (seed, replica, draw number, element index) by a few integer
operations, so that the same numbers come out whoever runs beside it, after a resume, inside a
compiled or captured graph, and on every distributed rank. The mixer is the finaliser of SplitMix64
(Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

import math

import torch
from torch import Tensor


def _signed(x: int) -> int:
    """The int64 with the same 64 bits: torch has no full set of uint64 operations."""
    return (x + 2**63) % 2**64 - 2**63


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX1 = _signed(0xBF58476D1CE4E5B9)
_MIX2 = _signed(0x94D049BB133111EB)


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift: torch's ``>>`` on int64 copies the sign bit, so mask it off."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def mix(z: Tensor) -> Tensor:
    """SplitMix64's output function: a bijection of int64 onto itself that passes avalanche tests.

    :param z: int64 tensor of any shape.
    :returns: int64 tensor of the same shape.
    """
    z = (z ^ _shift(z, 30)) * _MIX1
    z = (z ^ _shift(z, 27)) * _MIX2
    return z ^ _shift(z, 31)


def replica_keys(seed: int, replicas: Tensor) -> Tensor:
    """One key for each replica: the start of its own sequence of draws.

    :param seed: any Python integer, of which the lowest 64 bits count.
    :param replicas: int64 tensor of replica numbers, any shape.
    :returns: int64 tensor of the same shape.
    """
    return mix(mix(torch.full_like(replicas, _signed(seed)) + _GAMMA) + replicas * _GAMMA)


def _bits(key: Tensor, draw: Tensor, index: Tensor) -> Tensor:
    # The index is mixed in without a factor: a compiler that generates C++ folds it into a loop
    # variable, where a product beyond 2⁶³ is undefined and was seen to give wrong numbers.
    return mix(mix(mix(key + (draw.to(torch.int64) + 1) * _GAMMA) + index))


def uniform(key: Tensor, draw: Tensor, index: Tensor) -> Tensor:
    """Uniform numbers in (-1, 1], what the released code draws its random vectors from.

    :param key: int64, from :func:`replica_keys`.
    :param draw: number of the draw, any dtype that holds integers exactly.
    :param index: int64 number of the element; the three shapes broadcast together.
    :returns: float64 tensor of the broadcast shape.
    """
    return (_shift(_bits(key, draw, index), 11).to(torch.float64) + 0.5) * 2.0**-52 - 1.0


def normal(key: Tensor, draw: Tensor, index: Tensor) -> Tensor:
    """Standard normal numbers by Box and Muller's method, one hash for each.

    The high 32 bits give the radius and the low 32 bits the angle, so |x| < 6.77.

    :param key: int64, from :func:`replica_keys`.
    :param draw: number of the draw, any dtype that holds integers exactly.
    :param index: int64 number of the element; the three shapes broadcast together.
    :returns: float64 tensor of the broadcast shape.
    """
    z = _bits(key, draw, index)
    radius = ((z >> 32).to(torch.float64) + (2.0**31 + 0.5)) * 2.0**-32
    angle = (z & 0xFFFFFFFF).to(torch.float64) * (2 * math.pi * 2.0**-32)
    return torch.sqrt(-2 * torch.log(radius)) * torch.cos(angle)
