"""A command with two processes: they share its work, and end with it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.harness.settings import CONF
from experiments.harness.store import read_tables
from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[2]

TOY = """
import os, time
from dataclasses import dataclass
import pandas as pd
from experiments.harness.settings import Base

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
    end = time.monotonic() + 30
    while len(at_work()) < cfg.parties and time.monotonic() < end:
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


def command(home: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-c", START, "experiment=hill"]
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
