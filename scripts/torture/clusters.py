"""Kills on a cluster: of workers, of the main process, and of the scheduler of Dask."""

import contextlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from experiments.harness.settings import Executor
from torture.children import stop, wait
from torture.outcome import Deadline, Row
from torture.runs import PATIENCE, SERIAL, SIGNALS, begin, err, finish


def attack(
    whole: dict[str, dict[str, str]], draw: random.Random, deadline: Deadline, folder: Path
) -> Iterator[Row]:
    """Three kills an experiment of each kind; ``whole`` are the digests of undisturbed tables."""
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


def _workers(pid: int) -> list[psutil.Process]:
    """The workers below a main process."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [one for one in psutil.Process(pid).children(recursive=True) if _is_worker(one)]
    return []


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return "spawn_main" in " ".join(process.cmdline())
    return False


def _logged(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().split()) if log.exists() else 0


def _until_computing(pid: int, folder: Path, more: int) -> bool:
    """Wait until some units more are stored; False if the run ends before."""
    enough, end, process = _logged(folder) + more, time.monotonic() + PATIENCE, psutil.Process(pid)
    while _logged(folder) < enough and time.monotonic() < end:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.01)
    return True


def _cluster(
    row: Row, experiment: str, folder: Path, whole: dict[str, str], draw: random.Random, kill: Any
) -> None:
    """A run on a local cluster; ``kill`` says whether it has to be started again."""
    tries, again = 3, True
    while again:
        again, pid = False, begin(experiment, folder, Executor(kind="local", workers=2))
        while tries and not again and _until_computing(pid, folder, draw.randint(1, 2)):
            time.sleep(draw.uniform(0, 0.3))
            row.runs += 1
            tries -= 1
            again = kill(row, pid, draw)
    code = wait(pid, PATIENCE)
    if code != 0:
        row.fail(f"{experiment}: exit code {code}: {err(folder)}")
        if code is None:
            stop(pid, signal.SIGKILL)
        code = wait(begin(experiment, folder, SERIAL), PATIENCE)
    finish(row, experiment, folder, whole, code)


def _kill_worker(row: Row, pid: int, draw: random.Random) -> bool:
    if workers := _workers(pid):
        draw.choice(workers).send_signal(draw.choice((signal.SIGKILL, signal.SIGTERM)))
    return False


def _kill_main(row: Row, pid: int, draw: random.Random) -> bool:
    workers = _workers(pid)
    stop(pid, draw.choice(SIGNALS))
    _, left = psutil.wait_procs(workers, timeout=30)
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
            pid = begin(experiment, folder, Executor(kind="dask", address=address))
            if _until_computing(pid, folder, draw.randint(1, 3)):
                scheduler.send_signal(number)
                row.runs += 1
            code = wait(pid, PATIENCE)
            if code is None:
                row.fail(f"{experiment}: goes on for {PATIENCE:g} s without a scheduler")
                stop(pid, signal.SIGKILL)
            elif code not in (0, 2):
                row.fail(f"{experiment}: exit code {code} without a scheduler: {err(folder)}")
    (folder / "stderr").unlink()
    finish(row, experiment, folder, whole, wait(begin(experiment, folder, SERIAL), PATIENCE))


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
