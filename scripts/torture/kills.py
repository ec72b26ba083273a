"""Kills of the main process, of workers and of the scheduler while each experiment is computed.

A chain is one experiment in one folder, started again after each kill until it is finished. Its tables must
then be those of an undisturbed run byte for byte, and no unit that was stored may be stored again or be gone.
"""

import functools
import hashlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from matplotlib.figure import Figure

from experiments.__main__ import prepare
from experiments.harness import checkpoint, plotting, session
from experiments.harness.settings import CONF, Executor, Experiment, Job, compose
from experiments.harness.store import Store
from experiments.images.sources import load
from torture.children import start, stop, wait
from torture.outcome import Deadline, Row

EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: (-9,), signal.SIGTERM: (143, -15), signal.SIGINT: (130,)}
TABLES = ("config.yaml", "trials.csv", "runs.csv", "curves.parquet")
PATIENCE = 900.0
"""Seconds after which a run counts as hanging."""


def attack(seed: int, kills: int, deadline: Deadline, folder: Path) -> Iterator[Row]:
    """So many kills of the main process, shared by all experiments; then of workers and of the scheduler."""
    draw, names = random.Random(seed), EXPERIMENTS
    whole: dict[str, dict[str, str]] = {}
    for dataset in ("mnist", "cifar10"):
        load(dataset, None, download=False)  # which children then have
    for number, name in enumerate(names):
        row = Row("kills", f"{name}: the main process, with KILL, TERM and INT")
        with row.timed():
            before = time.monotonic()
            whole[name] = _undisturbed(row, name, folder / f"{name}-whole")
            wall = time.monotonic() - before
            share = Deadline(deadline.left() / (len(names) + 2 - number))
            _chain(row, name, folder / name, whole[name], wall, draw, -(-kills // len(names)), share)
        yield row
    for what, kill in (
        ("a worker of the local cluster", _kill_worker),
        ("the main process of a cluster", _kill_main),
    ):
        row = Row("kills", what)
        with row.timed():
            for name in ("zakharov", "theory"):
                if deadline:
                    _cluster(row, name, folder / f"{name}-{kill.__name__}", whole[name], draw, kill)
        yield row
    row = Row("kills", "the scheduler, with KILL and TERM")
    with row.timed():
        for number, name in enumerate(("zakharov", "theory")):
            if deadline:
                _scheduler(row, name, folder / f"{name}-scheduler", whole[name], draw, SIGNALS[number % 2])
    yield row


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


def _begin(experiment: str, folder: Path, executor: Executor) -> int:
    """Start or go on with a run in a child; its process id."""
    return start(functools.partial(run, job(experiment, folder, executor), folder / "log"), folder)


SERIAL = Executor(kind="serial")


def _undisturbed(row: Row, experiment: str, folder: Path) -> dict[str, str]:
    code = wait(_begin(experiment, folder, SERIAL), PATIENCE)
    if code != 0:
        row.fail(f"{experiment}: undisturbed, exit code {code}: {_err(folder)}")
    return _digests(folder / "smoke" / experiment)


def _chain(
    row: Row,
    experiment: str,
    folder: Path,
    whole: dict[str, str],
    wall: float,
    draw: random.Random,
    kills: int,
    deadline: Deadline,
) -> None:
    signals = Counter[str]()
    while True:
        pid = _begin(experiment, folder, SERIAL)
        last = row.runs >= kills or not deadline
        code = wait(pid, PATIENCE if last else wall * 10 ** draw.uniform(-2, -0.5))
        if code is None and not last:
            number = draw.choice(SIGNALS)
            code = stop(pid, number)
            row.runs += 1
            signals[number.name] += 1
            if code not in CODES[number] and code != 0:
                row.fail(f"{experiment}: exit code {code} after {number.name}: {_err(folder)}")
            if code != 0:
                continue
        _finish(row, experiment, folder, whole, code)
        if last:
            row.note = ", ".join(f"{count} {name}" for name, count in sorted(signals.items()))
            return
        folder = folder.with_name(f"{experiment}-{row.runs}")  # it was finished before the kills were used up


def _finish(row: Row, experiment: str, folder: Path, whole: dict[str, str], code: int | None) -> None:
    """Judge a chain that came to its end."""
    err = _err(folder, 10**6)
    if code != 0 or "Traceback" in err:
        row.fail(f"{experiment}: exit code {code} at the end: {err[-300:]}")
        return
    counts = Counter((folder / "log").read_text().split())
    row.twice += sum(count - 1 for count in counts.values())
    with closing(sqlite3.connect(folder / "smoke" / experiment / "units.sqlite")) as database:
        stored = {digest for [digest] in database.execute("SELECT hash FROM units")}
    row.lost += len(counts.keys() - stored)
    row.changed += sum(
        whole.get(name) != digest for name, digest in _digests(folder / "smoke" / experiment).items()
    )


def _digests(folder: Path) -> dict[str, str]:
    files = [folder / name for name in TABLES if (folder / name).exists()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _err(folder: Path, size: int = 300) -> str:
    return (folder / "stderr").read_text(errors="replace")[-size:]


def _descendants(pid: int) -> list[int]:
    """The processes that a process started, and those started by them."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, queue = list[int](), [pid]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _workers(pid: int) -> list[int]:
    return [one for one in _descendants(pid) if b"spawn_main" in _command(one)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _logged(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().split()) if log.exists() else 0


def _until_computing(pid: int, folder: Path, more: int) -> bool:
    """Wait until some units more are stored; False if the run ends before."""
    enough, end = _logged(folder) + more, time.monotonic() + PATIENCE
    while _logged(folder) < enough and time.monotonic() < end:
        if not Path(f"/proc/{pid}/stat").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return False
        time.sleep(0.01)
    return True


def _cluster(
    row: Row, experiment: str, folder: Path, whole: dict[str, str], draw: random.Random, kill: Any
) -> None:
    """A run on a local cluster; ``kill`` says whether it has to be started again."""
    tries, again = 3, True
    while again:
        again, pid = False, _begin(experiment, folder, Executor(kind="local", workers=2))
        while tries and not again and _until_computing(pid, folder, draw.randint(1, 2)):
            time.sleep(draw.uniform(0, 0.3))
            row.runs += 1
            tries -= 1
            again = kill(row, pid, draw)
    code = wait(pid, PATIENCE)
    if code != 0:
        row.fail(f"{experiment}: exit code {code}: {_err(folder)}")
        if code is None:
            stop(pid, signal.SIGKILL)
        code = wait(_begin(experiment, folder, SERIAL), PATIENCE)
    _finish(row, experiment, folder, whole, code)


def _kill_worker(row: Row, pid: int, draw: random.Random) -> bool:
    if workers := _workers(pid):
        os.kill(draw.choice(workers), draw.choice((signal.SIGKILL, signal.SIGTERM)))
    return False


def _kill_main(row: Row, pid: int, draw: random.Random) -> bool:
    below = _descendants(pid)
    stop(pid, draw.choice(SIGNALS))
    end = time.monotonic() + 30
    while (left := [one for one in below if b"spawn_main" in _command(one)]) and time.monotonic() < end:
        time.sleep(0.1)
    if left:
        row.fail(f"{len(left)} workers outlive the main process by 30 s")
    return True


def _scheduler(
    row: Row,
    experiment: str,
    folder: Path,
    whole: dict[str, str],
    draw: random.Random,
    number: signal.Signals,
) -> None:
    """A run on a scheduler that is killed: it ends with one line, and goes on with another scheduler."""
    for _ in range(2):
        with _services() as (address, scheduler):
            pid = _begin(experiment, folder, Executor(kind="dask", address=address))
            if _until_computing(pid, folder, draw.randint(1, 3)):
                scheduler.send_signal(number)
                row.runs += 1
            code = wait(pid, PATIENCE)
            if code is None:
                row.fail(f"{experiment}: goes on for {PATIENCE:g} s without a scheduler")
                stop(pid, signal.SIGKILL)
            elif code not in (0, 2):
                row.fail(f"{experiment}: exit code {code} without a scheduler: {_err(folder)}")
    (folder / "stderr").unlink()
    _finish(row, experiment, folder, whole, wait(_begin(experiment, folder, SERIAL), PATIENCE))


@contextmanager
def _services() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A Dask scheduler and a worker; its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, quiet = f"tcp://127.0.0.1:{port}", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--port", str(port), "--host", "127.0.0.1", "--no-dashboard"], **quiet
    )
    worker = subprocess.Popen(
        [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"], **quiet
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield address, scheduler
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
