"""Ensembles of any optimizer: runs do not depend on each other, and both ways to compute them agree."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from experiments.competitors import Competitor
from experiments.harness.settings import CONF
from experiments.landscapes.basins import Entered
from experiments.landscapes.ensemble import curve_rows, ends, run
from experiments.landscapes.functions import Ackley, Quadratic, TwoBasins, Zakharov

FILES = {
    path.stem: Competitor.model_validate(OmegaConf.to_container(OmegaConf.load(path)))
    for path in sorted(Path(CONF / "optimizer").glob("*.yaml"))
    if "experiments.race." not in path.read_text()  # they end with the race's budget, see tests/race
}
SGD = {"_target_": "torch.optim.SGD", "lr": 1e-3, "momentum": 0.9, "fused": True}
WAYS = ("elementwise", "single")


def starts(count, n=2, side=3.0):
    generator = torch.Generator().manual_seed(count)
    return (2 * torch.rand(count, n, dtype=torch.float64, generator=generator) - 1) * side


def optimizer(name):
    return FILES[name].optimizer({key: {"lr": 1e-3}.get(key, 0.9) for key in FILES[name].space})


@pytest.mark.parametrize("name", [name for name, c in FILES.items() if c.ensemble == "elementwise"])
@pytest.mark.parametrize(("landscape", "n"), [(Ackley(), 2), (Zakharov(), 3), (TwoBasins(), 2)])
def test_a_run_is_the_same_to_the_last_bit_alone_and_among_others(name, landscape, n):
    for count in (2, 5, 16, 33):
        points = starts(count, n)
        together = run(landscape, optimizer(name), "elementwise", points, 40)
        for i in (0, count // 2, count - 1):
            alone = run(landscape, optimizer(name), "elementwise", points[i : i + 1], 40)
            assert torch.equal(alone.theta[0], together.theta[i])
            assert alone.best[0] == together.best[i]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stop", [None, Entered()])
def test_momentum_descent_is_the_same_compiled_or_by_torch(way, stop):
    """Starts near and far: of these runs some use up their steps, some are stopped, and some diverge."""
    points = torch.cat([starts(6), starts(3, side=1e3)])
    arguments = {"stop": stop, "record_every": 7}
    expected = run(TwoBasins(), SGD, "bbi.rules.gdm", points, 100, compiled=False, **arguments)
    found = run(TwoBasins(), SGD, way, points, 100, **arguments)
    assert found.status == expected.status
    assert set(expected.status) == {"budget", "diverged"} | ({"stopped"} if stop else set())
    assert torch.equal(found.steps, expected.steps)
    assert list(ends(found)) == list(ends(expected))
    same = [status != "diverged" for status in found.status]  # a diverged run may have overflowed differently
    for a, b in ((found.theta, expected.theta), (found.best, expected.best), (found.value, expected.value)):
        torch.testing.assert_close(a[same], b[same], rtol=1e-12, atol=1e-14)
    curves, others = curve_rows(found), curve_rows(expected)
    assert curves[["run", "step"]].equals(others[["run", "step"]])
    finite = np.isfinite(others["loss"]) & (others["loss"] < 1e6)
    np.testing.assert_allclose(curves["loss"][finite], others["loss"][finite], rtol=1e-11)


@pytest.mark.parametrize("way", WAYS)
def test_a_run_of_no_steps_is_its_start(way):
    none = run(Quadratic((1.0, 2.0)), SGD, way, starts(3), 0, record_every=5)
    assert none.status == ["budget"] * 3 and none.steps.tolist() == [0, 0, 0]
    assert curve_rows(none)["step"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", [name for name, c in FILES.items() if c.ensemble == "elementwise"])
def test_a_diverging_run_does_not_disturb_the_others(name):
    points = starts(4, 3)
    wild = points.clone()
    wild[1] = torch.tensor([1e200, -1e200, 1e200])  # F overflows
    calm, disturbed = (run(Zakharov(), optimizer(name), "elementwise", p, 30) for p in (points, wild))
    assert disturbed.status == ["budget", "diverged", "budget", "budget"]
    others = [0, 2, 3]
    assert torch.equal(calm.theta[others], disturbed.theta[others])
    assert disturbed.steps.tolist() == [30, 0, 30, 30] and torch.equal(disturbed.theta[1], wild[1])


@pytest.mark.parametrize("way", WAYS)
def test_runs_may_differ_by_a_setting(way):
    rates = torch.tensor([0.1, 0.3, 0.5], dtype=torch.float64)
    done = run(Quadratic(), {**SGD, "lr": rates, "momentum": 0.0}, way, torch.ones(3, 1), 4)
    torch.testing.assert_close(done.theta[:, 0], (1 - rates) ** 4)


def test_l_bfgs_finds_the_minimum_of_a_valley_with_very_different_curvatures():
    done = run(Zakharov(), optimizer("lbfgs") | {"lr": 1.0}, FILES["lbfgs"].ensemble, starts(3, 10), 60)
    assert done.status == ["budget"] * 3
    assert float(done.value.max()) < 1e-9


def test_a_stochastic_run_depends_on_its_number_and_not_on_its_place():
    bouncing = {"_target_": "bbi.BBI", "lr": 0.01, "t0": 2, "t1": 5, "n_bounces": 4, "delta_e": 1.0}
    points = torch.full((3, 2), 2.5, dtype=torch.float64)
    some = run(Ackley(), bouncing, "single", points, 30, seed=1, replicas=torch.tensor([7, 3, 7]))
    alone = run(Ackley(), bouncing, "single", points[:1], 30, seed=1, replicas=torch.tensor([3]))
    assert torch.equal(some.theta[0], some.theta[2]) and torch.equal(some.theta[1], alone.theta[0])
    assert not torch.equal(some.theta[0], some.theta[1])
