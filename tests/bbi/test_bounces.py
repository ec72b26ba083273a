"""The clocks against the listing of Algorithm 1, statement by statement."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from bbi.algorithm import Clocks, advance, due

clock = st.integers(1, 6) | st.just(math.inf)
cases = st.tuples(clock, clock, st.integers(1, 4) | st.just(math.inf))
potentials = st.lists(st.integers(1, 9).map(float), min_size=1, max_size=60)


def listing(t0, t1, n_bounces, vs):
    """Whether a bounce comes before each of the moves from the potentials ``vs``."""
    c0 = c1 = n_b = 0
    lowest, bounced = math.inf, []
    for v in vs:
        bounces = 0
        while not (c0 != t0 and c1 != t1):
            if c0 == t0:
                n_b += 1
                c0 = 0 if n_b < n_bounces else c0 + 1
            c1 = 0
            bounces += 1
        assert bounces <= 1
        bounced.append(bounces == 1)
        c0, c1 = c0 + 1, c1 + 1
        if v < lowest:
            lowest, c1 = v, 0
    return bounced, n_b


def ours(t0, t1, n_bounces, vs):
    clocks, bounced = Clocks.start(np.float64(0)), []
    for v in vs:
        bounce, clocks = due(clocks, t0, t1, n_bounces, np.True_)
        clocks = advance(clocks, v, np.True_)
        bounced.append(bounce)
    return bounced, clocks


@given(cases, potentials)
def test_bounces_come_when_the_listing_says(case, vs):
    bounced, clocks = ours(*case, vs)
    assert (bounced, clocks.n_b) == listing(*case, vs)
    assert clocks.draws == sum(bounced)
    assert clocks.v_min == min(vs)


@given(clock, clock, potentials)
def test_no_scheduled_bounce_where_none_is_asked_for(t0, t1, vs):
    # n_bounces=0 leaves only the clock T1, as T0 = inf does
    assert ours(t0, t1, 0, vs)[0] == listing(math.inf, t1, 1, vs)[0]


@given(st.lists(cases, min_size=1, max_size=5), potentials)
def test_replicas_with_clocks_of_their_own(many, vs):
    t0, t1, n_bounces = torch.tensor(many, dtype=torch.float64).T
    active = torch.ones(len(many), dtype=torch.bool)
    clocks = Clocks.start(torch.zeros(len(many), dtype=torch.float64))
    rows = []
    for v in vs:
        bounce, clocks = due(clocks, t0, t1, n_bounces, active)
        clocks = advance(clocks, torch.full((len(many),), v, dtype=torch.float64), active)
        rows.append(bounce)
    for case, column in zip(many, torch.stack(rows, 1).tolist(), strict=True):
        assert column == listing(*case, vs)[0]


@given(cases, potentials, st.lists(st.booleans(), min_size=60, max_size=60))
def test_clocks_of_an_inactive_run_stand_still(case, vs, takes_part):
    clocks = Clocks.start(np.float64(0))
    bounced = []
    for v, active in zip(vs, map(np.bool, takes_part), strict=False):
        before = clocks
        bounce, clocks = due(clocks, *case, active)
        clocks = advance(clocks, v, active)
        if active:
            bounced.append(bounce)
        else:
            # c1 and c0 count moves, and there was none
            assert (bounce, clocks) == (False, before)
    seen = [v for v, active in zip(vs, takes_part, strict=False) if active]
    assert bounced == listing(*case, seen)[0]
