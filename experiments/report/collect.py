"""What is known of every claim: the finished runs of all profiles under one root, and what they mean."""

import functools
import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from experiments.harness.claims import Claim, Number, for_variant, load_paper
from experiments.harness.errors import UserError
from experiments.harness.looks import with_looks
from experiments.harness.results import RECORD, read_record, read_tables
from experiments.harness.sections import Section, section_of
from experiments.harness.settings import CONF, Experiment, compose, load
from experiments.harness.statistics import Estimate
from experiments.harness.tables import Tables
from experiments.harness.verdicts import judge, sentence

PROFILES = ("smoke", "quick", "cpu", "paper")
"""The profiles, from the smallest to the largest."""


@dataclass(frozen=True, eq=False)
class Run:
    """A finished experiment, read back from its folder.

    Attributes:
        name: Its folder, relative to the root of the results: ``paper/ackley``, ``normalised/cpu/mnist``.
        folder: Where it is.
        module: Its section.
        config: Its settings.
        provenance: What made it.
        answers: The estimates that its tables give.
    """

    name: str
    folder: Path
    module: Section
    config: Experiment
    provenance: dict[str, Any]
    answers: Sequence[Estimate]

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self.folder.name

    @property
    def seconds(self) -> float:
        """Seconds of computing behind its tables, summed over processes."""
        return float(self.provenance["seconds"]["all_units"])

    @property
    def size(self) -> tuple[int, float]:
        """What runs of one experiment are ordered by: the profile, then the seconds of computing."""
        profile = self.config.profile
        return PROFILES.index(profile) if profile in PROFILES else -1, self.seconds

    @property
    def figures(self) -> list[Path]:
        """The figures that are there."""
        return sorted((self.folder / "figures").glob("*.png"))

    def tables(self) -> Tables:
        """Its tables, read again."""
        return read_tables(self.folder)

    def dressed(self) -> Experiment:
        """Its settings with the competitors' looks of today, for figures."""
        today: Any = OmegaConf.to_container(
            compose(f"experiment={self.experiment}", f"profile={self.config.profile}")
        )
        return load(with_looks(self.config.portable(), today), type(self.config))


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
    answers: Sequence[Answer] = field(default_factory=list)
    others: Sequence[Answer] = field(default_factory=list)

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of its answers, each once; "not run" without answers."""
        return list(dict.fromkeys(answer.verdict for answer in self.answers)) or ["not run"]

    @property
    def run(self) -> Run | None:
        """The run that answers it first, or None."""
        return self.answers[0].run if self.answers else None


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


def experiments() -> list[str]:
    """Names of the experiments that can be run: one file each in `conf/experiment`."""
    return sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def finished(root: Path, profile: str | None = None) -> list[Run]:
    """Read every finished experiment under a root of results.

    Args:
        root: Its folders are ``<profile>/<experiment>``, and ``<anything>/<profile>/<experiment>``.
        profile: Only runs of this profile directly under the root.

    Raises:
        UserError: There are none, or one is damaged.
    """
    names = experiments()
    patterns = ["*/{}", "*/*/{}"] if profile is None else [f"{profile}/{{}}"]
    folders = {folder for name in names for pattern in patterns for folder in root.glob(pattern.format(name))}
    runs = [read(folder, root) for folder in sorted(folders) if read_record(folder) is not None]
    if not (root / (profile or "")).is_dir() or (profile is None and not runs):
        there = ", ".join(sorted(path.name for path in root.glob("*/") if path.is_dir())) or "none"
        of = f" of profile {profile!r}" if profile else ""
        raise UserError(
            f"no results{of} in {root} (folders there: {there}); "
            f"run `make reproduce{f' PROFILE={profile}' if profile else ''}` first"
        )
    return sorted(runs, key=lambda run: (names.index(run.experiment), [-part for part in run.size], run.name))


def read(folder: Path, root: Path) -> Run:
    """A finished experiment; read once in a process while its files are the same.

    Args:
        folder: Where it is, under ``root``.
        root: Root of the results.

    Raises:
        UserError: It is not finished, or damaged.
    """
    return _read(folder, folder.relative_to(root).as_posix(), _state(folder))


def _state(folder: Path) -> str:
    """A digest that differs once the provenance does, or the size or time of a table."""
    record = read_record(folder) or {"files": {}}
    files = [folder / name for name in record["files"]]
    seen = [(file.name, *(file.stat()[6:9:2] if file.exists() else ())) for file in files]
    return hashlib.sha256(repr((seen, (folder / RECORD).read_bytes())).encode()).hexdigest()


@functools.lru_cache(maxsize=64)
def _read(folder: Path, name: str, state: str) -> Run:
    tables = read_tables(folder)  # which checks config.yaml too
    record = read_record(folder)
    assert record is not None
    module = section_of({"experiment": folder.name})
    try:
        config = load(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")), module.Config)
    except UserError as error:
        raise UserError(f"{folder}/config.yaml is of another version ({error}); run it again") from error
    return Run(name, folder, module, config, record, module.estimate(tables, config))


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
    return _short(_interval(estimate, low, high))


def _short(words: str) -> str:
    """Numbers without leading zeros in their exponents."""
    return re.sub(r"(?<=\de[+-])0(?=\d)", "", words)


def _interval(estimate: float, low: float, high: float) -> str:
    if low == high or math.isnan(low) or math.isnan(high):
        return f"{estimate:.2g}" if 0 < abs(estimate) < 1e-3 else f"{estimate:.4g}"
    if math.isinf(high - low):
        return f"{estimate:.3g} [{low:.3g}, {high:.3g}]"
    places = 1 - math.floor(math.log10(high - low))
    if places > 6 or places < 0:
        return f"{estimate:.3g} [{low:.3g}, {high:.3g}]"
    return f"{estimate:.{places}f} [{low:.{places}f}, {high:.{places}f}]"
