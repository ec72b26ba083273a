"""Interval plots: where our numbers and the published ones lie on one axis, in percent of its width."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from experiments.harness.claims import Claim, for_variant
from experiments.report.collect import Answer, text

DECADES = 2.0
"""From so many powers of ten on, positive numbers are on a logarithmic axis."""


class Mark(NamedTuple):
    """One answer on the axis; places are in percent, None what is not there.

    Attributes:
        ours: Our number, between ``low`` and ``high``.
        published: The published number, in the middle of its tolerance, the ``band``.
        limits: Numbers that the rule compares with.
    """

    ours: float | None
    low: float | None
    high: float | None
    published: float | None
    band: tuple[float, float] | None
    limits: list[float]


class Strip(NamedTuple):
    """The axis of a claim, with a mark for each answer.

    Attributes:
        limits: What the rule compares with, in words.
        ticks: Numbers at the axis, as (place, text in HTML).
    """

    marks: list[Mark]
    limits: list[str]
    ticks: list[tuple[float, str]]


def strip(claim: Claim, answers: Sequence[Answer]) -> Strip | None:
    """The interval plot of a claim; None without two different numbers to show."""
    limits = [_limits(claim, answer.ours.variant) for answer in answers]
    bands = [_band(claim, answer) for answer in answers]
    numbers = [edge for some in [*limits, *bands] for edge in some]
    for answer in answers:
        numbers += [*answer.ours[1:4], math.nan if answer.published is None else answer.published]
    known = np.array([number for number in numbers if math.isfinite(number)])
    if len(known) == 0 or np.ptp(known) == 0:
        return None
    log = bool(known.min() > 0 and np.log10(known.max() / known.min()) >= DECADES)
    low, high = (float(edge) for edge in (np.log10 if log else np.asarray)([known.min(), known.max()]))
    low, high = low - 0.06 * (high - low), high + 0.06 * (high - low)

    def place(number: float | None) -> float | None:
        if number is None or math.isnan(number):
            return None
        value = (math.log10(number) if number > 0 else -math.inf) if log else number
        return round(float(np.clip(100 * (value - low) / (high - low), 0, 100)), 2)

    def places(some: Sequence[float]) -> list[float]:
        return [where for number in some if (where := place(number)) is not None]

    marks = []
    for answer, edges, limit in zip(answers, bands, limits, strict=True):
        ours, ends = answer.ours, places(edges)
        band = (ends[0], ends[1]) if ends else None
        numbers_of_it = place(ours.estimate), place(ours.low), place(ours.high), place(answer.published)
        marks.append(Mark(*numbers_of_it, band, places(limit)))
    ticks = [(place(10**at if log else at), at) for at in MaxNLocator(4, integer=log).tick_values(low, high)]
    inside = [(where, _tick(at, log)) for where, at in ticks if where is not None and 3 < where < 97]
    return Strip(marks, list(dict.fromkeys(text(one) for some in limits for one in some)), inside)


def _limits(claim: Claim, variant: str) -> list[float]:
    """What the rule compares an answer with, beside a published number."""
    tolerance = for_variant(claim.tolerance, variant)
    if claim.rule == "bound":
        return [] if tolerance is None else [tolerance]
    if claim.rule == "ordering" and claim.direction == "none":
        return [] if tolerance is None else [-tolerance, tolerance]
    return [claim.margin] if claim.rule == "ordering" else []


def _band(claim: Claim, answer: Answer) -> list[float]:
    """The ends of the tolerance around a published number."""
    tolerance = for_variant(claim.tolerance, answer.ours.variant)
    if answer.published is None or not tolerance or claim.rule not in ("interval", "shape"):
        return []
    width = tolerance * abs(answer.published)
    return [answer.published - width, answer.published + width]


def _tick(value: float, log: bool) -> str:
    if not log:
        return f"{0.0 if abs(value) < 1e-12 else value:.5g}".replace("-", "\N{MINUS SIGN}")
    return f"10<sup>{round(value)}</sup>".replace("-", "\N{MINUS SIGN}") if round(value) else "1"
