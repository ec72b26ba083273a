"""Displacements of a trained network, against a training that is written out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from experiments.competitors import Contender
from experiments.images.batches import Batches, Split
from experiments.images.networks import paper_cnn
from experiments.theory import diffusion as wandering

LAB = SimpleNamespace(seed=lambda *labels: int(labels[-1]))
SGD = Contender("sgd", "SGD", {"lr": 0.05, "momentum": 0.5})
BBI = Contender("bbi", "BBI", {"lr": 0.05, "delta_e": 0.5})
PLAN = wandering.Diffusion(1, 24, 8, 1, [1, 2, 5], {"sgd": SGD, "bbi": BBI})


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (30, 1, 28, 28), np.uint8))
    split = Split(images, torch.from_numpy(random.integers(0, 10, 30)))
    return SimpleNamespace(train=split, mean=(0.5,), std=(0.5,), name="noise", checksum="0")


def test_displacements_are_those_of_the_training_itself(data):
    units = list(wandering.diffusion(PLAN, LAB, data))
    assert [key["name"] for key, _ in units] == ["sgd", "bbi"]
    found = units[0][1]()
    torch.manual_seed(0)
    network = paper_cnn(120).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.5, fused=True)
    split = Split(data.train.images[:24], data.train.labels[:24])
    batches = Batches(split, data.mean, data.std, 8, 0, channels_last=True)
    path, losses = [], []
    for epoch in range(3):
        for images, labels in batches.epoch(epoch):
            optimizer.zero_grad()
            loss = cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            path.append(torch.cat([p.detach().flatten() for p in network.parameters()]).double())
            losses.append(loss.item())
    expected = [float((path[2 + lag] - path[2]).square().sum()) for lag in (1, 2, 5)]
    assert list(found["curves"]["lag"]) == [1, 2, 5]
    assert list(found["curves"]["distance2"]) == pytest.approx(expected, rel=1e-6)
    assert found["runs"]["loss"].item() == pytest.approx(np.mean(losses[:3]), rel=1e-5)
    assert found["runs"]["data"].item() == "noise"


def test_a_training_that_diverges_is_a_result(data):
    wild = Contender("sgd", "SGD", {"lr": 1e6, "momentum": 0.9})
    plan = wandering.Diffusion(1, 24, 8, 2, [1, 2, 5], {"sgd": wild, "bbi": BBI})
    found = next(iter(wandering.diffusion(plan, LAB, data)))[1]()
    assert not np.isfinite(found["runs"]["loss"].item())
