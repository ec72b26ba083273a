"""Compare the lr that `bbi.first_lr` proposes with the best lr of a grid, and write a table.

    python scripts/first_lr.py --results results

For each task of `tasks.py`, BBI and ECDSep are run from some seeds with the lr proposed (the geometric mean
over the seeds), and with 4 times more to 4 times less in factors of 2; the grid grows until the best is
inside. The score is the geometric mean over the seeds. It takes some minutes.
"""

import math
import sys
import time
import warnings
from pathlib import Path

import measured
import torch
from tasks import TASKS, Task

from bbi import BBI, ECD, ECDSep, first_lr

FLOOR = 1e-40
"""Scores below this count as this: the optimizers stop there."""


def optimizer(task: Task, name: str, model: torch.nn.Module, lr: float) -> ECD:
    """BBI or ECDSep with the settings of the task."""
    if name == "BBI":
        return BBI(model.parameters(), lr, **task.bbi)
    return ECDSep(model.parameters(), lr, **task.ecdsep)


def proposed(task: Task, name: str) -> float:
    """The geometric mean over the seeds of the lr proposed, from a trial at 0.1."""
    logs = []
    for seed in range(task.seeds):
        run = task.make(seed)
        logs.append(math.log(first_lr(optimizer(task, name, run.model, 0.1), run.closure, run.model)))
    return math.exp(sum(logs) / len(logs))


def score(task: Task, name: str, lr: float) -> float:
    """The geometric mean over the seeds of the score of a training; inf if one of them diverged."""
    logs = []
    for seed in range(task.seeds):
        run = task.make(seed)
        opt = optimizer(task, name, run.model, lr)
        for _ in range(task.steps):
            if not math.isfinite(float(opt.step(run.closure).detach())):
                return math.inf
        final = run.score()
        if not math.isfinite(final):
            return math.inf
        logs.append(math.log(max(final, FLOOR)))
    return math.exp(sum(logs) / len(logs))


def compare(task: Task, name: str) -> dict[str, object]:
    """One row of the table."""
    first = proposed(task, name)
    scores = {k: score(task, name, first * 2.0**k) for k in range(-2, 3)}

    def nearest() -> int:
        return min(scores, key=lambda k: (scores[k], abs(k)))  # on ties the one that is proposed

    while (best := nearest()) in (low := min(scores), high := max(scores)):
        k = low - 1 if best == low else high + 1
        scores[k] = score(task, name, first * 2.0**k)
    return {
        "task": task.name,
        "optimizer": name,
        "proposed": float(f"{first:.3g}"),
        "best": float(f"{first * 2.0**best:.3g}"),
        "ratio": 2.0**-best,
        "score_proposed": float(f"{scores[0]:.3g}"),
        "score_best": float(f"{scores[best]:.3g}"),
        "score_default": float(f"{score(task, name, DEFAULTS[name]):.3g}"),
        "steps": task.steps,
        "seeds": task.seeds,
        "grid": " ".join(f"{first * 2.0**k:.2g}:{scores[k]:.2g}" for k in sorted(scores)),
    }


DEFAULTS = {cls.__name__: cls([torch.nn.Parameter(torch.zeros(2))]).defaults["lr"] for cls in (BBI, ECDSep)}


def measure(results: Path) -> measured.Rows:
    """The rows of all tasks and both optimizers."""
    started = time.time()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # a loss below delta_v at the start of a run is no news here
    rows = []
    for task in TASKS:
        for name in DEFAULTS:
            rows.append(compare(task, name))
            print(f"{time.time() - started:.0f} s", rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(measured.run("first_lr", __doc__, measure))
