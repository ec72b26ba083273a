"""What the tables of the race say; the rules are in paper.yaml, the protocol in docs/race.md."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments.competitors import baselines, method
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import Estimate, of_mean, wilson
from experiments.harness.tables import Tables
from experiments.race.config import Config, Entrant
from experiments.race.functions import TASKS
from experiments.race.networks import LABELS
from experiments.race.scores import PROBLEM, difference, hits, holm, sensitivity, signed_rank, totals


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the questions about the race."""
    runs, trials = tables["runs"], tables["trials"]
    ran, tried = (table["problem"].isin(cfg.functions.names) for table in (runs, trials))
    on_functions, trials = runs[ran], trials[tried]
    size = Reduced(cfg)("functions.*", "networks.*", "tuning.*", "scoring.*", "entrants.*")
    found = [
        *_rivals(on_functions, cfg),
        *_separable(on_functions, cfg),
        *_wrong(on_functions, cfg),
        *_forced(on_functions, cfg),
        *_alone(on_functions, cfg),
        *_networks(runs[~ran], cfg),
        *_sensitive(trials, cfg),
        *_totals(on_functions, trials, cfg),
    ]
    return [one._replace(reduced=size) for one in found]


def fair(cfg: Config, ours: str) -> list[str]:
    """The entrants that know no more than ``ours`` and nothing wrong, those of its own kind left out."""
    who = cfg.entrants[ours]
    return [
        name
        for name, other in cfg.entrants.items()
        if name != ours and not other.misled and other.knows_box == who.knows_box
    ]


