"""Processes that share the units of a run: each is computed once, and nobody's death stops the others."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.harness import locks
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab, Tables, open_store, read_tables
from tests.harness.waiting import until

CONTEXT = get_context("forkserver")  # one process imports what is needed; the others are copies of it
CONTEXT.set_forkserver_preload([__name__])
UNITS = 30
Start = Callable[..., ForkServerProcess]


def lab(root: Path, share: float = 0.0) -> Lab:
    paths = Paths(str(root))
    return Lab(Base(experiment="hill", title="t", section="1", profile="quick", paths=paths), share=share)


def log(root: Path) -> list[list[int]]:
    """What was computed so far, in that order: pairs of a unit's number and a process."""
    file = root / "log"
    lines = file.read_text().splitlines() if file.exists() else []
    return [[int(word) for word in line.split()] for line in lines]


def computed(root: Path, pid: int | None = None) -> list[int]:
    return sorted(i for i, who in log(root) if pid in (None, who))


def compute(root: Path, i: int, parties: int = 1) -> Tables:
    """Unit ``i``: takes until there is no file ``hold-i`` and ``parties`` processes are at work."""
    with (root / "log").open("a") as file:
        file.write(f"{i} {os.getpid()}\n")
    until(lambda: len({who for _, who in log(root)}) >= parties and not (root / f"hold-{i}").exists())
    noise = np.random.default_rng(i).normal(size=50)
    return {"curves": pd.DataFrame({"i": [i] * 50, "x": noise}), "runs": pd.DataFrame({"i": [i]})}


def stored(root: Path) -> int:
    """How many units are in the store."""
    with closing(sqlite3.connect(root / "quick" / "hill" / "units.sqlite")) as database:
        count: int = database.execute("SELECT count(*) FROM units").fetchone()[0]
    return count


def items(root: Path, parties: int = 1, count: int = UNITS) -> list[Any]:
    return [({"i": i}, partial(compute, root, i, parties)) for i in range(count)]


def work(root: Path, parties: int = 1, count: int = UNITS) -> None:
    (root / f"started-{os.getpid()}").touch()
    with lab(root) as it:
        it.units(items(root, parties, count), "work")
        it.finish()


def chains(root: Path, share: float) -> None:
    """Three chains of units, each of which needs the one before; the first process writes the tables."""
    with lab(root, share) as it:
        for chain in it.in_turn(range(3)):
            total = 0
            for i in range(10 * chain, 10 * chain + 10):
                key = {"i": i, "after": total}
                total += int(it.unit(key, partial(compute, root, i, 3))["runs"]["i"].sum())
        if not share:
            # Its own order of going through them is that of the rows.
            it.finish()


def opening(file: Path) -> None:
    """Is in the middle of making a store for a while, and alone with it, as ``open_store`` is."""
    with locks.alone(file), closing(sqlite3.connect(file)) as database:
        database.execute("BEGIN IMMEDIATE")
        file.with_name("begun").touch()
        time.sleep(0.5)


