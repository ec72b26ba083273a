"""Measure speed, as ratios between things run in turn in one process, and write a table and a figure.

    python scripts/bench.py --results results

Read the ratios, not the times: a busy machine slows both sides. It takes about five minutes.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import matplotlib.pyplot as plt
import measured
import pandas as pd
import torch
from bench import ensembles, images, pde
from bench.loop import build
from bench.networks import networks
from bench.timing import Row, threads

from experiments.__main__ import finish
from experiments.harness import plotting as figures
from experiments.harness import tables

HEAD = (
    "bench",
    "what",
    "time",
    "against",
    "its time",
    "unit",
    "ratio [min, max]",
    "runs",
    "threads",
    "asked",
)


def measure(say: list[str]) -> list[Row]:
    """All rows; what had to be left out is appended to ``say``."""
    cores = torch.get_num_threads()
    trained = images.training(cores, say)  # first, for it may find no data folder where BBI_DATA says
    with threads(1):  # ensembles keep to one core, as the C loop does
        loop = build()
        if loop is None:
            say.append("There is no C compiler (`cc`): the rows against the C loop are left out.")
        rows = [] if loop is None else ensembles.ensemble(loop)
        rows += ensembles.single() + ensembles.eager()
        rows += [] if loop is None else ensembles.replicas(loop)
        rows += ensembles.limits()
        try:
            rows += ensembles.compiling()
        except CalledProcessError:
            say.append("There is no C++ compiler: ensembles ran eagerly, and compile times are left out.")
    return rows + networks(cores) + trained + pde.pde(cores)


def cost_per_step(rows: Sequence[Row]) -> figures.Picture:
    """The cost of a step of one run against the number of runs, with the C loop and the two bounds."""
    shown = [row for row in rows if row.bench == "replicas"]
    count = [row.replicas for row in shown]
    with figures.style():
        figure, axes = plt.subplots(figsize=(figures.COLUMN, 2.9))
        axes.loglog(count, [row.time for row in shown], "o-", label="simulate")
        axes.loglog(count, [row.against_time for row in shown], "s--", label="C loop, -O3")
        for row, dash in zip((row for row in rows if row.bench == "limit"), (":", "-."), strict=True):
            axes.axhline(row.time, color="k", linewidth=1, linestyle=dash, label=row.what)
        axes.set(xlabel="runs", ylabel="ns per run and step", title="Ackley, BBI, one core")
        figures.legend_below(figure, axes)
    caption = (
        "The cost of a step of one run against the number of runs, compiled ensembles beside a plain C "
        "loop, and what "
        "moving the state and the functions alone would take."
    )
    times = ", ".join(f"{row.time:.0f} ns with {row.replicas:,}" for row in shown)
    return figures.Picture(figure, caption, f"The ensembles' cost by the number of runs: {times}.")


def limit(rows: Sequence[Row]) -> str:
    """Which limit ensembles run into, from the rows."""
    shown = [row for row in rows if row.bench == "replicas" and row.replicas >= 512]
    memory, functions = (row for row in rows if row.bench == "limit")
    text = (
        f"A step of one run costs {functions.against_time:.3g} ns with {functions.replicas:,} runs. "
        f"To move its state from memory to its lane and back, once a run, takes {memory.time:.2g} ns of that "
        f"({memory.ratio:.1%}) at the rate of a large `copy_`. The functions in it (2 exp, 2 cos, "
        "2 sin, 2 sqrt, by torch on numbers in the cache) "
        f"take {functions.time:.2g} ns ({functions.ratio:.0%}). "
    )
    if shown:
        times = [row.time for row in shown]
        text += (
            f"From 512 runs, which fill all slots, to {shown[-1].replicas:,} the cost changes by a factor of "
            f"{max(times) / min(times):.2g} at most: slots stay in the cache, however many runs wait. "
            "(The largest ensembles take fewer steps here, so that what a run costs once weighs more.) "
        )
    near, far = ("arithmetic", "memory") if memory.ratio < functions.ratio else ("memory", "arithmetic")
    return text + f"The limit is {near}, not {far}."


def _asked(row: Row) -> str:
    """What the project asks of a row, and whether it got it."""
    for value, bound, unit in (
        (row.ratio, row.ratio_limit, "×"),
        (row.time, row.time_limit, row.unit.split()[0]),
    ):
        if not math.isnan(bound):
            return f"≤ {bound:g} {unit}: {'met' if value <= bound else 'missed'}"
    return ""


def markdown(rows: Sequence[Row], record: dict[str, Any], say: Sequence[str]) -> str:
    """The table for readers."""
    machine, versions = record["machine"], record["versions"]
    lines = [HEAD, ("---",) * len(HEAD)]
    for row in rows:
        name = f"{row.bench}, R = {row.replicas:,}" if row.bench == "replicas" else row.bench
        lines.append((
            name, row.what, f"{row.time:.3g}", row.against, f"{row.against_time:.3g}", row.unit,
            f"{row.ratio:.3g} [{row.ratio_min:.3g}, {row.ratio_max:.3g}]", str(row.runs), str(row.threads),
            _asked(row),
        ))  # fmt: skip
    head = (
        "# Speed\n\n"
        "Each ratio is time / time of what it is measured against, run in turn in one process: the "
        "median over the runs, with the smallest and the largest. Below 1 is faster. Times are medians.\n\n"
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['os']}; "
        f"Python {versions['python']}, torch {versions['torch']}; {record['finished']}; "
        f"`{record['command']}`.\n\n"
    )
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return head + body + "\n" + "\n\n".join([*say, limit(rows)]) + "\n"


def write(rows: Sequence[Row], say: Sequence[str], results: Path, started: float) -> list[Path]:
    """Write the tables, the figure and their provenance to ``<results>/bench``; returns the paths."""
    folder = results / "bench"
    record = measured.record("bench", results, started)
    files = {
        "bench.csv": pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"),
        "bench.md": markdown(rows, record, say),
        "provenance.json": json.dumps(record, indent=2) + "\n",
    }
    paths = figures.save({"cost_per_step": cost_per_step(rows)}, folder / "figures")
    tables.replace(folder, {name: text.encode() for name, text in files.items()})
    return [*(folder / name for name in files), *paths]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write; the exit code is 2 for a folder that cannot be used."""

    def command() -> int:
        results, started, say = measured.root(__doc__, argv), time.time(), list[str]()
        (results / "bench").mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=results / "bench").close()  # better known now than in five minutes
        print(*write(measure(say), say, results, started), sep="\n")
        return 0

    return finish(command, "--results")


if __name__ == "__main__":
    sys.exit(main())
