"""BBI in a loop of Accelerate, whose wrapper's ``step`` takes a closure and nothing else."""

import pytest
import torch

accelerate = pytest.importorskip("accelerate", reason="pip install accelerate")


@pytest.fixture(autouse=True)
def alone():
    """Accelerate keeps its state for the whole process."""
    yield
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerate.state.GradientState._reset_state()


def prepared(problem, **settings):
    accelerator = accelerate.Accelerator(cpu=True, **settings)
    net = problem.network()
    return accelerator, *accelerator.prepare(net, problem.optimizer(net.parameters()), problem.batches())


def train(accelerator, net, opt, batches, epochs, clip=None):
    total = 0.0
    for x, y in (batch for _ in range(epochs) for batch in batches):
        with accelerator.accumulate(net):
            loss = torch.nn.functional.mse_loss(net(x).float(), y)
            accelerator.backward(loss)
            total += loss.detach() / accelerator.gradient_accumulation_steps
            if clip and accelerator.sync_gradients:
                accelerator.clip_grad_norm_(net.parameters(), clip)
            opt.step(lambda total=total: total)
            opt.zero_grad()
            if accelerator.sync_gradients:
                total = 0.0


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loop_passes_the_mean_loss(accumulate, clip, problem):
    accelerator, net, opt, batches = prepared(problem, gradient_accumulation_steps=accumulate)
    train(accelerator, net, opt, batches, 5, clip)
    problem.agree(net, opt.optimizer, problem.plain(5, accumulate=accumulate, clip=clip))


def test_a_bare_step_takes_the_loss_of_the_optimizer_inside(problem):
    accelerator, net, opt, batches = prepared(problem)
    for x, y in 5 * list(batches):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), y)
        accelerator.backward(loss)
        opt.loss = loss  # an attribute of the wrapper is not one of the optimizer
        with pytest.raises(RuntimeError, match=r"opt\.optimizer\.loss"):
            opt.step()
        opt.optimizer.loss = loss
        opt.step()
    problem.agree(net, opt.optimizer, problem.plain(5))


def test_bfloat16(problem):
    accelerator, net, opt, batches = prepared(problem, mixed_precision="bf16")
    train(accelerator, net, opt, batches, 20)
    assert opt.optimizer.potential < 0.3 * opt.optimizer.energy


def test_a_saved_state_goes_on_as_if_nothing_happened(problem, tmp_path):
    everything = prepared(problem)
    train(*everything, 2)
    everything[0].save_state(tmp_path)
    train(*everything, 4)
    everything[0].load_state(tmp_path)
    train(*everything, 3)
    problem.agree(everything[1], everything[2].optimizer, problem.plain(5))
