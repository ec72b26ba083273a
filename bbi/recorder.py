"""The numbers of a training, step by step, for :func:`bbi.diagnose` and for loggers."""

import math
from collections import deque

import torch
from torch import Tensor

from bbi.optimizer import ECD

KEPT = 10_000
"""Steps that a recorder remembers: some megabytes on the CPU."""
_ROWS = ("potential", "energy", "p2", "bounces", "delta_v", "noise")


class Recorder:
    """Remembers V, E, Π², bounces, ΔV and the noise of a batch, step by step.

    No call of :meth:`record` synchronises a device: the numbers stay where the optimizer has them until
    :meth:`curves` or :func:`diagnose` reads them.

    Args:
        optimizer: An optimizer of this package, without ``replicas``.
        kept: Number of the latest steps that are remembered.

    Raises:
        TypeError: For another optimizer than those of this package.
        ValueError: For an optimizer with ``replicas``.
    """

    def __init__(self, optimizer: ECD, kept: int = KEPT) -> None:
        if not isinstance(optimizer, ECD):
            raise TypeError(f"Invalid optimizer: {type(optimizer).__name__} (one of bbi, such as BBI)")
        if optimizer.param_groups[0]["replicas"] is not None:
            raise ValueError(
                "Invalid optimizer: it has replicas, and a recorder is for one run: leave them out"
            )
        self.optimizer, self.kept = optimizer, kept
        self._steps: deque[Tensor] = deque(maxlen=kept)

    @torch.no_grad()
    def record(self, losses: Tensor | None = None) -> None:
        """Remember the step that was just made.

        Args:
            losses: The losses (B,) of the examples, of which the loss of the step is the mean. The noise of V
                is their standard error, std/√B. Without them it is not known.
        """
        optimizer = self.optimizer
        numbers = [optimizer.potential, optimizer.energy, optimizer.momentum_norm.square()]
        numbers += [optimizer.bounces, optimizer.delta_v]
        device = numbers[0].device
        noise = torch.full((), math.nan, dtype=torch.float64, device=device)
        if losses is not None:
            if losses.dim() != 1 or len(losses) < 2:
                raise ValueError(
                    f"Invalid losses: shape {tuple(losses.shape)} (one number for each of 2 examples or more)"
                )
            noise = (losses.detach().to(device, torch.float64).var() / len(losses)).sqrt()
        self._steps.append(torch.stack([*numbers, noise]))

    def curves(self) -> dict[str, list[float]]:
        """One list a curve, with a number for each step that is remembered; NaN where it is not known.

        ``potential`` V, ``energy`` E and ``delta_v`` ΔV at the step, ``momentum_norm`` |Π| after it,
        ``bounces`` so far, ``noise`` of V, and ``energy_error``: H(V, Π²)/E - 1 before Π² is corrected, the
        error of the step before and of the change of batch together.
        """
        columns = {name: column.tolist() for name, column in self.columns().items()}
        columns["momentum_norm"] = [math.sqrt(x) for x in columns.pop("p2")]
        return columns

    def columns(self) -> dict[str, Tensor]:
        """The curves, with Π² instead of |Π|, as float64 tensors on the CPU."""
        table = torch.stack(list(self._steps)).cpu() if self._steps else torch.empty(0, len(_ROWS))
        columns = dict(zip(_ROWS, table.double().unbind(1), strict=True))
        v, e, p2 = (columns[name] for name in ("potential", "energy", "p2"))
        error = torch.full_like(v, math.nan)
        if len(v):
            error[1:] = self.optimizer.law.energy(v[1:], p2[:-1]) / e[1:] - 1
        return {**columns, "energy_error": error}
