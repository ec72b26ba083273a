"""Verdicts: what an estimate means for a claim of the paper, and the sentence beside it."""

import functools
import math
from pathlib import Path

import jinja2

from experiments.harness.claims import Claim, Entry, for_variant
from experiments.harness.statistics import Estimate, newcombe

VERDICTS = ("reproduced", "holds", "not reproduced", "violated", "inconclusive", "reduced", "not run")


def judge(claim: Claim, estimate: Estimate) -> str:
    """Say what an estimate means for a claim, as the report explains it (`report.md.j2`).

    - An estimate made at another size than the published one is "reduced", whatever the rule. One of NaN,
      where a number has to decide, is "inconclusive".
    - The rule compares the estimate with the published number, the margin or the tolerance of its variant.
    - Each condition that ``require`` has for the variant must hold as well. Where the rule has no number for
      the variant, the conditions alone decide.

    Raises:
        ValueError: when claim and estimate together leave nothing to judge by.
    """
    if estimate.reduced:
        return "reduced"
    conditions = [one for one in claim.require if one.variant in (None, estimate.variant.partition(",")[0])]
    found = _by_number(claim, estimate)
    if found is None and not conditions:
        raise ValueError(
            f"claim {claim.id!r}, variant {estimate.variant!r}: nothing to judge by; give its entry in "
            "paper.yaml a published number, a tolerance or a condition for this variant"
        )
    verdicts = [found or "holds"]
    for one in conditions:
        value = float(estimate.numbers[one.number])
        if math.isnan(value):
            verdicts.append("inconclusive")
        elif not one.met(value):
            verdicts.append(one.otherwise)
    return next(
        (one for one in ("not reproduced", "violated", "inconclusive") if one in verdicts), verdicts[0]
    )


def _by_number(claim: Claim, ours: Estimate) -> str | None:
    """The verdict of the rule without its conditions; None where it has no number for the variant."""
    tolerance = for_variant(claim.tolerance, ours.variant)
    if claim.rule == "bound":
        return None if tolerance is None else _bound(ours, tolerance)
    if claim.rule == "ordering" and claim.direction == "none":
        return None if tolerance is None else _within(ours, tolerance)
    if claim.rule == "ordering":
        return _above(ours, claim.margin)
    published = for_variant(claim.published, ours.variant)
    return None if published is None else _agreement(claim, published, ours, tolerance or 0.0)


def _agreement(claim: Claim, published: float, ours: Estimate, tolerance: float) -> str:
    """Compare a number with a published one.

    Two counts agree where Newcombe's interval of their difference contains 0: the published one has a
    sampling error too. A number without a sample agrees where our interval contains it, or our estimate is
    within the tolerance, which is relative; where only the interval reaches it, more runs would have to tell.
    An interval wider than the resolution, or endless, agrees with nearly anything.
    """
    if any(map(math.isnan, ours[1:4])):
        return "inconclusive"
    band, width = tolerance * abs(published), ours.high - ours.low
    narrow = math.isfinite(width) and (claim.resolution is None or width <= claim.resolution)
    sample = for_variant(claim.sample, ours.variant)
    if sample is not None and ours.counts is not None:
        low, high = newcombe(*ours.counts, sample.successes, sample.of)
        agrees, reaches = low <= 0 <= high, False
    else:
        agrees = ours.low <= published <= ours.high or abs(ours.estimate - published) <= band
        reaches = ours.low <= published + band and ours.high >= published - band
    if agrees:
        return "reproduced" if narrow else "inconclusive"
    return "inconclusive" if reaches else "not reproduced"


def _bound(ours: Estimate, tolerance: float) -> str:
    """Judge an estimate, or its interval where it has one, against a number that it should not exceed."""
    if math.isnan(ours.estimate):
        return "inconclusive"
    low, high = (ours.estimate if math.isnan(edge) else edge for edge in (ours.low, ours.high))
    return "holds" if high <= tolerance else "violated" if low > tolerance else "inconclusive"


def _above(ours: Estimate, margin: float) -> str:
    """Judge whether the interval lies above the margin."""
    if math.isnan(ours.low) or math.isnan(ours.high):
        return "inconclusive"
    return "holds" if ours.low > margin else "violated" if ours.high < margin else "inconclusive"


def _within(ours: Estimate, band: float) -> str:
    """Judge whether the interval of a difference lies within ± band."""
    if math.isnan(ours.low) or math.isnan(ours.high):
        return "inconclusive"
    if -band <= ours.low and ours.high <= band:
        return "holds"
    return "violated" if ours.low > band or ours.high < -band else "inconclusive"


def sentence(entry: Entry, ours: Estimate) -> str:
    """The sentence beside an estimate: the `note` of its entry in `paper.yaml`, filled with its numbers.

    Args:
        entry: a claim or a published number; without a `note` the sentence is empty.
        ours: the answer to it. A note may use `estimate`, `low`, `high`, `n`, `variant` and its numbers.

    Raises:
        ValueError: when the note uses a number that the estimate does not have.
    """
    if entry.id != ours.claim:
        return ""
    try:
        text = templates().from_string(entry.note).render({**ours._asdict(), **ours.numbers})
    except jinja2.TemplateError as error:
        raise ValueError(f"the note of {entry.id} in paper.yaml: {error}") from error
    return " ".join(text.split())


@functools.cache
def templates() -> jinja2.Environment:
    """The templates of this folder, with filters for numbers (`fmt`, `range`) and for a `cell` of a table."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["fmt"] = lambda value, spec: format(value, spec)
    made.filters["range"] = lambda x: f"{x[0]:.3g} [{x[1]:.3g}, {x[2]:.3g}]"
    made.filters["cell"] = lambda value: " ".join(str(value).split()).replace("|", "\\|")
    return made
