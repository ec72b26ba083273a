"""What the tables of the race say; the rules are in paper.yaml, the protocol in docs/race.md."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from experiments.competitors import baselines, method
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import Estimate, of_mean, wilson
from experiments.harness.tables import Tables, table_of
from experiments.race.config import Config, Entrant
from experiments.race.functions import TASKS
from experiments.race.networks import LABELS
from experiments.race.scores import PROBLEM, difference, holm, sensitivity, totals

COLUMNS = ("entrant", *PROBLEM, "tuning", "instance", "score", "evaluations", "best", "forced")


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the questions about the race."""
    runs = table_of(tables, "runs", *COLUMNS)
    trials = table_of(tables, "trials", "entrant", *PROBLEM, "tuning", "trial", "score0", "evaluations")
    on_functions = runs[runs["problem"].isin(cfg.functions.names)]
    size = Reduced(cfg)("functions.*", "networks.*", "tuning.*", "scoring.*", "entrants.*")
    found = [
        *_rivals(on_functions, cfg),
        *_separable(on_functions, cfg),
        *_wrong(on_functions, cfg),
        *_forced(on_functions, cfg),
        *_alone(on_functions, cfg),
        *_networks(runs[~runs["problem"].isin(cfg.functions.names)], cfg),
        *_sensitive(trials[trials["problem"].isin(cfg.functions.names)], cfg),
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
    pairs = [("race-score", ours, rival) for rival in fair(cfg, ours)]
    for name, entrant in cfg.entrants.items():
        if entrant.knows_box and entrant.minimum:
            pairs += [("race-box", name, rival) for rival in fair(cfg, name)]
    yield from _compared(runs, cfg, pairs)


def _separable(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """ECDSep against Polyak's step, which it is nearly."""
    names = [name for name in cfg.entrants if name.startswith("ecdsep") and not cfg.entrants[name].misled]
    yield from _compared(runs, cfg, [("race-polyak", name, "polyak") for name in names], show=0)


def _wrong(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """Each that knows F* against itself with a wrong one."""
    pairs = []
    for name, entrant in cfg.entrants.items():
        twin = next((n for n, e in cfg.entrants.items() if not e.misled and _same(e, entrant)), "")
        if entrant.misled and twin:
            pairs.append(("race-wrong-minimum", twin, name))
    yield from _compared(runs, cfg, pairs)


def _same(one: Entrant, other: Entrant) -> bool:
    """Whether two entrants differ in what they are told alone."""
    return (one.target, one.fixed, one.knows_box) == (other.target, other.fixed, other.knows_box)


def _compared(
    runs: pd.DataFrame, cfg: Config, pairs: Sequence[tuple[str, str, str]], show: int = 1
) -> Iterator[Estimate]:
    """Differences in score, with p-values corrected for the number of the same claim's comparisons.

    ``show`` says which of the two names the variant: 0 for the first, 1 for the second.
    """
    found = [difference(runs, ours, rival) for _, ours, rival in pairs]
    for claim in dict.fromkeys(claim for claim, _, _ in pairs):
        some = [k for k, pair in enumerate(pairs) if pair[0] == claim]
        corrected = holm([found[k].get("p", 1.0) for k in some])
        for k, p in zip(some, corrected, strict=True):
            label = cfg.entrants[pairs[k][1 + show]].label if pairs[k][1 + show] in cfg.entrants else ""
            if not found[k]["problems"]:
                continue
            numbers = {**found[k], "p": p}
            interval = (found[k]["estimate"], found[k]["low"], found[k]["high"])
            yield Estimate(claim, *interval, int(found[k]["problems"]), numbers, variant=label)


def _forced(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """The share of steps whose force is larger than the momentum kept."""
    for name, some in runs.dropna(subset=["forced"]).groupby("entrant", sort=False):
        cells = some.groupby(PROBLEM, sort=False)["forced"].mean()
        if cfg.entrants[str(name)].misled:
            continue
        interval = of_mean(cells.groupby(level="problem", sort=False).mean(), seed=0)
        by = {str(n): float(v) for n, v in cells.groupby(level="n", sort=False).mean().items()}
        label = cfg.entrants[str(name)].label
        yield Estimate(
            "race-polyak-steps", float(cells.mean()), *interval, len(some), {"by": by}, variant=label
        )


def _alone(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """The problems on which BBI scores higher than all that know no more, run by run."""
    ours = method(cfg.entrants)
    rivals = [name for name in fair(cfg, ours) if name in set(runs["entrant"])]
    if ours not in set(runs["entrant"]) or not rivals:
        return
    ahead, p = [], []
    cells = list(runs.groupby(PROBLEM, sort=False))
    for (problem, n), some in cells:
        scores = some.pivot(index=["tuning", "instance"], columns="entrant", values="score")
        best = scores[rivals].mean().idxmax()
        gap = scores[ours] - scores[best]
        p.append(float(stats.wilcoxon(gap, alternative="greater").pvalue) if gap.any() else 1.0)
        ahead.append((f"{TASKS[problem].label}, n = {n}", float(gap.mean()), cfg.entrants[best].label))
    won = [ahead[k] for k, corrected in enumerate(holm(p)) if corrected < 0.05 and ahead[k][1] > 0]
    leads = sum(gap > 0 for _, gap, _ in ahead)
    numbers = {"won": len(won), "leads": leads, "problems": len(cells), "where": [list(one) for one in won]}
    compared = runs["entrant"].isin([ours, *rivals]).sum()
    yield Estimate("race-case", len(won), len(won), len(won), int(compared), numbers)


def _networks(runs: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """BBI against each that knows as much or less on a network, run by run."""
    ours = method(cfg.entrants)
    for problem, some in runs.groupby("problem", sort=False):
        scores = some.pivot(index=["tuning", "instance"], columns="entrant", values="score")
        rivals = [name for name in fair(cfg, ours) if name in scores and ours in scores]
        gaps = [scores[ours] - scores[name] for name in rivals]
        p = holm([float(stats.wilcoxon(gap).pvalue) if gap.any() else 1.0 for gap in gaps])
        for name, gap, corrected in zip(rivals, gaps, p, strict=True):
            numbers = {
                "p": corrected,
                "ours": float(scores[ours].mean()),
                "other": float(scores[name].mean()),
            }
            variant = f"{LABELS[str(problem)]}: {cfg.entrants[name].label}"
            interval = of_mean(gap, seed=0)
            yield Estimate("race-networks", float(gap.mean()), *interval, len(gap), numbers, variant=variant)


def _sensitive(trials: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """How many more of BBI's random settings are good than of a baseline's."""
    ours, shares = method(cfg.entrants), sensitivity(trials)
    for name in baselines(cfg.entrants):
        if not {ours, name} <= set(shares.index.get_level_values("entrant")):
            continue
        both = pd.DataFrame({"ours": shares[ours], "other": shares[name]}).dropna()
        gap = (both["ours"] - both["other"]).groupby(level="problem", sort=False).mean()
        numbers = {"ours": float(both["ours"].mean()), "other": float(both["other"].mean())}
        interval = of_mean(gap, seed=0)
        value = float((both["ours"] - both["other"]).mean()) if len(both) else math.nan
        yield Estimate(
            "race-sensitivity", value, *interval, len(both), numbers, variant=cfg.entrants[name].label
        )


def _totals(runs: pd.DataFrame, trials: pd.DataFrame, cfg: Config) -> Iterator[Estimate]:
    """The mean score of each entrant over all functions and dimensions, with the tunings as the unit."""
    if not len(runs):
        return
    table = totals(runs)
    final = [c for c in runs if str(c).startswith("hit")][-1]
    spent = trials[trials["problem"].isin(cfg.functions.names)].groupby("entrant")["evaluations"].sum()
    for name, each in table.iterrows():
        mine = runs[runs["entrant"] == name]
        solved = int(np.isfinite(mine[final].astype(float)).sum())
        numbers: dict[str, Any] = {
            "solved": solved, "runs": len(mine), "success": [solved / len(mine), *wilson(solved, len(mine))],
            "lowest": float(each.min()), "highest": float(each.max()),
            "evaluations": float(mine["evaluations"].sum()), "tuning": float(spent.get(name, 0.0)),
            "knows": cfg.entrants[str(name)].knowledge,
        }  # fmt: skip
        interval = of_mean(each, seed=0)
        label = cfg.entrants[str(name)].label
        yield Estimate("race-total", float(each.mean()), *interval, len(each), numbers, variant=label)
