"""Many experiments, reports and optimizers in one process, whose memory and open files must not grow."""

import gc
import shutil
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import torch

from bbi import BBI
from experiments.report import write
from torture.outcome import Row
from torture.runs import SERIAL, job, run

WORDS = ("search.trials=2", "search.steps=20", "long.steps=20", "random.points=2", "random.steps=20")
WARM = 0.25
"""Share of the time after which the memory is first looked at."""
GROWTH_MIB = 20.0
"""Growth after that which is allowed, of a process of some hundred MiB."""


def attack(seconds: float, folder: Path) -> Iterator[Row]:
    """Experiments again and again for so many seconds."""
    row = Row("soak", f"experiments, reports and optimizers in one process for {seconds / 60:.0f} minutes")
    start, first, most = time.monotonic(), (0.0, 0), 0.0
    with row.timed():
        while time.monotonic() - start < seconds:
            _once(row, folder)
            if not first[1] and time.monotonic() - start >= WARM * seconds:
                first = _memory(), _files()
            most = max(most, _memory())
        last = _memory(), _files()
        row.note = (
            f"{first[0]:.0f} MiB and {first[1]} files at a quarter, {last[0]:.0f} and {last[1]} at the end"
        )
        if last[0] - first[0] > GROWTH_MIB or last[1] > first[1]:
            row.fail(row.note)
    yield row


def _once(row: Row, folder: Path) -> None:
    row.runs += 1
    root = folder / "soak"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    said = StringIO()
    with redirect_stderr(said):
        code = run(job("zakharov", root, SERIAL, *WORDS), root / "log")
        write.write(root)
    if code:
        row.fail(f"exit code {code}: {said.getvalue()[-300:]}")
    theta = torch.nn.Parameter(torch.randn(100))
    optimizer = BBI([theta], 0.01, t0=5, t1=20, n_bounces=3)
    for _ in range(200):
        theta.grad = theta.detach().clone()
        optimizer.step(loss=theta.detach().square().sum() / 2)
    gc.collect()


def _memory() -> float:
    """Resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
