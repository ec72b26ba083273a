"""The motion of a system: one step of Algorithm 1 from F and ∇F, for one run or R replicas."""

import math
import sys
import warnings
from collections.abc import Sequence

from torch import Tensor

from bbi import checks, norms, projection, update
from bbi.algorithm import TINY, advance, lowered, no_clocks
from bbi.entries import Entry
from bbi.redraw import redraw
from bbi.scalars import Flag, S, as_kind, at_least, may_hold, sqrt, where
from bbi.state import SystemState


def _outside() -> int:
    """The ``stacklevel``, for a warning of the caller, of the first frame outside this package and torch."""
    frame, level = sys._getframe(1), 1
    while frame.f_globals.get("__name__", "").partition(".")[0] in ("bbi", "torch") and frame.f_back:
        frame, level = frame.f_back, level + 1
    return level


class Motion(SystemState):
    """The numbers of a system and how they move; :class:`bbi.ECD` describes the step."""

    def _step(
        self, entries: list[Entry], f: S, *, size: S | None = None, batches: Sequence[list[Entry]] = ()
    ) -> None:
        """A step from F, with max |∇F| where that is known, and the batches of one run on the CPU."""
        algorithm, first = self._algorithm, not self._system["members"]
        v = self._potential(entries, f)
        active, host = algorithm.active(v), not isinstance(v, Tensor)
        if host and not active:
            return
        self._settle(entries, v)
        clocks, energy = self._clocks(v), self._kept("energy", v)
        fresh = active & (clocks.v_min == math.inf)  # those that have made no step yet
        if may_hold(fresh):
            energy = self._start(entries, v, energy, fresh, first)
        p2 = self._kept("p2", v)
        at_v = algorithm.coefficients(v, energy, p2)
        active = active & at_v.finite
        length2, unit = algorithm.restored(p2, at_v.p2), 0.0 * v + 1.0
        if may_hold((length2 <= 0) | (self._kept("u2", v) <= 0)):
            unit = norms.unit(entries, v, size)
        late = self.law.separable
        lr = max(float(entry.lr) for entry in entries) if host else 0.0
        if host:
            if not active:
                return
            fastest = self.law.drift(v, energy, 0.0 * v) if late else at_v.drift
            if not norms.in_range(entries, float(lr * lr * at_v.kick * fastest * unit)):
                self._keep(skipped=self._kept("skipped", v) + 1.0)
                return
        t0, t1, n_bounces = (as_kind(self.param_groups[0][name], v) for name in checks.WHOLE)
        bounce, moved, clocks_after = algorithm.bounce(clocks, t0, t1, n_bounces, active)
        u2 = self._redraw(entries, bounce, clocks.draws)
        pull = float(at_v.kick) * lr if host and moved else 0.0
        factor, sigma = update.split(length2, u2, pull, unit, entries)
        kick, drift = where(moved, at_v.kick / sigma, 0.0), where(moved, at_v.drift * sigma, 0.0)
        if self.law.isokinetic:
            factor, kick = projection.across(entries, factor, kick, u2)
        u2 = update.kick(entries, batches, where(active, factor, 1.0), kick, None if late else drift, moved)
        p2 = where(active, sigma * sigma * u2, p2)
        if late:
            update.drift(entries, where(moved, self.law.drift(v, energy, p2) * sigma, 0.0))
        self._keep(p2=p2, u2=u2, **advance(clocks_after, v, moved)._asdict())

    def _potential(self, entries: list[Entry], f: S) -> S:
        """V at the loss ``f``, with ΔV lowered if it is to be tuned."""
        group, system = self.param_groups[0], self._system
        f = f + update.weight_energy(entries, f)
        given = as_kind(group["delta_v"], f)
        delta_v = given
        if group["tune_delta_v"]:
            now = self._kept("delta_v", f)
            delta_v, times = lowered(f, where(now == now, now, given), self._kept("lowered", f), given)
            self._keep(lowered=times)
        v = f - delta_v
        self._keep(potential=v, delta_v=delta_v)
        lost = ~(abs(v) < math.inf)
        if may_hold(lost):
            self._keep(skipped=self._kept("skipped", v) + where(lost, 1.0, 0.0 * given))
        if not isinstance(v, Tensor) and v < 0 and not system["members"]:
            warnings.warn(
                f"the loss is {f:g}, below delta_v={given:g}: no step is made until it is above; "
                "lower delta_v, or set tune_delta_v=True",
                stacklevel=_outside(),
            )
        return v

    def _redraw(self, entries: list[Entry], bounce: Flag, number: S) -> S:
        """Put random vectors in the place of u, or add a part of one, where ``bounce``; the new |u|²."""
        group, u2 = self.param_groups[0], self._kept("u2", number)
        nu: float = group["nu"]
        if (not nu and no_clocks(group["t1"], group["n_bounces"])) or not may_hold(bounce):
            return u2
        algorithm = self._algorithm
        share = algorithm.refresh(projection.elements(entries, u2)) * sqrt(u2) if nu else None
        return redraw(entries, algorithm, group["seed"], bounce, number, share)

    def _start(self, entries: list[Entry], v: S, energy: S, fresh: Flag, first: bool) -> S:
        """Give those that are ``fresh`` E and Π_0, eqs. (13), (14), and return the energies of all."""
        group, algorithm, rest = self.param_groups[0], self._algorithm, self._kept("p2", v)
        start, p2 = algorithm.start(v, as_kind(group["delta_e"], v))
        energy = where(fresh, start, energy)
        self._keep(energy=energy)
        fresh = fresh & algorithm.coefficients(v, energy, 0.0 * v).finite
        # Reading whether a single run starts later than at its first loss would synchronise a device.
        late = isinstance(v, Tensor) and not (first or v.dim())
        if late or not may_hold(fresh):
            return energy
        if algorithm.as_released("start"):  # tensor by tensor: each of them gets the whole length
            for entry in entries:
                own = update.downhill([entry], fresh, v)
                factor = where(fresh & (own > 0), sqrt(p2 / at_least(own, TINY)), 1.0)
                update.rescale([entry], factor)
            p2 = u2 = norms.sum_squares([entry.momentum for entry in entries], v)
        else:
            u2 = update.downhill(entries, fresh, v)
            flat = fresh & (u2 == 0)
            if may_hold(flat):
                u2 = redraw(entries, algorithm, group["seed"], flat, rest - 1.0)
        self._keep(p2=where(fresh, p2, rest), u2=where(fresh, u2, self._kept("u2", v)))
        return energy
