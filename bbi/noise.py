"""Counter-based random numbers: a function of their address instead of a stream.

A random vector is computed from (seed, replica, number of the draw, index of the element) by a few integer
operations. So it does not depend on the other replicas, and it is the same after resuming, inside a compiled
or captured graph, and on every distributed rank. The mixer is the finaliser of SplitMix64 (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

import math

import torch
from torch import Tensor


def _signed(x: int) -> int:
    """The int64 with the same 64 bits; torch lacks some operations on uint64."""
    return (x + 2**63) % 2**64 - 2**63


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX1 = _signed(0xBF58476D1CE4E5B9)
_MIX2 = _signed(0x94D049BB133111EB)


def _shift(z: Tensor, bits: int, out: Tensor | None = None) -> Tensor:
    """Logical right shift; torch's ``>>`` on int64 copies the sign bit, which is masked off here."""
    return torch.bitwise_right_shift(z, bits, out=out).bitwise_and_((1 << (64 - bits)) - 1)


def _mix_(z: Tensor, times: int) -> Tensor:
    """:func:`mix` in place, in few buffers: a fresh tensor for each operation would leave the cache."""
    buffer = torch.empty_like(z)
    for _ in range(times):
        z.bitwise_xor_(_shift(z, 30, buffer)).mul_(_MIX1)
        z.bitwise_xor_(_shift(z, 27, buffer)).mul_(_MIX2)
        z.bitwise_xor_(_shift(z, 31, buffer))
    return z


def mix(z: Tensor) -> Tensor:
    """SplitMix64's output function, a bijection of int64 onto itself, element by element."""
    return _mix_(z.clone(), 1)


def replica_keys(seed: int, replicas: Tensor) -> Tensor:
    """One int64 key for each replica number, from which its random vectors are computed.

    Of ``seed``, any Python integer, the lowest 64 bits are used.
    """
    return mix(mix(torch.full_like(replicas, _signed(seed)) + _GAMMA) + replicas * _GAMMA)


def _bits(key: Tensor, draw: Tensor, index: Tensor) -> Tensor:
    # The index is added without a factor: inductor folds it into a loop variable in C++, where a signed
    # product beyond 2⁶³ is undefined and gave wrong numbers.
    return _mix_(mix(key + (draw.to(torch.int64) + 1) * _GAMMA) + index, 2)


def uniform(key: Tensor, draw: Tensor, index: Tensor) -> Tensor:
    """Uniform numbers in (-1, 1], of which the released code makes its random vectors.

    Args:
        key: int64, from :func:`replica_keys`.
        draw: Number of the draw, any dtype that represents integers exactly.
        index: int64 number of the element; the three shapes broadcast together.

    Returns:
        float64 tensor of the broadcast shape.
    """
    return _shift(_bits(key, draw, index), 11).to(torch.float64).add_(0.5).mul_(2.0**-52).sub_(1.0)


def normal(key: Tensor, draw: Tensor, index: Tensor) -> Tensor:
    """Standard normal numbers by Box and Muller's method, from one hash each.

    The high 32 bits give the radius and the low 32 bits the angle. So |x| < 6.77. Arguments and result are
    as those of :func:`uniform`.
    """
    z = _bits(key, draw, index)
    radius = (z >> 32).to(torch.float64).add_(2.0**31 + 0.5).mul_(2.0**-32)
    angle = z.bitwise_and_(0xFFFFFFFF).to(torch.float64).mul_(2 * math.pi * 2.0**-32)
    return radius.log_().mul_(-2).sqrt_().mul_(angle.cos_())
