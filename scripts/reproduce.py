"""Run the experiments of a profile side by side, then write the report.

    python scripts/reproduce.py --profile quick --only "ackley two_basin" seed=1

Each experiment is a process of its own, as many at once as there are cores; what is finished is not repeated.
A core without an experiment joins one whose work can be shared.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType

import yaml

from experiments.harness.errors import UserError, did_you_mean, strict
from experiments.harness.settings import CONF

PATIENCE_SECONDS = 10.0


class Pool:
    """Processes whose stderr is passed on line by line, with the experiment's name in front.

    Args:
        size: How many run at once.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[str]] = []
        self._stopped = False

    def run(self, commands: dict[str, list[str]]) -> int:
        """Run ``commands``, by name; the exit code of the worst, 128 + signal for one that was killed."""
        with ThreadPoolExecutor(self._size) as threads:
            try:
                codes = list(threads.map(self._one, commands, commands.values()))
            except BaseException:
                self._stop()
                raise
        return max(codes, default=0)

    def _one(self, name: str, command: list[str]) -> int:
        with self._lock:
            if self._stopped:
                return 0
            # In a session of its own, so that an interrupt from the terminal reaches it once: through _stop.
            process = subprocess.Popen(
                command, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            self._running.append(process)
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                print(f"{name}: {line.removeprefix(f'{name}: ')}", end="", file=sys.stderr, flush=True)
        code = process.wait()
        return code if code >= 0 else 128 - code

    def _stop(self) -> None:
        """Interrupt what runs, as Ctrl-C would, and kill what does not end, or ends and leaves children."""
        with self._lock:
            self._stopped = True
        deadline = time.monotonic() + PATIENCE_SECONDS
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._running:
            with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                process.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def chosen(option: str, given: str, group: str) -> list[str]:
    """The names in ``given``, separated by blanks or commas; all of the group if it is empty.

    Raises:
        UserError: A name that the group of the configuration does not have.
    """
    known = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    names = given.replace(",", " ").split() or known
    for name in names:
        if name not in known:
            raise UserError(f"{option} {name}: no such {group}{did_you_mean(name, known)}")
    return list(dict.fromkeys(names))


def commands(names: Sequence[str], profile: str, settings: Sequence[str], cores: int) -> dict[str, list[str]]:
    """The processes in the order in which they start, by name: every experiment, then those that join one."""
    shared = [
        name
        for name in names
        if yaml.safe_load((CONF / f"experiment/{name}.yaml").read_text()).get("workers") == 0
    ]
    joining = [f"{name} ({number})" for number in range(2, cores + 1) for name in shared]
    python = [sys.executable, "-m", "experiments"]
    return {
        who: [*python, f"experiment={who.split()[0]}", f"profile={profile}", "workers=1", *settings]
        for who in (*names, *joining)
    }


def results_root(overrides: Sequence[str]) -> Path:
    """Where the runs put their results: the last ``paths.results=`` among the settings, or the default."""
    given = [word.partition("=")[2] for word in overrides if word.startswith("paths.results=")]
    return Path(given[-1] if given else "results").expanduser()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the experiments and write the report; the exit code is that of the worst experiment."""
    parser = argparse.ArgumentParser(description="Run the experiments of a profile, then write the report.")
    parser.add_argument(
        "--profile", default="quick", help="budgets: smoke, quick, cpu or paper (default: %(default)s)"
    )
    parser.add_argument("--only", default="", help="names of experiments, in one string (default: all)")
    parser.add_argument("settings", nargs="*", help="further settings for every experiment, such as seed=1")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        given = strict(parser).parse_intermixed_args(argv)
        [profile] = chosen("--profile", given.profile, "profile")
        cores = len(os.sched_getaffinity(0))
        names = chosen("--only", given.only, "experiment")
        code = Pool(cores).run(commands(names, profile, given.settings, cores))
        results = results_root(given.settings)
        if (results / profile).is_dir():
            from experiments.harness import report

            print(f"report: {report.write(results, profile)}", file=sys.stderr)
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        why = f"cannot write {error.filename}: {error.strerror}"
        print(f"error: {why}; choose paths.results=FOLDER", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
