"""The race: settings are searched for each entrant and problem, and judged on fresh instances."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from experiments.harness.ranges import Range
from experiments.harness.session import Compute
from experiments.harness.settings import Seed
from experiments.harness.tables import Tables, join
from experiments.harness.units import Unit, derived_seed, unit
from experiments.race.config import Budget, Config, Entrant, Scoring, Tuning
from experiments.race.engine import Outcome
from experiments.race.engine import run as race
from experiments.race.problems import Problems, functions, network


def run(cfg: Config, compute: Compute) -> Tables:
    """Tune and score all entrants on all problems."""
    return join(compute.labelled(_work(cfg, compute), "race"))


def _work(cfg: Config, compute: Compute) -> Iterator[tuple[dict[str, Any], Unit]]:
    """All units, in the order of the tables: the tunings of a vectorised entrant are computed together."""
    suites: list[tuple[list[str], int, Budget]]
    suites = [(cfg.functions.names, n, cfg.functions) for n in cfg.functions.dimensions]
    suites += [([name], 0, budget) for name, budget in cfg.networks.items()]
    everyone = list(range(cfg.tuning.repeats))
    for name, entrant in cfg.entrants.items():
        for names, n, budget in suites:
            if entrant.knows_box and not n:
                continue
            together = [[k] for k in everyone] if entrant.ensemble == "single" else [everyone]
            for tunings in together:
                yield {"entrant": name}, unit(
                    contest, entrant=entrant.model_dump(by_alias=True, exclude=LOOKS), names=names, n=n,
                    budget=Budget(evaluations=budget.evaluations, targets=budget.targets), tuning=cfg.tuning,
                    scoring=cfg.scoring, tunings=tunings, seed=cfg.seed, own=compute.seed("settings", name),
                )  # fmt: skip


LOOKS = {"label", "color", "marker", "role", "paper", "stochastic"}
"""What no number depends on, left out of the keys of units."""


def contest(
    entrant: dict[str, Any],
    names: list[str],
    n: int,
    budget: Budget,
    tuning: Tuning,
    scoring: Scoring,
    tunings: list[int],
    seed: Seed,
    own: Seed,
) -> Tables:
    """A unit of work: tune one entrant on some problems, and score it.

    Args:
        entrant: Of :class:`Entrant`, without its looks.
        names: Functions, or one network.
        n: Dimensions of the functions; 0 for a network.
        budget: Evaluations and targets.
        tuning: Trials and training instances.
        scoring: Number of fresh instances.
        tunings: Which repetitions of the tuning are made.
        seed: Of the instances, the same for all entrants.
        own: Of the random settings and the entrant's own random numbers.

    Returns:
        ``trials``, one row a trial and problem, with the score on each training instance; ``runs``, one row
        a run on a fresh instance.
    """
    who = Entrant.model_validate({**entrant, "label": "", "color": ""})
    drawn = [draw(who.space, tuning.trials, derived_seed(own, "trials", k)) for k in tunings]
    values = {axis: np.stack([each[axis] for each in drawn]) for axis in who.space}
    shape = (len(names), len(tunings), tuning.instances, tuning.trials)

    def instances(stage: str, count: int, repeats: int) -> Problems:
        seeds = [derived_seed(seed, stage, k, i) for k in tunings for i in range(count)]
        if n:
            return functions(names, n, seeds, repeats, budget.targets)
        return network(names[0], seeds, repeats, budget.targets)

    training = instances("training", tuning.instances, tuning.trials)
    tried = {axis: np.broadcast_to(each[:, None], shape).ravel() for axis, each in values.items()}
    done = _race(who, training, tried, budget, derived_seed(own, "train", n, *names, *tunings))
    scores = score(done.hits, budget.evaluations).reshape(shape)
    levels = np.log10(done.best.numpy().clip(1e-300, 1e300)).reshape(shape).mean(2)
    best = chosen(scores.mean(2), levels)
    fresh = instances("scoring", scoring.instances, 1)
    found = {
        axis: each[np.arange(len(tunings)), best].repeat(scoring.instances) for axis, each in values.items()
    }
    judged = _race(who, fresh, found, budget, derived_seed(own, "score", n, *names, *tunings))
    spent, size = done.evaluations.numpy().reshape(shape), fresh.start.shape[1]
    trials = _rows(names, size, tunings, "trial", tuning.trials)
    runs = _rows(names, size, tunings, "instance", scoring.instances)
    return {"trials": _trials(trials, values, scores, spent), "runs": _runs(runs, found, judged, budget)}


def draw(space: dict[str, Range], trials: int, seed: int) -> dict[str, np.ndarray]:
    """Random settings: each axis (trials,), uniform in its coordinate."""
    rng = np.random.default_rng(seed)
    return {
        name: np.array([axis.value(rng.uniform(*axis.coordinates())) for _ in range(trials)])
        for name, axis in space.items()
    }


def chosen(scores: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The trial (last axis) with the highest score; on ties the one with the lowest level."""
    tied = scores == scores.max(-1, keepdims=True)
    best: np.ndarray = np.where(tied, levels, np.inf).argmin(-1)
    return best


def score(hits: torch.Tensor, evaluations: int) -> np.ndarray:
    """The area under a run's ECDF over the logarithm of evaluations: mean of 1 - log(hit)/log(budget)."""
    gained = 1 - hits.clamp(max=evaluations).log() / np.log(evaluations)
    result: np.ndarray = torch.where(hits <= evaluations, gained, 0.0).mean(1).numpy()
    return result


def _race(
    who: Entrant, problems: Problems, found: dict[str, np.ndarray], budget: Budget, seed: int
) -> Outcome:
    """Runs with the settings ``found`` and what the entrant is told."""
    told: dict[str, Any] = {}
    if who.minimum:
        first = problems.evaluate(problems.start)[0].numpy()
        told[who.minimum] = -who.too_low - who.too_low_share * first  # F* is 0
    if who.knows_box:
        told["box"] = problems.box
    settings = {**who.fixed, **found, **told}
    return race(problems, who.target, settings, who.ensemble, budget.evaluations, seed)


def _rows(names: list[str], n: int, tunings: list[int], last: str, count: int) -> pd.DataFrame:
    """The columns that tell rows apart: ``count`` rows, numbered in the ``last``, a problem and tuning."""
    columns = ["problem", "n", "tuning", last]
    product = pd.MultiIndex.from_product([names, [n], tunings, range(count)], names=columns)
    return product.to_frame(index=False)


def _trials(
    rows: pd.DataFrame, values: dict[str, np.ndarray], scores: np.ndarray, spent: np.ndarray
) -> pd.DataFrame:
    """One row a problem, tuning and trial."""
    total = spent.sum(2)
    axes = {axis: np.broadcast_to(each, total.shape).ravel() for axis, each in values.items()}
    instances = {f"score{i}": scores[:, :, i].ravel() for i in range(scores.shape[2])}
    return rows.assign(**axes, **instances, evaluations=total.ravel())


def _runs(rows: pd.DataFrame, found: dict[str, np.ndarray], judged: Outcome, budget: Budget) -> pd.DataFrame:
    """One row a run on a fresh instance; hit1, hit2, … are the evaluations at the targets."""
    return rows.assign(
        **found,
        score=score(judged.hits, budget.evaluations),
        evaluations=judged.evaluations.numpy(),
        best=judged.best.numpy(),
        forced=judged.forced.numpy(),
        **{f"hit{k + 1}": column.numpy() for k, column in enumerate(judged.hits.T)},
    )