def _rivals(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """BBI against each that knows as much or less, and BBI with restarts against those that know the box."""
    ours = method(cfg.entrants)
    yield from _compared(runs, cfg, "race-score", [(ours, rival) for rival in fair(cfg, ours)])
    boxed = [name for name, entrant in cfg.entrants.items() if entrant.knows_box and entrant.minimum]
    pairs = [(name, rival) for name in boxed for rival in fair(cfg, name)]
    yield from _compared(runs, cfg, "race-box", pairs)


def _separable(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """ECDSep against Polyak's step, which it is nearly."""
    names = [name for name in cfg.entrants if name.startswith("ecdsep") and not cfg.entrants[name].misled]
    yield from _compared(runs, cfg, "race-polyak", [(name, "polyak") for name in names], show=0)


def _wrong(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """Each that knows F* against itself with a wrong one."""
    pairs = []
    for name, entrant in cfg.entrants.items():
        twin = next((n for n, e in cfg.entrants.items() if not e.misled and _same(e, entrant)), "")
        if entrant.misled and twin:
            pairs.append((twin, name))
    yield from _compared(runs, cfg, "race-wrong-minimum", pairs)


def _same(one: Entrant, other: Entrant) -> bool:
    """Whether two entrants differ in what they are told alone."""
    return (one.target, one.fixed, one.knows_box) == (other.target, other.fixed, other.knows_box)


def _compared(
    runs: pd.DataFrame, cfg: Config, claim: str, pairs: Sequence[tuple[str, str]], show: int = 1
) -> Iterator[Estimate]:
    """Differences in score, with p-values corrected for the number of the claim's comparisons.

    ``show`` says which of the two names the variant: 0 for the first, 1 for the second.
    """
    found = [difference(runs, *pair) for pair in pairs]
    corrected = holm([one.get("p", 1.0) for one in found])
    for pair, one, p in zip(pairs, found, corrected, strict=True):
        if one["problems"]:
            interval = (one["estimate"], one["low"], one["high"])
            label = cfg.entrants[pair[show]].label
            yield Estimate(claim, *interval, int(one["problems"]), {**one, "p": p}, variant=label)


def _forced(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """The share of steps whose force is larger than the momentum kept."""
    for name, some in runs.dropna(subset=["forced"]).groupby("entrant", sort=False):
        entrant = cfg.entrants[str(name)]
        if entrant.misled:
            continue
        cells = some.groupby(PROBLEM, sort=False)["forced"].mean()
        interval = of_mean(cells.groupby(level="problem", sort=False).mean(), seed=0)
        by = {str(n): float(v) for n, v in cells.groupby(level="n", sort=False).mean().items()}
        value, numbers = float(cells.mean()), {"by": by}
        yield Estimate("race-polyak-steps", value, *interval, len(some), numbers, variant=entrant.label)


def _alone(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """The problems on which BBI scores higher than all that know no more, run by run."""
    ours = method(cfg.entrants)
    rivals = [name for name in fair(cfg, ours) if name in set(runs["entrant"])]
    if not rivals:
        return
    ahead, p = [], []
    for (problem, n), some in runs.groupby(PROBLEM, sort=False):
        scores = some.pivot(index=["tuning", "instance"], columns="entrant", values="score")
        best = scores[rivals].mean().idxmax()
        gap = scores[ours] - scores[best]
        p.append(signed_rank(gap, alternative="greater"))
        ahead.append((f"{TASKS[problem].label}, n = {n}", float(gap.mean()), cfg.entrants[best].label))
    corrected = zip(ahead, holm(p), strict=True)
    won = [list(one) for one, value in corrected if value < 0.05 and one[1] > 0]
    leads = sum(gap > 0 for _, gap, _ in ahead)
    numbers = {"won": len(won), "leads": leads, "problems": len(ahead), "where": won}
    compared = runs["entrant"].isin([ours, *rivals]).sum()
    yield Estimate("race-case", len(won), len(won), len(won), int(compared), numbers)


def _networks(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """BBI against each that knows as much or less on a network, run by run."""
    ours = method(cfg.entrants)
    for problem, some in runs.groupby("problem", sort=False):
        scores = some.pivot(index=["tuning", "instance"], columns="entrant", values="score")
        rivals = [name for name in fair(cfg, ours) if name in scores and ours in scores]
        gaps = [scores[ours] - scores[name] for name in rivals]
        for name, gap, corrected in zip(rivals, gaps, holm([signed_rank(gap) for gap in gaps]), strict=True):
            numbers = {"p": corrected, "ours": scores[ours].mean(), "other": scores[name].mean()}
            label, mean = f"{LABELS[str(problem)]}: {cfg.entrants[name].label}", float(gap.mean())
            yield Estimate("race-networks", mean, *of_mean(gap, seed=0), len(gap), numbers, variant=label)


def _sensitive(trials: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """How many more of BBI's random settings are good than of a baseline's."""
    ours, shares = method(cfg.entrants), sensitivity(trials)
    for name in baselines(cfg.entrants):
        if not {ours, name} <= set(shares.index.get_level_values("entrant")):
            continue
        both = pd.DataFrame({"ours": shares[ours], "other": shares[name]}).dropna()
        gap, label = both["ours"] - both["other"], cfg.entrants[name].label
        numbers = {"ours": float(both["ours"].mean()), "other": float(both["other"].mean())}
        interval = of_mean(gap.groupby(level="problem", sort=False).mean(), seed=0)
        yield Estimate("race-sensitivity", float(gap.mean()), *interval, len(gap), numbers, variant=label)


def _totals(runs: pd.DataFrame, trials: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """The mean score of each entrant over all functions and dimensions, with the tunings as the unit."""
    table = totals(runs)
    spent = trials.groupby("entrant")["evaluations"].sum()
    for name, each in table.iterrows():
        mine = runs[runs["entrant"] == name]
        solved = int(np.isfinite(hits(mine)[:, -1]).sum())
        numbers: dict[str, Any] = {
            "solved": solved, "runs": len(mine), "success": [solved / len(mine), *wilson(solved, len(mine))],
            "lowest": float(each.min()), "highest": float(each.max()),
            "evaluations": float(mine["evaluations"].sum()), "tuning": float(spent.get(name, 0.0)),
            "knows": cfg.entrants[str(name)].knowledge,
        }  # fmt: skip
        label, mean = cfg.entrants[str(name)].label, float(each.mean())
        yield Estimate("race-total", mean, *of_mean(each, seed=0), len(each), numbers, variant=label)
