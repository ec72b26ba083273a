"""Running experiments: their units on one executor, their tables, figures and the report."""

import functools
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, as_completed, wait
from concurrent.futures import Executor as BaseExecutor
from dataclasses import dataclass, field
from typing import Any

from experiments.harness import results, usercode
from experiments.harness.errors import UserError
from experiments.harness.executor import LazyExecutor
from experiments.harness.progress import QUIET_SECONDS, Progress
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
                    for future in wait(waiting, QUIET_SECONDS, FIRST_COMPLETED).done:
                        self._keep(waiting.pop(future), future, found, progress)
                    progress.tick()
            except BaseException:
                for future in waiting:
                    future.cancel()
                for future, unit in waiting.items():  # what others have computed is not lost
                    if future.done() and not future.cancelled() and future.exception() is None:
                        self.store.put(unit, future.result())
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
    for job in jobs:
        usercode.digests(job.cfg.portable())  # of the code that is about to be imported
    missing, stopping = list[Job](), threading.Event()
    codes = [_guarded(functools.partial(_find, job, missing)) for job in jobs]
    if missing and "torch" not in sys.modules:
        say("loading torch")  # which takes seconds
    for job in missing:
        job.cfg.check()
    if len(missing) < len(jobs):
        codes.append(_guarded(after))
    with LazyExecutor(jobs[0].cfg.executor) as executor:
        work = functools.partial(_complete, executor=executor, stopping=stopping, after=after)
        if len(missing) < 2 or jobs[0].cfg.executor.kind == "serial":
            return max([*codes, *(_guarded(functools.partial(work, job)) for job in missing)])
        # Figures take as long as all of smoke's units: the workers of this machine draw them.
        elsewhere = jobs[0].cfg.executor.kind == "local"
        with ThreadPoolExecutor(len(missing)) as threads:
            futures = [threads.submit(work, job, elsewhere=elsewhere) for job in missing]
            try:
                codes += [_guarded(future.result) for future in as_completed(futures)]
            except BaseException:
                stopping.set()
                executor.shutdown()
                raise
    return max(codes)


def _find(job: Job, missing: list[Job]) -> None:
    """If an experiment is finished, draw what figures it lacks; otherwise it is added to ``missing``."""
    if not results.finished(job.cfg):
        missing.append(job)
        return
    say(f"{job.cfg.experiment}: finished before with these settings; nothing to compute")
    draw(job.cfg, job.section)
    say(f"{job.cfg.experiment}: tables and figures are in {job.cfg.folder}")


def _complete(
    job: Job,
    executor: BaseExecutor,
    stopping: threading.Event,
    after: Callable[[], None],
    elsewhere: bool = False,
) -> None:
    """Compute an experiment, write its tables and draw its figures, ``elsewhere`` if on the executor."""
    cfg, started = job.cfg, time.time()
    with Store(cfg.folder) as store:
        compute = Compute(cfg, store, executor, stopping)
        tables = job.section.run(cfg, compute)
        results.write(cfg, tables, compute.used, job.command, started, compute.stand_in)
    if elsewhere:
        executor.submit(draw, cfg, job.section).result()
    with _ONE_AT_A_TIME:
        draw(cfg, job.section)
        after()
    say(f"{cfg.experiment}: tables and figures are in {cfg.folder}")


_ONE_AT_A_TIME = threading.Lock()
"""For figures and reports: neither matplotlib nor Hydra can be used in several threads at once."""


def _guarded(action: Callable[[], None]) -> int:
    """Do something for an experiment; the exit code."""
    try:
        action()
    except UserError as error:
        say(f"error: {error}")
        return 2
    except Exception:  # a bug in one experiment does not keep the others from going on
        traceback.print_exc()
        return 1
    return 0


def draw(cfg: Experiment, section: Any, again: bool = False) -> None:
    """Draw an experiment's figures from its tables, unless they are there.

    Args:
        cfg: The settings.
        section: The experiment's package.
        again: Draw them in any case.
    """
    folder = cfg.folder / "figures"
    if not again and results.drawn(folder):
        return
    from experiments.harness import claims, plotting  # matplotlib takes a second to import

    with plotting.style():
        figures = section.draw(results.read_tables(cfg.folder), cfg, claims.published())
    plotting.save(figures, folder)


def say(text: str) -> None:
    """Print a line on stderr."""
    print(text, file=sys.stderr, flush=True)
