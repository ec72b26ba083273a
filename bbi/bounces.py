"""When Algorithm 1 bounces: the two clocks T0 and T1 and the number N_b of scheduled bounces.

Counters are float64, which is exact up to 2⁵³, so that ``t0 = inf`` or ``t1 = inf`` means "never".
"""

import math
from typing import Generic, NamedTuple

from bbi.scalars import Flag, S, where


class Clocks(NamedTuple, Generic[S]):
    """The counters of Algorithm 1, each a scalar of the kind of V."""

    c0: S
    """Moves since the last scheduled bounce."""
    c1: S
    """Moves since the lowest potential so far, or since the last bounce."""
    n_b: S
    """Scheduled bounces so far."""
    draws: S
    """Bounces of both clocks so far, which is the number of the next random vector."""
    v_min: S
    """Lowest potential so far."""

    @classmethod
    def start(cls, zero: S) -> "Clocks[S]":
        """All counters at ``zero``, and no lowest potential yet."""
        return Clocks(zero, zero, zero, zero, zero + math.inf)


def due(clocks: Clocks[S], t0: S, t1: S, n_bounces: S, active: Flag) -> tuple[Flag, Clocks[S]]:
    """Which of the active runs bounce now, and the clocks after it (the ``else`` branch of Algorithm 1).

    ``n_bounces`` = 0 makes no scheduled bounce. The paper's listing, read literally, makes one.
    """
    scheduled = active & (clocks.c0 == t0) & (clocks.n_b < n_bounces)
    bounce = scheduled | (active & (clocks.c1 == t1))
    return bounce, Clocks(
        where(scheduled, 0.0, clocks.c0),
        where(bounce, 0.0, clocks.c1),
        where(scheduled, clocks.n_b + 1.0, clocks.n_b),
        where(bounce, clocks.draws + 1.0, clocks.draws),
        clocks.v_min,
    )


def partial_refresh(clocks: Clocks[S], active: Flag) -> tuple[Flag, Clocks[S]]:
    """In place of :func:`due`, for ECDSep: all active runs that have moved before take a random vector."""
    refreshed = active & (clocks.v_min < math.inf)
    return refreshed, clocks._replace(draws=where(refreshed, clocks.draws + 1.0, clocks.draws))


def advance(clocks: Clocks[S], v: S, moved: Flag) -> Clocks[S]:
    """The clocks after one move of the runs in ``moved``, from potential ``v`` (end of the ``if`` branch)."""
    lowest = moved & (v < clocks.v_min)
    c1 = where(moved, clocks.c1 + 1.0, clocks.c1)
    return clocks._replace(
        c0=where(moved, clocks.c0 + 1.0, clocks.c0),
        c1=where(lowest, 0.0, c1),
        v_min=where(lowest, v, clocks.v_min),
    )
