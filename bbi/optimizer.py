"""ECD as a ``torch.optim.Optimizer``, and BBI: the Born-Infeld member with Algorithm 1's bounces."""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from bbi import checks
from bbi.bounces import Clocks, ring, tick
from bbi.laws import BornInfeld, Law
from bbi.scalars import Flag, Scalar, at_least, both_not, sqrt
from bbi.step import EPS1, EPS2, TINY, coefficients
from bbi.update import Slot, move, redraw, rescale, sum_squares

SYSTEM = "system"
"""Key of ``optimizer.state`` for what belongs to all parameters at once. Unlike entries of a
parameter, ``load_state_dict`` leaves its float64 scalars alone, and deepcopy and pickle keep it."""
OWN = ("lr",)
"""Settings that belong to parameter groups; all others to the whole system."""


class ECD(torch.optim.Optimizer):
    """Energy-conserving descent: Algorithm 1 of De Luca and Silverstein (2022) for any law.

    The loss F is a potential V = F - ΔV in which the parameters Θ move without friction, with
    momenta Π and conserved energy E. One step, from the loss and the gradients at Θ:

        if the clock T0 or T1 rings:   Π ← N √(Π²/N²)                                (bounce)
        α = √(P(E, V)/Π²), or 1 where |Π² - P| < ε1 or P < 0                        (restore E)
        Π ← α Π - Δt H_V ∇F,           Θ ← Θ + Δt 2H_P Π                            (move)

    with H_V = ½ (V/E + E/V), 2H_P = V/E and P = E²/V - V for the Born-Infeld law. Differences to
    the listing in the paper: a bounce and the move after it are one call of :meth:`step`, so that a
    bounce costs no loss; ``n_bounces=0`` makes no scheduled bounce; where V ≤ ε2, or the loss is NaN
    or inf, a step changes nothing (with minibatches the next one may go on); and where Π = 0 cannot
    be scaled to Π² = P, the kick starts it along -∇F and the next step restores its norm.

    Energy, Π² and clocks belong to all parameters together, ``lr`` to the parameter groups. A
    parameter without gradient stands still and takes no part in Π². Everything needed to go on is
    in ``state_dict()``: resuming is exact to the bit.

    :param params: parameters or groups, floating point or complex (taken as pairs of reals).
    :param lr: Δt, ≥ 0; a number or a one-element tensor, with ``replicas`` also an (R,) tensor.
    :param law: Hamiltonian, :mod:`bbi.laws`.
    :param delta_v: ΔV, subtracted from the loss: the value at which the run stops.
    :param delta_e: δE ≥ 0, extra initial energy: Π_0 = -(∇F/|∇F|) √P(V_0 + δE, V_0), eqs. (13), (14);
        along a random vector if ∇F = 0.
    :param t0: T0 ≥ 1, moves between scheduled bounces; inf for none.
    :param t1: T1 ≥ 1, moves without a new lowest V after which it bounces; inf for none.
    :param n_bounces: N_b ≥ 0, number of scheduled bounces.
    :param eps1: ε1, smallest error in Π² that is corrected.
    :param eps2: ε2, a run stops where V ≤ ε2.
    :param seed: address of the random vectors, with the replica, the bounce and the element.
    :param replicas: R independent runs as a leading axis: parameters (R, …), loss (R,), and
        ``lr``, ``delta_v``, ``delta_e``, ``t0``, ``t1``, ``n_bounces`` numbers or (R,) tensors.
        Gradients are those of the summed loss.
    :param reading: ``"paper"``, or ``"released"`` for the released code's behaviour: initial momentum
        normalised tensor by tensor, random vectors uniform in a cube, a bounce that uses up a step.
    :raises ValueError: for a value out of range, naming it.
    :raises TypeError: for parameters that are no floating-point tensors.

    Source: https://arxiv.org/abs/2201.11137, section 3.3.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        law: Law,
        delta_v: float | Tensor = 0.0,
        delta_e: float | Tensor = 0.0,
        t0: float | Tensor = 1000,
        t1: float | Tensor = 3000,
        n_bounces: float | Tensor = 1,
        eps1: float = EPS1,
        eps2: float = EPS2,
        seed: int = 0,
        replicas: int | None = None,
        reading: str = "paper",
    ) -> None:
        defaults = {
            "lr": lr,
            "delta_v": delta_v,
            "delta_e": delta_e,
            "t0": t0,
            "t1": t1,
            "n_bounces": n_bounces,
            "eps1": eps1,
            "eps2": eps2,
            "seed": seed,
            "replicas": replicas,
            "reading": reading,
        }
        checks.settings(defaults)
        self.law = law
        super().__init__(params, defaults)

    def __getstate__(self) -> dict[str, Any]:
        """Torch's keeps the groups and the state; the law is ours to add."""
        return {**super().__getstate__(), "law": self.law}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, at any time: they join at rest, so that E and Π² stay what they are.

        :raises ValueError: if the group sets anything but ``lr``, which alone is a group's own.
        """
        if isinstance(param_group, dict):  # torch names what is wrong with anything else
            checks.group(param_group, self.defaults, OWN)
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            checks.parameter(p, self.defaults["replicas"])

    # Where the system is, for reading. Reading a number off a GPU tensor waits for the GPU.

    @property
    def energy(self) -> Tensor:
        """Conserved energy E, float64 () or (R,); NaN before the first step."""
        return self._read("energy")

    @property
    def potential(self) -> Tensor:
        """V = F - ΔV at the last loss, float64 () or (R,); NaN before the first step."""
        return self._read("potential")

    @property
    def momentum_norm(self) -> Tensor:
        """|Π| after the last step, float64 () or (R,); NaN before the first step."""
        return self._read("p2").sqrt()

    @property
    def bounces(self) -> Tensor:
        """Bounces of both clocks so far, float64 () or (R,)."""
        return self._read("draws").nan_to_num(0.0)

    @property
    def stopped(self) -> Tensor:
        """Whether the last loss had V ≤ ε2, bool () or (R,)."""
        eps2: float = self.param_groups[0]["eps2"]
        return self._read("potential") <= eps2

    @property
    def _shared(self) -> dict[Any, Any]:
        """``self.state``, which torch types as keyed by parameters; it takes other keys as well."""
        return cast(dict[Any, Any], self.state)

    def _read(self, name: str) -> Tensor:
        replicas = self.param_groups[0]["replicas"]
        unknown = torch.full(() if replicas is None else (replicas,), math.nan, dtype=torch.float64)
        return torch.as_tensor(self._shared.get(SYSTEM, {}).get(name, unknown), dtype=torch.float64)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, *, loss: Any = None) -> Any:
        """One step from the loss at the parameters and the gradients in their ``.grad``.

        Either ``opt.step(closure)``, where ``closure`` clears the gradients, computes the loss, calls
        ``backward`` and returns the loss; or, with gradients already there, ``opt.step(loss=loss)``.

        :param closure: returns the loss: a number or one-element tensor, with ``replicas`` (R,).
        :param loss: the loss itself, instead of a closure.
        :returns: the loss as it was given.
        :raises RuntimeError: if neither is given.
        """
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if loss is None:
            raise RuntimeError(
                f"{type(self).__name__} needs the loss in every step: write `loss.backward()` and then "
                "`opt.step(loss=loss)`, or `opt.step(closure)` with a closure that returns the loss"
            )
        value = checks.loss(loss, self.param_groups[0]["replicas"])
        slots = self._slots()
        if slots:
            self._step(slots, value)
        return loss

    def _slots(self) -> list[Slot]:
        """Parameters with a gradient, with their group's lr and their address among all elements."""
        slots, first = [], 0
        replicas = self.param_groups[0]["replicas"] or 1
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if p.grad.is_sparse:
                        raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")
                    state = self.state[p]
                    if "momentum_buffer" not in state:
                        state["momentum_buffer"] = torch.zeros_like(p)
                    tensors = (p, p.grad, state["momentum_buffer"])
                    if p.is_complex():
                        tensors = tuple(torch.view_as_real(t) for t in tensors)  # type: ignore[assignment]
                    slots.append(Slot(*tensors, group["lr"], first))
                first += p.numel() // replicas * (2 if p.is_complex() else 1)
        return slots

    def _system(self, slots: list[Slot], v: Scalar, delta_e: Scalar) -> dict[str, Any]:
        """The state of the whole system, made in the first step and brought to the kind of ``v``."""
        members = [slot.first for slot in slots]
        shared = self._shared
        if SYSTEM not in shared:
            shared[SYSTEM] = {**self._start(slots, v, delta_e), "members": members}
        system: dict[str, Any] = shared[SYSTEM]
        if isinstance(system["energy"], Tensor) != isinstance(v, Tensor) or (
            isinstance(v, Tensor) and system["energy"].device != v.device
        ):  # a checkpoint from another kind of device
            for name in system.keys() - {"members"}:
                system[name] = _as_kind(system[name], v)
        if system["members"] != members:  # parameters came or went since Π² was summed
            system["p2"], system["members"] = sum_squares([slot.momentum for slot in slots], v), members
        return system

    def _step(self, slots: list[Slot], value: Tensor) -> None:
        group, device = self.param_groups[0], slots[0].param.device
        # One run on the CPU takes its scalars as Python floats (bbi.scalars); a device is never asked.
        host = device.type == "cpu" and value.dim() == 0
        f: Scalar = value.item() if host else value.to(device)
        delta_v, delta_e, t0, t1, n_bounces = (
            _as_kind(group[k], f) for k in ("delta_v", "delta_e", "t0", "t1", "n_bounces")
        )
        v = f - delta_v
        alive = (v > group["eps2"]) & (v < math.inf)
        if host and not alive:
            self._shared.get(SYSTEM, {})["potential"] = v
            return
        system = self._system(slots, v, delta_e)
        clocks = Clocks(*(system[name] for name in Clocks._fields))
        number, base2 = clocks.draws, system["p2"]
        bounce, clocks = ring(clocks, t0, t1, n_bounces, alive)
        if not host or bounce:
            base2 = redraw(slots, self._noise, group["seed"], bounce, number)
        moved = both_not(alive, bounce) if group["reading"] == "released" else alive
        c = coefficients(self.law, v, system["energy"], system["p2"], base2, moved, group["eps1"])
        if not host:
            c = c._replace(scale=torch.where(alive, c.scale, 1.0))
        system.update(p2=move(slots, c), potential=v, **tick(clocks, v, moved)._asdict())

    @property
    def _noise(self) -> str:
        return "cube" if self.param_groups[0]["reading"] == "released" else "normal"

    def _start(self, slots: list[Slot], v: Scalar, delta_e: Scalar) -> dict[str, Scalar]:
        """E and Π_0, eqs. (13), (14)."""
        energy = self.law.start(v, delta_e)
        p2 = at_least(self.law.momentum_squared(v, energy), 0.0)
        for slot in slots:
            slot.momentum.copy_(slot.grad).neg_()
        if self.param_groups[0]["reading"] == "released":
            for slot in slots:
                norm2 = sum_squares([slot.momentum], v)
                rescale([slot], sqrt(p2 / at_least(norm2, TINY)))
        else:
            norm2 = sum_squares([slot.momentum for slot in slots], v)
            flat: Flag = norm2 == 0
            if isinstance(flat, Tensor) or flat:
                norm2 = redraw(slots, self._noise, self.param_groups[0]["seed"], flat, v * 0.0 - 1.0)
            rescale(slots, sqrt(p2 / at_least(norm2, TINY)))
        p2 = sum_squares([slot.momentum for slot in slots], v)
        return {"energy": energy, "potential": v, "p2": p2, **Clocks.start(v)._asdict()}


class BBI(ECD):
    """Energy-conserving descent with the Born-Infeld law: :class:`ECD` with ``law=BornInfeld()``.

    ``BBI(params, lr, *, delta_v=0.0, delta_e=0.0, t0=1000, t1=3000, n_bounces=1, eps1=1e-10,
    eps2=1e-40, seed=0, replicas=None, reading="paper")``; the arguments are those of :class:`ECD`.
    """

    def __init__(self, params: ParamsT, lr: float | Tensor, **settings: Any) -> None:
        if "law" in settings:
            raise TypeError("BBI has the Born-Infeld law; use ECD(params, lr, law=...) for another one")
        super().__init__(params, lr, law=BornInfeld(), **settings)


def _as_kind(x: Scalar, like: Scalar) -> Scalar:
    """``x`` as a float where ``like`` is one, else as a float64 tensor on its device."""
    if not isinstance(like, Tensor):
        return float(x)
    if isinstance(x, Tensor):
        return x.to(like.device, torch.float64)
    return torch.full_like(like, x)
