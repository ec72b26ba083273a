"""Search by the tree-structured Parzen estimator (TPE) of hyperopt, with a history that can be saved.

Hyperopt is given the finished trials and asked for the next ones, as its own ``fmin`` does it. A search is
part of one unit of work, goes on where it was interrupted, and is sequential as in the paper.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from experiments.harness import checkpoint
from experiments.harness.settings import Finite, Settings
from experiments.harness.units import derived_seed

Evaluate = Callable[[list[dict[str, float]]], pd.DataFrame]


class Range(Settings):
    """One axis of a search space.

    Attributes:
        low: Lower bound of the value; with ``neglog`` of γ = −log(value).
        high: Upper bound, likewise.
        scale: ``linear`` draws the value uniformly, ``log`` its logarithm, ``one_minus_log`` the logarithm of
            1 − value, and ``neglog`` γ (the paper's footnote 9).
    """

    low: Finite
    high: Finite
    scale: Literal["linear", "log", "one_minus_log", "neglog"] = "linear"

    @model_validator(mode="after")
    def _suits_the_scale(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"low={self.low} must be above 0 on a log scale")
        if self.scale == "one_minus_log" and self.high >= 1:
            raise ValueError(f"high={self.high} must be below 1 on a one_minus_log scale")
        return self

    def coordinates(self) -> tuple[float, float]:
        """Bounds (low, high) of the coordinate that is drawn uniformly."""
        if self.scale == "log":
            return math.log(self.low), math.log(self.high)
        if self.scale == "one_minus_log":
            return math.log1p(-self.high), math.log1p(-self.low)
        return self.low, self.high

    def bounds(self) -> tuple[float, float]:
        """Bounds (low, high) of the value."""
        if self.scale == "neglog":
            return math.exp(-self.high), math.exp(-self.low)
        return self.low, self.high

    def value(self, coordinate: float) -> float:
        """The value that belongs to a uniform coordinate; rounding never carries it out of the bounds."""
        low, high = self.bounds()
        return min(max(_VALUE[self.scale](coordinate), low), high)


_VALUE: dict[str, Callable[[float], float]] = {
    "linear": float,
    "log": math.exp,
    "one_minus_log": lambda coordinate: -math.expm1(coordinate),
    "neglog": lambda coordinate: math.exp(-coordinate),
}


def tpe(
    space: Mapping[str, Range], evaluate: Evaluate, trials: int, stream: Sequence[Any], batch: int = 1
) -> pd.DataFrame:
    """Minimise over a search space.

    Args:
        space: Axes by parameter name.
        evaluate: Takes parameter sets and returns one row for each, with columns ``loss``, ``status``
            and whatever else is worth a column. A loss that is no finite number, or the status ``diverged``,
            is a failed trial.
        trials: How many.
        stream: The seed of the experiment and labels, from which the seed of each trial follows.
        batch: How many are suggested, and evaluated, at a time; 1 is the sequential search of the paper.

    Returns:
        One row a trial: ``trial``, the parameters, and the columns of ``evaluate``.
    """
    rows = checkpoint.run(_Search(space, evaluate, trials, stream, batch))
    return pd.DataFrame(rows)


def failed(trials: pd.DataFrame) -> Any:
    """Which trials failed, as a boolean column: the loss no finite number, or the status ``diverged``."""
    return ~np.isfinite(trials["loss"]) | (trials["status"] == "diverged")


def best(trials: pd.DataFrame, names: Iterable[str]) -> dict[str, float] | None:
    """The named parameters of the trial with the lowest loss, the first one on ties; None if all failed."""
    good = trials[~failed(trials)]
    if good.empty:
        return None
    first = int(good["loss"].argmin())
    return {name: float(good[name].iloc[first]) for name in names}


class _Search:
    """A search as resumable work: a batch of trials is a piece.

    Its state is hyperopt's history. Hyperopt sees only the uniform coordinates of :class:`Range`: a search on
    a logarithmic axis is a uniform search over the logarithm.
    """

    def __init__(
        self, space: Mapping[str, Range], evaluate: Evaluate, trials: int, stream: Sequence[Any], batch: int
    ) -> None:
        from hyperopt import Trials, hp
        from hyperopt.base import Domain

        self._space, self._evaluate, self._stream = space, evaluate, stream
        self._total, self._batch = trials, batch
        axes = {name: hp.uniform(name, *axis.coordinates()) for name, axis in space.items()}
        self._domain, self._history = Domain(lambda point: 0.0, axes), Trials()

    @property
    def finished(self) -> bool:
        """Whether all trials are made."""
        return len(self._history.trials) >= self._total

    def advance(self) -> list[checkpoint.Row]:
        """Suggest the next batch, in the light of all trials so far, and evaluate it."""
        from hyperopt import JOB_STATE_DONE

        first = len(self._history.trials)
        numbers = range(first, min(first + self._batch, self._total))
        documents = [self._suggest(number) for number in numbers]
        sets = [
            {name: axis.value(float(one["misc"]["vals"][name][0])) for name, axis in self._space.items()}
            for one in documents
        ]
        found = self._evaluate(sets)
        if len(found) != len(sets):
            raise ValueError(f"evaluate returned {len(found)} rows for {len(sets)} parameter sets")
        for document, bad, loss in zip(documents, failed(found), found["loss"], strict=True):
            result = {"status": "fail"} if bad else {"status": "ok", "loss": float(loss)}
            document.update(state=JOB_STATE_DONE, result=result)
        self._insert(documents)
        rows = found[["loss", "status", *found.columns.drop(["loss", "status"])]].to_dict("records")
        return [
            {"trial": number, **values, **{str(k): v for k, v in row.items() if k not in values}}
            for number, values, row in zip(numbers, sets, rows, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """All finished trials, as JSON."""
        return {"history": json.dumps(self._history.trials, default=np.generic.item)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after these trials."""
        self._insert(json.loads(state["history"]))

    def _suggest(self, number: int) -> dict[str, Any]:
        """Hyperopt's document for a trial; it makes one a call, and those of a batch differ by seed."""
        from hyperopt import tpe

        seed = derived_seed(*self._stream, number)
        [document] = tpe.suggest([number], self._domain, self._history, seed, verbose=False)
        assert isinstance(document, dict)
        return document

    def _insert(self, documents: list[dict[str, Any]]) -> None:
        self._history.insert_trial_docs(documents)
        self._history.refresh()
