"""How a claim is judged, in whole sentences made from its entry in `results/paper.yaml`."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from experiments.harness.claims import Claim
from experiments.report.collect import text

INCONCLUSIVE = "Inconclusive: it lies across, or there are too few runs for an interval."


def facts(claim: Claim) -> Iterator[tuple[str, str]]:
    """What a reader has to know of a claim's rule: headings and sentences."""
    yield f"Rule ({claim.rule})", " ".join([_comparison(claim), *_conditions(claim)])
    if claim.thresholds:
        limits = ", ".join(f"{key} = {text(one)}" for key, one in claim.thresholds.items())
        yield "Limits in the estimate", limits
    yield "Unit and interval", claim.unit
    yield "Rows", claim.comparisons


def _comparison(claim: Claim) -> str:
    if claim.rule == "bound":
        limit = _each(claim.tolerance, _limit)
        return (
            f"Holds: our number, with its interval if it has one, is at most {limit}. "
            "Violated: it lies above. Inconclusive: the interval contains the limit."
        )
    if claim.rule == "ordering" and claim.direction == "none":
        within = f"Holds: our 95 % interval lies within ±{_each(claim.tolerance, _limit)}."
        return f"{within} Violated: it lies outside. {INCONCLUSIVE}"
    if claim.rule == "ordering":
        above = f"Holds: our 95 % interval lies above {text(claim.margin)}."
        return f"{above} Violated: it lies below. {INCONCLUSIVE}"
    if claim.published is None:
        return "The conditions alone decide."
    wide = f", or ours is wider than {text(claim.resolution)}" if claim.resolution else ""
    if claim.sample is not None:
        return (
            "Both numbers are counts. Reproduced: Newcombe's 95 % interval of their difference contains 0. "
            f"Not reproduced: it does not. Inconclusive: no interval is known{wide}."
        )
    near = f", or our number is within {_each(claim.tolerance, _percent)} of it" if claim.tolerance else ""
    return (
        f"Reproduced: the published number lies in our interval{near}. Not reproduced: neither. "
        f"Inconclusive: only our interval reaches that far{wide}."
    )


def _conditions(claim: Claim) -> Iterator[str]:
    for one in claim.require:
        edges = [("at least", one.at_least), ("at most", one.at_most)]
        limits = " and ".join(f"{words} {text(edge)}" for words, edge in edges if edge is not None)
        where = f" ({one.variant})" if one.variant else ""
        yield f"Required: {one.number.replace('_', ' ')} {limits}{where}; otherwise it is {one.otherwise}."


def _each(value: Any, show: Callable[[float], str]) -> str:
    """A limit as text: one number, or one for each variant."""
    if isinstance(value, Mapping):
        return ", ".join(f"{show(item)} ({key})" for key, item in value.items())
    return show(value)


def _percent(tolerance: float) -> str:
    return f"{100 * tolerance:.3g} %"


def _limit(value: float) -> str:
    # A limit of 1 and a bit is 1: what is added is for rounding.
    return text(float(round(value)) if value and math.isclose(value, round(value), rel_tol=1e-9) else value)
