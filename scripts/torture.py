"""Attack the project with wrong command lines, extreme runs, kills and damaged files; write what was found.

    python scripts/torture.py --minutes 60 --soak 20
    python scripts/torture.py --only "lines steps" --minutes 15

The cases follow from the seed; a group stops when its share of the time is used up, whatever it has done. The
rows of groups that are not run stay in the table. The exit code is 1 if a rule was broken.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import distributed
import hyperopt
import matplotlib.pyplot
import pandas as pd
import scipy.stats
import torch
from torture import files, kills, lines, soak, steps
from torture.outcome import Deadline, Row

from experiments.__main__ import finish
from experiments.harness import provenance, tables
from experiments.harness.errors import UserError, strict
from experiments.harness.quiet import quiet
from experiments.harness.settings import Experiment

SHARES = {"lines": 0.25, "steps": 0.1, "files": 0.15, "kills": 0.5}
"""Of the minutes that are not the soak's."""
IMPORTED = (distributed, hyperopt, matplotlib.pyplot, scipy.stats)
"""What children, which are forks of this process, need not import again."""
GROUPS = [*SHARES, "soak"]
COUNTS = {
    "runs": "runs",
    "refused": "refused",
    "failures": "failures",
    "twice": "computed twice",
    "lost": "lost",
    "changed": "tables changed",
    "seconds": "seconds",
}
"""Of a row, with their names for readers."""


def attacks(groups: Sequence[str], seed: int, minutes: float, soaked: float, folder: Path) -> Iterator[Row]:
    """The rows of the groups, in turn."""
    share = sum(SHARES[name] for name in groups if name in SHARES)
    for name in groups:
        limit = Deadline(60 * minutes * SHARES.get(name, 0.0) / (share or 1.0))
        if name == "lines":
            yield from lines.attack(seed, 2400, limit, folder / name)
        elif name == "steps":
            yield from steps.attack(seed, 10_400, limit)
        elif name == "files":
            yield from files.attack(seed, limit, folder / name)
        elif name == "kills":
            yield from kills.attack(seed, 210, limit, folder / name)
        else:
            yield from soak.attack(60 * soaked, folder / name)


def write(rows: Sequence[Row], results: Path, command: str, seed: int, started: float) -> Path:
    """Write ``torture.csv``, ``torture.md`` and ``provenance.json``; rows of other groups stay there."""
    folder = results / "torture"
    folder.mkdir(parents=True, exist_ok=True)
    new = {row.group for row in rows}
    old: list[dict[str, Any]] = []
    if (folder / "torture.csv").exists():
        table = pd.read_csv(folder / "torture.csv", dtype=str, keep_default_na=False)
        old = table[~table["group"].isin(new)].to_dict("records")
    every = [*old, *({**asdict(row), "found": " | ".join(row.found)} for row in rows)]
    every.sort(key=lambda row: GROUPS.index(row["group"]))
    settings = Experiment(experiment="torture", title="", section="", profile="torture", seed=seed)
    units = [(json.dumps(provenance.maker(), sort_keys=True), sum(row.seconds for row in rows))]
    file = folder / "provenance.json"
    record = json.loads(file.read_text()) if file.exists() else {}
    record |= dict.fromkeys(sorted(new), provenance.describe(settings, command, started, units))
    made = {
        "torture.csv": pd.DataFrame(every).to_csv(index=False, lineterminator="\n"),
        "torture.md": _markdown(every),
        "provenance.json": json.dumps(dict(sorted(record.items())), indent=2) + "\n",
    }
    tables.replace(folder, {name: content.encode() for name, content in made.items()})
    return folder


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table for readers, with every failure in words."""
    head = ["group", "cases", *COUNTS.values(), "note"]
    lines = ["# Torture\n"]
    lines += ["Written by `make torture`; provenance.json says when, where and with which seed.\n"]
    lines += [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for row in rows:
        cells = [row["group"], row["what"], *(str(row[name]) for name in COUNTS), row["note"]]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    for row in rows:
        if row["found"]:
            lines += ["", f"{row['group']}, {row['what']}:", ""]
            lines += [f"- `{one}`" for one in row["found"].split(" | ")]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, attack, and write the table; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=40.0, help="for all groups but the soak (default: %(default)s)"
    )
    parser.add_argument("--soak", type=float, default=20.0, help="minutes of the soak (default: %(default)s)")
    parser.add_argument(
        "--only", default=" ".join(GROUPS), help="groups, in one string (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all cases (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="root (default: %(default)s)")

    def command() -> int:
        given, started = strict(parser).parse_args(argv), time.time()
        groups = given.only.split()
        if strange := set(groups) - set(GROUPS):
            raise UserError(f"--only {' '.join(sorted(strange))}: the groups are {', '.join(GROUPS)}")
        torch.set_num_threads(1)
        work, found = Path(tempfile.mkdtemp(prefix="torture-")), list[Row]()
        words = f"python scripts/torture.py --only '{given.only}' --minutes {given.minutes:g}"
        words += f" --soak {given.soak:g} --seed {given.seed}"
        try:
            for row in attacks(groups, given.seed, given.minutes, given.soak, work):
                counts = ", ".join(f"{getattr(row, name):,} {name}" for name in COUNTS)
                print(f"{row.group}: {row.what}: {counts}; {row.note}", file=sys.stderr, flush=True)
                for why in row.found:
                    print(f"  {why}", file=sys.stderr, flush=True)
                found.append(row)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            if found:  # of an attack that was interrupted too
                print(write(found, given.results, words, given.seed, started))
        return 0 if all(row.clean for row in found) else 1

    return finish(command, "--results")


if __name__ == "__main__":
    quiet()
    sys.exit(main())
