"""BBI in ignite's engines: one of one's own, and the supervised trainer, which calls a bare ``step()``."""

import pytest
import torch

pytest.importorskip("ignite", reason="pip install pytorch-ignite")
from ignite.engine import Engine, create_supervised_trainer

mse = torch.nn.functional.mse_loss


def test_an_update_function_of_ones_own(problem):
    net = problem.network()
    opt = problem.optimizer(net.parameters())

    def update(engine, batch):
        x, y = batch
        opt.zero_grad()
        loss = mse(net(x), y)
        loss.backward()
        opt.step(loss=loss)
        return loss.item()

    state = Engine(update).run(problem.batches(), max_epochs=5)
    problem.agree(net, opt, problem.plain(5))
    assert state.output == pytest.approx(opt.potential.item())


def test_without_a_loss_the_first_step_says_what_to_do(problem):
    net = problem.network()
    trainer = create_supervised_trainer(net, problem.optimizer(net.parameters()), mse)
    with pytest.raises(RuntimeError, match=r"`opt.loss = loss`"):
        trainer.run(problem.batches())
