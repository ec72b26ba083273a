"""BBI with torch's own tools: ``opt.loss``, GradScaler, schedulers, weight averaging."""

import copy
import pickle

import pytest
import torch
from torch.optim import lr_scheduler, swa_utils

from bbi import BBI

mse = torch.nn.functional.mse_loss


def train(problem, net, step, epochs=5):
    for x, y in epochs * list(problem.batches()):
        net.zero_grad()
        step(mse(net(x), y))


def test_a_bare_step_takes_the_loss_and_forgets_it(problem):
    net = problem.network()
    opt = problem.optimizer(net.parameters())

    def step(loss):
        loss.backward()
        opt.loss = loss
        assert opt.step() is loss
        assert opt.loss is None

    train(problem, net, step)
    problem.agree(net, opt, problem.plain(5))
    with pytest.raises(RuntimeError, match="needs the loss in every step"):
        opt.step()


@pytest.mark.parametrize("inside", [True, False], ids=["set by the closure", "set before"])
def test_the_loss_that_was_set_comes_before_that_of_a_closure(inside, problem):
    net = problem.network()
    opt = problem.optimizer(net.parameters())

    def step(loss):
        def closure():
            loss.backward()
            if inside:
                opt.loss = loss
            return loss / 4

        opt.loss = None if inside else loss
        assert opt.step(closure) is loss

    train(problem, net, step)
    problem.agree(net, opt, problem.plain(5))


def test_a_loss_beside_a_closure_that_returns_none(problem):  # Lightning's manual optimization
    net = problem.network()
    opt = problem.optimizer(net.parameters())
    train(problem, net, lambda loss: opt.step(loss.backward, loss=loss))
    problem.agree(net, opt, problem.plain(5))


@pytest.mark.parametrize(
    ("pending", "closure", "words"),
    [(None, lambda: 2.0, "closure or a loss, not both"), (1.0, None, "opt.loss or loss=, not both")],
)
def test_two_losses_are_refused_and_nothing_moves(pending, closure, words):
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    opt = BBI([p], 0.1)
    opt.loss = pending
    with pytest.raises(TypeError, match=words):
        opt.step(closure, loss=1.0)
    assert torch.equal(p, torch.ones(2))
    assert opt.energy.isnan()


@pytest.mark.parametrize("carry", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_state_dicts_and_copies_do_not_contain_it(carry):
    p = torch.ones(2, requires_grad=True)
    opt = BBI([p], 0.1)
    before = opt.state_dict()
    opt.loss = p.sum()  # with a graph, which cannot be copied
    assert opt.state_dict() == before
    other = carry(opt)
    assert other.loss is None
    assert opt.loss is not None


def test_a_grad_scaler_takes_either_form_and_a_skipped_step_leaves_no_trace(problem):
    expected = problem.plain(5)
    for form in ("argument", "attribute"):
        net = problem.network()
        opt = problem.optimizer(net.parameters())
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
        seen = []

        def step(loss, form=form, opt=opt, net=net, scaler=scaler, seen=seen):
            seen.append(loss)
            for overflow in [True, False] if len(seen) == 3 else [False]:
                net.zero_grad()
                scaler.scale(loss).backward(retain_graph=True)
                if overflow:
                    net[0].weight.grad[0] = torch.inf
                if form == "attribute":
                    opt.loss = 7.0 if overflow else loss
                    scaler.step(opt)
                else:
                    scaler.step(opt, loss=loss)
                scaler.update()
            assert scaler.get_scale() == 2.0 ** (8 if len(seen) < 3 else 7)

        train(problem, net, step)
        problem.agree(net, opt, expected)


def test_a_grad_scaler_unscales_before_clipping(problem):
    net = problem.network()
    opt = problem.optimizer(net.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)

    def step(loss):
        scaler.scale(loss).backward()
        scaler.unscale_(opt)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        opt.loss = loss
        scaler.step(opt)
        scaler.update()

    train(problem, net, step)
    problem.agree(net, opt, problem.plain(5, clip=0.5))


CYCLES = {
    lr_scheduler.OneCycleLR: {"max_lr": 0.2, "total_steps": 31},
    lr_scheduler.CyclicLR: {"base_lr": 0.05, "max_lr": 0.2, "step_size_up": 7},
}


@pytest.mark.parametrize("kind", CYCLES)
def test_cycles_need_cycle_momentum_false(kind, problem):
    with pytest.raises(ValueError, match="must support momentum"):
        kind(problem.optimizer(problem.network().parameters()), **CYCLES[kind])
    net = problem.network()
    optimizers = [problem.optimizer(net.parameters()), torch.optim.SGD([torch.zeros(1)], 0.1)]
    cycles = [kind(opt, cycle_momentum=False, **CYCLES[kind]) for opt in optimizers]
    lrs = []

    def step(loss):
        loss.backward()
        lrs.append(optimizers[0].param_groups[0]["lr"])
        assert lrs[-1] == optimizers[1].param_groups[0]["lr"]
        for opt, cycle in zip(optimizers, cycles, strict=True):
            opt.step(**({"loss": loss} if opt is optimizers[0] else {}))
            cycle.step()

    train(problem, net, step)
    assert max(lrs) > 2 * min(lrs)
    assert optimizers[0].potential < optimizers[0].energy


def test_weight_averaging_is_the_mean_and_leaves_the_training_alone(problem):
    net = problem.network()
    opt = problem.optimizer(net.parameters())
    averaged, visited = swa_utils.AveragedModel(net), []

    def step(loss):
        loss.backward()
        opt.step(loss=loss)
        averaged.update_parameters(net)
        visited.append([p.detach().clone() for p in net.parameters()])

    train(problem, net, step)
    problem.agree(net, opt, problem.plain(5))
    for mean, steps in zip(averaged.module.parameters(), zip(*visited, strict=True), strict=True):
        torch.testing.assert_close(mean, torch.stack(steps).mean(0), rtol=1e-5, atol=1e-6)
    anneal = swa_utils.SWALR(opt, swa_lr=0.01, anneal_epochs=2, anneal_strategy="linear")
    for _ in range(2):
        train(problem, net, step, epochs=1)
        anneal.step()
    assert opt.param_groups[0]["lr"] == pytest.approx(0.01)
