"""Section 4.1, the Ackley function: who leaves a local minimum, and who finds the global one?"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import hydra.utils
import numpy as np
import pandas as pd
import torch

from experiments.ackley.config import Barrier, Config, Regimes, landscape
from experiments.competitors import Optimizer, baselines, method, numbers
from experiments.harness.session import Compute
from experiments.harness.settings import Count, Positive, Whole
from experiments.harness.tables import Tables, join, labelled, where
from experiments.harness.units import Unit, unit
from experiments.landscapes import studies
from experiments.landscapes.config import Starts
from experiments.landscapes.ensemble import curve_rows, ends
from experiments.landscapes.ensemble import run as run_ensemble
from experiments.landscapes.repeats import Later, again, searches
from experiments.landscapes.studies import by_key, tuned


class Key(NamedTuple):
    """The labels of a unit's rows; ``first`` is the number of the first search of a block."""

    stage: str
    coefficient: float
    competitor: str
    first: int = 0


Work = Iterator[tuple[Key, Unit]]


def run(cfg: Config, compute: Compute) -> Tables:
    """For each coefficient: search, vary δE, map a baseline's settings, run long and from random points."""
    units: dict[Key, Unit] = {}
    plan = functools.partial(_after, cfg, compute)
    for a in cfg.coefficients:
        for (name, first), search in searches(cfg, compute, landscape(a), plan, a).items():
            units[Key("search", a, name, first)] = search
        units.update(_maps(cfg, compute, a))
    units = dict(sorted(units.items(), key=lambda item: item[0].first))  # the paper's own searches come first
    early = by_key(compute, units, "searches, barrier and regimes")
    settings, units = {}, {}
    for a in cfg.coefficients:
        found = {key[2:]: tables for key, tables in early.items() if key[:2] == ("search", a)}
        settings[a] = tuned(cfg, found)
        for name, optimizer in settings[a].items():
            units |= _runs(cfg, compute, a, name, optimizer)
        units.update(_regimes_found(cfg, a, found))
    later = by_key(compute, units, "long runs and random starts")
    return join([
        _labelled(cfg, key, tables, settings[a].get(key.competitor, {}))
        for a in cfg.coefficients
        for some in (later, early)
        for key, tables in some.items()
        if key.coefficient == a
    ])  # fmt: skip


def _after(cfg: Config, compute: Compute, i: int, name: str) -> dict[str, Later]:
    """What follows search ``i``: the long runs, and the runs from random points, new ones for each."""
    many, robust = cfg.competitors[name].stochastic, cfg.robust
    starts = Starts(
        center=[0.0, 0.0], side=robust.side, points=robust.points, seed=compute.seed("points", *again(i)),
        repeats=robust.runs if many else 1,
    )  # fmt: skip
    long = Starts(center=cfg.start, points=cfg.long.runs if many else 1)
    return {
        "robust": Later(starts=starts, steps=robust.steps, success=robust.success,
                        seed=compute.seed("robust", *again(i))),
        "long": Later(starts=long, steps=cfg.long.steps, success=robust.success,
                      seed=compute.seed("long", *again(i))),
    }  # fmt: skip


def _maps(cfg: Config, compute: Compute, a: float) -> Work:
    """The units that need no search: the barrier, and the grid of regimes."""
    common = {"landscape": landscape(a), "start": cfg.start, "compiled": cfg.compiled}
    name = method(cfg.competitors)
    competitor = cfg.competitors[name]
    if "delta_e" in (*competitor.fixed, *competitor.space):
        optimizer = competitor.optimizer({"lr": cfg.barrier.lr})
        yield Key("barrier", a, name), unit(
            barrier, **common, optimizer=optimizer, ensemble=competitor.ensemble, plan=cfg.barrier,
            seed=compute.seed("barrier"),
        )  # fmt: skip
    for name in baselines(cfg.competitors):
        competitor = cfg.competitors[name]
        if {"lr", "momentum"} <= {*competitor.fixed, *competitor.space}:
            yield Key("regimes", a, name), unit(
                regimes, **common, optimizer=competitor.optimizer(), ensemble=competitor.ensemble,
                steps=cfg.regimes.steps, success=cfg.robust.success, grid=cfg.regimes,
            )  # fmt: skip
            break  # one is enough: the other baselines differ by what is searched


def _runs(cfg: Config, compute: Compute, a: float, name: str, optimizer: Optimizer) -> dict[Key, Unit]:
    """Long runs, and runs from random points, with a competitor's best settings."""
    competitor = cfg.competitors[name]
    common = {"landscape": landscape(a), "compiled": cfg.compiled, "optimizer": optimizer,
              "ensemble": competitor.ensemble}  # fmt: skip
    long = {"steps": cfg.long.steps, "record_every": cfg.long.record_every}
    if competitor.role == "baseline" and not competitor.stochastic:
        longest = unit(regimes, **common, **long, start=cfg.start, success=cfg.robust.success)
    else:
        starts = Starts(center=cfg.start, repeats=cfg.long.runs if competitor.stochastic else 1)
        longest = unit(
            studies.runs, **common, **long, starts=starts, seed=compute.seed("long"), drawn=cfg.long.drawn
        )
    later = _after(cfg, compute, 0, name)["robust"]
    somewhere = unit(studies.runs, **common, starts=later.starts, steps=later.steps, seed=later.seed)
    return {Key("long", a, name): longest, Key("robust", a, name): somewhere}


