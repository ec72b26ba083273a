"""The training loop against a plain one, interrupted against uninterrupted, and where it ends."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bbi import BBI
from experiments.images import training
from experiments.images.batches import normalised
from experiments.images.training import Trainer, train
from tests.images.small_trainings import (
    BOUNCING,
    MEAN,
    PLAIN,
    SGD,
    STD,
    TEST,
    batches,
    same,
    seeded,
    tiny,
    trainer,
)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_loop_is_a_plain_one(momentum: float) -> None:
    """To the last bit, and to rounding where the plain one does not fuse its update."""
    ours = trainer(settings={"lr": 0.05, "momentum": momentum})
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
        assert same(dict(ours.network.state_dict()), dict(nets[1].state_dict()))
    torch.testing.assert_close(ours.network.state_dict(), nets[0].state_dict())


def test_bbi_is_told_the_loss() -> None:
    ours, plain = trainer("bbi", BOUNCING), seeded(0, tiny)
    optimizer = BBI(plain.parameters(), **BOUNCING, seed=7)
    ours.epoch()
    for images, labels in batches().epoch(0):

        def closure(images: Tensor = images, labels: Tensor = labels) -> Tensor:
            optimizer.zero_grad()
            loss = cross_entropy(plain(images), labels)
            torch.autograd.backward(loss)
            return loss

        optimizer.step(closure)
    assert same(dict(ours.network.state_dict()), dict(plain.state_dict()))


def test_channels_last_is_a_layout() -> None:
    first, last = trainer(), trainer(engine=replace(PLAIN, channels_last=True))
    [weight, *_] = last.network.parameters()
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert last.epoch() == pytest.approx(first.epoch(), rel=1e-5)


def test_bf16_ends_before_the_loss() -> None:
    ours = trainer(engine=replace(PLAIN, bf16=True))
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
        assert ours.accuracy(images, TEST.labels, chunk) == pytest.approx(100 * right / 30)
    assert same(before, dict(ours.network.state_dict()))


OPTIMIZERS = [("sgd", SGD), ("bbi", BOUNCING), ("adam", {"lr": 0.01})]


def measured(trainer: Trainer) -> dict[str, float]:
    return {"test_accuracy": trainer.accuracy(normalised(TEST.images, MEAN, STD), TEST.labels)}


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_interrupted_after_every_epoch(name: str, settings: dict[str, float], tmp_path: Path) -> None:
    whole = trainer(name, settings)
    expected = train(whole, 4, measured, None)
    assert [row["epoch"] for row in expected] == [1, 2, 3, 4]
    bounces = []
    for epochs in (1, 2, 3, 4):
        # Another network: its weights would show if those of the file were not taken.
        part = trainer(name, settings, seed=epochs - 1)
        started = part.epochs
        rows = train(part, epochs, measured, tmp_path / "x.pt")
        assert started == 0 and part.epochs == epochs and rows == expected[:epochs]
        bounces += [float(part.optimizer.bounces)] if isinstance(part.optimizer, BBI) else []
    assert same(part.state_dict(), whole.state_dict())
    if name == "bbi":
        assert 0 < bounces[0] < bounces[1] < bounces[-1]  # before the interruptions, and between them


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS[:2])
def test_interrupted_in_the_middle_of_an_epoch(
    name: str, settings: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, steps = trainer(name, settings), [0]
    expected, step = train(whole, 3, measured, None), Trainer.step

    def counted(self: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        steps[0] += 1
        if steps[0] == 5:
            raise KeyboardInterrupt
        return step(self, images, labels)

    monkeypatch.setattr(Trainer, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        train(trainer(name, settings), 3, measured, tmp_path / "x.pt")
    rest = trainer(name, settings, seed=9)
    assert train(rest, 3, measured, tmp_path / "x.pt") == expected
    assert same(rest.state_dict(), whole.state_dict())
    assert steps == [5 + 2 * 3]  # the first epoch was not done again
    assert train(trainer(seed=8), 3, measured, tmp_path / "x.pt") == expected and steps == [5 + 2 * 3]


def test_training_ends_where_the_loss_is_no_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours, seen = trainer(settings={"lr": 1e30, "momentum": 0.0}), list[float]()
    step = Trainer.step

    def noted(self: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        loss = step(self, images, labels)
        seen.append(loss.item())
        return loss

    monkeypatch.setattr(Trainer, "step", noted)
    monkeypatch.setattr(training, "LOOK_EVERY", 2)
    [row] = train(ours, 5, measured, tmp_path / "x.pt")
    assert math.isfinite(seen[0]) and not math.isfinite(seen[1]) and len(seen) == 2  # of three batches
    assert not ours.finite and row["epoch"] == 1 and math.isnan(row["train_loss"])
    [again] = train(trainer(), 5, measured, tmp_path / "x.pt")  # the file knows
    assert math.isnan(again["train_loss"]) and len(seen) == 2


def test_one_bad_batch_makes_an_epoch_bad() -> None:
    """Even for BBI, which stands still where the loss is no number, and goes on from there."""
    ours = trainer("bbi", BOUNCING)
    step, losses = ours.step, iter([1.0, math.inf, 1.0])
    ours.step = lambda *batch: step(*batch) * 0 + next(losses)  # type: ignore[method-assign]
    assert math.isnan(ours.epoch()) and not ours.finite
    losses = iter([1.0, 1.0, 1.0])
    assert math.isnan(ours.epoch()) and not ours.finite
