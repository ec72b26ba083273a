"""Kills of the main process while each experiment is computed; then of what belongs to a cluster.

A chain is one experiment in one folder, started again after each kill until it is finished. Its tables must
then be those of an undisturbed run byte for byte, and no unit that was stored may be stored again or be gone.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from experiments.images.sources import load
from torture import clusters
from torture.children import stop, wait
from torture.outcome import Deadline, Row
from torture.runs import EXPERIMENTS, PATIENCE, SERIAL, SIGNALS, begin, err, finish, undisturbed

CODES = {signal.SIGKILL: (-9,), signal.SIGTERM: (143, -15), signal.SIGINT: (130,)}


def attack(seed: int, kills: int, deadline: Deadline, folder: Path) -> Iterator[Row]:
    """So many kills of the main process, shared by all experiments; then of workers and of the scheduler."""
    draw, whole = random.Random(seed), dict[str, dict[str, str]]()
    for dataset in ("mnist", "cifar10"):
        load(dataset, None, download=False)  # which children then have
    for number, name in enumerate(EXPERIMENTS):
        row = Row("kills", f"{name}: the main process, with KILL, TERM and INT")
        with row.timed():
            before = time.monotonic()
            whole[name] = undisturbed(row, name, folder / f"{name}-whole")
            wall = time.monotonic() - before
            share = Deadline(deadline.left() / (len(EXPERIMENTS) + 4 - number))
            _chain(row, name, folder / name, whole[name], wall, draw, -(-kills // len(EXPERIMENTS)), share)
        yield row
    yield from clusters.attack(whole, draw, deadline, folder)


def _chain(
    row: Row,
    experiment: str,
    folder: Path,
    whole: dict[str, str],
    wall: float,
    draw: random.Random,
    kills: int,
    deadline: Deadline,
) -> None:
    signals = Counter[str]()
    while True:
        pid = begin(experiment, folder, SERIAL)
        last = row.runs >= kills or not deadline
        code = wait(pid, PATIENCE if last else wall * 10 ** draw.uniform(-2, -0.5))
        if code is None and not last:
            number = draw.choice(SIGNALS)
            code = stop(pid, number)
            row.runs += 1
            signals[number.name] += 1
            if code not in CODES[number] and code != 0:
                row.fail(f"{experiment}: exit code {code} after {number.name}: {err(folder)}")
            if code != 0:
                continue
        finish(row, experiment, folder, whole, code)
        if last:
            row.note = ", ".join(f"{count} {name}" for name, count in sorted(signals.items()))
            return
        folder = folder.with_name(f"{experiment}-{row.runs}")  # it was finished before the kills were used up