def written(root: Path) -> dict[str, bytes]:
    return {name: (root / "quick" / "hill" / name).read_bytes() for name in ("runs.csv", "curves.parquet")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a process that had nobody beside it."""
    root = tmp_path_factory.mktemp("alone")
    work(root)
    return written(root)


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs a function of this file in a process of its own, which does not outlive the test."""
    processes: list[ForkServerProcess] = []

    def begin(function: Callable[..., None], *arguments: object) -> ForkServerProcess:
        processes.append(CONTEXT.Process(target=function, args=arguments, daemon=True))
        processes[-1].start()
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.join()


def ended(process: ForkServerProcess) -> int | None:
    process.join(60)
    return process.exitcode


def test_three_processes_compute_every_unit_once(
    start: Start, alone: dict[str, bytes], tmp_path: Path
) -> None:
    three = [start(work, tmp_path, 3) for _ in range(3)]
    assert [ended(process) for process in three] == [0, 0, 0]
    assert computed(tmp_path) == list(range(UNITS))
    assert {who for _, who in log(tmp_path)} == {process.pid for process in three}
    assert written(tmp_path) == alone
    assert read_tables(tmp_path / "quick/hill")["runs"]["i"].tolist() == list(range(UNITS))


def test_a_store_that_another_process_is_making_is_waited_for(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "units.sqlite"
    other = start(opening, file)
    until((tmp_path / "begun").exists)
    with closing(open_store(file)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ended(other) == 0


def test_three_processes_go_through_chains(start: Start, tmp_path: Path) -> None:
    three = [start(chains, tmp_path, share) for share in (0, 1 / 3, 2 / 3)]
    assert [ended(process) for process in three] == [0, 0, 0]
    assert computed(tmp_path) == list(range(30))
    assert {i for i, _ in log(tmp_path)[:3]} == {0, 10, 20}
    assert read_tables(tmp_path / "quick/hill")["runs"]["i"].tolist() == list(range(30))


def test_rows_do_not_depend_on_who_computed(alone: dict[str, bytes], tmp_path: Path) -> None:
    """Another process, gone since, computed every other unit, the last one first."""
    with lab(tmp_path) as other:
        for key, one in reversed(items(tmp_path)[::2]):
            other.unit(key, one)
    work(tmp_path)
    assert computed(tmp_path) == list(range(UNITS)) and log(tmp_path)[0][0] == UNITS - 2
    assert written(tmp_path) == alone


def test_a_killed_process_lets_go_of_its_unit(start: Start, alone: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "hold-0").touch()
    first = start(work, tmp_path)
    until(lambda: computed(tmp_path, first.pid) == [0])
    second = start(work, tmp_path)
    until(lambda: stored(tmp_path) == UNITS - 1)
    second.join(0.1)
    assert second.exitcode is None and computed(tmp_path) == list(range(UNITS))  # it waits
    os.kill(first.pid or 0, signal.SIGSTOP)
    (tmp_path / "hold-0").unlink()
    first.kill()
    assert (ended(first), ended(second)) == (-signal.SIGKILL, 0)
    assert computed(tmp_path, second.pid) == list(range(UNITS))
    assert written(tmp_path) == alone


def test_a_process_waits_for_the_unit_of_another(
    start: Start, alone: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "hold-0").touch()
    first = start(work, tmp_path)
    until(lambda: computed(tmp_path, first.pid) == [0])
    second, third = start(work, tmp_path), start(work, tmp_path)
    until(lambda: stored(tmp_path) == UNITS - 1 and (tmp_path / f"started-{third.pid}").exists())
    third.join(0.1)
    os.kill(third.pid or 0, signal.SIGINT)
    assert ended(third) == 1 and second.is_alive()  # waiting can be interrupted
    (tmp_path / "hold-0").unlink()
    assert (ended(first), ended(second)) == (0, 0)
    assert computed(tmp_path) == list(range(UNITS)) and written(tmp_path) == alone


@pytest.mark.parametrize("share", [0.0, 0.25, 1 / 3, 0.5, 0.99])
def test_in_turn_is_a_rotation(tmp_path: Path, share: float) -> None:
    it, chains = lab(tmp_path, share), ["a", "b", "c", "d"]
    turned = it.in_turn(chains)
    assert turned[0] == chains[int(4 * share)]
    assert "".join(turned) in "abcdabcd" and len(turned) == 4
    assert it.in_turn([]) == []


def test_the_same_unit_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lab(tmp_path) as it:
        found = it.units([*items(tmp_path, count=2), *items(tmp_path, count=3)], "work")
        it.finish()
    assert [int(tables["runs"]["i"][0]) for tables in found] == [0, 1, 0, 1, 2]
    assert computed(tmp_path) == [0, 1, 2]
    assert read_tables(it.folder)["runs"]["i"].tolist() == [0, 1, 2]
    assert "hill: work: 3/3 " in capsys.readouterr().err
    found[0]["runs"]["i"] = 7  # each caller has its own
    assert found[2]["runs"]["i"].tolist() == [0]


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("x"), PermissionError(13, "x"), sqlite3.OperationalError("x")]
)
def test_an_error_is_raised_as_it_is(start: Start, tmp_path: Path, error: Exception) -> None:
    """Not as one of the store; the units before it are stored, and its own is free for others."""

    def fail() -> Tables:
        raise error

    given = items(tmp_path, count=4)
    with lab(tmp_path) as it:
        with pytest.raises(type(error)) as caught:
            it.units([*given[:2], (given[2][0], fail), given[3]], "work")
        assert caught.value is error
        assert computed(tmp_path) == [0, 1]
        assert ended(start(work, tmp_path, 1, 4)) == 0  # while this process is still there
        assert it.units(given, "work")[2]["runs"]["i"].tolist() == [2]
    assert computed(tmp_path) == [0, 1, 2, 3]
