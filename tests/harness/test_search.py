"""The search: hyperopt's TPE, replayed from the store."""

import math
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
import pandas as pd
import pytest
from hyperopt import hp

from experiments.competitors import Range
from experiments.harness.search import best, tpe
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab, read_tables

SPACE = {"lr": Range(1e-4, 0.5), "momentum": Range(0.0, 1.0)}


def lab(root: Path) -> Lab:
    return Lab(Base(experiment="hill", title="t", section="1", profile="quick", paths=Paths(str(root))))


def loss(point: dict[str, float]) -> float:
    return (point["lr"] - 0.2) ** 2 + (point["momentum"] - 0.7) ** 2


class Valley:
    """A quadratic that counts its calls, breaks down at one of them, and fails in a corner."""

    def __init__(self, broken_at: int = -1, corner: float = -1.0) -> None:
        self.sizes: list[int] = []
        self._broken_at, self._corner = broken_at, corner

    def __call__(self, points: list[dict[str, float]]) -> pd.DataFrame:
        if len(self.sizes) == self._broken_at:
            raise KeyboardInterrupt
        self.sizes.append(len(points))
        bad = [point["momentum"] < self._corner for point in points]
        values = [math.nan if no else loss(point) for no, point in zip(bad, points, strict=True)]
        return pd.DataFrame({"steps": [7] * len(points), "status": ["done"] * len(points), "loss": values})


def search(root: Path, evaluate: Any, trials: int = 40, batch: int = 1, **more: Any) -> pd.DataFrame:
    with lab(root) as it:
        return tpe(it, {"contender": "gdm", "paper": 1}, SPACE, evaluate, trials, batch, **more)


def test_it_is_hyperopts_own_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the seeds that ``fmin`` draws, the trials are those of ``fmin``."""
    stream = np.random.default_rng(5)
    monkeypatch.setattr(Lab, "seed", lambda self, *labels: int(stream.integers(2**31 - 1)))
    ours = search(tmp_path, Valley(corner=0.1))
    trials = hyperopt.Trials()
    hyperopt.fmin(
        lambda at: {"status": "ok", "loss": loss(at)} if at["momentum"] >= 0.1 else {"status": "fail"},
        {name: hp.uniform(name, axis.low, axis.high) for name, axis in SPACE.items()},
        hyperopt.tpe.suggest, 40, trials=trials, rstate=np.random.default_rng(5), show_progressbar=False,
    )  # fmt: skip
    assert ours["lr"].tolist() == list(trials.vals["lr"])
    assert ours["momentum"].tolist() == list(trials.vals["momentum"])
    assert 0 < ours["loss"].isna().sum() < 20


def test_columns(tmp_path: Path) -> None:
    with lab(tmp_path) as it:
        table = tpe(it, {"contender": "gdm"}, SPACE, Valley(), 3)
        it.finish()
    assert list(table) == ["contender", "trial", "lr", "momentum", "loss", "status", "steps"]
    assert table["trial"].tolist() == [0, 1, 2]
    pd.testing.assert_frame_equal(read_tables(it.folder)["trials"], table, check_exact=True)


@pytest.mark.parametrize("batch", [1, 8])
def test_an_interrupted_search_goes_on(tmp_path: Path, batch: int) -> None:
    expected = search(tmp_path / "whole", Valley(corner=0.2), batch=batch)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "broken", Valley(broken_at=3, corner=0.2), batch=batch)
    rest = Valley(corner=0.2)
    pd.testing.assert_frame_equal(search(tmp_path / "broken", rest, batch=batch), expected, check_exact=True)
    assert sum(rest.sizes) == 40 - 3 * batch


def test_a_longer_search_continues_a_shorter_one(tmp_path: Path) -> None:
    short = search(tmp_path, Valley(), 25)
    more = Valley()
    long = search(tmp_path, more, 32)
    pd.testing.assert_frame_equal(long[:25], short, check_exact=True)
    assert len(more.sizes) == 7


def test_what_the_losses_depend_on_tells_searches_apart(tmp_path: Path) -> None:
    search(tmp_path, Valley(), 3)
    other = Valley()
    search(tmp_path, other, 3, depends={"steps": 200})
    assert other.sizes == [1, 1, 1]


def test_batches(tmp_path: Path) -> None:
    valley = Valley()
    table = search(tmp_path, valley, 35, batch=8)
    assert valley.sizes == [8, 8, 8, 8, 3]
    assert table["lr"].nunique() == 35 and table["trial"].tolist() == list(range(35))


def test_it_learns(tmp_path: Path) -> None:
    """The last trials are twice as good as uniform points, whose mean loss follows from the ranges."""
    uniform = (0.5**2 / 12 + (0.25 - 0.2) ** 2) + (1 / 12 + (0.5 - 0.7) ** 2)
    table = search(tmp_path, Valley(), 150)
    assert table["loss"][:20].mean() == pytest.approx(uniform, rel=0.5)
    assert table["loss"][-50:].mean() < uniform / 2
    found = best(table, SPACE)
    assert found is not None and loss(found) == table["loss"].min() < 0.01


def test_all_trials_may_fail(tmp_path: Path) -> None:
    table = search(tmp_path, Valley(corner=2.0), 30)
    assert len(table) == 30 and table["loss"].isna().all() and best(table, SPACE) is None


def test_best_takes_the_first_finite_loss() -> None:
    table = pd.DataFrame({
        "lr": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "loss": [math.nan, -math.inf, 0.1, 0.5, 0.5, 0.7],
        "status": ["done", "done", "diverged", "done", "done", "done"],
    })  # fmt: skip
    assert best(table, {"lr": Range(0.0, 9.0)}) == {"lr": 4.0}


def test_a_logarithmic_axis_is_searched_evenly_in_the_logarithm(tmp_path: Path) -> None:
    """Of 200 random points on [1e-8, 1], those below 1e-4 are one half, within four standard deviations."""
    space = {"lr": Range(1e-8, 1.0, "log")}

    def flat(points: list[dict[str, float]]) -> pd.DataFrame:
        return pd.DataFrame({"loss": [0.0] * len(points), "status": ["done"] * len(points)})

    with lab(tmp_path) as it:
        # A batch is suggested before any of its losses are known: all of it is hyperopt's random start.
        table = tpe(it, {"c": "x"}, space, flat, 200, batch=200)
    assert abs((table["lr"] < 1e-4).mean() - 0.5) < 4 * 0.5 / math.sqrt(200)
    assert table["lr"].between(1e-8, 1.0).all()
