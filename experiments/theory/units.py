"""Sections 2 and 3.3 and appendix A: what the equations of motion say by themselves, without any tuning."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bbi.laws import BornInfeld, Frictionless
from experiments.competitors import Competitor
from experiments.harness.session import Compute
from experiments.harness.settings import Settings
from experiments.harness.tables import Tables, join
from experiments.harness.units import Unit, unit
from experiments.images.sources import load
from experiments.landscapes.volumes import basin, basin_closed
from experiments.theory import conservation, diffusion, stopping
from experiments.theory.config import Config, Energy

Work = Iterator[tuple[dict[str, Any], Unit]]
"""Units of work with the labels of their rows."""
DATASET = "mnist"


def run(cfg: Config, compute: Compute) -> Tables:
    """Compute all checks."""
    images = load(DATASET, cfg.paths.data, cfg.paths.download)
    compute.stand_in = images.stand_in
    return join(compute.labelled(_work(cfg, compute, images.checksum), "checks"))


def volumes(n: list[int], depths: list[int], energy: float) -> Tables:
    """A unit of work: volumes around minima; see :class:`experiments.theory.config.Volumes`.

    Returns:
        ``runs``, one row a dimension ``n`` and ``v_i`` = V_I. ``closed`` is eqs. (46) and (47), ``integral``
        that of eq. (40), ``plain`` that of eq. (41).
    """
    rows = [
        {
            "n": dimension,
            "v_i": v_i,
            "closed": basin_closed(v_i, energy, dimension),
            "integral": basin(BornInfeld(), v_i, energy, dimension),
            "plain": basin(Frictionless(), v_i, energy, dimension),
        }
        for dimension in n
        for v_i in [10.0**-depth for depth in depths]
    ]
    return {"runs": pd.DataFrame(rows)}


def _work(cfg: Config, compute: Compute, checksum: str) -> Work:
    """All units, in the order of the tables."""
    yield from _energy(cfg.energy, compute)
    common = {**_rest(cfg.family, "laws"), "seed": compute.seed("family")}
    for name, member in cfg.family.laws.items():
        yield {"stage": "family", "name": name}, unit(conservation.bowl, law=member.law, **common)
    common = {**_rest(cfg.stall, "competitors"), "seed": compute.seed("stall")}
    for name, competitor in cfg.stall.competitors.items():
        yield {"stage": "stall", "name": name}, unit(stopping.stall, **_competes(competitor), **common)
    common = _rest(cfg.shallow, "competitors")
    for name, competitor in cfg.shallow.competitors.items():
        yield {"stage": "shallow", "name": name}, unit(stopping.shallow, **_competes(competitor), **common)
    common = {**_rest(cfg.overshoot, "lr"), "seed": compute.seed("overshoot")}
    for lr in cfg.overshoot.lr:
        yield {"stage": "overshoot"}, unit(stopping.overshoot, lr=lr, **common)
    common = {**_rest(cfg.tuned, "landscapes"), "optimizer": cfg.tuned.optimizer.optimizer()}
    for name, place in cfg.tuned.landscapes.items():
        seed = compute.seed("tuned", name)
        yield {"stage": "tuned", "name": name}, unit(stopping.tuned, place=place, seed=seed, **common)
    yield {"stage": "volumes"}, unit(volumes, **_rest(cfg.volumes))
    data = {"batch": cfg.diffusion.batch, "dataset": DATASET, "checksum": checksum}
    for variant, phase in cfg.diffusion.phases.items():
        for number in range(phase.runs):
            common = {**_rest(phase, "runs"), **data, "seed": compute.seed("diffusion", number)}
            for name, competitor in cfg.diffusion.competitors.items():
                labels = {"stage": "diffusion", "variant": variant, "name": name, "run": number}
                optimizer = competitor.optimizer()
                yield labels, unit(diffusion.displacements, optimizer=optimizer, **common)


def _rest(settings: Settings, *without: str) -> dict[str, Any]:
    """All settings of a group but some."""
    return settings.model_dump(exclude=set(without))


def _energy(plan: Energy, compute: Compute) -> Work:
    for name, place in plan.landscapes.items():
        labels = {"stage": "energy", "name": name}
        common = {"law": plan.law, "seed": compute.seed("energy", name)}
        for variant, eps1 in conservation.VARIANTS.items():
            for halving in range(plan.halvings + 1):
                finer = place.model_copy(update={"lr": place.lr / 2**halving})
                budget = {"runs": plan.runs, "steps": plan.steps * 2**halving, "eps1": eps1}
                one = unit(conservation.energy, place=finer, **budget, **common)
                yield {**labels, "variant": variant, "lr": finer.lr}, one
        span = plan.steps * place.lr
        one = unit(conservation.continuous, place=place, runs=plan.continued, span=span, **common)
        yield {**labels, "variant": "continuous"}, one


def _competes(competitor: Competitor) -> dict[str, Any]:
    """The arguments that say how a competitor runs."""
    return {"optimizer": competitor.optimizer(), "ensemble": competitor.ensemble}
