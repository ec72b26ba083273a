"""The report: `results/paper.yaml` joined with the experiments' tables, for a reader who runs nothing."""

import importlib
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd
import yaml

from experiments.harness import session
from experiments.harness.errors import UserError
from experiments.harness.results import read_record, read_tables
from experiments.harness.settings import CONF, Experiment, Paths, load
from experiments.harness.statistics import Estimate
from experiments.harness.tables import Tables
from experiments.harness.verdicts import HOW, VERDICTS, judge, load_paper, published_for, sentence


def experiments() -> list[str]:
    """Names of the experiments that can be run: one file each in `conf/experiment`."""
    return sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


class Run(NamedTuple):
    """A finished experiment, read back from its folder."""

    folder: Path
    module: ModuleType
    tables: Tables
    config: Experiment
    provenance: dict[str, Any]


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
        module = importlib.import_module(f"experiments.{name}")
        try:
            config = load(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")), module.Config)
        except UserError as error:
            raise UserError(f"{folder}/config.yaml is of another version ({error}); run it again") from error
        yield Run(folder, module, tables, config, record)


def draw(results_root: Path, profile: str) -> list[Path]:
    """Redraw the figures of every finished experiment from its tables alone; returns the files written."""
    paths = []
    for run in _finished(results_root, profile):
        cfg = run.config.model_copy(update={"paths": Paths(results=str(results_root))})
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
    claims, numbers = load_paper()
    runs = {run.folder.name: run for run in _finished(results_root, profile)}
    answers = {name: run.module.estimate(run.tables, run.config) for name, run in runs.items()}
    entries = {entry["id"]: entry for entry in [*claims, *chain(*numbers.values())]}
    strange = sorted({answer.claim for answer in chain(*answers.values())} - entries.keys())
    if strange:
        raise ValueError(f"estimates for ids that paper.yaml does not have: {strange}")

    rows = list(_rows(claims, answers, runs))
    parts = []
    for name in dict.fromkeys([claim["experiment"] for claim in claims] + list(runs)):
        if name in runs:
            parts.append(_section(name, runs[name], answers[name], entries, numbers.get(name, [])))
        else:
            again = f"make reproduce PROFILE={profile} ONLY={name}{_elsewhere(results_root, ' RESULTS=')}"
            parts.append(f"\n## {name}\n\nNot run in this profile; `{again}` runs it.\n")
    path = results_root / profile / "report.md"
    _replace(path.with_name("verdicts.csv"), _csv(rows))
    title = f"profile {profile}{_elsewhere(results_root, ', ')}"
    _replace(path, "".join([_front(rows, title), *parts]))
    return path


def _elsewhere(results_root: Path, before: str) -> str:
    """The folder of results, where it is not the usual one."""
    return "" if results_root.name == "results" else f"{before}{results_root.as_posix()}"


class Row(NamedTuple):
    """One line of the table of verdicts: a claim and an answer to it, or a claim without one."""

    claim: Mapping[str, Any]
    ours: Estimate | None
    verdict: str
    experiment: str
    command: str

    @property
    def published(self) -> str:
        """What is published for this variant of the claim; all of it where nothing was run."""
        return _number(published_for(self.claim, self.ours.variant) if self.ours else self.claim["published"])


def _rows(
    claims: Sequence[Mapping[str, Any]], answers: Mapping[str, Sequence[Estimate]], runs: Mapping[str, Run]
) -> Iterator[Row]:
    """One row for each answer to each claim, in the paper's order. Any experiment may answer any claim."""
    for claim in claims:
        everyone = [(name, answer) for name, some in answers.items() for answer in some]
        ours = [(name, answer) for name, answer in everyone if answer.claim == claim["id"]]
        for name, answer in ours:
            command = runs[name].provenance["command"] or claim["command"]
            yield Row(claim, answer, judge(claim, answer), name, command)
        if not ours:
            yield Row(claim, None, "not run", claim["experiment"], claim["command"])


def _csv(rows: Sequence[Row]) -> str:
    """The rows for programs: numbers in full."""
    nothing = Estimate("", math.nan, math.nan, math.nan, 0)
    table = []
    for row in rows:
        ours = row.ours or nothing
        said = {key: row.claim[key] for key in ("section", "statement", "quantity", "rule")}
        found = {key: getattr(ours, key) for key in ("estimate", "low", "high", "n")}
        names = {"claim": row.claim["id"], "variant": ours.variant}
        made = {"verdict": row.verdict, "experiment": row.experiment, "command": row.command}
        table.append(
            {**names, **said, "published": row.published, **found, **made, "note": _remark(row.claim, ours)}
        )
    return str(pd.DataFrame(table).to_csv(index=False, lineterminator="\n"))


def _front(rows: Sequence[Row], title: str) -> str:
    """Title, count of the verdicts and the table of all of them."""
    counts = Counter(row.verdict for row in rows)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    lines, last = [], None
    for row in rows:
        claim, ours = row.claim, row.ours
        what = f"`{claim['id']}`: {claim['statement']} *Measured:* {claim['quantity']}."
        said = ["", ""] if claim["id"] == last else [what, claim["section"]]
        found, n = (_interval(ours), ours.n) if ours else ("", "")
        lines.append([*said, ours.variant if ours else "", row.published, found, n, f"**{row.verdict}**"])
        last = claim["id"]
    head = ["claim", "section", "variant", "published", "ours [95 % interval]", "n", "verdict"]
    count = f"{summary} (each variant of a claim counted by itself)."
    return f"# The paper's claims: {title}\n\n{count}\n\n{_markdown(head, lines)}\n{HOW}\n"


def _section(
    name: str,
    run: Run,
    answers: Sequence[Estimate],
    entries: Mapping[str, Mapping[str, Any]],
    numbers: Sequence[Mapping[str, Any]],
) -> str:
    """One experiment: what made it, its figures and notes, and other published numbers beside ours."""
    text = f"\n## {name}: {run.config.title} (section {run.config.section})\n\n{_origin(run.provenance)}\n"
    for figure in sorted((run.folder / "figures").glob("*.png")):
        text += f"\n![{name}: {figure.stem}]({name}/figures/{figure.name})\n"
    said = [(answer, sentence(entries[answer.claim], answer)) for answer in answers]
    notes = [f"- {_label(answer.claim, answer.variant)}: {note}" for answer, note in said if note]
    sizes = dict.fromkeys(answer.reduced for answer in answers if answer.reduced)
    notes += [f"- Not of the published size, where the verdict is *reduced*: {size}." for size in sizes]
    if notes:
        text += "\n" + "\n".join(notes) + "\n"
    lines = []
    for number in numbers:
        ours = [answer for answer in answers if answer.claim == number["id"]]
        beside = (f"{a.variant} {_interval(a)}{' (reduced)' if a.reduced else ''}".strip() for a in ours)
        found = "; ".join(beside)
        lines.append([number["what"], _number(number["value"]), found, number["source"]])
    if lines:
        text += "\n" + _markdown(["to compare with", "number", "ours", "source of the number"], lines)
    return text


def _origin(provenance: Mapping[str, Any]) -> str:
    """One line on what made a run, where and when."""
    code, machine, versions = provenance["code"], provenance["machine"], provenance["versions"]
    commit = (code["commit"] or "unknown")[:12] + (" with local changes" if code["dirty"] else "")
    where = f"{machine['cpu']}, {machine['cores']} cores" + (f", {machine['gpu']}" if machine["gpu"] else "")
    makers = provenance["units"]
    here = {(code["commit"], machine["cpu"])}
    units = ""
    if {(some["commit"], some.get("cpu")) for some in makers} - here:  # the tables alone were written here
        units = "; units computed: " + ", ".join(map(_maker, makers))
    return (
        f"Commit {commit}, torch {versions['torch']}; {where}; finished {provenance['finished']}; "
        f"seed {provenance['seed']}; {provenance['seconds']['all_units']:.1f} s of computing{units}; "
        f"`{provenance['command']}`."
    )


def _maker(some: Mapping[str, Any]) -> str:
    """How many units of work were computed by one commit on one processor."""
    known = some["commit"] is not None
    return (
        f"{some['units']} at {some['commit'][:12]} on {some['cpu']}"
        if known
        else f"{some['units']} at unknown"
    )


def _remark(claim: Mapping[str, Any], ours: Estimate) -> str:
    """What the reader has to know of an estimate."""
    size = f"not the published size: {ours.reduced}" if ours.reduced else ""
    return "; ".join(filter(None, [sentence(claim, ours), size]))


def _label(claim: str, variant: str) -> str:
    return f"`{claim}`" + (f" ({variant})" if variant else "")


def _number(value: Any) -> str:
    """A published value as text: a number, a list of them, one for each variant, words, or nothing."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_number(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_number, value))
    return "" if value is None else value if isinstance(value, str) else f"{value:.6g}"


def _interval(ours: Estimate) -> str:
    """An estimate with its interval; the number alone where nothing is random, no text where it is NaN."""
    if math.isnan(ours.estimate):
        return ""
    exact = ours.low == ours.high or math.isnan(ours.low)
    return f"{ours.estimate:.5g}" + ("" if exact else f" [{ours.low:.5g}, {ours.high:.5g}]")


def _markdown(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown; bars and line breaks in cells are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[" ".join(str(cell).split()).replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is the old one or the new one at any moment."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
