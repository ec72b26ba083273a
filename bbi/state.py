"""The numbers that belong to all parameters at once: energy, potential, Π² and clocks, read and saved."""

import copy
import math
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from bbi import checks, update
from bbi.algorithm import TINY, Algorithm, Clocks
from bbi.entries import Entry
from bbi.laws import Law
from bbi.norms import sum_squares
from bbi.scalars import S, as_kind, at_least, where

SYSTEM = "system"
"""Key of these numbers in the first parameter group. Unlike the state of a parameter, it is not cast by
``load_state_dict``, and ``torch.distributed.checkpoint`` knows state of parameters and groups only."""


class SystemState(torch.optim.Optimizer):
    """An optimizer whose parameters are one physical system.

    Its numbers are read as tensors; reading a value off a tensor on a GPU synchronises it.
    """

    law: Law
    process_group: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Torch's state, and the attributes that torch does not know."""
        return {**super().__getstate__(), "law": self.law, "process_group": self.process_group}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of a copy, or that of :meth:`load_state_dict`, which must be of the same law.

        Raises:
            ValueError: It is of another law, or of parameters of other shapes.
        """
        groups, kept = state["param_groups"], state["state"]
        if "defaults" not in state:  # from load_state_dict: torch shares what it need not cast
            own = self.defaults["law"]
            for group in groups:
                saved = group.get("law", "another optimizer")
                if saved != own:
                    raise ValueError(
                        f"the state dict is one of {saved}, and this optimizer has {own}: "
                        "make it with the law and the numbers that the state dict was saved with"
                    )
            for key in kept:
                kept[key] = copy.deepcopy(kept[key])
            checks.momenta(kept)
        # Checkpoints of earlier versions have the numbers in the state.
        groups[0][SYSTEM] = {**at_first(groups), **kept.pop(SYSTEM, {}), **groups[0].get(SYSTEM, {})}
        super().__setstate__(state)

    @property
    def energy(self) -> Tensor:
        """Conserved energy E, float64 () or (R,); NaN before the first step."""
        return self._read("energy")

    @property
    def potential(self) -> Tensor:
        """V = F - ΔV at the last loss, float64 () or (R,); NaN before the first step."""
        return self._read("potential")

    @property
    def delta_v(self) -> Tensor:
        """ΔV at the last loss, float64 () or (R,); NaN before the first step."""
        return self._read("delta_v")

    @property
    def momentum_norm(self) -> Tensor:
        """|Π| after the last step, float64 () or (R,); NaN before the first step."""
        return self._read("p2").sqrt()

    def momentum(self, p: Tensor) -> Tensor:
        """Π of a parameter, of its shape and dtype; its ``momentum_buffer`` is -Π up to a common factor.

        Raises:
            KeyError: If it never took part in a step.
        """
        length = update.fit(self.momentum_norm / self._read("u2").clamp(min=TINY).sqrt(), p)
        direction: Tensor = self.state[p]["momentum_buffer"]
        return (-length * direction).to(p.dtype)

    @property
    def bounces(self) -> Tensor:
        """Bounces of both clocks so far, float64 () or (R,)."""
        return self._read("draws")

    @property
    def skipped(self) -> Tensor:
        """Steps so far that changed nothing, float64 () or (R,).

        The loss or a gradient was NaN or inf, or a factor of the step was beyond the parameters' dtype.
        """
        return self._read("skipped")

    @property
    def stopped(self) -> Tensor:
        """Whether V ≤ ε2 at the last loss, or V was beyond the law's range; bool () or (R,)."""
        v = self._read("potential")
        in_range = self._algorithm.coefficients(v, self._read("energy"), 0.0 * v).finite
        out_of_range = cast(Tensor, ~in_range)
        return ((v < math.inf) & out_of_range) | (v <= self._algorithm.eps2)

    @property
    def _algorithm(self) -> Algorithm:
        group = self.param_groups[0]
        return Algorithm(self.law, group["variant"], group["eps1"], group["eps2"], group["nu"])

    @property
    def _system(self) -> dict[str, Any]:
        """The numbers, of which no step has been made while ``members`` is empty."""
        system: dict[str, Any] = self.param_groups[0][SYSTEM]
        return system

    def _keep(self, **numbers: np.float64 | Tensor) -> None:
        """Store numbers. Tensors are written in place, since a captured graph reads where they were."""
        system = self._system
        for name, new in numbers.items():
            if isinstance(new, float):
                system[name] = float(new)
                continue
            old = system.get(name)
            if isinstance(old, Tensor) and (old.shape, old.device) == (new.shape, new.device):
                old.copy_(new)
            else:
                system[name] = new.clone()

    def _kept(self, name: str, like: S) -> S:
        """A stored number, of the kind of ``like``."""
        return as_kind(self._system[name], like)

    def _clocks(self, like: S) -> Clocks[S]:
        """The stored clocks."""
        return Clocks(*[self._kept(name, like) for name in Clocks._fields])

    def _settle(self, entries: list[Entry], v: S) -> None:
        """Have the numbers of the system, of the kind of ``v``, for the parameters that take part now."""
        system, members = self._system, [entry.first for entry in entries]
        device = v.device if isinstance(v, Tensor) else None
        if device != getattr(system["energy"], "device", None):
            for name in system.keys() - {"members"}:  # from a checkpoint of another device
                system[name] = as_kind(system[name], v) if device else float(system[name])
        if not system["members"]:
            rest = where(v < math.inf, v, 0.0) * 0.0
            self._keep(energy=rest, p2=rest)
        elif system["members"] != members:  # parameters came or went since Π² was summed
            for p in (p for group in self.param_groups for p in group["params"] if p.grad is None):
                if "momentum_buffer" in self.state.get(p, ()):
                    self.state[p]["momentum_buffer"].zero_()  # it will start from rest
            u2 = sum_squares([entry.momentum for entry in entries], v)
            old, p2 = self._kept("u2", v), self._kept("p2", v)
            self._keep(p2=where(old > 0, p2 / at_least(old, TINY) * u2, u2), u2=u2)
        system["members"] = members

    def _read(self, name: str) -> Tensor:
        return torch.as_tensor(self._system[name], dtype=torch.float64).clone()


def at_first(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers before the first step: floats for one run on the CPU, else float64 tensors."""
    replicas = groups[0]["replicas"]
    unknown = dict.fromkeys(("energy", "potential", "delta_v", "p2"), math.nan)
    numbers: dict[str, Any] = unknown | {"u2": 0.0, "lowered": 0.0, "skipped": 0.0}
    numbers |= Clocks.start(np.float64(0.0))._asdict()
    device = next((p.device for group in groups for p in group["params"]), torch.device("cpu"))
    if replicas is None and device.type == "cpu":
        return {name: float(x) for name, x in numbers.items()} | {"members": []}
    shape = () if replicas is None else (replicas,)
    full = {k: torch.full(shape, float(x), dtype=torch.float64, device=device) for k, x in numbers.items()}
    return full | {"members": []}
