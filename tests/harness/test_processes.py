"""Processes that share a store, or are killed while they write, leave the tables of one left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.harness.store import read_tables

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import sys
import numpy as np, pandas as pd
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab
cfg = Base(experiment="hill", title="t", section="1", profile="quick", paths=Paths(sys.argv[1]))

def compute(i):
    print(i, flush=True)
    noise = np.random.default_rng(lab.seed(i)).normal(size=20_000)
    return {"curves": pd.DataFrame({"x": noise}), "runs": pd.DataFrame({"i": [i]})}

with Lab(cfg) as lab:
    for i in range(60):
        lab.unit({"i": i}, lambda: compute(i))
    lab.finish()
"""


def start(text: str, *arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def writer(root: Path) -> "subprocess.Popen[bytes]":
    """A process that computes 60 units of some size, and prints the number of each that it computes."""
    return start(WRITER, root)


def written(root: Path) -> dict[str, bytes]:
    return {name: (root / "quick" / "hill" / name).read_bytes() for name in ("runs.csv", "curves.parquet")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a process that nobody disturbed."""
    root = tmp_path_factory.mktemp("undisturbed")
    with writer(root) as process:
        process.communicate()
    assert process.returncode == 0
    return written(root)


def test_killed_five_times(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    moments = random.Random(1)
    for _ in range(5):
        with writer(tmp_path) as process:
            assert process.stdout is not None
            for _ in range(moments.randint(1, 8)):
                process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.03))  # somewhere in computing, packing or writing
            process.kill()
        assert process.returncode == -signal.SIGKILL
    with writer(tmp_path) as process:
        numbers = process.communicate()[0].split()
    assert process.returncode == 0 and 0 < len(numbers) < 60
    assert written(tmp_path) == undisturbed


def test_two_processes_at_once(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    with writer(tmp_path) as first, writer(tmp_path) as second:
        first.communicate()
        second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert written(tmp_path) == undisturbed
    assert sorted(read_tables(tmp_path / "quick" / "hill")) == ["curves", "runs"]


FINISHER = """
import os, sys
import pandas as pd
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab
root, title, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
replace, count = os.replace, 0

def fatal(source, target):
    global count
    count += 1
    if count == last:
        os.kill(os.getpid(), 9)
    replace(source, target)

os.replace = fatal
with Lab(Base(experiment="hill", title=title, section="1", profile="quick", paths=Paths(root))) as lab:
    if not lab.finished():
        frame = pd.DataFrame({"title": [title]})
        lab.unit({"title": title}, lambda: {"runs": frame, "trials": frame})
        lab.finish()
"""


@pytest.mark.parametrize("last", [1, 2, 3, 4])
def test_killed_between_two_files(tmp_path: Path, last: int) -> None:
    """Killed before a file is in place, over the tables of other settings: either can be run again."""

    def finish(title: str, last: int = 0) -> int:
        with start(FINISHER, tmp_path, title, last) as process:
            process.communicate()
        return process.returncode

    folder = tmp_path / "quick" / "hill"
    assert finish("old") == 0 and read_tables(folder)["runs"]["title"].tolist() == ["old"]
    for title in ("old", "new"):
        assert finish("new", last) == -signal.SIGKILL
        assert finish(title) == 0
        assert {name: frame["title"].tolist() for name, frame in read_tables(folder).items()} == {
            "runs": [title],
            "trials": [title],
        }
