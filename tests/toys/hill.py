"""A section of the simplest kind: each unit is one trial."""

import os
import time
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.harness import checkpoint
from experiments.harness.session import Compute
from experiments.harness.settings import Count, Experiment, Positive, Settings
from experiments.harness.tables import Tables, join
from experiments.harness.units import unit


class Search(Settings):
    trials: Count
    steps: Count


class Config(Experiment):
    lr: Positive
    search: Search


class Walk:
    """A random walk as resumable work; each step takes a while and is noted in a file."""

    def __init__(self, steps: int, seed: int, log: str) -> None:
        self._steps, self._seed, self._log = steps, seed, log
        self.done, self.position = 0, 0

    @property
    def finished(self) -> bool:
        return self.done >= self._steps

    def advance(self) -> list[dict[str, Any]]:
        time.sleep(float(os.environ.get("SLEEP", "0")))
        with Path(self._log).open("a") as log:
            log.write(f"{self._seed} {self.done}\n")
        self.position = (31 * self.position + self._seed + self.done) % 1009
        self.done += 1
        return [{"step": self.done, "position": self.position}]

    def state_dict(self) -> dict[str, Any]:
        return {"done": self.done, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.done, self.position = state["done"], state["position"]


def trial(number: int, lr: float, seed: int) -> Tables:
    """One row; a line in the file $LOG says that it was computed."""
    if lr > 100:
        raise ZeroDivisionError("a bug")
    if log := os.environ.get("LOG"):
        with Path(log).open("a") as file:
            file.write(f"{number} {os.getpid()}\n")
    time.sleep(float(os.environ.get("SLEEP", "0")))
    return {"trials": pd.DataFrame({"trial": [number], "loss": [(lr - 0.2) ** 2 + seed % 97]})}


def walk(steps: int, seed: int, log: str) -> Tables:
    """A resumable unit."""
    return {"runs": pd.DataFrame(checkpoint.run(Walk(steps, seed, log)))}


def run(cfg: Config, compute: Compute) -> Tables:
    units = [
        unit(trial, number=number, lr=cfg.lr, seed=compute.seed("trial", number))
        for number in range(cfg.search.trials)
    ]
    return join(compute(units, "trials"))


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Any]:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.add_subplot().plot(tables["trials"]["loss"])
    return {"losses": figure}


def estimate(tables: Tables, cfg: Config) -> list[Any]:
    return []
