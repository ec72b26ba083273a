"""Units of work on an executor whose futures end as the test wants."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from experiments.harness.session import Compute
from experiments.harness.settings import Experiment
from experiments.harness.store import Store
from experiments.harness.units import Done, perform, unit
from tests.toys.hill import trial

UNITS = [unit(trial, number=number, lr=0.1, seed=number) for number in range(4)]


class AllAtOnce(Executor):
    """Nothing is done until the last unit is submitted; then all are, and the first has failed."""

    def __init__(self) -> None:
        self.given: list[tuple[Future[Done], tuple[Any, ...]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Done] = Future()
        self.given.append((future, args))
        if len(self.given) == len(UNITS):
            self.given[0][0].set_exception(ZeroDivisionError("a bug"))
            for one, arguments in self.given[1:]:
                one.set_result(perform(*arguments))
        return future


def test_what_others_have_computed_is_stored_when_one_fails(tmp_path: Path) -> None:
    cfg = Experiment(experiment="hill", title="t", section="1", profile="quick")
    with Store(tmp_path) as store:
        compute = Compute(cfg, store, AllAtOnce(), threading.Event())
        with pytest.raises(ZeroDivisionError):
            compute(UNITS, "trials")
        assert [store.get(one) is not None for one in UNITS] == [False, True, True, True]
