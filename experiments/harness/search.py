"""Search by the tree-structured Parzen estimator (TPE), hyperopt's, driven by hand.

Driving it by hand keeps the history in the store rather than in hyperopt: every batch of trials is a unit of
work, a search goes on where it was interrupted, and a longer one continues a shorter one.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from experiments.competitors import Range
from experiments.harness.store import Lab
from experiments.harness.tables import Tables, visible

Evaluate = Callable[[list[dict[str, float]]], pd.DataFrame]


def tpe(
    lab: Lab,
    labels: Mapping[str, str | int | float],
    space: Mapping[str, Range],
    evaluate: Evaluate,
    trials: int,
    batch: int = 1,
    depends: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Minimise over a search space.

    Args:
        lab: Store and seeds.
        labels: Columns that tell this search from others; with ``space``, ``batch`` and ``depends`` they must
            say everything that the losses depend on.
        space: Axes by parameter name.
        evaluate: Takes parameter sets and returns one row for each, with columns ``loss``, ``status``
            and whatever else is worth a column. A loss that is no finite number, or the status ``diverged``,
            is a failed trial.
        trials: How many.
        batch: How many are suggested, and evaluated, at a time; 1 is the sequential search of the paper.
        depends: Further things that the losses depend on, which need no column.

    Returns:
        One row a trial: the labels, ``trial``, the parameters, and the columns of ``evaluate``.
    """
    history, rows = _History(space), list[pd.DataFrame]()
    key = {
        "tpe": dict(labels),
        "space": {name: asdict(axis) for name, axis in space.items()},
        "batch": batch,
        "depends": dict(depends or {}),
    }
    with lab.progress(trials, " ".join(str(value) for value in labels.values())) as progress:
        for first in range(0, trials, batch):
            size = min(batch, trials - first)

            def compute(first: int = first, size: int = size) -> Tables:
                points = history.suggest([lab.seed("tpe", *labels.values(), first + i) for i in range(size)])
                sets = [{name: space[name].value(u) for name, u in point.items()} for point in points]
                found = evaluate(sets)
                if len(found) != size:
                    raise ValueError(f"evaluate returned {len(found)} rows for {size} parameter sets")
                # Column by column: one frame a trial is enough of pandas when a trial takes milliseconds.
                columns: dict[str, Any] = {name: [value] * size for name, value in labels.items()}
                columns["trial"] = list(range(first, first + size))
                columns |= {name: [values[name] for values in sets] for name in space}
                columns |= {name: found[name].array for name in ("loss", "status")}
                columns |= {str(name): column.array for name, column in found.items() if name not in columns}
                columns |= {f"_{name}": [point[name] for point in points] for name in space}
                return {"trials": pd.DataFrame(columns)}

            rows.append(lab.unit({**key, "first": first, "size": size}, compute)["trials"])
            history.add(rows[-1])
            progress.advance(size)
    return visible(pd.concat(rows, ignore_index=True))


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


class _History:
    """Trials in the form in which hyperopt remembers them.

    Every document is made here from the coordinates and the loss, so an interrupted search gives hyperopt
    the same history as any other. Hyperopt meets only the uniform coordinates of
    :class:`Range`: a search on a logarithmic axis is a uniform search over the logarithm. It is imported when
    the first suggestion is asked for.
    """

    def __init__(self, space: Mapping[str, Range]) -> None:
        self._space = space
        self._hyperopt: tuple[Any, Any] | None = None
        self._points: list[dict[str, float]] = []
        self._results: list[dict[str, Any]] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Remember a batch of trials; the coordinates that were suggested are in its hidden columns."""
        columns = [rows[f"_{name}"].tolist() for name in self._space]
        self._points += [dict(zip(self._space, values, strict=True)) for values in zip(*columns, strict=True)]
        for loss, status in zip(rows["loss"].tolist(), rows["status"].tolist(), strict=True):
            good = math.isfinite(loss) and status != "diverged"
            self._results.append({"status": "ok", "loss": loss} if good else {"status": "fail"})

    def suggest(self, seeds: list[int]) -> list[dict[str, float]]:
        """Coordinates for the next trials, one for each seed, in the light of all trials remembered.

        Hyperopt makes one suggestion a call, whatever it is asked for; those of a batch differ by seed.
        """
        from hyperopt import Trials, hp, tpe
        from hyperopt.base import Domain

        if self._hyperopt is None:
            axes = {name: hp.uniform(name, *axis.coordinates()) for name, axis in self._space.items()}
            self._hyperopt = Domain(lambda point: 0.0, axes), Trials()
        domain, trials = self._hyperopt
        known = len(self._points)
        self._tell(trials, domain.cmd, range(len(trials.trials), known))
        documents = [
            tpe.suggest([known + i], domain, trials, seed, verbose=False)[0] for i, seed in enumerate(seeds)
        ]
        return [{name: float(doc["misc"]["vals"][name][0]) for name in self._space} for doc in documents]

    def _tell(self, trials: Any, cmd: Any, numbers: range) -> None:
        """Give hyperopt the trials that it has not seen, as finished ones."""
        from hyperopt import JOB_STATE_DONE

        miscs = [
            {
                "tid": number,
                "cmd": cmd,
                "workdir": None,
                "idxs": {name: [number] for name in self._space},
                "vals": {name: [value] for name, value in self._points[number].items()},
            }
            for number in numbers
        ]
        results = [self._results[number] for number in numbers]
        documents = trials.new_trial_docs(list(numbers), [None] * len(numbers), results, miscs)
        for document in documents:
            document["state"] = JOB_STATE_DONE
        trials.insert_trial_docs(documents)
        trials.refresh()
