"""BBI in Lightning: automatic optimization, accumulated, scaled, resumed; all as a plain loop."""

import logging

import pytest
import torch

pytest.importorskip("lightning", reason="pip install lightning")
import lightning
from lightning.pytorch.plugins.precision import MixedPrecision

from bbi.frameworks.lightning import PassLoss

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The '?train_dataloader'? does not have many workers"),
    pytest.mark.filterwarnings("ignore:GPU available but not used"),
]


class Regression(lightning.LightningModule):
    """The problem as a module, with a schedule if there is one."""

    def __init__(self, problem, schedule=None):
        super().__init__()
        self.problem, self.schedule, self.net = problem, schedule, problem.network()

    def training_step(self, batch, index):
        x, y = batch
        return torch.nn.functional.mse_loss(self.net(x).float(), y)

    def configure_optimizers(self):
        optimizer = self.problem.optimizer(self.parameters())
        return [optimizer], ([self.schedule(optimizer)] if self.schedule else [])


def fit(module, path, epochs=5, checkpoint=None, callbacks=(), **settings):
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        default_root_dir=path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **settings,
    )
    trainer.fit(module, module.problem.batches(), ckpt_path=checkpoint)
    return trainer


def float16():
    return MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu"))


@pytest.mark.parametrize("callbacks", [[], [PassLoss()]], ids=["alone", "with the callback"])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_automatic_optimization(clip, callbacks, problem, tmp_path):
    module = Regression(problem)
    trainer = fit(module, tmp_path, gradient_clip_val=clip, callbacks=callbacks)
    problem.agree(module.net, trainer.optimizers[0], problem.plain(5, clip=clip))


@pytest.mark.parametrize("accumulate", [2, 4], ids=["three windows", "the last window is a half"])
def test_accumulated_gradients_need_the_callback(accumulate, problem, tmp_path):
    module, expected = Regression(problem), problem.plain(5, accumulate=accumulate, clip=0.5)
    trainer = fit(
        module,
        tmp_path,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=0.5,
        callbacks=[PassLoss()],
    )
    problem.agree(module.net, trainer.optimizers[0], expected)
    alone = fit(Regression(problem), tmp_path, accumulate_grad_batches=accumulate)
    assert alone.optimizers[0].energy < 0.8 * expected[1].energy  # of a part of the loss


def test_an_interrupted_training_leaves_nothing_in_the_callback(problem, tmp_path):
    class Breaks(Regression):
        def training_step(self, batch, index):
            if index == 1:
                raise ZeroDivisionError
            return super().training_step(batch, index)

    callback, settings = PassLoss(), {"epochs": 1, "accumulate_grad_batches": 2}
    with pytest.raises(ZeroDivisionError):
        fit(Breaks(problem), tmp_path, callbacks=[callback], **settings)
    again, alone = Regression(problem), Regression(problem)
    fit(again, tmp_path, callbacks=[callback], **settings)
    fit(alone, tmp_path, callbacks=[PassLoss()], **settings)
    for p, q in zip(again.parameters(), alone.parameters(), strict=True):
        assert torch.equal(p, q)


def test_float16_with_a_scaler_needs_the_callback(problem, tmp_path):
    with pytest.raises(RuntimeError, match="needs the loss in every step"):
        fit(Regression(problem), tmp_path, plugins=[float16()])
    module = Regression(problem)
    callbacks, settings = [PassLoss()], {"accumulate_grad_batches": 2, "plugins": [float16()]}
    (optimizer,) = fit(module, tmp_path, 20, callbacks=callbacks, **settings).optimizers
    expected = problem.plain(1, accumulate=2)
    torch.testing.assert_close(optimizer.energy, expected[1].energy, rtol=1e-3, atol=0)
    assert optimizer.potential < 0.3 * expected[1].energy


def test_bfloat16(problem, tmp_path):
    trainer = fit(Regression(problem), tmp_path, 20, precision="bf16-mixed")
    assert trainer.optimizers[0].potential < 0.3 * trainer.optimizers[0].energy


def test_schedulers_and_checkpoints(problem, tmp_path):
    def schedule(optimizer):
        return torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)

    trainer = fit(Regression(problem, schedule), tmp_path, 3)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.1 * 0.9**3)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed = Regression(problem, schedule)
    trainer = fit(resumed, tmp_path, 5, checkpoint=tmp_path / "half.ckpt")
    expected = problem.plain(5, schedule=lambda opt: torch.optim.lr_scheduler.StepLR(opt, 6, 0.9))
    problem.agree(resumed.net, trainer.optimizers[0], expected)
