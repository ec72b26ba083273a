"""Commands in forked children of this process, which has imported everything: a start takes milliseconds."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from experiments.__main__ import finish
from experiments.harness.quiet import quiet
from torture.outcome import Row

SENT = (signal.SIGINT, signal.SIGTERM)


class Ended(NamedTuple):
    """How a child ended: its exit code (minus the signal that killed it), stderr, and whether time was up."""

    code: int
    err: str
    stopped: bool


def start(command: Callable[[], int], folder: Path) -> int:
    """Fork a child that makes a call as the command line does, with stderr in a file; its process id."""
    folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SENT)  # until the child can handle them
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SENT)
        return pid
    code = 70

    def handling() -> int:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SENT)
        return command()

    try:
        os.setsid()
        err = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(err, 2)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        quiet()
        code = finish(handling, "paths.results=FOLDER")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(pid: int, seconds: float) -> int | None:
    """The exit code of a child, minus the signal that killed it; None if it goes on after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.005)


def stop(pid: int, number: signal.Signals = signal.SIGINT, patience: float = 120) -> int:
    """Send a signal to a child and wait for its end; one that ignores it is killed, which -9 tells."""
    os.kill(pid, number)
    code = wait(pid, patience)
    if code is None:
        os.kill(pid, signal.SIGKILL)
        code = wait(pid, patience)
    return -9 if code is None else code


def child(command: Callable[[], int], folder: Path, seconds: float) -> Ended:
    """Make a call in a child; after ``seconds`` it is interrupted."""
    (folder / "stderr").unlink(missing_ok=True)
    pid = start(command, folder)
    code = wait(pid, seconds)
    stopped = code is None
    code = stop(pid) if code is None else code
    return Ended(code, (folder / "stderr").read_text(errors="replace"), stopped)


def judge(row: Row, what: str, ended: Ended, limited: bool = False) -> bool:
    """Count a command, which must exit with 0, or with 2 and a last line that alone begins with ``error:``.

    Args:
        row: Where it is counted.
        what: The command, in words.
        ended: How it ended.
        limited: Whether it may have been stopped.

    Returns:
        Whether it kept to that.
    """
    row.runs += 1
    row.refused += ended.code == 2
    lines = ended.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    kept = ended.code in (0, 2) or (limited and ended.stopped)
    kept &= errors == (lines[-1:] if ended.code == 2 else [])
    kept &= not ("Traceback" in ended.err or "Warning" in ended.err)
    if not kept:
        row.fail(f"{what}: exit code {ended.code}: {ended.err[-300:]}")
    return kept
