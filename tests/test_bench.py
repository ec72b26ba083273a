"""The bench measures what it says: the C loop computes what ensembles do, and rows are what was timed."""

import csv
import json
import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from bench import pde
from bench.loop import Loop, build
from bench.timing import compare, in_turn

from bbi import compiling
from bbi.laws import BornInfeld
from bbi.rules import ECDRule
from bbi.simulate import simulate
from experiments.landscapes.functions import Ackley

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench.py"
SETTINGS = {"lr": 0.0096, "delta_v": 1e-4, "delta_e": 2.0, "t0": 20.0, "t1": 9.0, "n_bounces": 4.0}


@pytest.fixture
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture(scope="module")
def loop() -> Loop:
    return build() or pytest.skip("there is no C compiler")


@pytest.mark.parametrize("start", [[[2.3, -1.4], [-3.1, 0.2], [0.7, 3.9]], [[0.0, 0.0]]])
def test_the_c_loop_follows_the_same_trajectory(loop: Loop, start: list[list[float]]) -> None:
    points = torch.tensor(start, dtype=torch.float64)
    settings = SETTINGS | {"delta_v": 1e-4 if points.any() else -1.0}  # at the tip ∇F = 0: a random start
    rule, steps = ECDRule(BornInfeld()), 44
    ours = simulate(Ackley(0.02), points, rule, settings, steps, seed=5, record_every=1, compiled=False)
    assert ours.curves is not None
    for step in range(steps + 1):
        theirs = loop(points, 0.02, settings, step, 5)
        there = ours.curves.step == step
        torch.testing.assert_close(theirs.theta, ours.curves.theta[there], rtol=0, atol=1e-9)
        torch.testing.assert_close(theirs.value, ours.curves.value[there], rtol=0, atol=1e-9)
    assert theirs.bounces.min() >= 2  # scheduled at steps 20 and 40, others between
    assert torch.equal(theirs.bounces.double(), ours.scalars[4])
    assert torch.equal(theirs.steps, ours.steps)
    torch.testing.assert_close(theirs.best, ours.best, rtol=0, atol=1e-9)


def test_the_c_loop_stops_where_the_potential_is_used_up(loop: Loop) -> None:
    points = torch.tensor([[1.5, 0.5]], dtype=torch.float64)
    settings = SETTINGS | {"delta_v": 2.0, "lr": 0.05}
    ours = simulate(Ackley(0.02), points, ECDRule(BornInfeld()), settings, 400, seed=1, compiled=False)
    theirs = loop(points, 0.02, settings, 400, 1)
    assert ours.status == ["converged"]
    assert 0 < int(theirs.steps) < 400
    assert torch.equal(theirs.steps, ours.steps)


def test_contenders_take_turns() -> None:
    calls: list[str] = []
    times = in_turn({"a": lambda: calls.append("a"), "b": lambda: (calls.append("b"), time.sleep(0.01))}, 3)
    assert calls == ["a", "b"] * 4  # the first pair warms up
    assert [len(t) for t in times.values()] == [3, 3]
    assert min(times["b"]) >= 0.01 > max(times["a"])


def test_rows_tables_and_figure_say_what_was_timed(script: SimpleNamespace, tmp_path: Path) -> None:
    times = {"x": [2.0, 6.0, 3.0], "y": [1.0, 2.0, 2.0]}
    unit, per = "ns per run and step", {"x": 1e6, "y": 2e6}
    rows = [compare("replicas", times, "x", "y", unit, per, 1, replicas=r) for r in (1, 512)]
    rows += [compare("limit", times, name, "x", unit, per, 1) for name in ("y", "x")]
    rows += [compare("one", times, "x", "y", unit, per, 2, ratio_limit=3.9), rows[0]._replace(time_limit=3e3)]
    paths = script.write(rows, ["Something was left out."], tmp_path, 0.0)
    assert all(path.stat().st_size for path in paths)
    names = {path.name for path in paths}
    assert names >= {"bench.csv", "bench.md", "cost_per_step.pdf", "cost_per_step.png"}
    with open(tmp_path / "bench" / "bench.csv", newline="") as file:
        first = next(csv.DictReader(file))
    # per operation x takes 2, 6, 3 µs and y 0.5, 1, 1: ratios 4, 6, 3
    found = [float(first[name]) for name in ("time", "against_time", "ratio", "ratio_min", "ratio_max")]
    assert found == pytest.approx([3000, 1000, 4, 3, 6])
    assert first["ratio_limit"] == ""
    text = (tmp_path / "bench" / "bench.md").read_text()
    assert "≤ 3.9 ×: missed" in text and "≤ 3000 ns: met" in text
    assert "Something was left out." in text
    assert "The limit is arithmetic, not memory." in text  # y, the first bound, takes less
    assert json.loads((tmp_path / "bench" / "provenance.json").read_text())["machine"]["cores"] >= 1


def test_a_folder_that_cannot_be_written_is_one_line(
    script: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert script.main(["--results", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: cannot write") and error.count("\n") == 1 and str(tmp_path) in error


def test_nested_autograd_and_the_forward_laplacian_are_timed_at_the_same_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernels = []  # how they are compiled, the tests of the training show
    monkeypatch.setattr(compiling, "compiled", lambda f, *_, **__: kernels.append(f) or f)
    size = pde.Size(width=8, depth=2, interior=30, boundary=9, matrix=16, turns=2)
    rows = pde.pde(1, size)
    assert [row.runs for row in rows] == [2, 2, 2, 2] and kernels
    assert size.gflop == pytest.approx(3 * 2 * (4 * 30 + 9) * 2 * 8 * 8 / 1e9)
    loss = pde.Loss(0.3, 30, 10.0, 1e-3)
    parameters = pde.ResidualNetwork(2, 8, 2).parameters(0, torch.float64)
    points = torch.rand(39, 2, dtype=torch.float64)
    f = points[:30, 0]
    _, slopes = pde.gradients(loss, parameters, points, f, False)(parameters, points, f)
    for ours, theirs in zip(slopes, pde.nested(loss, parameters, points, f), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
