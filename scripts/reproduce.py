"""Run the experiments of a profile side by side, and write the report of those that are finished.

    python scripts/reproduce.py --profile quick --only "ackley two_basin" seed=1

All units of work run on one executor, so that all cores are busy to the end. What is finished is not
repeated.
"""

import argparse
import math
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.__main__ import finish, one_line, prepare
from experiments.harness import session
from experiments.harness.errors import UserError, did_you_mean, strict
from experiments.harness.overrides import refuse_words
from experiments.harness.quiet import quiet
from experiments.harness.settings import CONF, compose
from experiments.report import runs, write

PAUSE = 60.0
"""Seconds between two reports, each of which takes some."""


def check(option: str, names: Sequence[str], group: str) -> None:
    """Raise :class:`UserError` if the group of the configuration lacks one of the names."""
    known = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    for name in names:
        if name not in known:
            raise UserError(f"{option} {shlex.quote(name)}: no such {group}{did_you_mean(name, known)}")


def run(profile: str, only: str, settings: Sequence[str]) -> int:
    """Run the experiments and write the report; the exit code is that of the worst one."""
    names = list(dict.fromkeys(only.replace(",", " ").split())) or runs.experiments()
    check("--only", names, "experiment")
    check("--profile", [profile], "profile")
    jobs = []
    for name in names:
        overrides = [f"experiment={name}", f"profile={profile}", *settings]
        with one_line(overrides):
            refuse_words(overrides, CONF)
            jobs.append(prepare(compose(*overrides), overrides))
    report = Report(Path(jobs[0].cfg.paths.results).expanduser())
    code = session.run(jobs, after=report.experiment_finished)
    report.complete()
    return code


class Report:
    """The report, written when the first experiment is finished, then once a minute at most, and at the end.

    Args:
        root: Root of the results.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._written, self._outdated = root, -math.inf, False

    def experiment_finished(self) -> None:
        """Write it, or remember that it is outdated."""
        self._outdated = True
        if time.monotonic() - self._written > PAUSE:
            self.complete()

    def complete(self) -> None:
        """Write it if it is outdated."""
        if self._outdated:
            session.say(f"report: {write.write(self._root)[0]}")
            self._written, self._outdated = time.monotonic(), False


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; the exit code."""
    parser = argparse.ArgumentParser(description="Run the experiments of a profile, then write the report.")
    parser.add_argument(
        "--profile", default="quick", help="budgets: smoke, quick, cpu or paper (default: %(default)s)"
    )
    parser.add_argument("--only", default="", help="names of experiments, in one string (default: all)")
    parser.add_argument("settings", nargs="*", help="further settings for every experiment, such as seed=1")

    def command() -> int:
        given = strict(parser).parse_intermixed_args(argv)
        return run(given.profile, given.only, given.settings)

    return finish(command, "paths.results=FOLDER")


if __name__ == "__main__":
    quiet()
    sys.exit(main())
