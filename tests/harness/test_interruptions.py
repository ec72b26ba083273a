"""Ctrl-C, SIGTERM, SIGKILL and a second process: nothing is lost and nothing is computed twice."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from experiments.__main__ import finish
from tests.harness.conftest import Home, until

WORDS = "experiment=hill search.trials=24"


def test_interrupted_in_one_line(home: Home) -> None:
    with home.start(f"{WORDS} executor=serial", SLEEP="0.2") as process:
        home.wait_for_units(3)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err.splitlines()[-1] == "interrupted; run the same command again to go on"
    assert "Traceback" not in err and 3 <= home.units() < 24


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_while_an_object_is_deleted_is_not_lost(
    number: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    class Object:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def command() -> int:
        Object()
        time.sleep(30)
        return 0

    assert finish(command, "") == code
    assert capsys.readouterr().err == "interrupted; run the same command again to go on\n"


def test_ctrl_c_of_a_terminal_reaches_all_processes(home: Home) -> None:
    """A terminal sends SIGINT to the workers too, which must not print anything."""
    with home.start(f"{WORDS} executor.workers=2", session=True, SLEEP="0.2") as process:
        home.wait_for_units(3)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted; run the same command again to go on"
    assert "Traceback" not in err


def test_killed_again_and_again_gives_the_same_tables(home: Home) -> None:
    """With workers and without; no worker outlives the main process."""
    clock, log, done = random.Random(0), home.folder / "log", 0
    for executor in ("executor.workers=2", "executor=serial"):
        with home.start(f"{WORDS} {executor}", SLEEP="0.1", LOG=str(log)) as process:
            enough = done + clock.randint(1, 5)
            home.wait_for_units(enough)
            process.kill()
        assert enough <= home.units() < 24
        done = home.units()
    pids = {int(line.split()[1]) for line in log.read_text().splitlines()}
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 20)
    assert home.run(f"{WORDS} executor=serial", LOG=str(log))[0] == 0
    assert home.run(f"{WORDS} executor=serial paths.results=whole")[0] == 0
    for name in ("trials.csv", "config.yaml", "figures/losses.png"):
        assert (home.results() / name).read_bytes() == (home.results("whole") / name).read_bytes()
    started = [int(line.split()[0]) for line in log.read_text().splitlines()]
    assert len(started) <= 24 + 2 * 4  # a kill costs what two workers were at, or had been sent


def test_a_second_process_on_the_same_folder_is_refused(home: Home) -> None:
    with home.start(f"{WORDS} executor=serial", SLEEP="5") as first:
        until(lambda: (home.results() / "units.sqlite").exists())
        code, _, err = home.run(WORDS)
        assert code == 2 and err.count("\n") == 1
        assert "error: another process computes in results/quick/hill; wait for it" in err
        first.kill()
    assert home.run(f"{WORDS} executor=serial")[0] == 0
