"""Lightning's automatic optimization, with accumulated gradients and with a loss that is scaled for float16."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class PassLoss(Callback):
    """Passes the loss whose gradients a step has: ``Trainer(callbacks=[PassLoss()])``.

    Lightning's closure returns the loss of the last micro-batch divided by ``accumulate_grad_batches`` = n, and
    with ``precision="16-mixed"`` there is no closure. This callback sums what goes through ``backward``, and puts
    the sum into ``optimizer.loss``. A last window of k < n micro-batches has, in Lightning, gradients that are
    k/n of the mean's; they and the loss are multiplied by n/k, so that V is the mean loss in every step.

    It does nothing in manual optimization, where the loss is passed by ``opt.step(loss=loss)``.
    """

    def __init__(self) -> None:
        self._parts: list[Tensor] = []

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Note a loss, without the scale of a GradScaler."""
        if pl_module.automatic_optimization:
            scaler = getattr(trainer.precision_plugin, "scaler", None)
            part = loss.detach()
            self._parts.append(part if scaler is None else part / scaler.scale(torch.ones_like(part)))

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Hand the sum over, after the last ``backward`` and before clipping."""
        if not self._parts:
            return
        whole = trainer.accumulate_grad_batches / len(self._parts)
        optimizer.loss = whole * torch.stack(self._parts).sum()  # type: ignore[attr-defined]
        self._parts = []
        if whole != 1.0:
            for p in (p for group in optimizer.param_groups for p in group["params"] if p.grad is not None):
                p.grad.mul_(whole)
