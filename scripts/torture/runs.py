"""An experiment with small budgets, run in a child that may be killed, and how its end is judged."""

import functools
import hashlib
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from matplotlib.figure import Figure

from experiments.__main__ import prepare
from experiments.harness import checkpoint, plotting, session
from experiments.harness.settings import CONF, Executor, Experiment, Job, compose
from experiments.harness.store import Store
from torture.children import start, wait
from torture.outcome import Row

EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
TABLES = ("config.yaml", "trials.csv", "runs.csv", "curves.parquet")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE = 900.0
"""Seconds after which a run counts as hanging."""

TINY = {
    "ackley": "coefficients=[0.2] search.trials=3 search.steps=20 long.steps=40 long.runs=2 barrier.runs=2 "
    "barrier.steps=20 regimes.lr=2 regimes.momentum=2 regimes.steps=20 robust.points=2 robust.steps=20",
    "cifar": "recipe.train=64 recipe.test=50 epochs=2 search.trials=1",
    "mnist": "recipe.train=200 recipe.test=50 epochs=2",
    "pde": " ".join(f"problems.k2.competitors.{name}.iterations=20" for name in ("bbi", "gdm", "adam")),
    "theory": "energy.steps=10 family.steps=50 stall.steps=100 tuned.steps=20 diffusion.phases.late.runs=1",
    "two_basin": "steps=100 occupation.steps=100 occupation.burn_in=0",
    "zakharov": "search.trials=3 search.steps=30 long.steps=60 random.points=2 random.steps=30",
}
"""Budgets below those of smoke: what is killed is computed again and again."""


@functools.cache
def _composed(experiment: str, settings: tuple[str, ...]) -> Job:
    words = [f"experiment={experiment}", "profile=smoke", "paths.download=false", *settings]
    return prepare(compose(*words), words)


def job(experiment: str, folder: Path, executor: Executor, *settings: str) -> Job:
    """An experiment with budgets below those of smoke, whose results are in ``folder``."""
    made = _composed(experiment, (*TINY.get(experiment, "").split(), *settings))
    paths = made.cfg.paths.model_copy(update={"results": str(folder)})
    return made._replace(cfg=made.cfg.model_copy(update={"executor": executor, "paths": paths}))


def _one_picture(cfg: Experiment, section: Any, again: bool = False) -> None:
    """In the place of figures, whose drawing takes longer than the units here: one, saved as they are."""
    plotting.save({"empty": Figure()}, cfg.folder / "figures")


def run(made: Job, log: Path) -> int:
    """Run an experiment with one picture and frequent checkpoints; every unit that is stored is logged."""
    keep = Store.put

    def put(self: Store, unit: Any, done: Any) -> None:
        keep(self, unit, done)
        with log.open("a") as file:
            file.write(f"{unit.digest}\n")

    with (
        patch.object(Store, "put", put),
        patch.object(checkpoint, "SECONDS", 0.2),
        patch.object(session, "draw", _one_picture),
    ):
        return session.run([made])


def begin(experiment: str, folder: Path, executor: Executor) -> int:
    """Start or go on with a run in a child; its process id."""
    return start(functools.partial(run, job(experiment, folder, executor), folder / "log"), folder)


SERIAL = Executor(kind="serial")


def undisturbed(row: Row, experiment: str, folder: Path) -> dict[str, str]:
    code = wait(begin(experiment, folder, SERIAL), PATIENCE)
    if code != 0:
        row.fail(f"{experiment}: undisturbed, exit code {code}: {err(folder)}")
    return digests(folder / "smoke" / experiment)


def finish(row: Row, experiment: str, folder: Path, whole: dict[str, str], code: int | None) -> None:
    """Judge a chain that came to its end."""
    said = err(folder, 10**6)
    if code != 0 or "Traceback" in said:
        row.fail(f"{experiment}: exit code {code} at the end: {said[-300:]}")
        return
    counts = Counter((folder / "log").read_text().split())
    row.twice += sum(count - 1 for count in counts.values())
    with closing(sqlite3.connect(folder / "smoke" / experiment / "units.sqlite")) as database:
        stored = {digest for [digest] in database.execute("SELECT hash FROM units")}
    row.lost += len(counts.keys() - stored)
    row.changed += changed(folder / "smoke" / experiment, whole)


def changed(folder: Path, whole: dict[str, str]) -> int:
    """How many tables are not those of the undisturbed run, whose digests are ``whole``."""
    there = digests(folder)
    return sum(whole.get(name) != there.get(name) for name in whole.keys() | there.keys())


def digests(folder: Path) -> dict[str, str]:
    files = [folder / name for name in TABLES if (folder / name).exists()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def err(folder: Path, size: int = 300) -> str:
    return (folder / "stderr").read_text(errors="replace")[-size:]
