"""Section 4.2, the Zakharov function in ten dimensions: which optimizer is faster in a shallow valley?"""

import functools

import numpy as np

from experiments.competitors import method, numbers
from experiments.harness.session import Compute
from experiments.harness.tables import Tables, join, labelled
from experiments.harness.units import unit
from experiments.landscapes import studies
from experiments.landscapes.config import Starts
from experiments.landscapes.repeats import Later, again, searches
from experiments.landscapes.studies import by_key, tuned
from experiments.zakharov.config import LANDSCAPE, Config


def run(cfg: Config, compute: Compute) -> Tables:
    """Search settings for each competitor; with those found run long, and from random points."""
    plan = functools.partial(_after, cfg, compute)
    searched = by_key(compute, searches(cfg, compute, LANDSCAPE, plan), "searches")
    settings = tuned(cfg, searched)
    units = {
        (name, side): unit(
            studies.runs, landscape=LANDSCAPE, compiled=cfg.compiled, optimizer=optimizer,
            ensemble=cfg.competitors[name].ensemble, starts=_starts(cfg, compute, side, 0),
            seed=compute.seed("noise", side), slots=16, steps=cfg.random.steps if side else cfg.long.steps,
            record_every=0 if side else cfg.long.record_every,
        )
        for name, optimizer in settings.items()
        for side in (0.0, *cfg.random.sides)  # 0: the long run from the start
    }  # fmt: skip
    rows = [
        {kind: labelled(table, stage="search", competitor=name) for kind, table in tables.items()}
        for (name, _), tables in searched.items()
    ]
    for (name, side), done in by_key(compute, units, "long runs and random starts").items():
        labels = {"stage": "random" if side else "long", "competitor": name}
        ends = done["runs"]
        columns = {"side": side, "point": np.arange(len(ends)), **numbers(settings[name])}
        rows.append({"runs": labelled(ends, **labels, **columns)})
        if not side:
            rows.append({"curves": labelled(done["curves"][["run", "step", "loss", "lowest"]], **labels)})
    return join(rows)


def _after(cfg: Config, compute: Compute, i: int, name: str) -> dict[str, Later]:
    """What follows search ``i``: the long run, and the runs from random points, new ones for each."""
    floor = float(cfg.competitors[method(cfg.competitors)].fixed.get("delta_v", 0.0))
    return {
        f"side {side:g}" if side else "long": Later(
            starts=_starts(cfg, compute, side, i), success=floor,
            seed=compute.seed("noise", side, *again(i)), steps=cfg.random.steps if side else cfg.long.steps,
        )
        for side in (0.0, *cfg.random.sides)
    }  # fmt: skip


def _starts(cfg: Config, compute: Compute, side: float, search: int) -> Starts:
    if not side:
        return Starts(center=cfg.start)
    origin = [0.0] * len(cfg.start)
    seed = compute.seed("points", side, *again(search))
    return Starts(center=origin, side=side, points=cfg.random.points, seed=seed)
