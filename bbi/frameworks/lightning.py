"""Lightning's automatic optimization: accumulated gradients, and the scaler of float16."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class PassLoss(Callback):
    """Passes the loss whose gradients a step has: ``Trainer(callbacks=[PassLoss()])``.

    With ``accumulate_grad_batches=n`` Lightning's closure returns 1/n of the last micro-batch's loss, and
    with ``precision="16-mixed"`` the step gets no closure. This callback sums what goes through ``backward``
    and puts the sum into ``optimizer.loss``. In the last window of an epoch, of k < n micro-batches,
    Lightning's gradients are k/n of the mean's: they and the loss are multiplied by n/k.

    It does nothing in manual optimization, where the loss is passed by ``opt.step(loss=loss)``.
    """

    def __init__(self) -> None:
        self._parts: list[Tensor] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the losses of a training that was interrupted between two steps."""
        self._parts = []

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
