"""Where a run is, for reading and for keeping: energy, potential, momenta, bounces."""

import copy
import math
from typing import Any, cast

import torch
from torch import Tensor

from bbi import update
from bbi.laws import Law
from bbi.scalars import Scalar
from bbi.step import TINY, within

SYSTEM = "system"
"""Key of ``optimizer.state`` for what belongs to all parameters at once. Unlike entries of a
parameter, ``load_state_dict`` leaves its float64 scalars alone, and deepcopy and pickle keep it."""


class Readings(torch.optim.Optimizer):
    """The system behind an optimizer of the family. Reading a number off a GPU tensor waits for the GPU."""

    law: Law
    process_group: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Torch's keeps the groups and the state; what belongs to neither is ours to add."""
        return {**super().__getstate__(), "law": self.law, "process_group": self.process_group}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a copy's state, or that of :meth:`load_state_dict`, which must be of the same law.

        A state from before a setting existed takes its default.

        :raises ValueError: naming both laws.
        """
        if "defaults" not in state:  # from load_state_dict: torch leaves what it need not cast to both
            own, kept = self.defaults["law"], state["state"]
            for group in state["param_groups"]:
                if group.get("law", own) != own:
                    raise ValueError(
                        f"the state dict is one of {group['law']}, and this optimizer has {own}: "
                        "make it with the law and the numbers that the state dict was saved with"
                    )
            for key in kept:
                kept[key] = copy.deepcopy(kept[key])
        super().__setstate__(state)
        for group in self.param_groups:
            for name in self.defaults.keys() - {"differentiable"}:  # torch's own, for all or none
                group.setdefault(name, self.defaults[name])

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
        """ΔV as it is now, float64 () or (R,); NaN before the first step."""
        return self._read("delta_v")

    @property
    def momentum_norm(self) -> Tensor:
        """|Π| after the last step, float64 () or (R,); NaN before the first step."""
        return self._read("p2").sqrt()

    def momentum(self, p: Tensor) -> Tensor:
        """Π of a parameter, of its shape and dtype; its ``momentum_buffer`` has -Π up to a common factor.

        :raises KeyError: if it never took part in a step.
        """
        length: Tensor = update.fit(self.momentum_norm / self._read("u2").clamp(min=TINY).sqrt(), p)
        direction: Tensor = self.state[p]["momentum_buffer"]
        return -length * direction

    @property
    def bounces(self) -> Tensor:
        """Bounces of both clocks so far, float64 () or (R,)."""
        return self._read("draws").nan_to_num(0.0)

    @property
    def stopped(self) -> Tensor:
        """Whether the last loss had V ≤ ε2, or one that is beyond the law's range, bool () or (R,)."""
        eps2: float = self.param_groups[0]["eps2"]
        v = self._read("potential")
        far: Tensor = (v < math.inf) & ~within(self.law, v, self._read("energy"))
        return far | (v <= eps2)

    @property
    def _system(self) -> dict[str, Any]:
        """The state of the whole system; torch types ``state`` as keyed by parameters, but takes any key."""
        shared = cast(dict[Any, Any], self.state)
        system: dict[str, Any] = shared.setdefault(SYSTEM, {})
        return system

    def _keep(self, **numbers: Scalar) -> None:
        """Note numbers of the system; tensors in place, since a captured graph reads where they were."""
        system = self._system
        for name, new in numbers.items():
            if isinstance(new, Tensor):
                old = system.get(name)
                if isinstance(old, Tensor) and (old.shape, old.device) == (new.shape, new.device):
                    old.copy_(new)
                    continue
                new = new.clone()
            system[name] = new

    def _read(self, name: str) -> Tensor:
        replicas = self.param_groups[0]["replicas"]
        unknown = torch.full(() if replicas is None else (replicas,), math.nan, dtype=torch.float64)
        return torch.as_tensor(self._system.get(name, unknown), dtype=torch.float64).clone()
