"""When Algorithm 1 bounces: the two clocks T0 and T1 and the budget N_b.

Counters are float64 (exact to 2⁵³), so that ``t0 = inf`` or ``t1 = inf`` reads "never".
"""

import math
from typing import NamedTuple

from bbi.scalars import Flag, Scalar, where


class Clocks(NamedTuple):
    """The counters of Algorithm 1, each a float or a float64 tensor of shape () or (R,)."""

    c0: Scalar
    """Moves since the last scheduled bounce."""
    c1: Scalar
    """Moves since the lowest potential so far, or since the last bounce."""
    n_b: Scalar
    """Scheduled bounces so far."""
    draws: Scalar
    """Bounces of both kinds so far: the number of the next random vector."""
    v_min: Scalar
    """Lowest potential so far."""

    @classmethod
    def start(cls, v: Scalar) -> "Clocks":
        """All clocks at zero, of the kind and shape of ``v``, which is finite."""
        zero = v * 0.0
        return cls(zero, zero, zero, zero, zero + math.inf)


def ring(clocks: Clocks, t0: Scalar, t1: Scalar, n_bounces: Scalar, alive: Flag) -> tuple[Flag, Clocks]:
    """Decide who bounces now, and set the clocks back (the ``else`` branch of Algorithm 1).

    ``n_bounces`` = 0 means no scheduled bounce at all, as its name says; the paper's listing,
    read to the letter, would still make one.

    :param t0, t1, n_bounces: like the clocks; ``inf`` in a clock means never.
    :param alive: who takes part in this step.
    :returns: who bounces, and the clocks after it.
    """
    scheduled = alive & (clocks.c0 == t0) & (clocks.n_b < n_bounces)
    bounce = scheduled | (alive & (clocks.c1 == t1))
    n_b = clocks.n_b + where(scheduled, 1.0, 0.0)
    c0 = where(scheduled, 0.0, clocks.c0)
    c1 = where(bounce, 0.0, clocks.c1)
    return bounce, Clocks(c0, c1, n_b, clocks.draws + where(bounce, 1.0, 0.0), clocks.v_min)


def tick(clocks: Clocks, v: Scalar, moved: Flag) -> Clocks:
    """Count one move from potential ``v`` (the end of the ``if`` branch of Algorithm 1).

    :param v: potential before the move.
    :param moved: who moved.
    """
    one = where(moved, 1.0, 0.0)
    lowest = moved & (v < clocks.v_min)
    c1 = where(lowest, 0.0, clocks.c1 + one)
    return clocks._replace(c0=clocks.c0 + one, c1=c1, v_min=where(lowest, v, clocks.v_min))


def stir(clocks: Clocks, alive: Flag) -> tuple[Flag, Clocks]:
    """Partial redraws in place of bounces (ECDSep): everyone who has moved before, in every step."""
    stirred = alive & (clocks.v_min < math.inf)
    return stirred, clocks._replace(draws=clocks.draws + where(stirred, 1.0, 0.0))
