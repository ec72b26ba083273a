"""Verdicts: what an estimate means for a claim of the paper, and the sentence beside it."""

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from omegaconf import OmegaConf

from experiments.harness.statistics import Estimate

PAPER = Path(__file__).resolve().parents[2] / "results" / "paper.yaml"
RULES = ("interval", "ordering", "bound", "shape")
VERDICTS = ("reproduced", "holds", "not reproduced", "violated", "inconclusive", "reduced", "not run")


def judge(claim: Mapping[str, Any], estimate: Estimate) -> str:
    """Say what an estimate means for a claim, as the report explains it (`report.md.j2`).

    - An estimate made at another size than the published one is "reduced", whatever the rule. One of NaN,
      where a number has to decide, is "inconclusive".
    - `estimate.holds` decides ordering, bound and shape when it is given: "holds" or "violated"; and interval
      where nothing is published (for this variant): "holds" or "inconclusive", as few runs prove no absence.
    - Agreement is "inconclusive" too when our interval is wider than the claim's `resolution`.
    - With `direction: none` an ordering claims that nothing differs: the interval lies within ± tolerance
      ("holds"), outside ("violated"), or across its edge ("inconclusive").
    - Published number and tolerance may be one for all variants or one for each.

    Args:
        claim: an entry of `results/paper.yaml`.
        estimate: the answer to it.

    Raises:
        ValueError: when claim and estimate together leave nothing to judge by.
    """
    if estimate.reduced:
        return "reduced"
    rule, tolerance = claim["rule"], _for(claim.get("tolerance"), estimate.variant)
    published = published_for(claim, estimate.variant)
    if published is not None and (rule == "interval" or (rule == "shape" and estimate.holds is None)):
        verdict = _agreement(published, estimate, tolerance or 0.0, claim.get("resolution", math.inf))
        return "inconclusive" if verdict == "reproduced" and estimate.holds is False else verdict
    if estimate.holds is not None:
        return "holds" if estimate.holds else "inconclusive" if rule == "interval" else "violated"
    nothing_differs = claim.get("direction") == "none"
    if rule == "ordering" and (tolerance is not None or not nothing_differs):
        return _ordering(estimate, tolerance if nothing_differs else None)
    if rule == "bound" and tolerance is not None:
        return _bound(estimate, tolerance)
    raise ValueError(
        f"claim {claim['id']!r}, variant {estimate.variant!r}: nothing to judge by; "
        "give the estimate `holds`, or its entry in paper.yaml a published number or a tolerance"
    )


def published_for(claim: Mapping[str, Any], variant: str) -> float | None:
    """The number published for this variant: one for all of them, or one for each that is named."""
    return _for(claim["published"], variant)


def _for(value: Any, variant: str) -> float | None:
    return value.get(variant.partition(",")[0]) if isinstance(value, Mapping) else value


def _agreement(published: float, ours: Estimate, tolerance: float, resolution: float) -> str:
    """Compare a number with a published one.

    The tolerance is relative and applies to the estimate itself; where only the interval reaches it, more
    runs would have to tell. An interval wider than the resolution, or endless, agrees with nearly anything.
    """
    if any(map(math.isnan, ours[1:4])):
        return "inconclusive"
    band, width = tolerance * abs(published), ours.high - ours.low
    if ours.low <= published <= ours.high or abs(ours.estimate - published) <= band:
        return "reproduced" if width <= resolution and math.isfinite(width) else "inconclusive"
    reaches = ours.low <= published + band and ours.high >= published - band
    return "inconclusive" if reaches else "not reproduced"


def _bound(ours: Estimate, tolerance: float) -> str:
    """Judge an estimate, or its interval where it has one, against a number that it should not exceed."""
    if math.isnan(ours.estimate):
        return "inconclusive"
    low, high = (ours.estimate if math.isnan(edge) else edge for edge in (ours.low, ours.high))
    return "holds" if high <= tolerance else "violated" if low > tolerance else "inconclusive"


def _ordering(ours: Estimate, band: float | None) -> str:
    """Judge the interval of a difference, against 0 or (with a band) for being within ± band."""
    if math.isnan(ours.low) or math.isnan(ours.high):
        return "inconclusive"
    if band is None:
        return "holds" if ours.low > 0 else "violated" if ours.high < 0 else "inconclusive"
    if -band <= ours.low and ours.high <= band:
        return "holds"
    return "violated" if ours.low > band or ours.high < -band else "inconclusive"


@functools.cache
def published() -> dict[str, Any]:
    """The published numbers by id: those of the claims, and those beside them."""
    claims, numbers = load_paper()
    beside = {entry["id"]: entry["value"] for some in numbers.values() for entry in some}
    return {**{claim["id"]: claim["published"] for claim in claims}, **beside}


def sentence(entry: Mapping[str, Any], ours: Estimate) -> str:
    """The sentence beside an estimate: the `note` of its entry in `paper.yaml`, filled with its numbers.

    Args:
        entry: a claim or a published number; without a `note` the sentence is empty.
        ours: the answer to it. A note may use `estimate`, `low`, `high`, `n`, `variant` and its numbers.

    Raises:
        ValueError: when the note uses a number that the estimate does not have.
    """
    if "note" not in entry or (entry["id"] != ours.claim):
        return ""
    try:
        text = templates().from_string(entry["note"]).render({**ours._asdict(), **ours.numbers})
    except jinja2.TemplateError as error:
        raise ValueError(f"the note of {entry['id']} in paper.yaml: {error}") from error
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


@functools.cache
def load_paper(path: Path | None = None) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Read the claims and, for each experiment, the other published numbers.

    Raises:
        ValueError: when an id is used twice or a rule is unknown.
    """
    content: Any = OmegaConf.to_container(OmegaConf.load(path or PAPER))
    claims, numbers = content["claims"], content["published_numbers"]
    ids = [entry["id"] for entry in [*claims, *(number for some in numbers.values() for number in some)]]
    if len(set(ids)) < len(ids):
        raise ValueError(f"ids used twice: {sorted({i for i in ids if ids.count(i) > 1})}")
    unknown = {claim["rule"] for claim in claims} - set(RULES)
    if unknown:
        raise ValueError(f"unknown rules {sorted(unknown)}; there are {', '.join(RULES)}")
    return claims, numbers
