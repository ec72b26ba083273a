"""Write a table of measurements with its provenance."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.harness import provenance, tables
from experiments.harness.settings import Experiment, Paths


def root(doc: str | None) -> Path:
    """The folder of results that the command line of a script chooses; ``doc`` is the script's docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results"), help="root (default: %(default)s)")
    chosen: Path = parser.parse_args().results
    return chosen


def write(name: str, rows: list[dict[str, Any]], results: Path, started: float, command: str) -> Path:
    """Write ``<results>/<name>/<name>.csv`` and ``provenance.json``; returns the folder."""
    folder = results / name
    settings = Experiment(
        experiment=name, title="", section="", profile="bench", paths=Paths(results=str(results))
    )
    units = [(json.dumps(provenance.maker()), time.time() - started)]
    record = provenance.describe(settings, f"{command} --results {results}", started, units)
    table = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    files = {f"{name}.csv": table, "provenance.json": json.dumps(record, indent=2) + "\n"}
    folder.mkdir(parents=True, exist_ok=True)
    tables.replace(folder, {file: text.encode() for file, text in files.items()})
    return folder
