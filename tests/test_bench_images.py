"""The bench of training times what it says: the same pixels and networks, whole epochs, true shares."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from bench import images as bench

from experiments.images import networks
from experiments.images.batches import normalised
from experiments.images.sources import load

# Newer Pythons warn of a fork beside torch's threads, and torch of two workers on one core.
WORKERS = ("ignore:.*multi-threaded.*:DeprecationWarning", "ignore:This DataLoader will create:UserWarning")


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> Any:
    data = load("mnist", None, download=False)
    monkeypatch.setattr(bench, "load", lambda *_, **__: data)
    torch.manual_seed(0)
    return bench.digits(data, 3)


def test_the_usual_loop_sees_the_same_pixels(task) -> None:
    pictures = bench.Pictures(task.split, task.mean, task.std)
    seen = torch.stack([pictures[i][0] for i in range(len(pictures))])
    assert len(pictures) == 150
    assert torch.equal(seen, normalised(task.split.images, task.mean, task.std))
    assert [pictures[i][1] for i in range(150)] == task.split.labels.tolist()


@pytest.mark.filterwarnings(*WORKERS)
def test_the_usual_loop_trains_on_every_image_once(task) -> None:
    usual, seen = bench.Usual(task), []
    usual.network.register_forward_hook(lambda network, inputs, logits: seen.append(inputs[0]))
    before = usual.network[0].weight.detach().clone()
    assert math.isfinite(usual.epoch())
    assert [len(batch) for batch in seen] == [50, 50, 50]
    images = normalised(task.split.images, task.mean, task.std)
    assert torch.cat(seen).flatten(1).unique(dim=0).equal(images.flatten(1).unique(dim=0))
    assert not torch.equal(usual.network[0].weight, before)


def test_the_paper_s_order_is_the_same_function() -> None:
    theirs, ours = bench.paper_order(), networks.paper_cnn(120)
    kinds = [type(layer).__name__ for layer in theirs]
    assert kinds == ["Conv2d", "ReLU", "MaxPool2d"] * 2 + ["Flatten", "Linear"]
    images = torch.randn(4, 1, 28, 28)
    for network in (theirs, ours):
        for p, q in zip(network.parameters(), theirs.parameters(), strict=True):
            p.data.copy_(q.data)
        network(images).square().sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_the_operations_of_resnet18_are_those_of_its_layers() -> None:
    # A stage has four 3×3 convolutions, on a quarter of the pixels but with twice the channels of the one
    # before, so that each is worth as much; but the first of stages 2 to 4 has half the channels going in,
    # and a 1×1 convolution beside it.
    one = 32 * 32 * 9 * 64**2
    stem, stages, linear = 32 * 32 * 9 * 3 * 64, 4 * one + 3 * (3.5 * one + one / 18), 5120
    forward, backward = stem + stages + linear, stem + 2 * (stages + linear)  # no gradient for pixels
    found = bench.gflop(networks.small_resnet18(), 3, 32, 32)
    assert found == pytest.approx(2e-9 * (forward + backward), rel=1e-6)


def _clock(seconds: Mapping[str, float], threads: list[int]) -> Callable[..., dict[str, list[float]]]:
    """In place of ``in_turn``: each contender runs once, and took as long as ``seconds`` says, or 1 s."""

    def in_turn(contenders: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
        threads.append(torch.get_num_threads())
        torch.set_num_threads(1)  # two wait for each other where other tests run
        for run in contenders.values():
            run()
        return {key: [seconds.get(key, 1.0)] * turns for key in contenders}

    return in_turn


@pytest.mark.filterwarnings(*WORKERS)
def test_rows_say_what_was_timed(task, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {bench.USUAL: 6.0, bench.ELSE: 0.75, bench.ALONE: 0.1, "matmul, float32": 1e-3, "float32": 2.0}
    threads, say = list[int](), list[str]()
    monkeypatch.setattr(bench, "in_turn", _clock(taken, threads))
    rows = bench.training(2, say, bench.Size(4, 1, 1, width=16, batch=8, matrix=16))
    assert threads == [1, 2, 1, 1, 1, 2, 1]
    by = {(row.bench, row.what, row.against, row.threads): row for row in rows}
    assert len(by) == len(rows)
    chosen = bench.label(bench.CHOSEN)
    for count in (1, 2):
        for name, limit in (("SGD", 0.5), ("BBI", math.nan)):
            row = by["MNIST", f"{chosen}, {name}", bench.USUAL, count]
            assert (row.time, row.against_time) == pytest.approx((300, 1800))  # 200 images, of 60,000
            assert (row.ratio, row.ratio_limit) == pytest.approx((1 / 6, limit), nan_ok=True)
        share = by["ResNet-18, share", "BBI.step", chosen, count]
        assert share.ratio == pytest.approx(0.1)
        rate = by["ResNet-18, rate", "float32", "matmul, float32", count]
        assert rate.against_time == pytest.approx(1e-3 * 1e3 / (2e-9 * 16**3))
    share = by["MNIST, share", bench.ELSE, f"{chosen}, SGD", 1]
    assert (share.ratio, share.ratio_limit) == pytest.approx((0.25, 0.15))  # what 0.75 s of 1 s leave
    kinds = ("float32", "bf16") if bench.CHOSEN.bf16 else ("float32",)
    assert {row.what for row in rows if row.bench == "MNIST, engine"} == {
        kind + layout for kind in kinds for layout in ("", ", channels_last")
    }
    assert bool(bench.CHOSEN.bf16) is not any("left out" in line for line in say)
    assert "from 200 and fewer (MNIST (5,000 digits)" in say[-1]
    assert f"with 1 thread 8 images/s ({chosen}), 4 images/s (float32) beside" in say[-1]
