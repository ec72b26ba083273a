"""Executors: the same tables from each of them, whatever happens to their workers."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from experiments.harness import executor, settings
from experiments.harness.errors import UserError
from experiments.harness.executor import LazyExecutor
from tests.harness.conftest import ROOT, Home, until

TABLES = ("trials.csv", "config.yaml")


def tables(home: Home, root: str) -> dict[str, bytes]:
    return {name: (home.results(root) / name).read_bytes() for name in TABLES}


def computed(log: Path) -> list[int]:
    """The numbers of the units in the order in which their computation began."""
    return [int(line.split()[0]) for line in log.read_text().splitlines()]


def worker(log: Path) -> int:
    """The process that began the last unit."""
    return int(log.read_text().splitlines()[-1].split()[1])


def test_a_killed_worker_is_replaced_and_its_unit_repeated(home: Home) -> None:
    words, log = "experiment=hill search.trials=12", home.folder / "log"
    assert home.run(f"{words} executor=serial paths.results=serial")[0] == 0
    with home.start(f"{words} executor.workers=1 paths.results=local", SLEEP="0.3", LOG=str(log)) as process:
        until(lambda: log.exists() and len(computed(log)) >= 3)
        os.kill(worker(log), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "distributed" not in err and "Traceback" not in err
    assert sorted(set(computed(log))) == list(range(12))
    # Again: the unit of the killed worker, one that it had been sent, results that had not been fetched.
    assert 12 < len(computed(log)) <= 16
    assert tables(home, "local") == tables(home, "serial")


def test_workers_that_dask_has_given_up_are_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "REPLACE_SECONDS", 0.5)
    with LazyExecutor(settings.Executor(kind="local", workers=1)) as pool:
        first = pool.submit(os.getpid).result(60)
        [cluster] = LocalCluster._instances
        cluster.scale(0)
        until(lambda: not Path(f"/proc/{first}").exists())
        assert pool.submit(os.getpid).result(60) != first


def test_units_that_are_cancelled_leave_the_queue(tmp_path: Path) -> None:
    with LazyExecutor(settings.Executor(kind="local", workers=1)) as pool:
        pool.submit(time.sleep, 1.5)
        rest = [pool.submit(Path.touch, tmp_path / str(number)) for number in range(20)]
        for one in rest:
            one.cancel()
        assert pool.submit(int, "7").result(60) == 7
    assert len(list(tmp_path.iterdir())) <= 2  # those that the worker had been sent


@contextmanager
def hands(home: Home) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A scheduler and two workers started by hand: the scheduler's address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SLEEP": "0.3", "LOG": str(home.folder / "log")}
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", address, "--no-dashboard"]
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    processes = [subprocess.Popen(command, **quiet) for command in (scheduler, worker, worker)]
    try:
        yield address, processes[0]
    finally:
        for one in processes:
            one.kill()
            one.wait()


def test_a_worker_of_a_scheduler_is_killed_and_then_the_scheduler(home: Home) -> None:
    """Nobody replaces a worker that was started by hand; a scheduler that is gone is told in one line."""
    words, log = "experiment=hill search.trials=10", home.folder / "log"
    assert home.run(f"{words} executor=serial paths.results=serial")[0] == 0
    with hands(home) as (address, scheduler):
        dask = f"executor=dask executor.address={address}"
        with home.start(f"{words} {dask} paths.results=dask") as process:
            until(lambda: log.exists() and len(computed(log)) >= 3)
            os.kill(worker(log), signal.SIGKILL)
            _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        pids = {int(line.split()[1]) for line in log.read_text().splitlines()}
        assert len(pids) == 2 and sorted(set(computed(log))) == list(range(10))
        assert tables(home, "dask") == tables(home, "serial")

        before = len(computed(log))
        with home.start(f"experiment=hill search.trials=40 {dask}") as process:
            until(lambda: len(computed(log)) >= before + 3)
            scheduler.kill()
            _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert err.splitlines()[-1].startswith("error: the scheduler does not answer any more; start it")
    assert "Traceback" not in err and "distributed" not in err
    assert home.run("experiment=hill search.trials=40 executor=serial")[0] == 0


def test_a_scheduler_that_is_not_there_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.harness.executor.CONNECT_SECONDS", 0.5)
    chosen = settings.Executor(kind="dask", address="tcp://127.0.0.1:1")
    with LazyExecutor(chosen) as executor, pytest.raises(UserError, match=r"127\.0\.0\.1:1.*dask scheduler"):
        executor.submit(int)
    with (
        LazyExecutor(settings.Executor(kind="dask")) as executor,
        pytest.raises(UserError, match="must be given"),
    ):
        executor.submit(int)


def test_serial_keeps_errors_in_the_future() -> None:
    with LazyExecutor(settings.Executor(kind="serial")) as executor:
        assert executor.submit(int, "7").result() == 7
        with pytest.raises(ValueError, match="invalid literal"):
            executor.submit(int, "x").result()
