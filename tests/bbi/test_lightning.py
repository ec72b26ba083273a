"""BBI in a Lightning training with automatic optimisation, which calls ``optimizer.step(closure)``."""

import logging

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from bbi import BBI

pytest.importorskip("lightning", reason="pip install 'bbi[frameworks]'")
import lightning
from lightning.pytorch.plugins.precision import MixedPrecision

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning",  # its own use of torch
    "ignore:The '?train_dataloader'? does not have many workers",  # machines of more than two cores
    "ignore:GPU available but not used",
)


class Regression(lightning.LightningModule):
    """A small network fitted to x₁x₂, that notes its losses."""

    def __init__(self, schedule=False):
        super().__init__()
        torch.manual_seed(1)
        self.net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        self.schedule = schedule
        self.losses = []

    def training_step(self, batch, index):
        x, y = batch
        loss = torch.nn.functional.mse_loss(self.net(x).float(), y)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        optimizer = BBI(self.parameters(), lr=0.1)
        if not self.schedule:
            return optimizer
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


class Scaled(Regression):
    """With float16 Lightning calls the closure itself and steps without it, so the loss is passed by hand."""

    def optimizer_step(self, epoch, index, optimizer, closure):
        scaler = self.trainer.precision_plugin.scaler
        scaler.step(optimizer.optimizer, loss=closure())
        scaler.update()


def data():
    x = torch.randn(256, 2, generator=torch.Generator().manual_seed(2))
    return DataLoader(TensorDataset(x, x.prod(1, keepdim=True)), batch_size=64)


def fit(module, path, epochs=30, **settings):
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        default_root_dir=path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(module, data())
    return trainer


@pytest.mark.parametrize(
    "settings",
    [{}, {"gradient_clip_val": 1.0}, {"precision": "bf16-mixed"}, {"accumulate_grad_batches": 2}],
    ids=["plain", "clipped", "bf16", "accumulated"],
)
def test_the_loss_falls(settings, tmp_path):
    module = Regression()
    trainer = fit(module, tmp_path, epochs=30 * settings.get("accumulate_grad_batches", 1), **settings)
    assert isinstance(trainer.optimizers[0], BBI)
    assert sum(module.losses[-4:]) < 0.2 * sum(module.losses[:4])
    assert trainer.global_step == 120


@pytest.mark.parametrize("module", [Regression, Scaled])
def test_float16_with_a_scaler_needs_one_method(module, tmp_path):
    precision = MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu"))
    fitted = module()
    if module is Regression:
        with pytest.raises(RuntimeError, match="needs the loss in every step"):
            fit(fitted, tmp_path, plugins=[precision])
        return
    fit(fitted, tmp_path, plugins=[precision])
    assert sum(fitted.losses[-4:]) < 0.2 * sum(fitted.losses[:4])


def test_schedulers_and_checkpoints(tmp_path):
    whole, half = Regression(schedule=True), Regression(schedule=True)
    fit(whole, tmp_path, epochs=6)
    trainer = fit(half, tmp_path, epochs=3)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.1 * 0.9**3)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed = Regression(schedule=True)
    lightning_ = lightning.Trainer(
        accelerator="cpu",
        max_epochs=6,
        logger=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    lightning_.fit(resumed, data(), ckpt_path=tmp_path / "half.ckpt")
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)
