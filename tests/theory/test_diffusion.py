"""Displacements of a trained network, against a training that is written out."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from experiments.harness.units import Surroundings, within
from experiments.images.batches import Batches, Split
from experiments.images.networks import paper_cnn
from experiments.images.sources import load
from experiments.theory.diffusion import displacements

SGD = {"_target_": "torch.optim.SGD", "fused": True, "momentum": 0.5}


@pytest.fixture(scope="module")
def data():
    return load("mnist", None, download=False)


def trained(optimizer, data):
    with within(Surroundings(download=False)):
        return displacements(optimizer, 24, 8, 1, [1, 2, 5], "mnist", data.checksum, seed=0)


def test_displacements_are_those_of_the_training_itself(data):
    found = trained({**SGD, "lr": 0.05}, data)
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
    assert found["runs"]["data"].item() == data.name


def test_a_training_that_diverges_is_a_result(data):
    wild = trained({**SGD, "lr": 1e6, "momentum": 0.9}, data)
    assert not np.isfinite(wild["curves"]["distance2"].iloc[-1])
