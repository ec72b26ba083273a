"""The search: hyperopt's TPE with a history of its own."""

import math
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
import pandas as pd
import pytest
from hyperopt import hp

from experiments.harness import checkpoint, search
from experiments.harness.ranges import Range
from experiments.harness.search import best, together, tpe
from experiments.harness.units import Surroundings, within

SPACE = {"lr": Range(low=1e-4, high=0.5, scale="log"), "momentum": Range(low=0.0, high=1.0)}


def loss(point: dict[str, float]) -> float:
    return (point["lr"] - 0.2) ** 2 + (point["momentum"] - 0.7) ** 2


class Valley:
    """A quadratic that notes its calls, breaks down at one of them, and fails in a corner."""

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


def searched(evaluate: Any, trials: int = 40, batch: int = 1) -> pd.DataFrame:
    return tpe(SPACE, evaluate, trials, [0, "gdm"], batch)


def test_it_is_hyperopts_own_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the seeds that ``fmin`` draws, the trials are those of ``fmin``: on a log axis by logarithms."""
    stream = np.random.default_rng(5)
    monkeypatch.setattr(search, "derived_seed", lambda *labels: int(stream.integers(2**31 - 1)))
    ours = searched(Valley(corner=0.1))
    trials = hyperopt.Trials()

    def evaluate(at: dict[str, float]) -> dict[str, Any]:
        point = {**at, "lr": math.exp(at["lr"])}
        return {"status": "ok", "loss": loss(point)} if at["momentum"] >= 0.1 else {"status": "fail"}

    axes = [hp.uniform("lr", math.log(1e-4), math.log(0.5)), hp.uniform("momentum", 0.0, 1.0)]
    hyperopt.fmin(
        evaluate, dict(zip(SPACE, axes, strict=True)), hyperopt.tpe.suggest, 40, trials=trials,
        rstate=np.random.default_rng(5), show_progressbar=False,
    )  # fmt: skip
    assert ours["lr"].tolist() == [math.exp(drawn) for drawn in trials.vals["lr"]]
    assert ours["momentum"].tolist() == list(trials.vals["momentum"])
    assert 0 < ours["loss"].isna().sum() < 20


def test_columns() -> None:
    table = searched(Valley(), 3)
    assert list(table) == ["trial", "lr", "momentum", "loss", "status", "steps"]
    assert table["trial"].tolist() == [0, 1, 2] and table["steps"].dtype == "int64"


@pytest.mark.parametrize("batch", [1, 8])
def test_an_interrupted_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    expected = searched(Valley(corner=0.2), batch=batch)
    rest = Valley(corner=0.2)
    with within(Surroundings(checkpoint=tmp_path / "x.pt")):
        with pytest.raises(KeyboardInterrupt):
            searched(Valley(broken_at=3, corner=0.2), batch=batch)
        pd.testing.assert_frame_equal(searched(rest, batch=batch), expected, check_exact=True)
    assert sum(rest.sizes) == 40 - 3 * batch


def test_batches() -> None:
    valley = Valley()
    table = searched(valley, 35, batch=8)
    assert valley.sizes == [8, 8, 8, 8, 3]
    assert table["lr"].nunique() == 35 and table["trial"].tolist() == list(range(35))


@pytest.mark.parametrize("batch", [1, 8])
def test_searches_side_by_side_are_those_made_alone(batch: int) -> None:
    streams = [[0, name] for name in ("gdm", "a", "b")]
    valley = Valley(corner=0.2)
    both = together(SPACE, valley, 30, streams, batch)
    assert valley.sizes[0] == 3 * batch and len(both) == 90
    for number, stream in enumerate(streams):
        mine = both[both["search"] == number].drop(columns="search").reset_index(drop=True)
        alone = tpe(SPACE, Valley(corner=0.2), 30, stream, batch)
        pd.testing.assert_frame_equal(mine, alone, check_exact=True)


def test_all_trials_may_fail() -> None:
    table = searched(Valley(corner=2.0), 30)
    assert len(table) == 30 and table["loss"].isna().all() and best(table, SPACE) is None


def test_best_takes_the_first_finite_loss() -> None:
    table = pd.DataFrame({
        "lr": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "loss": [math.nan, -math.inf, 0.1, 0.5, 0.5, 0.7],
        "status": ["done", "done", "diverged", "done", "done", "done"],
    })  # fmt: skip
    assert best(table, ["lr"]) == {"lr": 4.0}


@pytest.mark.parametrize(
    ("axis", "middle"),
    [
        (Range(low=2.0, high=4.0), 3.0),
        (Range(low=1e-6, high=1e-2, scale="log"), 1e-4),
        (Range(low=0.0, high=0.9999, scale="one_minus_log"), 0.99),
        (Range(low=0.0, high=2.0, scale="neglog"), math.exp(-1.0)),
    ],
)
def test_scales(axis: Range, middle: float) -> None:
    """The coordinate's ends are the value's bounds, and its middle is the mean on the named scale."""
    low, high = axis.coordinates()
    assert axis.value((low + high) / 2) == pytest.approx(middle, rel=1e-12)
    ends = sorted([axis.value(low), axis.value(high)])
    assert ends == pytest.approx(list(axis.bounds()), rel=1e-12)
    assert axis.bounds()[0] <= ends[0] and ends[1] <= axis.bounds()[1]
