"""ECD as a ``torch.optim.Optimizer``: its settings, its parameters, and what a step is given."""

import math
from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np
import torch
from torch import Tensor
from torch._compile import _disable_dynamo
from torch.optim.optimizer import ParamsT

from bbi import checks, norms, update
from bbi.algorithm import EPS1, EPS2
from bbi.entries import Entry, batched
from bbi.laws import Law, identity
from bbi.motion import Motion
from bbi.scalars import as_kind
from bbi.state import SYSTEM, at_first

OWN = ("lr", "weight_decay")
"""Settings that belong to parameter groups; all others to the whole system."""
Loss = TypeVar("Loss")


class ECD(Motion):
    """Energy-conserving descent: Algorithm 1 of De Luca and Silverstein (2022) for any law.

    The loss F, with ½ w |Θ|² for a weight decay w, is a potential V = F + ½ w |Θ|² - ΔV in which the
    parameters Θ move without friction, with momenta Π and conserved energy E. One step,
    from the loss and the gradients at Θ:

        if the clock T0 or T1 is due:  Π ← N √(Π²/N²)                                (bounce)
        α = √(P(E, V)/Π²), or 1 where |Π² - P| < ε1 or P ≤ 0                        (restore E)
        Π ← α Π - Δt H_V ∇V,           Θ ← Θ + Δt 2H_P Π                            (move)

    with H_V = ½ (V/E + E/V), 2H_P = V/E and P = E²/V - V for the Born-Infeld law. Differences to
    the listing in the paper: a bounce and the move after it are one call of :meth:`step`, so that a
    bounce needs no extra loss; ``n_bounces=0`` makes no scheduled bounce; where V ≤ ε2, or the loss or
    a gradient is NaN or inf, a step changes nothing (with minibatches the next one may go on, and
    ``opt.skipped`` counts the latter); and where Π = 0 cannot be scaled to Π² = P, the kick starts it
    along -∇F and the next step restores its norm.

    Energy, Π² and clocks belong to all parameters together, ``lr`` and ``weight_decay`` to the
    parameter groups. A parameter without gradient stands still and takes no part in Π²; when it has
    one again it starts from rest. A step without any gradient changes nothing. Parameters must be whole
    on every rank, not sharded. ``state_dict()`` contains everything that is needed to continue with the
    same bits. Under ``torch.distributed`` every rank of ``process_group`` takes the same step: the loss
    is averaged over it, and gradients are expected to be averaged already (as by
    DistributedDataParallel).

    Args:
        params: Parameters or groups, floating point or complex (taken as pairs of reals).
        lr: Δt, ≥ 0; a number or a one-element tensor, with ``replicas`` also an (R,) tensor.
        law: Hamiltonian, :mod:`bbi.laws`; of an isokinetic one only the part of ∇V across Π acts.
        weight_decay: w ≥ 0: adds ½ w |Θ|² to the potential, so that the energy stays consistent.
        delta_v: ΔV, subtracted from the loss: the value at which the run stops.
        delta_e: δE ≥ 0, extra initial energy: Π_0 = -(∇F/|∇F|) √P(V_0 + δE, V_0), eqs. (13), (14);
            along a random vector if ∇F = 0.
        t0: T0 ≥ 1, whole number of moves between scheduled bounces; inf for none.
        t1: T1 ≥ 1, number of moves without a new lowest V after which it bounces; inf for none.
        n_bounces: N_b ≥ 0, number of scheduled bounces; inf for no end.
        tune_delta_v: Lower ΔV where V < 0 shows that it is too high (section 3.3): the n-th time by
            2ⁿ |V|, never below 0 or the ΔV given, whichever is lower. ``opt.delta_v`` is its value.
        nu: If above 0, no bounces by clocks, but before every step except the first
            Π ← |Π| (Π/|Π| + nu N)/|Π/|Π| + nu N|, the partial refresh of ECDSep; for an isokinetic law
            of d elements with nu/√d in the place of nu.
        eps1: ε1, smallest error in Π² that is corrected.
        eps2: ε2, a run stops where V ≤ ε2.
        seed: Of the random vectors; they depend on it, the replica, the bounce and the element only.
        replicas: R independent runs as a leading axis: parameters (R, …), loss (R,), and
            ``lr``, ``delta_v``, ``delta_e``, ``t0``, ``t1``, ``n_bounces`` numbers or (R,) tensors.
            Gradients are those of the summed loss.
        variant: ``"paper"``, or ``"released"`` for the released code's behaviour: initial momentum
            normalised tensor by tensor, random vectors uniform in a cube, a bounce that uses up a step;
            ``"released-start"``, ``"released-vectors"`` and ``"released-bounce"`` for one of these alone.
        process_group: The ranks that train one model and so step together; None for the default
            group of an initialised ``torch.distributed``, False for a model of this rank alone.

    Raises:
        ValueError: For a value out of range, naming it.
        TypeError: For parameters that are not floating-point tensors whole on every rank, or a value of
            another type.

    Source: https://arxiv.org/abs/2201.11137, section 3.3.
    """

    loss: Any = None
    """The loss of the next :meth:`step`, for a loop that calls ``step()`` bare. The step takes it and forgets
    it; neither ``state_dict`` nor a copy contains it."""

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
        checks.law(law)
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
        checks.process_group(process_group)
        checks.energy(law, delta_e)
        self.law, self.process_group = law, process_group
        super().__init__(params, defaults)
        self.param_groups[0][SYSTEM] = at_first(self.param_groups)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, at any time. They start from rest, so that E and Π² do not change.

        Raises:
            ValueError: If the group sets a setting of the whole system, not ``lr`` or ``weight_decay``.
            TypeError: For parameters that are not floating-point tensors.
        """
        if isinstance(param_group, dict):  # torch rejects anything else
            checks.group(param_group, self.defaults, OWN)
        super().add_param_group(param_group)
        try:
            for p in self.param_groups[-1]["params"]:
                checks.parameter(p, self.defaults["replicas"])
        except (TypeError, ValueError):
            del self.param_groups[-1]  # the parameters are known only after torch's own checks
            raise

    @overload
    def step(self, closure: None = None, *, loss: None = None) -> Any: ...

    @overload
    def step(self, closure: Callable[[], Loss], *, loss: None = None) -> Loss: ...

    @overload
    def step(self, closure: Callable[[], None] | None = None, *, loss: Loss) -> Loss: ...

    @_disable_dynamo  # a compiled training step leaves its graph here: scalars are numbers of Python
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, *, loss: Any = None) -> Any:
        """One step from the loss at the parameters and the gradients in their ``.grad``.

        Either ``opt.step(closure)``, where ``closure`` clears the gradients, computes the loss, calls
        ``backward`` and returns the loss; or, with gradients already there, ``opt.step(loss=loss)``. Where
        others call ``step``, put it into ``opt.loss`` before, or within their closure: it is taken in the
        place of what the closure returns, which may be the loss of a part of the batch.

        Args:
            closure: Returns the loss: a number or one-element tensor, with ``replicas`` (R,).
            loss: The loss itself, instead of a closure, or beside one that returns None.

        Returns:
            The loss as it was given.

        Raises:
            RuntimeError: If there is no loss.
            TypeError: If ``loss`` is given beside another loss, or a loss in the place of the closure.
        """
        checks.closure(closure)
        returned = None
        if closure is not None:
            with torch.enable_grad():
                returned = closure()
        loss = checks.only(loss, vars(self).pop("loss", None), returned)
        if loss is None and closure is None and self._only_prepares():
            return None
        value = checks.loss(loss, self.param_groups[0]["replicas"])
        entries = self._entries()
        if entries:
            device = entries[0].param.device
            if device.type == "cpu" and value.dim() == 0:
                batches = list(batched(entries))
                value = value if norms.finite(batches) else torch.full_like(value, math.nan)
                value = update.average(value, device, self.process_group)
                with np.errstate(all="ignore"):
                    self._step(entries, np.float64(value.item()), batches=batches)
            else:
                value = as_kind(value, torch.zeros_like(value, device=device))
                size = norms.largest([entry.grad for entry in entries], value)
                value = torch.where(size < math.inf, value, math.nan)
                self._step(entries, update.average(value, device, self.process_group), size=size)
        return loss

    def _only_prepares(self) -> bool:
        """Make the buffers, if this is the step by which ``torch.distributed.checkpoint`` asks for them.

        It gives no loss, to an optimizer that has made no step and whose step sizes are all 0.
        """
        asked = not self.state and not any(torch.as_tensor(g["lr"]).any() for g in self.param_groups)
        return asked and bool(self._entries())

    def _entries(self) -> list[Entry]:
        """Parameters with a gradient, with their group's lr and their address among all elements."""
        entries: list[Entry] = []
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
                    if not p.shape == u.shape == grad.shape:  # the fused kick would not notice
                        raise checks.other_shape(p, grad, u)
                    if p.is_complex():
                        real, grad, u = map(torch.view_as_real, (real, grad.resolve_conj(), u))
                    checks.together(p, entries[0].param if entries else p)
                    entries.append(Entry(real, grad, u, lr, group["weight_decay"], first))
                first += p.numel() // replicas * (2 if p.is_complex() else 1)
        return entries
