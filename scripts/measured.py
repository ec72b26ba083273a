"""What the scripts that measure have in common: their command line, and tables with a provenance."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.__main__ import finish
from experiments.harness import provenance, tables
from experiments.harness.errors import strict
from experiments.harness.settings import Experiment

Rows = list[dict[str, Any]]


def root(doc: str | None, argv: Sequence[str] | None = None) -> Path:
    """The folder of results that the command line of a script chooses; ``doc`` is the script's docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results"), help="root (default: %(default)s)")
    chosen: Path = strict(parser).parse_args(argv).results
    return chosen


def record(name: str, results: Path, started: float) -> dict[str, Any]:
    """The provenance of what ``scripts/<name>.py`` measured since ``started``."""
    settings = Experiment(experiment=name, title="", section="", profile="bench")
    units = [(json.dumps(provenance.maker()), time.time() - started)]
    return provenance.describe(settings, f"python scripts/{name}.py --results {results}", started, units)


def run(name: str, doc: str | None, measure: Callable[[Path], Rows]) -> int:
    """Write the rows that are measured to ``<results>/<name>/<name>.csv``; the exit code."""

    def command() -> int:
        results, started = root(doc), time.time()
        table = pd.DataFrame(measure(results)).to_csv(index=False, lineterminator="\n")
        made = json.dumps(record(name, results, started), indent=2) + "\n"
        folder = results / name
        folder.mkdir(parents=True, exist_ok=True)
        tables.replace(folder, {f"{name}.csv": table.encode(), "provenance.json": made.encode()})
        print(folder)
        return 0

    return finish(command, "--results")
