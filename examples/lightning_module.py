"""
Lightning, with accumulated gradients
=====================================

A step has the gradients of four micro-batches: python examples/lightning_module.py

Lightning tells the optimizer the loss of the last micro-batch only. PassLoss gives it the mean of the four.
"""

import lightning
import torch
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from bbi import BBI
from bbi.frameworks.lightning import PassLoss


class Product(lightning.LightningModule):
    """A network that learns x₁x₂."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))

    def training_step(self, batch: tuple[Tensor, Tensor]) -> STEP_OUTPUT:
        """The loss of a micro-batch."""
        x, y = batch
        return torch.nn.functional.mse_loss(self.network(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """BBI for all parameters."""
        return BBI(self.parameters(), lr=0.1)


def main(epochs: int = 40) -> BBI:
    """Train and return the optimizer, whose energy is the first mean loss."""
    module = Product()
    x = torch.randn(512, 2)
    data = DataLoader(TensorDataset(x, x.prod(1, keepdim=True)), batch_size=32)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        accumulate_grad_batches=4,
        callbacks=[PassLoss()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(module, data)
    (optimizer,) = trainer.optimizers
    assert isinstance(optimizer, BBI)
    print(f"V = {optimizer.potential:.4f} of E = {optimizer.energy:.4f}")
    return optimizer


if __name__ == "__main__":
    main()
