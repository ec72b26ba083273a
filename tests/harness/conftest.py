"""The toy experiments with a configuration of their own, as commands here and in processes of their own."""

import io
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir, closing, redirect_stderr, redirect_stdout
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest.mock import patch

import pytest

from experiments.__main__ import main
from experiments.harness.settings import CONF

ROOT = Path(__file__).resolve().parents[2]
HILL = """\
# @package _global_
experiment: {name}
title: a hill to descend
section: "4.1"
lr: 0.1
search: {{trials: 30, steps: 200}}
"""
START = """\
import pathlib, sys
from experiments.__main__ import main
if __name__ == "__main__":
    sys.exit(main(conf_dir=pathlib.Path({conf!r}), package="tests.toys"))
"""


class Home:
    """A folder with the toy experiments' configuration, where commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for group in ("experiment", "profile/quick"):
            (folder / "conf" / group).mkdir(parents=True)
        shutil.copy(CONF / "config.yaml", folder / "conf")
        for group in ("executor", "optimizer"):
            shutil.copytree(CONF / group, folder / "conf" / group)
        for name in ("quick", "paper"):
            text = f"# @package _global_\n# the {name} one\nprofile: {name}\n"
            (folder / f"conf/profile/{name}.yaml").write_text(text)
        for name in ("hill", "dale"):
            (folder / f"conf/experiment/{name}.yaml").write_text(HILL.format(name=name))
            text = "# @package _global_\nsearch: {trials: 4}\n"
            (folder / f"conf/profile/quick/{name}.yaml").write_text(text)
        (folder / "command.py").write_text(START.format(conf=str(folder / "conf")))

    def start(self, words: str, session: bool = False, **environment: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        command = [sys.executable, "command.py", *words.split()]
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, text=True, stdout=-1, stderr=-1,
            start_new_session=session,
        )  # fmt: skip

    def run(self, words: str, **environment: str) -> tuple[int, str, str]:
        """Exit code and output of a command in this process, which has imported already what it needs."""
        out, err = io.StringIO(), io.StringIO()
        streams = redirect_stdout(out), redirect_stderr(err)
        with patch.dict(os.environ, environment), chdir(self.folder), streams[0], streams[1]:
            code = main(words.split(), self.folder / "conf", "tests.toys")
        return code, out.getvalue(), err.getvalue()

    def process(self, words: str, **environment: str) -> tuple[int, str, str]:
        """Exit code and output of a command in a process of its own."""
        with self.start(words, **environment) as process:
            out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def results(self, root: str = "results") -> Path:
        return self.folder / root / "quick" / "hill"

    def units(self) -> int:
        """Units in the store of ``hill`` so far."""
        file = self.results() / "units.sqlite"
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                return int(database.execute("SELECT count(*) FROM units").fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def wait_for_units(self, count: int) -> None:
        until(lambda: self.units() >= count)


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Processes that begin with the harness imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.harness.results", "experiments.harness.store"])
    return context
