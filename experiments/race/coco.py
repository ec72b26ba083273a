"""The runs of the race in the format of COCO's experiments (Hansen and others, arXiv 1603.08785)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.race.scores import hits

COLUMNS = (
    "% function evaluation | noise-free fitness - Fopt | best noise-free fitness - Fopt | measured fitness"
    " | best measured fitness"
)
FLOOR = 1e-10
"""Values below it are written as this one: the format has no zero."""


def write(
    runs: pd.DataFrame,
    names: Sequence[str],
    targets: Sequence[float],
    labels: Mapping[str, str],
    folder: Path,
) -> list[Path]:
    """Write one folder an entrant, in which each function has one file of data for each dimension.

    Of a run the evaluations at its targets are known, so its data are these targets and the last value. The
    runs of all tunings are instances of COCO.

    Args:
        runs: Table of the race, of which the networks are left out.
        names: Functions in the order of their numbers.
        targets: Their targets.
        labels: Of the entrants.
        folder: Where the folders are written.

    Returns:
        The folders.
    """
    written = []
    for entrant, mine in runs[runs["problem"].isin(names)].groupby("entrant", sort=False):
        place = folder / str(entrant)
        for number, name in enumerate(names, 1):
            some = mine[mine["problem"] == name]
            if len(some):
                _function(some, number, name, targets, labels[str(entrant)].replace("'", ""), place)
        written.append(place)
    return written


def _function(
    runs: pd.DataFrame, number: int, name: str, targets: Sequence[float], label: str, place: Path
) -> None:
    """The index and the data of one function."""
    data = place / f"data_f{number}"
    data.mkdir(parents=True, exist_ok=True)
    lines = []
    for n, some in runs.groupby("n", sort=False):
        file = data / f"race_f{number}_DIM{n}.dat"
        text, ends = [], []
        for instance, (first, (_, run)) in enumerate(zip(hits(some), some.iterrows(), strict=True), 1):
            rows = _rows(first, targets, int(run["evaluations"]), float(run["best"]))
            text.append(COLUMNS)
            text += [f"{at} {f:+.9e} {f:+.9e} {f:+.9e} {f:+.9e}" for at, f in rows]
            ends.append(f"{instance}:{rows[-1][0]}|{rows[-1][1]:.1e}")
        for ending in (".dat", ".tdat"):
            file.with_suffix(ending).write_text("\n".join(text) + "\n")
        lines += [
            f"suite = 'bbob', funcId = {number}, DIM = {n}, Precision = {targets[-1]:.3e}, algId = '{label}'",
            f"% {name}, rotated and shifted",
            f"data_f{number}/{file.name}, {', '.join(ends)}",
        ]
    (place / f"race_f{number}.info").write_text("\n".join(lines) + "\n")


def _rows(
    first: np.ndarray, targets: Sequence[float], evaluations: int, best: float
) -> list[tuple[int, float]]:
    """Evaluations and lowest F - F* where a target is hit, and at the end."""
    reached = {int(at): target for at, target in zip(first, targets, strict=True) if np.isfinite(at)}
    end = max(min([best, *reached.values()]), FLOOR)
    if evaluations == 1:
        return [(1, end)]
    rows = [(at, target) for at, target in reached.items() if 1 < at < evaluations]
    # The value at the start is not in the table: it is above the highest target that is not hit there.
    return [(1, reached.get(1, max(10 * targets[0], end))), *rows, (evaluations, end)]
