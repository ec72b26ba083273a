"""The report: `results/paper.yaml` joined with the experiments' tables, for a reader who runs nothing."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from omegaconf import OmegaConf

from experiments.harness import session
from experiments.harness.claims import Claim, Entry, for_variant, load_paper
from experiments.harness.errors import UserError
from experiments.harness.looks import with_looks
from experiments.harness.results import read_record, read_tables
from experiments.harness.sections import Section, section_of
from experiments.harness.settings import CONF, Experiment, compose, load
from experiments.harness.statistics import Estimate
from experiments.harness.tables import replace
from experiments.harness.verdicts import VERDICTS, judge, sentence, templates


def experiments() -> list[str]:
    """Names of the experiments that can be run: one file each in `conf/experiment`."""
    return sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


@dataclass(frozen=True)
class Run:
    """A finished experiment, read back from its folder."""

    folder: Path
    module: Section
    config: Experiment
    provenance: dict[str, Any]
    answers: Sequence[Estimate]

    @property
    def figures(self) -> list[Path]:
        """The figures that are there."""
        return sorted((self.folder / "figures").glob("*.png"))

    @property
    def made_elsewhere(self) -> bool:
        """Whether units were computed by another commit or on another processor than the tables."""
        here = self.provenance["code"]["commit"], self.provenance["machine"]["cpu"]
        return any((some["commit"], some.get("cpu")) != here for some in self.provenance["units"])


def _finished(results_root: Path, profile: str) -> Iterator[Run]:
    """Read every finished experiment of a profile, in alphabetical order."""
    top = results_root / profile
    if not top.is_dir():
        there = ", ".join(sorted(path.name for path in results_root.glob("*/"))) or "none"
        raise UserError(
            f"no results of profile {profile!r} in {results_root} (profiles there: {there}); "
            f"run `make reproduce PROFILE={profile}` first"
        )
    for name in experiments():
        folder = top / name
        record = read_record(folder)
        if record is None:
            continue
        tables = read_tables(folder)  # which checks config.yaml too
        module = section_of({"experiment": name})
        try:
            config = load(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")), module.Config)
        except UserError as error:
            raise UserError(f"{folder}/config.yaml is of another version ({error}); run it again") from error
        yield Run(folder, module, config, record, module.estimate(tables, config))


def draw(results_root: Path, profile: str) -> list[Path]:
    """Redraw the figures of every finished experiment from its tables, with the competitors' looks of today.

    Returns:
        The files written.
    """
    paths = []
    for run in _finished(results_root, profile):
        today: Any = OmegaConf.to_container(compose(f"experiment={run.folder.name}", f"profile={profile}"))
        settings = with_looks(run.config.portable(), today)
        cfg = load(settings | {"paths": {"results": str(results_root)}}, type(run.config))
        session.draw(cfg, run.module, again=True)
        paths += sorted((cfg.folder / "figures").iterdir())
    return paths


def write(results_root: Path, profile: str) -> Path:
    """Judge every claim and write `report.md` and `verdicts.csv` into `<results_root>/<profile>`.

    The same tables give the same bytes.

    Returns:
        The path of the report.

    Raises:
        UserError: when the profile has no results, or a table is damaged.
        ValueError: when an experiment answers an id that `paper.yaml` does not have.
    """
    claims, numbers, comparisons = load_paper()
    runs = {run.folder.name: run for run in _finished(results_root, profile)}
    answers = [answer for run in runs.values() for answer in run.answers]
    entries: dict[str, Entry] = {entry.id: entry for entry in chain(claims.values(), *numbers.values())}
    if strange := sorted({answer.claim for answer in answers} - entries.keys()):
        raise ValueError(f"estimates for ids that paper.yaml does not have: {strange}")

    rows = list(_rows(claims.values(), runs))
    report = (
        templates()
        .get_template("report.md.j2")
        .render(
            profile=profile,
            elsewhere="" if results_root.name == "results" else results_root.as_posix(),
            verdicts=VERDICTS,
            counts=Counter(row["verdict"] for row in rows),
            rows=rows,
            runs={
                name: runs.get(name)
                for name in dict.fromkeys([*(claim.experiment for claim in claims.values()), *runs])
            },
            note=lambda answer: sentence(entries[answer.claim], answer),
            numbers=numbers,
            claims=claims.values(),
            comparisons=comparisons,
            published=_number,
            interval=_interval,
        )
    )
    table = str(pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    folder = results_root / profile
    replace(folder, {"verdicts.csv": table.encode(), "report.md": report.encode()})
    return folder / "report.md"


def _rows(claims: Iterable[Claim], runs: Mapping[str, Run]) -> Iterator[dict[str, Any]]:
    """The rows of `verdicts.csv`: one for each answer to each claim, in the paper's order.

    Any experiment may answer any claim; a claim without an answer has a row too.
    """
    for claim in claims:
        found = [(name, a) for name, run in runs.items() for a in run.answers if a.claim == claim.id]
        for name, ours in found or [("", Estimate("", math.nan, n=0))]:
            size = f"not the published size: {ours.reduced}" if ours.reduced else ""
            yield {
                "claim": claim.id,
                "variant": ours.variant,
                **{key: getattr(claim, key) for key in ("section", "statement", "quantity", "rule")},
                "published": _number(for_variant(claim.published, ours.variant) if name else claim.published),
                **{key: getattr(ours, key) for key in ("estimate", "low", "high", "n")},
                "verdict": judge(claim, ours) if name else "not run",
                "experiment": name or claim.experiment,
                "command": (name and runs[name].provenance["command"]) or claim.command,
                "note": "; ".join(filter(None, [sentence(claim, ours), size])),
            }


def _number(value: Any) -> str:
    """A published value as text: a number, a list of them, one for each variant, words, or nothing."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_number(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_number, value))
    return "" if value is None else value if isinstance(value, str) else f"{value:.6g}"


def _interval(estimate: float, low: float, high: float) -> str:
    """An estimate with its interval; the number alone where nothing is random, no text where it is NaN."""
    if math.isnan(estimate):
        return ""
    exact = low == high or math.isnan(low)
    return f"{estimate:.5g}" + ("" if exact else f" [{low:.5g}, {high:.5g}]")
