"""Search by the tree-structured Parzen estimator (TPE) of hyperopt, with a history that can be saved.

Hyperopt is given the finished trials and asked for the next ones, as its own ``fmin`` does it. A search is
part of one unit of work, goes on where it was interrupted, and is sequential as in the paper.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments.harness import checkpoint
from experiments.harness.ranges import Range
from experiments.harness.units import derived_seed

Evaluate = Callable[[list[dict[str, float]]], pd.DataFrame]


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
    return together(space, evaluate, trials, [stream], batch).drop(columns="search")


def together(
    space: Mapping[str, Range],
    evaluate: Evaluate,
    trials: int,
    streams: Sequence[Sequence[Any]],
    batch: int = 1,
) -> pd.DataFrame:
    """Independent searches, one a stream, whose trials are evaluated side by side.

    Each search is the one that :func:`tpe` makes with its stream alone, if ``evaluate`` treats each
    parameter set by itself.

    Returns:
        The rows of :func:`tpe` with a column ``search``, the number of the stream; search by search.
    """
    rows = pd.DataFrame(checkpoint.run(_Lockstep(space, evaluate, trials, streams, batch)))
    return rows.sort_values(["search", "trial"], ignore_index=True)


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


class _Lockstep:
    """Searches as resumable work: a batch of trials of each is a piece."""

    def __init__(
        self,
        space: Mapping[str, Range],
        evaluate: Evaluate,
        trials: int,
        streams: Sequence[Sequence[Any]],
        batch: int,
    ) -> None:
        self._evaluate, self._total, self._batch = evaluate, trials, batch
        self._searches = [_Search(space, stream) for stream in streams]

    @property
    def finished(self) -> bool:
        """Whether all trials are made."""
        return len(self._searches[0]) >= self._total

    def advance(self) -> list[checkpoint.Row]:
        """Suggest the next batch of each search, in the light of all its trials so far, and evaluate them."""
        first = len(self._searches[0])
        numbers = range(first, min(first + self._batch, self._total))
        documents = [search.suggest(numbers) for search in self._searches]
        sets = [
            search.values(one) for search, some in zip(self._searches, documents, strict=True) for one in some
        ]
        found = self._evaluate(sets)
        if len(found) != len(sets):
            raise ValueError(f"evaluate returned {len(found)} rows for {len(sets)} parameter sets")
        losses = np.where(failed(found), np.nan, found["loss"]).reshape(len(documents), len(numbers))
        for search, some, mine in zip(self._searches, documents, losses, strict=True):
            search.observe(some, mine)
        others = found.columns.drop(["loss", "status", *sets[0]], errors="ignore")
        rows = found[["loss", "status", *others]].to_dict("records")
        labels = [(which, number) for which in range(len(documents)) for number in numbers]
        return [
            {"search": which, "trial": number, **values, **row}
            for (which, number), values, row in zip(labels, sets, rows, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """All finished trials of each search, as JSON."""
        return {"histories": [search.history() for search in self._searches]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after these trials."""
        for search, history in zip(self._searches, state["histories"], strict=True):
            search.insert(json.loads(history))


class _Search:
    """The history of one search, and what hyperopt suggests next.

    Hyperopt sees only the uniform coordinates of :class:`Range`: a search on a logarithmic axis is a uniform
    search over the logarithm.
    """

    def __init__(self, space: Mapping[str, Range], stream: Sequence[Any]) -> None:
        from hyperopt import Trials, hp
        from hyperopt.base import Domain

        self._space, self._stream = space, stream
        axes = {name: hp.uniform(name, *axis.coordinates()) for name, axis in space.items()}
        self._domain, self._trials = Domain(lambda point: 0.0, axes), Trials()

    def __len__(self) -> int:
        return len(self._trials.trials)

    def suggest(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        """Hyperopt's documents for trials; it makes one a call, and those of a batch differ by seed."""
        from hyperopt import tpe

        documents = list[dict[str, Any]]()
        for number in numbers:
            seed = derived_seed(*self._stream, number)
            documents += tpe.suggest([number], self._domain, self._trials, seed, verbose=False)
        return documents

    def values(self, document: dict[str, Any]) -> dict[str, float]:
        """The parameters that a document suggests."""
        drawn = document["misc"]["vals"]
        return {name: axis.value(float(drawn[name][0])) for name, axis in self._space.items()}

    def observe(self, documents: list[dict[str, Any]], losses: Iterable[float]) -> None:
        """Add evaluated trials to the history; NaN stands for one that failed."""
        from hyperopt import JOB_STATE_DONE

        for document, loss in zip(documents, losses, strict=True):
            result = {"status": "fail"} if math.isnan(loss) else {"status": "ok", "loss": float(loss)}
            document.update(state=JOB_STATE_DONE, result=result)
        self.insert(documents)

    def history(self) -> str:
        """All finished trials, as JSON."""
        return json.dumps(self._trials.trials, default=np.generic.item)

    def insert(self, documents: list[dict[str, Any]]) -> None:
        """Add finished trials, such as those of an interrupted search."""
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()
