"""Energy and speed of BBI on minibatches, against Algorithm 1 by hand; and that the check can fail."""

import math
from typing import Any

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

import bbi
from bbi.algorithm import Algorithm
from experiments.harness.units import derived_seed
from experiments.images import study
from experiments.images.batches import Batches
from tests.images.small_trainings import BBI, MEAN, PLAIN, STD, TRAIN, computed, linear, seeded, task

SEED = derived_seed(0, "conservation")
FREE = {"_target_": "bbi.BBI"}


def conserved(settings: dict[str, Any], steps: int = 3) -> dict[str, float]:
    optimizer = {**FREE, **settings}
    tables = computed(study.conservation, task=task(linear), optimizer=optimizer, steps=steps, seed=SEED)
    found: dict[str, float] = tables["runs"].to_dict("records")[0]
    return found


def by_hand(lr: float, delta_e: float) -> dict[str, float]:
    """Algorithm 1 without bounces on one flat vector, and the extremes from its formulas."""
    network = seeded(SEED, linear).double()
    parameters = list(network.parameters())
    energy, pi = math.nan, torch.empty(0)
    found = {"steps": 0, "speed": 0.0, "stride": 0.0, "energy": 0.0, "above": 0}
    for pictures, labels in Batches(TRAIN, MEAN, STD, 16, 0).epoch(0):
        loss = cross_entropy(network(pictures.double()), labels)
        slope = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
        v = loss.item()
        if math.isnan(energy):
            energy = v + delta_e
            pi = -slope / slope.norm()
        wanted = energy**2 / v - v
        if wanted >= 0:
            pi = pi * math.sqrt(wanted) / pi.norm()
            found["energy"] = max(found["energy"], abs(math.sqrt(v * (v + pi.dot(pi))) / energy - 1))
        found["above"] += wanted < 0
        found["speed"] = max(found["speed"], (v / energy) ** 2 * pi.dot(pi).item() / v)
        pi = pi - lr * 0.5 * (v / energy + energy / v) * slope
        move = lr * v / energy * pi
        found["stride"] = max(found["stride"], move.dot(move).item() / (lr**2 * v))
        found["steps"] += 1
        for p, change in zip(parameters, torch.split(move, [p.numel() for p in parameters]), strict=True):
            p.data += change.view_as(p)
    return found


def test_a_batch_below_zero_is_no_step() -> None:
    """ΔV between the first losses, so that V < 0 on some batches, where no momentum has a real energy."""
    free = conserved({"lr": 1e-9, "delta_v": 0.0, "delta_e": 3.0})
    network = seeded(SEED, linear).double()
    losses = sorted(
        cross_entropy(network(pictures.double()), labels).item()
        for pictures, labels in Batches(TRAIN, MEAN, STD, 16, 0).epoch(0)
    )
    found = conserved({"lr": 1e-9, "delta_v": losses[1] - 1e-3, "delta_e": 3.0})
    assert (free["steps"], found["steps"]) == (3, 2)
    assert found["speed"] <= 1 + 1e-9 and math.isfinite(found["energy"])
    with pytest.warns(UserWarning, match="below delta_v"):
        assert conserved({"lr": 1e-9, "delta_v": 99.0, "delta_e": 3.0})["steps"] == 0


@pytest.mark.parametrize(
    ("lr", "delta_e", "above"), [(1e-3, 2.0, 0), (1e-2, 0.5, 0), (1e-3, 0.0, 1), (0.1, 0.5, 2)]
)
def test_the_check_is_right(lr: float, delta_e: float, above: int) -> None:
    """A batch with V > E keeps its momentum, and then even the speed may be above its limit."""
    ours, mine = conserved({"lr": lr, "delta_e": delta_e}), by_hand(lr, delta_e)
    assert ours["steps"] == mine["steps"] == 3
    assert ours["above"] == mine["above"] == above and (above or ours["speed"] < 1)
    assert ours["speed"] == pytest.approx(mine["speed"], rel=1e-9)
    assert ours["stride"] == pytest.approx(mine["stride"], rel=1e-9)
    assert ours["energy"] < 1e-12 and mine["energy"] < 1e-12


def test_bounces_conserve_too() -> None:
    found = conserved({**BBI, "t0": 1, "lr": 1e-3})
    assert 0 < found["speed"] <= 1 and found["energy"] < 1e-12


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_steps_of_the_check(steps: int) -> None:
    assert conserved({"lr": 1e-3, "delta_e": 0.5}, steps)["steps"] == steps  # of 3 an epoch


def test_the_check_fails_without_the_restoring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the energy is off by the change of the potential from batch to batch."""
    settings = {"lr": 1e-2, "delta_e": 0.5}
    good = conserved(settings)
    monkeypatch.setattr(Algorithm, "restored", lambda self, p2, want: p2)
    assert conserved(settings)["energy"] > 1e-2 > 1e9 * good["energy"]


def test_the_check_fails_for_a_wrong_momentum(monkeypatch: pytest.MonkeyPatch) -> None:
    right = bbi.BBI.momentum
    monkeypatch.setattr(bbi.BBI, "momentum", lambda self, p: 3 * right(self, p))
    found = conserved({"lr": 1e-3, "delta_e": 2.0})
    assert found["energy"] > 0.1 and found["speed"] > 1


def test_the_check_is_as_exact_whatever_the_engine() -> None:
    found = [
        computed(study.conservation, task=task(linear, engine=engine), optimizer=BBI, steps=3, seed=SEED)
        for engine in (PLAIN, PLAIN.model_copy(update={"bf16": True}))
    ]
    pd.testing.assert_frame_equal(found[0]["runs"], found[1]["runs"], check_exact=True)
