"""One claim by itself: what it needs, how long that takes, and its verdict in plain text."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.harness import results
from experiments.harness.claims import load_paper
from experiments.harness.errors import UserError, did_you_mean
from experiments.harness.provenance import ROOT, fingerprint
from experiments.harness.settings import Experiment
from experiments.report import collect, rules, runs
from experiments.report.page import duration

COMMITTED = ROOT / "results"
OWN = re.compile(r"(experiment|profile|claim|workers)=|paths\.|executor")
"""Words of a recorded command that say which run it is, where it lies or where it was computed."""


def plan(claim: str, given: Sequence[str]) -> list[str]:
    """The experiment, profile and settings that answer a claim, for Hydra.

    Without a profile it is the largest one with a committed run, with the settings of that run.

    Args:
        claim: Its id.
        given: Settings of the command line; they come last, so that they win.

    Raises:
        UserError: There is no such claim, or a word is no setting.
    """
    claims = load_paper().claims
    if claim not in claims:
        raise UserError(f"claim={claim}: no such claim{did_you_mean(claim, claims)}")
    for word in given:
        if "=" not in word and not word.startswith("~"):
            raise UserError(f"{word}: beside claim={claim} only settings of the form key=value are allowed")
        if word.startswith("experiment="):
            raise UserError(f"{word}: the claim says which experiment; leave it out")
    experiment = claims[claim].experiment
    chosen = [f"experiment={experiment}"]
    if not any(word.startswith("profile=") for word in given):
        known = _committed(experiment)
        profile = next(iter(known), "quick")
        chosen.append(f"profile={profile}")
        if profile in known:
            words = shlex.split(known[profile]["command"])[3:]
            chosen += [word for word in words if not OWN.match(word)]
    return [*chosen, *given]


def _committed(experiment: str) -> dict[str, dict[str, Any]]:
    """The provenance of the committed runs of an experiment by profile, the largest profile first."""
    records = {name: results.read_record(COMMITTED / name / experiment) for name in reversed(runs.PROFILES)}
    return {name: record for name, record in records.items() if record is not None}


def stands(cfg: Experiment, given: Sequence[str]) -> bool:
    """Whether finished tables answer, so that nothing has to be computed.

    Tables of older settings do, unless the command line asks for settings: they are not replaced unasked.

    Args:
        cfg: The settings.
        given: Words of the command line.
    """
    record = results.read_record(cfg.folder)
    if record is None or record.get("stand_in", False):
        return False
    return all(word.startswith(("profile=", "paths.", "executor")) for word in given) or _same(cfg)


def _same(cfg: Experiment) -> bool:
    return fingerprint(results.read_settings(cfg.folder)) == fingerprint(cfg.portable())


def expectation(cfg: Experiment, given: Sequence[str]) -> str:
    """A sentence on how long the experiment will take."""
    what = f"experiment {cfg.experiment}, profile {cfg.profile}"
    if stands(cfg, given):
        today = "" if _same(cfg) else ", with the settings of today, which are not those of the tables"
        return f"{what}: finished in {cfg.folder}; paths.results=FOLDER computes it anew{today}"
    known = _committed(cfg.experiment)
    if cfg.profile not in known:
        others = ", ".join(f"{name} took {_took(record)}" for name, record in known.items())
        return f"{what}: no committed run tells how long it takes" + (f"; profile {others}" if others else "")
    record = known[cfg.profile]
    committed = f"{what}: {_took(record)} when it was committed"
    if cfg.executor.kind == "dask":
        return f"{committed}; it is computed elsewhere"
    workers = 1 if cfg.executor.kind == "serial" else cfg.executor.workers or os.cpu_count() or 1
    about = f"{duration(record['seconds']['all_units'] / workers)} in {workers} process"
    return f"{committed}, so about {about}{'es' if workers > 1 else ''} if this machine is as fast"


def _took(record: Any) -> str:
    return f"{duration(record['seconds']['all_units'])} of one core ({record['machine']['cpu']})"


def verdict(name: str, cfg: Experiment) -> Iterator[str]:
    """Lines that tell the verdicts of a claim, by its id, by the finished experiment of some settings."""
    claim = load_paper().claims[name]
    told = collect.answered(claim, [runs.read(cfg.folder, cfg.folder.parents[1])])
    yield f"{claim.id} (section {claim.section}): {claim.statement}"
    yield f"measured: {claim.quantity}"
    yield from (f"{heading.lower()}: {words}" for heading, words in rules.facts(claim))
    yield f"tables: {cfg.folder}"
    if not told.answers:
        yield "verdict: not run (these settings give no answer to it)"
    for answer in told.answers:
        published = "" if answer.published is None else f", published {collect.text(answer.published)}"
        variant = f"{answer.ours.variant}: " if answer.ours.variant else ""
        number = collect.interval(*answer.ours[1:4]) or "unknown"
        yield f"  {variant}{number}{published} (n = {answer.ours.n:,}): {answer.verdict}"
        size = f"not of the published size: {answer.ours.reduced}" if answer.ours.reduced else ""
        yield from (f"    {line}" for line in (answer.note, size) if line)
