"""The verdicts as Markdown and CSV: `report.md`, `verdicts.csv`, and generated tables of README and docs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from experiments.harness.claims import for_variant
from experiments.harness.verdicts import VERDICTS, templates
from experiments.report.collect import Findings, interval, text
from experiments.report.layout import SUMMARY

README = Path(__file__).resolve().parents[2] / "README.md"
HOURS = README.parent / "docs/reproducibility.md"
TABLE_2 = {"MNIST": ("mnist-sgd", "mnist-bbi"), "CIFAR-10": ("cifar-sgd", "cifar-bbi")}
"""The claims of Table 2, by its rows; their variants are its columns."""


def csv(found: Findings) -> str:
    """`verdicts.csv`: a row for each answer to each claim, in the paper's order.

    A claim without an answer has a row too. ``largest`` tells the answers that the report shows first.
    Numbers have ten digits, because the last ones of a mean differ between processors.
    """
    table = pd.DataFrame(_rows(found))
    return str(table.to_csv(index=False, lineterminator="\n", float_format="%.10g"))


def _rows(found: Findings) -> Iterator[dict[str, Any]]:
    for told in found.claims:
        said = {key: getattr(told.claim, key) for key in ("section", "statement", "quantity", "rule")}
        if not told.answers:
            experiment = told.claim.experiment
            yield {"claim": told.claim.id, "verdict": "not run", "experiment": experiment, **said}
        for answer in [*told.answers, *told.others]:
            size = f"not the published size: {answer.ours.reduced}" if answer.ours.reduced else ""
            yield {
                "claim": told.claim.id,
                "variant": answer.ours.variant,
                "run": answer.run.name,
                "largest": answer in told.answers,
                "published": text(answer.published),
                **{key: getattr(answer.ours, key) for key in ("estimate", "low", "high", "n")},
                "verdict": answer.verdict,
                "experiment": answer.run.experiment,
                **said,
                "command": answer.run.provenance["command"],
                "note": "; ".join(filter(None, [answer.note, size])),
            }


def report(found: Findings) -> str:
    """`report.md`: every verdict of the largest runs in one table."""
    shown = [answer for told in found.claims for answer in told.answers]
    counts = {name: sum(answer.verdict == name for answer in shown) for name in VERDICTS}
    counts["not run"] = sum(not told.answers for told in found.claims)
    return (
        templates()
        .overlay(loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"))
        .get_template("report.md.j2")
        .render(found=found, counts=counts, interval=interval, text=text)
    )


def readme(found: Findings, file: Path = README) -> str:
    """The README with its generated parts written anew.

    Raises:
        ValueError: The README lacks a pair of markers, or the summary names an answer that is not there.
    """
    return _filled(file, {"summary": summary(found), "table 2": table_2(found)})


def reproducibility(found: Findings) -> str:
    """The page about reproducibility with its table of hours written anew.

    Raises:
        ValueError: The page lacks a pair of markers.
    """
    return _filled(HOURS, {"hours": hours(found)})


def _filled(file: Path, parts: dict[str, list[str]]) -> str:
    """The text of a file, with the lines of each part between its markers."""
    content = file.read_text(encoding="utf-8")
    for name, lines in parts.items():
        begin, end = f"<!-- {name}: written by make report -->", f"<!-- end of {name} -->"
        before, opened, rest = content.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise ValueError(f"{file}: needs the markers {begin} and {end}")
        content = "\n".join([before + begin, *lines, end + after])
    return content


def hours(found: Findings) -> list[str]:
    """What every finished experiment cost, as its provenance has it: lines of a table."""
    lines = ["| results | hours | machine | finished |", "| --- | --- | --- | --- |"]
    for run in found.runs:
        machine, finished = run.provenance["machine"]["cpu"], run.provenance["finished"][:10]
        lines.append(f"| {run.name} | {run.seconds / 3600:.2f} | {machine} | {finished} |")
    return lines


def summary(found: Findings) -> list[str]:
    """The README's verdicts: lines of a table."""
    lines = ["| claim | published | found here [95 % interval] | verdict |", "| --- | --- | --- | --- |"]
    for line in SUMMARY:
        answers = found.told(line.claim).answers
        mine = [answer for answer in answers if answer.ours.variant == line.variant]
        if len(mine) != 1:
            there = ", ".join(repr(answer.ours.variant) for answer in answers) or "none"
            raise ValueError(f"layout.yaml: {line.claim} has no variant {line.variant!r}; there are {there}")
        (answer,) = mine
        published = None if answer.published is None else line.scale * answer.published
        ours = interval(*(line.scale * number for number in answer.ours[1:4]))
        link = f"[{line.words}](results/report.md#{line.claim})"
        lines.append(f"| {link} | {text(published)} | {ours} | {answer.verdict} |")
    return lines


def table_2(found: Findings) -> list[str]:
    """Table 2 of the paper beside our numbers: lines of a table."""
    lines = [
        "| test accuracy, % | published mean, median | our mean [95 % interval], median | runs | mean is |",
        "| --- | --- | --- | --- | --- |",
    ]
    for data, claims in TABLE_2.items():
        for claim in claims:
            told = found.told(claim)
            printed = [for_variant(told.claim.published, name) for name in ("mean", "median")]
            name = claim.rpartition("-")[2].upper()
            theirs = ", ".join(f"{one:.3f}" for one in printed if one)
            by_name = {answer.ours.variant: answer for answer in told.answers}
            mean, median, found_here = by_name.get("mean"), by_name.get("median"), "|  | not run"
            if mean and median:
                number = f"{interval(*mean.ours[1:4])}, {median.ours.estimate:.5g}"
                found_here = f"{number} | {mean.ours.n} | {mean.verdict}"
            lines.append(f"| {data}, {name} | {theirs} | {found_here} |")
    return lines
