"""What is known of every claim: its answers by the finished runs, and what they mean."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from experiments.harness.claims import Claim, Number, for_variant, load_paper
from experiments.harness.statistics import Estimate
from experiments.harness.verdicts import judge, sentence
from experiments.report.runs import Run, finished


@dataclass(frozen=True)
class Answer:
    """An estimate that answers a claim, and what it means.

    Attributes:
        run: Where it comes from.
        ours: The estimate.
        published: The number published for its variant, or None.
        verdict: One of ``VERDICTS``.
        note: A sentence about it.
    """

    run: Run
    ours: Estimate
    published: float | None
    verdict: str
    note: str


@dataclass(frozen=True)
class Told:
    """A claim and all its answers.

    Attributes:
        claim: Its entry in `results/paper.yaml`.
        answers: Those of the largest run of each experiment that answers it.
        others: Those of other runs.
    """

    claim: Claim
    answers: Sequence[Answer]
    others: Sequence[Answer]

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of its answers, each once; "not run" without answers."""
        return list(dict.fromkeys(answer.verdict for answer in self.answers)) or ["not run"]


@dataclass(frozen=True)
class Findings:
    """All claims, all runs, and the published numbers beside the claims.

    Attributes:
        root: Root of the results.
        claims: In the paper's order.
        runs: Largest first within an experiment.
        numbers: Published numbers that no rule judges, by experiment.
        comparisons: How to read many verdicts together.
    """

    root: Path
    claims: Sequence[Told]
    runs: Sequence[Run]
    numbers: Mapping[str, Sequence[Number]]
    comparisons: str

    def told(self, claim: str) -> Told:
        """One claim by its id."""
        return next(told for told in self.claims if told.claim.id == claim)


def findings(root: Path) -> Findings:
    """Judge every claim by all finished runs under a root of results.

    Raises:
        UserError: There are no results, or a table is damaged.
        ValueError: An experiment answers an id that `paper.yaml` does not have.
    """
    paper = load_paper()
    runs = finished(root)
    known = {entry.id for entry in chain(paper.claims.values(), *paper.numbers.values())}
    if strange := sorted({answer.claim for run in runs for answer in run.answers} - known):
        raise ValueError(f"estimates for ids that paper.yaml does not have: {strange}")
    claims = [answered(claim, runs) for claim in paper.claims.values()]
    return Findings(root, claims, runs, paper.numbers, paper.comparisons)


def answered(claim: Claim, runs: Iterable[Run]) -> Told:
    """A claim with its answers; any experiment may answer any claim.

    Args:
        claim: Its entry in `paper.yaml`.
        runs: The largest of an experiment first.
    """
    answers: list[Answer] = []
    others: list[Answer] = []
    seen: dict[str, Run] = {}
    for run in runs:
        mine = [_answer(claim, ours, run) for ours in run.answers if ours.claim == claim.id]
        if mine:
            largest = seen.setdefault(run.experiment, run) is run
            (answers if largest else others).extend(mine)
    answers.sort(key=lambda answer: answer.run.experiment != claim.experiment)
    return Told(claim, answers, others)


def _answer(claim: Claim, ours: Estimate, run: Run) -> Answer:
    published = for_variant(claim.published, ours.variant)
    return Answer(run, ours, published, judge(claim, ours), sentence(claim, ours))


def text(value: Any) -> str:
    """A published value as text: a number, a list of them, one for each variant, words, or nothing."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(text, value))
    return "" if value is None else value if isinstance(value, str) else _short(f"{value:.6g}")


def interval(estimate: float, low: float, high: float) -> str:
    """An estimate with its interval, to the digits that the interval's width allows.

    Returns:
        The number alone where nothing is random or no interval is known, no text where it is NaN.
    """
    if math.isnan(estimate):
        return ""
    if low == high or math.isnan(low) or math.isnan(high):
        return _short(f"{estimate:.2g}" if 0 < abs(estimate) < 1e-3 else f"{estimate:.4g}")
    places = -1 if math.isinf(high - low) else 1 - math.floor(math.log10(high - low))
    spec = f".{places}f" if 0 <= places <= 6 else ".3g"
    return _short(f"{estimate:{spec}} [{low:{spec}}, {high:{spec}}]")


def _short(words: str) -> str:
    """Numbers without leading zeros in their exponents."""
    return re.sub(r"(?<=\de[+-])0(?=\d)", "", words)