def _regimes_found(cfg: Config, a: float, searched: Mapping[tuple[str, int], Tables]) -> Work:
    """For each baseline without random numbers: what becomes of the settings that its searches found."""
    for name in baselines(cfg.competitors):
        competitor = cfg.competitors[name]
        rows = [tables["runs"] for (one, _), tables in searched.items() if one == name]
        if not rows or competitor.stochastic:
            continue
        found = where(pd.concat(rows), where="search").dropna(subset=["best"])
        columns = {axis: found[axis].tolist() for axis in competitor.space}
        if len(found):
            yield Key("regimes found", a, name), unit(
                regimes, landscape=landscape(a), compiled=cfg.compiled, optimizer=competitor.optimizer(),
                ensemble=competitor.ensemble, steps=cfg.long.steps, start=cfg.start,
                success=cfg.robust.success, settings={"search": found["search"].tolist(), **columns},
            )  # fmt: skip


def _labelled(cfg: Config, key: Key, tables: Tables, optimizer: Optimizer) -> Tables:
    """A unit's rows with labels and settings."""
    labels = {"stage": key.stage, "coefficient": key.coefficient, "competitor": key.competitor}
    found = {name: labelled(table, **labels) for name, table in tables.items()}
    if key.stage in ("long", "robust"):
        count = len(tables["runs"])
        per_point = count // cfg.robust.points if key.stage == "robust" else count
        point, number = np.divmod(np.arange(count), per_point)
        where = {"point": point} if key.stage == "robust" else {}
        columns = {**where, "run": number, **numbers(optimizer)}
        found["runs"] = labelled(tables["runs"], **labels, **columns)
    return found


def barrier(
    landscape: dict[str, Any],
    optimizer: Optimizer,
    ensemble: str,
    start: list[float],
    plan: Barrier,
    seed: int,
    compiled: bool,
) -> Tables:
    """Runs over δE, with all other settings given: which of them leave the first basin?

    Returns:
        ``runs``, one row a run, with ``left`` and the settings.
    """
    extra = torch.linspace(0, plan.highest, plan.values, dtype=torch.float64).repeat_interleave(plan.runs)
    starts = torch.tensor([start] * len(extra), dtype=torch.float64)
    # Recorded every 20 steps, a run that passes the next cell of the lattice is seen there.
    done = run_ensemble(
        hydra.utils.instantiate(landscape), {**optimizer, "delta_e": extra}, ensemble, starts, plan.steps,
        seed, record_every=20, compiled=compiled,
    )  # fmt: skip
    assert done.curves is not None
    away = (done.curves.theta - starts[0]).abs().amax(-1) > 1
    left = np.isin(np.arange(len(extra)), done.curves.replica[away].numpy())
    columns = {**numbers(optimizer), "delta_e": extra.numpy()}
    return {"runs": labelled(ends(done), run=np.arange(len(extra)) % plan.runs, left=left, **columns)}


def regimes(
    landscape: dict[str, Any],
    optimizer: Optimizer,
    ensemble: str,
    start: list[float],
    steps: Count,
    success: Positive,
    compiled: bool,
    grid: Regimes | None = None,
    record_every: Whole = 0,
    settings: dict[str, list[float]] | None = None,
) -> Tables:
    """Runs of an optimizer without random numbers from one point, and what becomes of each.

    Pairs of settings from a ``grid``, or columns of ``settings`` beside the numbers of their searches, take
    the place of the optimizer's; without either there is one run.

    Returns:
        ``runs``, one row a run, with ``moved`` (how far it moves in 100 more steps from rest at its end) and
        ``regime``; ``curves`` if recorded.
    """
    potential = hydra.utils.instantiate(landscape)
    columns = {}
    if grid:
        lr = torch.logspace(-4, np.log10(0.5), grid.lr, dtype=torch.float64)
        momentum = torch.linspace(0, 1, grid.momentum, dtype=torch.float64)
        columns = {"lr": lr.repeat_interleave(grid.momentum), "momentum": momentum.repeat(grid.lr)}
    given = dict(settings or {})
    numbers = given.pop("search", None)
    columns |= {name: torch.tensor(x, dtype=torch.float64) for name, x in given.items()}
    count = max(map(len, columns.values()), default=1)
    starts = torch.tensor([start] * count, dtype=torch.float64)
    settled = {**optimizer, **columns}
    done = run_ensemble(
        potential, settled, ensemble, starts, steps, record_every=record_every, compiled=compiled
    )
    after = run_ensemble(potential, settled, ensemble, done.theta, 100, compiled=compiled)
    table = ends(done).assign(moved=(after.theta - done.theta).abs().amax(-1).numpy())
    words = [_regime(row, start, success) for row in table.itertuples()]
    rows = labelled(table.assign(regime=words), **{name: x.numpy() for name, x in columns.items()})
    rows = rows if numbers is None else rows.assign(search=numbers)
    return {"runs": rows, **({"curves": curve_rows(done)} if record_every else {})}


def _regime(row: Any, start: list[float], success: float) -> str:
    """What became of a run: it found the minimum, left, is still moving, or is at rest somewhere."""
    if row.best < success:
        return "solved"
    if not max(abs(row.x1), abs(row.x2)) < 32.768:  # the usual domain of the function; NaN is outside
        return "diverged"
    if row.moved > 1e-6:
        return "erratic"
    near = max(abs(row.x1 - start[0]), abs(row.x2 - start[1])) < 0.5
    return "stuck at the start" if near else "settled elsewhere"
