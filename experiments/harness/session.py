"""Running experiments: their units on one executor, their tables, figures and the report."""

import importlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, as_completed, wait
from concurrent.futures import Executor as BaseExecutor
from dataclasses import dataclass, field
from typing import Any

from experiments.harness import results
from experiments.harness.errors import UserError
from experiments.harness.executor import LazyExecutor
from experiments.harness.progress import Progress
from experiments.harness.settings import Experiment, Job
from experiments.harness.store import Store
from experiments.harness.tables import Tables
from experiments.harness.units import Done, Surroundings, Unit, derived_seed, perform


@dataclass
class Compute:
    """What the ``run`` of a section is given: it computes units of work, or takes them from the store.

    Args:
        cfg: The settings.
        store: Of the experiment, opened.
        executor: Where units are computed.
        stopping: Set when the run is interrupted.

    Attributes:
        stand_in: To be set by a section that uses other data than the settings ask for.
        used: The units of the tables, in their order.
    """

    cfg: Experiment
    store: Store
    executor: BaseExecutor
    stopping: threading.Event
    stand_in: bool = False
    used: list[Done] = field(default_factory=list)

    def seed(self, *labels: object) -> int:
        """A seed below 2⁶³ that follows from the experiment's seed and ``labels``."""
        return derived_seed(self.cfg.seed, *labels)

    def __call__(self, units: Sequence[Unit], what: str) -> list[Tables]:
        """The tables of units, in their order.

        Args:
            units: They may be computed in any order, several at a time.
            what: Name of the stage on the progress display.

        Raises:
            UserError: The store is corrupt or cannot be written, or there are no workers.
        """
        found = {unit: done for unit in units if (done := self.store.get(unit)) is not None}
        missing = [unit for unit in dict.fromkeys(units) if unit not in found]
        waiting: dict[Future[Done], Unit] = {}
        with Progress(len(missing), f"{self.cfg.experiment}: {what}") as progress:
            try:
                for unit in missing:
                    waiting[self._submit(unit)] = unit
                    for future in [future for future in waiting if future.done()]:
                        self._keep(waiting.pop(future), future, found, progress)
                while waiting:
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        self._keep(waiting.pop(future), future, found, progress)
            except BaseException:
                for future in waiting:
                    future.cancel()
                raise
        self.used += [found[unit] for unit in units]
        return [found[unit].tables for unit in units]

    def labelled(self, work: Iterable[tuple[Mapping[str, Any], Unit]], what: str) -> list[Tables]:
        """The tables of units that have labels, with these as their last columns.

        Args:
            work: Labels and unit.
            what: Name of the stage on the progress display.
        """
        pairs = list(work)
        return [
            {name: rows.assign(**labels) for name, rows in tables.items()}
            for (labels, _), tables in zip(pairs, self([one for _, one in pairs], what), strict=True)
        ]

    def _keep(self, unit: Unit, future: "Future[Done]", found: dict[Unit, Done], progress: Progress) -> None:
        """Store the result of a unit that is done."""
        found[unit] = future.result()
        self.store.put(unit, found[unit])
        progress.advance()

    def _submit(self, unit: Unit) -> "Future[Done]":
        if self.stopping.is_set():
            raise CancelledError
        paths = self.cfg.paths
        found = Surroundings(paths.data, paths.download, self.store.checkpoint(unit))
        return self.executor.submit(perform, unit.key, found)


def run(jobs: Sequence[Job], after: Callable[[], None] = lambda: None) -> int:
    """Run experiments side by side on one executor, and draw the figures of each when it is done.

    Args:
        jobs: Experiments with the same executor settings.
        after: Called after each finished experiment.

    Returns:
        The exit code: 0, 2 if a user error was printed, 1 for a bug.
    """
    codes = [0]
    stopping = threading.Event()
    with LazyExecutor(jobs[0].cfg.executor) as executor:
        if len(jobs) == 1 or jobs[0].cfg.executor.kind == "serial":
            for job in jobs:
                codes.append(_complete(job, lambda job=job: _tables(job, executor, stopping), after))  # type: ignore[misc]
            return max(codes)
        with ThreadPoolExecutor(len(jobs)) as threads:
            futures = {threads.submit(_tables, job, executor, stopping): job for job in jobs}
            try:
                for future in as_completed(futures):
                    codes.append(_complete(futures[future], future.result, after))
            except BaseException:
                stopping.set()
                executor.shutdown()
                raise
    return max(codes)


def _tables(job: Job, executor: BaseExecutor, stopping: threading.Event) -> None:
    """Compute an experiment and write its tables, unless they are there."""
    cfg, started = job.cfg, time.time()
    if results.finished(cfg):
        say(f"{cfg.experiment}: finished before with these settings; nothing to compute")
        return
    with Store(cfg.folder) as store:
        compute = Compute(cfg, store, executor, stopping)
        tables = job.section.run(cfg, compute)
        results.write(cfg, tables, compute.used, job.command, started, compute.stand_in)


def _complete(job: Job, tables: Callable[[], None], after: Callable[[], None]) -> int:
    """Wait for an experiment's tables and draw its figures; the exit code."""
    try:
        tables()
        draw(job.cfg, job.section)
        after()
    except UserError as error:
        say(f"error: {error}")
        return 2
    except Exception:  # a bug in one experiment does not keep the others from going on
        traceback.print_exc()
        return 1
    say(f"{job.cfg.experiment}: tables and figures are in {job.cfg.folder}")
    return 0


def draw(cfg: Experiment, section: Any, again: bool = False) -> None:
    """Draw an experiment's figures from its tables, unless they are there.

    Args:
        cfg: The settings.
        section: The experiment's package.
        again: Draw them in any case.
    """
    from experiments.harness import claims, plotting  # matplotlib takes a second to import

    folder = cfg.folder / "figures"
    if again or not folder.is_dir():
        with plotting.style():
            drawn = section.draw(results.read_tables(cfg.folder), cfg, claims.published())
        plotting.save(drawn, folder)


PARTS = {"Config": "config", "run": "units", "estimate": "estimates", "draw": "figures"}
"""What a section consists of, and the modules of its package that contain it."""


class Section:
    """A section of the paper, whose :data:`PARTS` are imported when they are asked for.

    A worker that computes units imports neither matplotlib nor scipy's statistics, and wrong settings are
    refused before anything but the section's ``config`` is imported.

    Args:
        name: Of its package, or of one module with all parts.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, part: str) -> Any:
        whole = importlib.import_module(self._name)
        if hasattr(whole, part) or part not in PARTS:
            return getattr(whole, part)
        return getattr(importlib.import_module(f"{self._name}.{PARTS[part]}"), part)


def section_of(cfg: Any, package: str = "experiments") -> Section:
    """The section that a composed configuration is about."""
    return Section(f"{package}.{cfg['experiment']}")


def say(text: str) -> None:
    """Print a line on stderr."""
    print(text, file=sys.stderr, flush=True)
