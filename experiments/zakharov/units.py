"""Section 4.2, the Zakharov function in ten dimensions: which optimizer is faster in a shallow valley?"""

import numpy as np

from experiments.competitors import numbers
from experiments.harness.search import best
from experiments.harness.session import Compute
from experiments.harness.tables import Tables, join
from experiments.harness.units import unit
from experiments.landscapes import studies
from experiments.landscapes.ensemble import labelled
from experiments.landscapes.studies import Starts, competes
from experiments.zakharov.config import LANDSCAPE, Config


def run(cfg: Config, compute: Compute) -> Tables:
    """Search settings for each competitor; with those found run long, and from random points."""
    common = {"landscape": LANDSCAPE, "compiled": cfg.compiled}
    searched = {name: c for name, c in cfg.competitors.items() if c.space}
    searches = [
        unit(
            studies.search, **common, **competes(c), space=c.space, start=cfg.start, budget=cfg.search,
            seed=compute.seed("trials", name), stream=[cfg.seed, "tpe", "search", name],
        )
        for name, c in searched.items()
    ]  # fmt: skip
    trials = dict(zip(searched, (t["trials"] for t in compute(searches, "searches")), strict=True))
    found = {name: best(table, searched[name].space) for name, table in trials.items()}
    settings = {
        name: c.optimizer(found.get(name))
        for name, c in cfg.competitors.items()
        if not c.space or found[name] is not None
    }
    sides = [0.0, *cfg.random.sides]  # 0: the long run from the start
    runs = [
        unit(
            studies.runs, **common, optimizer=optimizer, ensemble=cfg.competitors[name].ensemble,
            starts=_starts(cfg, compute, side), steps=cfg.random.steps if side else cfg.long.steps, seed=0,
            record_every=0 if side else cfg.long.record_every, slots=16,
        )
        for name, optimizer in settings.items()
        for side in sides
    ]  # fmt: skip
    done = iter(compute(runs, "long runs and random starts"))
    parts: dict[str, list[Tables]] = {name: [] for name in cfg.competitors}
    for name, table in trials.items():
        parts[name].append({"trials": labelled(table, stage="search", competitor=name)})
    for name, optimizer in settings.items():
        for side in sides:
            parts[name].append(_rows(next(done), name, numbers(optimizer), side))
    return join([table for name in cfg.competitors for table in parts[name]])


def _starts(cfg: Config, compute: Compute, side: float) -> Starts:
    if not side:
        return Starts(center=cfg.start)
    origin = [0.0] * len(cfg.start)
    return Starts(center=origin, side=side, points=cfg.random.points, seed=compute.seed("points", side))


def _rows(done: Tables, name: str, settings: dict[str, float], side: float) -> Tables:
    """The rows of one competitor's runs, from the start or from random points."""
    labels = {"stage": "random" if side else "long", "competitor": name}
    ends = done["runs"]
    tables = {"runs": labelled(ends, **labels, side=side, point=np.arange(len(ends)), **settings)}
    if not side:
        tables["curves"] = labelled(done["curves"][["run", "step", "loss"]], **labels)
    return tables
