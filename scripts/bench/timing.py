"""Timing in turn: the contenders run A B A B …, so that a slow moment of the machine hits all of them."""

import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

SECONDS = {"ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1.0}
Times = dict[str, list[float]]
"""Seconds of each turn by contender; the n-th turns of all stood side by side."""


class Row(NamedTuple):
    """One comparison: a line of ``bench.csv``."""

    bench: str
    what: str
    against: str
    unit: str
    time: float
    """Median over the runs, in ``unit``."""
    against_time: float
    ratio: float
    """Median of time / time of what it is measured against, turn by turn; below 1 is faster."""
    ratio_min: float
    ratio_max: float
    runs: int
    threads: int
    ratio_limit: float = math.nan
    """What the project asks of the ratio, NaN for nothing."""
    time_limit: float = math.nan
    replicas: int = 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_turn(contenders: Mapping[str, Callable[[], object]], turns: int, warm: bool = True) -> Times:
    """Seconds of each of ``turns`` calls of each contender, after one call of each that warms it up."""
    for run in contenders.values() if warm else ():
        run()
    times: Times = {name: [] for name in contenders}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(turns):
            for name, run in contenders.items():
                begin = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - begin)
    finally:
        if collecting:
            gc.enable()
    return times


def compare(
    bench: str, times: Times, what: str, against: str, unit: str, per: Mapping[str, float], threads: int,
    **more: Any,
) -> Row:  # fmt: skip
    """The row that compares two contenders of ``times``.

    Args:
        bench: Name of the group of rows.
        times: From :func:`in_turn`.
        what: The contender that the row is about.
        against: The one it is measured against.
        unit: ``ns``, ``µs``, ``ms`` or ``s``, and of what: ``"µs per step"``.
        per: How many of those one call of each contender makes.
        threads: Threads that torch could use.
        more: Limits and the number of replicas.
    """
    factor = SECONDS[unit.split()[0]]
    mine, theirs = ([factor * t / per[name] for t in times[name]] for name in (what, against))
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    row = Row(
        bench, what, against, unit, statistics.median(mine), statistics.median(theirs),
        statistics.median(ratios), min(ratios), max(ratios), len(ratios), threads, **more,
    )  # fmt: skip
    label = f"{bench}, {row.replicas:,} runs" if row.replicas > 1 else bench
    print(f"{label}: {what}: {row.time:.3g} {unit}, {row.ratio:.3g} × {against}", file=sys.stderr, flush=True)
    return row
