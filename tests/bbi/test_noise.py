"""Random numbers: their integers against plain Python, their statistics against scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bbi import noise, redraw
from bbi.algorithm import Algorithm
from bbi.entries import Entry
from bbi.laws import BornInfeld

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
numbers = st.integers(0, 10**6)


def splitmix(z):
    """SplitMix64's output function in unbounded integers."""
    z &= MASK
    z = ((z ^ (z >> 30)) * FACTORS[0]) & MASK
    z = ((z ^ (z >> 27)) * FACTORS[1]) & MASK
    return z ^ (z >> 31)


def bits(seed, replica, draw, index):
    key = splitmix(splitmix(seed + GAMMA) + replica * GAMMA)
    return splitmix(splitmix(splitmix(key + (draw + 1) * GAMMA) + index))


def ask(kind, seed, replica, draw, index):
    key = noise.replica_keys(seed, torch.as_tensor(replica))
    return getattr(noise, kind)(key, torch.as_tensor(draw), torch.as_tensor(index))


def sample(kind, seed=0, replicas=64, draws=16, n=256):
    """(replicas, draws, n) numbers."""
    shapes = torch.arange(replicas)[:, None, None], torch.arange(draws)[:, None], torch.arange(n)
    return ask(kind, seed, *shapes).numpy()


def test_the_published_stream_of_splitmix64():
    # Steele, Lea and Flood's generator, seed 1234567: its state advances by GAMMA, its output is mix
    states = [(1234567 + k * GAMMA) & MASK for k in range(1, 6)]
    signed = torch.tensor([z - 2**64 if z >= 2**63 else z for z in states])
    assert [x & MASK for x in noise.mix(signed).tolist()] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.integers(-(2**70), 2**70), numbers, st.integers(-1, 10**6), numbers)
def test_numbers_are_those_of_plain_python(seed, replica, draw, index):
    z = bits(seed, replica, draw, index)
    assert ask("uniform", seed, replica, draw, index).item() == ((z >> 11) + 0.5) * 2.0**-52 - 1
    radius = (((z >> 32) + 2**31) % 2**32 + 0.5) / 2**32  # read as a signed number, and moved up
    angle = 2 * math.pi * (z % 2**32) / 2**32
    expected = math.sqrt(-2 * math.log(radius)) * math.cos(angle)
    assert ask("normal", seed, replica, draw, index).item() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_normal_numbers_are_normal():
    x = sample("normal").ravel()
    assert stats.kstest(x, "norm").pvalue > 0.01
    for power, moment in [(1, 0), (2, 1), (3, 0), (4, 3), (6, 15)]:
        assert abs((x**power).mean() - moment) < 4 * (x**power).std() / math.sqrt(x.size)
    assert np.abs(x).max() < 6.77


def test_uniform_numbers_are_uniform():
    x = sample("uniform").ravel()
    assert stats.kstest(x, "uniform", args=(-1, 2)).pvalue > 0.01
    assert -1 < x.min() < -0.9999
    assert 0.9999 < x.max() < 1


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize(
    "step", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, -1), (1, -1, 0), (0, 1, 1), (1, 0, -1)]
)
def test_neighbours_are_independent(kind, step):
    x = sample(kind)
    near = [slice(max(0, -d), x.shape[i] - max(0, d)) for i, d in enumerate(step)]
    far = [slice(max(0, d), x.shape[i] - max(0, -d)) for i, d in enumerate(step)]
    a, b = x[tuple(near)].ravel(), x[tuple(far)].ravel()
    for f, g in [(a, b), (a**2, b**2), (np.sign(a), b**2)]:
        assert abs(np.corrcoef(f, g)[0, 1]) < 4.5 / math.sqrt(a.size)


def test_seeds_are_independent_and_never_share_numbers():
    a, b = sample("uniform", seed=0).ravel(), sample("uniform", seed=1).ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / math.sqrt(a.size)
    assert len(np.unique(np.concatenate((a, b)))) == 2 * a.size


def test_directions_of_normal_vectors_are_isotropic():
    x = sample("normal", replicas=4096, draws=8, n=3).reshape(-1, 3)
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    error = 5 / math.sqrt(len(u))
    assert np.abs(u.mean(0)).max() < error
    assert np.abs(u.T @ u / len(u) - np.eye(3) / 3).max() < error
    for axis in (np.array([1, 0, 0]), np.array([1, 1, 1]) / math.sqrt(3)):
        # Archimedes: a coordinate of a point on the sphere is uniform, along every axis
        assert stats.kstest(u @ axis, "uniform", args=(-1, 2)).pvalue > 0.01


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_a_number_depends_only_on_its_address(kind):
    together = sample(kind, seed=-5, replicas=7, draws=3, n=129)
    for r, d, i in [(0, 0, 0), (6, 2, 128), (3, 1, 64), (5, 0, 100)]:
        assert ask(kind, -5, r, float(d), i).item() == together[r, d, i]
    assert (ask(kind, -5, [[4]], 1.0, range(50, 60)).numpy() == together[4, 1, 50:60]).all()


def test_random_vectors_in_pieces_are_those_of_their_addresses(monkeypatch):
    monkeypatch.setattr(redraw, "NOISE", 10)  # pieces within, across and of several tensors
    shapes, entries, first = [(3,), (4, 9), (2,), (5,), (23,)], [], 0
    for shape in shapes:
        buffer = torch.zeros(2, *shape)
        entries.append(Entry(buffer, buffer, buffer, 0.1, 0.0, first))
        first += math.prod(shape)
    bounce, number = torch.tensor([True, False]), torch.tensor([5.0, 6.0], dtype=torch.float64)
    redraw.redraw(entries, Algorithm(BornInfeld()), 3, bounce, number)
    expected = -ask("normal", 3, 0, 5, torch.arange(first)).float()
    assert torch.equal(torch.cat([e.momentum[0].flatten() for e in entries]), expected)
    assert not any(e.momentum[1].any() for e in entries)
