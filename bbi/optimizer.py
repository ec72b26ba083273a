"""ECD as a ``torch.optim.Optimizer``: Algorithm 1 for any law of the family."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from bbi import checks, update
from bbi.bounces import Clocks, ring, stir, tick
from bbi.laws import Law, identity
from bbi.ranks import average, check
from bbi.readings import Readings
from bbi.scalars import Flag, Scalar, as_kind, at_least, attempt, both_not, perhaps, sqrt, where
from bbi.step import EPS1, EPS2, TINY, at_rest, lower_delta_v, restored, within
from bbi.update import Slot, sum_squares

OWN = ("lr", "weight_decay")
"""Settings that belong to parameter groups; all others to the whole system."""


class ECD(Readings):
    """Energy-conserving descent: Algorithm 1 of De Luca and Silverstein (2022) for any law.

    The loss F, with ½ w |Θ|² for a weight decay w, is a potential V = F + ½ w |Θ|² - ΔV in which the
    parameters Θ move without friction, with momenta Π and conserved energy E. One step,
    from the loss and the gradients at Θ:

        if the clock T0 or T1 rings:   Π ← N √(Π²/N²)                                (bounce)
        α = √(P(E, V)/Π²), or 1 where |Π² - P| < ε1 or P ≤ 0                        (restore E)
        Π ← α Π - Δt H_V ∇V,           Θ ← Θ + Δt 2H_P Π                            (move)

    with H_V = ½ (V/E + E/V), 2H_P = V/E and P = E²/V - V for the Born-Infeld law. Differences to
    the listing in the paper: a bounce and the move after it are one call of :meth:`step`, so that a
    bounce costs no loss; ``n_bounces=0`` makes no scheduled bounce; where V ≤ ε2, or the loss is NaN
    or inf, a step changes nothing (with minibatches the next one may go on); and where Π = 0 cannot
    be scaled to Π² = P, the kick starts it along -∇F and the next step restores its norm.

    Energy, Π² and clocks belong to all parameters together, ``lr`` and ``weight_decay`` to the
    parameter groups. A parameter without gradient stands still and takes no part in Π²; when it has
    one again it starts from rest. Parameters must be whole on every rank: no shards of them. Everything
    needed to go on is in ``state_dict()``: resuming is exact to the bit. Under
    ``torch.distributed`` every rank of ``process_group`` takes the same step: the loss is averaged
    over it, gradients are taken to be averaged already (DistributedDataParallel does so).

    :param params: parameters or groups, floating point or complex (taken as pairs of reals).
    :param lr: Δt, ≥ 0; a number or a one-element tensor, with ``replicas`` also an (R,) tensor.
    :param law: Hamiltonian, :mod:`bbi.laws`.
    :param weight_decay: w ≥ 0: adds ½ w |Θ|² to the potential, so that the energy stays consistent.
    :param delta_v: ΔV, subtracted from the loss: the value at which the run stops.
    :param delta_e: δE ≥ 0, extra initial energy: Π_0 = -(∇F/|∇F|) √P(V_0 + δE, V_0), eqs. (13), (14);
        along a random vector if ∇F = 0.
    :param t0: T0 ≥ 1, whole number of moves between scheduled bounces; inf for none.
    :param t1: T1 ≥ 1, moves without a new lowest V after which it bounces; inf for none.
    :param n_bounces: N_b ≥ 0, number of scheduled bounces; inf for no end.
    :param tune_delta_v: lower ΔV where V < 0 shows it to be too high (section 3.3): the n-th time by
        2ⁿ |V|, never below 0 or the ΔV given, whichever is lower. ``opt.delta_v`` tells where it is.
    :param nu: if above 0, no bounces by clocks, but before every step except the first
        Π ← |Π| (Π/|Π| + nu N)/|Π/|Π| + nu N|, the partial redraw of ECDSep.
    :param eps1: ε1, smallest error in Π² that is corrected.
    :param eps2: ε2, a run stops where V ≤ ε2.
    :param seed: address of the random vectors, with the replica, the bounce and the element.
    :param replicas: R independent runs as a leading axis: parameters (R, …), loss (R,), and
        ``lr``, ``delta_v``, ``delta_e``, ``t0``, ``t1``, ``n_bounces`` numbers or (R,) tensors.
        Gradients are those of the summed loss.
    :param reading: ``"paper"``, or ``"released"`` for the released code's behaviour: initial momentum
        normalised tensor by tensor, random vectors uniform in a cube, a bounce that uses up a step.
    :param process_group: the ranks that train one model and so step together; None for the default
        group of an initialised ``torch.distributed``, False for a model of this rank alone.
    :raises ValueError: for a value out of range, naming it.
    :raises TypeError: for parameters that are no floating-point tensors.

    Source: https://arxiv.org/abs/2201.11137, section 3.3.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        *,
        law: Law,
        weight_decay: float = 0.0,
        delta_v: float | Tensor = 0.0,
        delta_e: float | Tensor = 0.0,
        t0: float | Tensor = 1000,
        t1: float | Tensor = 3000,
        n_bounces: float | Tensor = 1,
        tune_delta_v: bool = False,
        nu: float = 0.0,
        eps1: float = EPS1,
        eps2: float = EPS2,
        seed: int = 0,
        replicas: int | None = None,
        variant: str = "paper",
        process_group: Any = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "law": identity(law),
            "weight_decay": weight_decay,
            "delta_v": delta_v,
            "delta_e": delta_e,
            "t0": t0,
            "t1": t1,
            "n_bounces": n_bounces,
            "tune_delta_v": tune_delta_v,
            "nu": nu,
            "eps1": eps1,
            "eps2": eps2,
            "seed": seed,
            "replicas": replicas,
            "variant": variant,
        }
        checks.settings(defaults)
        check(process_group)
        self.law, self.process_group = law, process_group
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, at any time: they join at rest, so that E and Π² stay what they are.

        :raises ValueError: if the group sets anything but ``lr`` and ``weight_decay``.
        :raises TypeError: for parameters that are no floating-point tensors.
        """
        if isinstance(param_group, dict):  # torch names what is wrong with anything else
            checks.group(param_group, self.defaults, OWN)
        super().add_param_group(param_group)
        try:
            for p in self.param_groups[-1]["params"]:
                checks.parameter(p, self.defaults["replicas"])
        except (TypeError, ValueError):
            del self.param_groups[-1]  # only torch's own checks sort out what the parameters are
            raise

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, *, loss: Any = None) -> Any:
        """One step from the loss at the parameters and the gradients in their ``.grad``.

        Either ``opt.step(closure)``, where ``closure`` clears the gradients, computes the loss, calls
        ``backward`` and returns the loss; or, with gradients already there, ``opt.step(loss=loss)``.

        :param closure: returns the loss: a number or one-element tensor, with ``replicas`` (R,).
        :param loss: the loss itself, instead of a closure.
        :returns: the loss as it was given.
        :raises RuntimeError: if neither is given.
        :raises TypeError: if both are given, or a loss in the place of the closure.
        """
        checks.closure(closure, loss)
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        value = checks.loss(loss, self.param_groups[0]["replicas"])
        slots = self._slots()
        if slots:
            value = average(value, slots[0].param.device, self.process_group)
            v, alive = self._potential(slots, value)
            # One run on the CPU has Python floats (bbi.scalars); a device is never asked.
            if isinstance(alive, Tensor) or alive:
                self._step(slots, v, alive)
        return loss

    def _slots(self) -> list[Slot]:
        """Parameters with a gradient, with their group's lr and their address among all elements."""
        slots: list[Slot] = []
        first = 0
        replicas = self.param_groups[0]["replicas"] or 1
        for group in self.param_groups:
            lr = group["lr"]
            for p in group["params"]:
                if p.grad is not None:
                    if p.grad.is_sparse:
                        raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")
                    if isinstance(lr, Tensor) and lr.dim():
                        lr = lr.to(p.device)
                        lr = lr.reshape(()) if lr.numel() == 1 else lr
                    state = self.state[p]
                    if "momentum_buffer" not in state:
                        state["momentum_buffer"] = torch.zeros_like(p)
                    real, grad, u = p, p.grad, state["momentum_buffer"]
                    if p.is_complex():
                        real, grad, u = map(torch.view_as_real, (real, grad, u))
                    checks.together(p, slots[0].param if slots else p)
                    slots.append(Slot(real, grad, u, lr, group["weight_decay"], first))
                first += p.numel() // replicas * (2 if p.is_complex() else 1)
        return slots

    def _potential(self, slots: list[Slot], value: Tensor) -> tuple[Scalar, Flag]:
        """V, and whether it is one to move at: as floats for one run on the CPU, else as tensors."""
        group, device, system = self.param_groups[0], slots[0].param.device, self._system
        host = device.type == "cpu" and value.dim() == 0
        f: Scalar = value.item() if host else as_kind(value, torch.zeros_like(value, device=device))
        f = f + update.weight_energy(slots, f)
        given = as_kind(group["delta_v"], f)
        tuned: dict[str, Scalar] = {"delta_v": given}
        if group["tune_delta_v"]:
            now, times = (as_kind(system.get(k, x), f) for k, x in (("delta_v", given), ("lowered", 0.0)))
            tuned = lower_delta_v(f, now, times, given)
        v = f - tuned["delta_v"]
        self._keep(potential=v, **tuned)
        if host and v < 0 and "energy" not in system:
            warnings.warn(
                f"the loss is {f:g}, below delta_v={given:g}: no step is made until it is above; "
                "lower delta_v, or set tune_delta_v=True",
                stacklevel=4,
            )
        return v, (v > group["eps2"]) & (v < math.inf)

    def _step(self, slots: list[Slot], v: Scalar, alive: Flag) -> None:
        group, system, host = self.param_groups[0], self._system, not isinstance(v, Tensor)
        first = "energy" not in system
        if first:
            system["members"] = [slot.first for slot in slots]
            self._keep(**at_rest(v))
        self._settle(system, slots, v)
        clocks = Clocks(*(system[name] for name in Clocks._fields))
        fresh = alive & (clocks.v_min == math.inf)  # first step, or all losses so far were of no use
        energy = system["energy"]
        if perhaps(fresh):
            start = attempt(self.law.start, v, as_kind(group["delta_e"], v))
            energy = where(fresh, start, energy)
            self._keep(energy=energy)
            if first or host or v.dim():  # else one run on a device: it starts from rest
                self._launch(system, slots, v, fresh & within(self.law, v, energy))
        p2 = system["p2"]
        kick, drift = attempt(self.law.kick, v, energy), attempt(self.law.drift, v, energy, p2)
        wanted = attempt(restored, self.law, v, energy, p2, group["eps1"])
        alive = alive & (abs(kick) + abs(drift) + abs(wanted) < math.inf)
        if host and not alive:
            return
        bounce, clocks, u2 = self._bounce(slots, system, clocks, alive)
        moved = both_not(alive, bounce) if group["variant"] == "released" else alive
        pull = kick * max(float(slot.lr) for slot in slots) if host and moved else 0.0
        factor, sigma = update.split(wanted, u2, pull)
        kick, drift = where(moved, kick / sigma, 0.0), where(moved, drift * sigma, 0.0)
        late = self.law.separable
        u2 = update.kick(slots, where(alive, factor, 1.0), kick, None if late else drift, moved)
        p2 = where(alive, sigma * sigma * u2, p2)
        if late:
            update.drift(slots, where(moved, self.law.drift(v, energy, p2) * sigma, 0.0))
        self._keep(p2=p2, u2=u2, **tick(clocks, v, moved)._asdict())

    def _settle(self, system: dict[str, Any], slots: list[Slot], v: Scalar) -> None:
        """Bring the system's scalars to the kind of ``v``, and Π² to the parameters that take part."""
        if getattr(system["energy"], "device", None) != getattr(v, "device", None):
            for name in system.keys() - {"members"}:  # a checkpoint from another kind of device
                system[name] = as_kind(system[name], v)
        members = [slot.first for slot in slots]
        if system["members"] != members:  # parameters came or went since Π² was summed
            for p in (p for group in self.param_groups for p in group["params"] if p.grad is None):
                if "momentum_buffer" in self.state.get(p, ()):
                    self.state[p]["momentum_buffer"].zero_()  # σ goes on without it: it will be at rest
            u2 = sum_squares([slot.momentum for slot in slots], v)
            p2 = system["p2"] / at_least(system["u2"], TINY) * u2
            self._keep(p2=where(system["u2"] > 0, p2, u2), u2=u2)
            system["members"] = members

    def _bounce(
        self, slots: list[Slot], system: dict[str, Any], clocks: Clocks, alive: Flag
    ) -> tuple[Flag, Clocks, Scalar]:
        """Put random vectors in the place of u where a clock rings; its squared norm is the last result."""
        group, u2 = self.param_groups[0], system["u2"]
        number, share = clocks.draws, None
        if group["nu"]:
            bounce, clocks = stir(clocks, alive)
            share = group["nu"] * sqrt(u2)
        else:
            t0, t1, n_bounces = (as_kind(group[name], number) for name in ("t0", "t1", "n_bounces"))
            bounce, clocks = ring(clocks, t0, t1, n_bounces, alive)
            if not isinstance(group["t1"], Tensor) and (group["t1"], group["n_bounces"]) == (math.inf, 0):
                return bounce, clocks, u2  # even a device that nobody may ask never bounces
        if perhaps(bounce):
            u2 = update.redraw(slots, self._noise, group["seed"], bounce, number, share)
        return bounce, clocks, u2

    @property
    def _noise(self) -> str:
        return "cube" if self.param_groups[0]["variant"] == "released" else "normal"

    def _launch(self, system: dict[str, Any], slots: list[Slot], v: Scalar, fresh: Flag) -> None:
        """Π_0 of those who are ``fresh``, eqs. (13), (14); along a random vector where ∇V = 0."""
        if not perhaps(fresh):
            return
        group, rest = self.param_groups[0], system["p2"]
        p2 = at_least(self.law.momentum_squared(v, system["energy"]), 0.0)
        update.downhill(slots, fresh)
        u2 = sum_squares([slot.momentum for slot in slots], v)
        if group["variant"] == "released":  # tensor by tensor: each of them gets the whole length
            for slot in slots:
                own = sum_squares([slot.momentum], v)
                update.rescale([slot], where(fresh & (own > 0), sqrt(p2 / at_least(own, TINY)), 1.0))
            p2 = u2 = sum_squares([slot.momentum for slot in slots], v)
        else:
            flat = fresh & (u2 == 0)
            if perhaps(flat):
                u2 = update.redraw(slots, self._noise, group["seed"], flat, rest - 1.0)
        self._keep(p2=where(fresh, p2, system["p2"]), u2=where(fresh, u2, system["u2"]))
