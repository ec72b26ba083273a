"""The training loop against a plain one, and where it ends."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from experiments.competitors import create
from experiments.images import training
from experiments.images.batches import normalised
from experiments.images.training import Trainer, Training
from tests.images.small_trainings import (
    BBI,
    CHANNELS_LAST,
    LBFGS,
    MEAN,
    PLAIN,
    SGD,
    STD,
    TEST,
    batches,
    seeded,
    tiny,
    trainer,
)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_loop_is_a_plain_one(momentum: float) -> None:
    """To the last bit, and to rounding where the plain one does not fuse its update."""
    ours = trainer({**SGD, "momentum": momentum, "fused": True})
    nets = [seeded(0, tiny) for _ in range(2)]
    plain = [torch.optim.SGD(nets[k].parameters(), 0.05, momentum, fused=bool(k)) for k in range(2)]
    for epoch in range(2):
        losses, sizes = [], []
        for images, labels in batches().epoch(epoch):
            for network, optimizer in zip(nets, plain, strict=True):
                optimizer.zero_grad()
                loss = cross_entropy(network(images), labels)
                torch.autograd.backward(loss)
                optimizer.step()
            losses.append(loss.item())
            sizes.append(len(labels))
        mean = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
        assert sizes == [16, 16, 8] and ours.epoch() == pytest.approx(mean, rel=1e-12)
        torch.testing.assert_close(ours.network.state_dict(), nets[1].state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(ours.network.state_dict(), nets[0].state_dict())


@pytest.mark.parametrize("settings", [BBI, LBFGS])
def test_a_step_is_that_of_a_closure(settings: dict[str, object]) -> None:
    """Whether the optimizer is given the loss or calls the closure again."""
    ours, plain = trainer(settings, engine=CHANNELS_LAST), seeded(0, tiny)
    optimizer = create(settings, plain.parameters(), 7)
    ours.epoch()
    for images, labels in batches().epoch(0):

        def closure(images: Tensor = images, labels: Tensor = labels) -> Tensor:
            optimizer.zero_grad()
            loss = cross_entropy(plain(images), labels)
            torch.autograd.backward(loss)
            return loss

        optimizer.step(closure)
    weight = next(ours.network.parameters())
    assert weight.is_contiguous(memory_format=torch.channels_last) == (
        settings is BBI
    )  # L-BFGS needs vectors
    for mine, theirs in zip(ours.network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_bf16_ends_before_the_loss() -> None:
    ours = trainer(engine=PLAIN.model_copy(update={"bf16": True}))
    plain = seeded(0, tiny)
    images, labels = next(batches().epoch(0))
    with torch.autocast("cpu", torch.bfloat16):
        coarse = plain(images)
    assert coarse.dtype == torch.bfloat16
    logits = ours.logits(images)
    assert logits.dtype == torch.float32 and torch.equal(logits, coarse.float())
    assert not torch.allclose(logits, seeded(0, tiny)(images), rtol=1e-4)  # the network itself is rounded
    loss = ours.step(images, labels)
    exact = cross_entropy(coarse.double(), labels).item()
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(exact, rel=1e-6)
    assert loss.item() != loss.bfloat16().item()
    assert {p.dtype for p in ours.network.parameters()} == {torch.float32}


def test_accuracy_is_a_percentage_and_leaves_the_network_alone() -> None:
    ours = trainer()
    ours.epoch()
    before = {name: value.clone() for name, value in ours.network.state_dict().items()}
    images = normalised(TEST.images, MEAN, STD)
    right = sum(
        int(ours.network.eval()(image[None]).argmax()) == int(label)
        for image, label in zip(images, TEST.labels, strict=True)
    )
    ours.network.train()
    assert 0 < right < 30
    for chunk in (7, 30, 1000):
        assert ours.accuracy(TEST, chunk) == pytest.approx(100 * right / 30)
    torch.testing.assert_close(dict(ours.network.state_dict()), before, rtol=0, atol=0)


def test_training_ends_where_the_loss_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of an epoch, at the next check."""
    ours, seen = trainer({**SGD, "lr": 3e38, "momentum": 0.0}), list[float]()
    step = Trainer.step

    def noted(self: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        loss = step(self, images, labels)
        seen.append(loss.item())
        return loss

    monkeypatch.setattr(Trainer, "step", noted)
    monkeypatch.setattr(training, "CHECK_EVERY", 2)
    work = Training(ours, 5, dict)
    [row] = work.advance()
    assert math.isfinite(seen[0]) and not math.isfinite(seen[1]) and len(seen) == 2  # of three batches
    assert work.finished and row["epoch"] == 1 and math.isnan(row["train_loss"])
    rest = Training(trainer(), 5, dict)
    rest.load_state_dict(work.state_dict())
    assert rest.finished


def test_one_bad_batch_makes_an_epoch_bad() -> None:
    """Even for BBI, which stands still where the loss is no number, and goes on from there."""
    ours = trainer(BBI)
    step, losses = ours.step, iter([1.0, math.inf, 1.0])
    ours.step = lambda *batch: step(*batch) * 0 + next(losses)  # type: ignore[method-assign]
    assert math.isnan(ours.epoch()) and not ours.finite
    losses = iter([1.0, 1.0, 1.0])
    assert math.isnan(ours.epoch()) and not ours.finite
