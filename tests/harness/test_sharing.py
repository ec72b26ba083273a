"""Processes that share the units of a run: each is computed once, and nobody's death stops the others."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
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
import torch

from experiments.harness import checkpoint
from experiments.harness.config import CONF, Base, Paths
from experiments.harness.store import Lab, Tables, read_tables

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = get_context("forkserver")  # one process imports what is needed; the others are copies of it
CONTEXT.set_forkserver_preload([__name__])
UNITS = 30
Start = Callable[..., ForkServerProcess]


def lab(root: Path, share: float = 0.0) -> Lab:
    paths = Paths(str(root))
    return Lab(Base(experiment="hill", title="t", section="1", profile="quick", paths=paths), share=share)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


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


class Long:
    """A unit of five pieces that keeps its state; it breaks down before one of them."""

    def __init__(self, it: Lab, broken_at: int = 5) -> None:
        self.it, self.broken_at, self.done = it, broken_at, list[int]()

    def __call__(self) -> Tables:
        file = self.it.checkpoint({"long": 1})
        state = checkpoint.load(file) or {"done": [], "sum": torch.zeros((), dtype=torch.float64)}
        for piece in range(len(state["done"]), 5):
            if piece == self.broken_at:
                raise KeyboardInterrupt
            self.done.append(piece)
            state = {"done": [*state["done"], piece], "sum": state["sum"] + 0.1 * piece}
            checkpoint.save(file, state)
        return {"runs": pd.DataFrame({"sum": [state["sum"].item()], "pieces": [len(state["done"])]})}


def interrupted(root: Path) -> Path:
    """Leaves a long unit after three pieces; where its state is kept."""
    with lab(root) as it, pytest.raises(KeyboardInterrupt):
        it.unit({"long": 1}, Long(it, broken_at=3))
    return it.checkpoint({"long": 1})


def test_a_long_unit_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    with lab(tmp_path / "whole") as it:
        expected = it.unit({"long": 1}, Long(it))["runs"]
    file = interrupted(tmp_path)
    assert file.exists() and file != it.checkpoint({"long": 2})
    with lab(tmp_path) as it:
        rest = Long(it)
        pd.testing.assert_frame_equal(it.unit({"long": 1}, rest)["runs"], expected, check_exact=True)
    assert rest.done == [3, 4]
    assert list(file.parent.iterdir()) == []  # gone, once the unit is stored


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_corrupt_checkpoint_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    file = interrupted(tmp_path)
    file.write_bytes(damage or file.read_bytes()[:-100])
    capsys.readouterr()
    with lab(tmp_path) as it:
        again = Long(it)
        assert it.unit({"long": 1}, again)["runs"]["pieces"].item() == 5
    assert again.done == [0, 1, 2, 3, 4] and not file.exists()
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and str(file) in err and "starts again" in err


class Trojan:
    """What a pickle can do to those who read it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_a_checkpoint_runs_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.pt"
    checkpoint.save(file, {"done": Trojan(tmp_path / "ran")})
    assert checkpoint.load(file) is None and not (tmp_path / "ran").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint_is_whole_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "x.pt"
    assert checkpoint.load(file) is None
    checkpoint.save(file, {"step": 1})

    def halfway(state: object, path: Path) -> None:
        path.write_bytes(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", halfway)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(file, {"step": 2})
    assert checkpoint.load(file) == {"step": 1}


TOY = """
import os, time
from dataclasses import dataclass
import pandas as pd
from experiments.harness.config import Base

@dataclass(kw_only=True)
class Config(Base):
    parties: int

def note(*words):
    with open("log", "a") as log:
        print(*words, file=log)

def at_work():
    return {line.split()[1] for line in open("log") if line[0].isdigit()}

def compute(cfg, i):
    note(i, os.getpid())
    while len(at_work()) < cfg.parties:
        time.sleep(0.005)
    time.sleep(0.02)
    return {"runs": pd.DataFrame({"i": [i]})}

def run(cfg, lab):
    note("first", lab.in_turn(range(10))[0])
    lab.units([({"i": i}, lambda i=i: compute(cfg, i)) for i in range(40)], "work")

def figures(tables, cfg):
    return {}
"""
# Importing torch takes seconds, and here it is only asked about threads. While its libraries are loaded, no
# signal is handled.
TORCH = """
import signal, time

class cuda:
    is_available = bool

def note(*words):
    with open("log", "a") as log:
        print(*words, file=log)

def set_num_threads(count):
    note("threads", count)

def get_num_threads():
    return 1

note("importing", "torch")
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
time.sleep(0.3)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
"""
SETTINGS = """
# @package _global_
experiment: hill
title: t
section: "1"
workers: 2
parties: 2
"""
START = """
import pathlib, sys
from experiments.__main__ import main
sys.exit(main(conf_dir=pathlib.Path("conf").resolve(), package="toys"))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a small experiment for two processes."""
    for folder in ("conf/experiment", "conf/profile", "toys"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(CONF / "config.yaml", tmp_path / "conf")
    (tmp_path / "conf/experiment/hill.yaml").write_text(SETTINGS)
    (tmp_path / "conf/profile/quick.yaml").write_text("name: quick\nabout: x\n")
    (tmp_path / "toys/hill.py").write_text(TOY)
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "log").touch()
    return tmp_path


def command(home: Path, *settings: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-c", START, "experiment=hill", *settings]
    return subprocess.Popen(
        words, cwd=home, env=environment, text=True, stdout=-1, stderr=-1, start_new_session=True
    )


def lines(home: Path) -> list[list[str]]:
    """What the processes of the command have noted so far."""
    return [line.split() for line in (home / "log").read_text().splitlines()]


def work_of_two(home: Path) -> bool:
    return len({pid for what, pid in lines(home) if what.isdigit()}) == 2


def test_workers_share_and_end(home: Path) -> None:
    with command(home) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "hill: work: 40/40 " in err and "Traceback" not in err
    noted = lines(home)
    assert noted.count(["threads", "1"]) == 2  # in each process
    assert sorted(line for line in noted if line[0] == "first") == [["first", "0"], ["first", "5"]]
    numbers = [int(what) for what, _ in noted if what.isdigit()]
    assert sorted(numbers) == list(range(40)) and work_of_two(home)
    assert read_tables(home / "results/quick/hill")["runs"]["i"].tolist() == list(range(40))


def test_workers_die_with_their_parent(home: Path) -> None:
    with command(home) as process:
        until(lambda: work_of_two(home))
        process.kill()
        process.communicate(timeout=10)  # standard output ends with the last process that has it
    assert process.returncode == -signal.SIGKILL
    assert len(lines(home)) < 40  # in the middle of the work


@pytest.mark.parametrize("moment", ["workers start", "workers work"])
def test_ctrl_c(home: Path, moment: str) -> None:
    """A terminal sends it to all processes."""
    with command(home) as process:
        if moment == "workers work":
            until(lambda: work_of_two(home))
        else:
            until(lambda: lines(home))  # the first process has started the other one, and imports torch
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        start = time.monotonic()
        _, err = process.communicate(timeout=10)
    assert time.monotonic() - start < 5
    assert process.returncode == 130
    assert err == "interrupted; run the same command again to go on\n"
