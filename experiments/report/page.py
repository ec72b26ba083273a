"""`report.html`: one file without references to others, for all claims and runs."""

import base64
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
import yaml
from markupsafe import Markup

from experiments.harness.reduced import Reduced
from experiments.harness.settings import CONF
from experiments.harness.verdicts import VERDICTS, templates
from experiments.report import collect, pictures, rules, strips
from experiments.report.collect import Answer, Findings, Told

HERE = Path(__file__).parent
SYMBOLS = {
    "reproduced": "✓",
    "holds": "✓",
    "not reproduced": "✕",
    "violated": "✕",
    "inconclusive": "?",
    "reduced": "◐",
    "not run": "–",
}
"""Signs of the verdicts, for eyes that do not tell their colours."""
MEANING = {
    "reproduced": "our number agrees with the published one by the claim's rule",
    "holds": "a statement without a published number is borne out",
    "not reproduced": "our number disagrees with the published one",
    "violated": "a statement without a published number is contradicted",
    "inconclusive": "more or other runs are needed to tell",
    "reduced": "run at another size than published: the number is shown but not compared",
    "not run": "no finished run answers the claim",
}


@dataclass(frozen=True)
class Entry:
    """A claim as the page shows it."""

    told: Told
    facts: list[tuple[str, str]]
    strip: strips.Strip | None
    shown: list[pictures.Picture]
    elsewhere: list[pictures.Picture]

    @property
    def id(self) -> str:
        """The claim's id."""
        return self.told.claim.id

    @property
    def words(self) -> str:
        """What a search looks through."""
        claim, answers = self.told.claim, [*self.told.answers, *self.told.others]
        said = [getattr(claim, key) for key in ("id", "section", "statement", "quantity", "experiment")]
        return " ".join([*said, *(answer.ours.variant for answer in answers)]).lower()


@dataclass(frozen=True)
class Group:
    """The claims of one experiment."""

    name: str
    title: str
    section: str
    entries: list[Entry]


def html(found: Findings) -> str:
    """The page; the same findings and figures give the same text."""
    figures = {run.name: pictures.of_run(run, found.root) for run in found.runs}
    groups = _groups(found, figures)
    shown = {picture.anchor for group in groups for entry in group.entries for picture in entry.shown}
    every = [picture for some in figures.values() for picture in some.values()]
    panels = {picture.anchor: picture.panels for picture in every if picture.panels}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            found=found,
            groups=groups,
            counts=_counts(found),
            figures={
                run: [picture for picture in some.values() if picture.anchor not in shown]
                for run, some in figures.items()
            },
            differs=lambda run: Reduced(run.config).found,
            plain=lambda ours: collect.interval(*ours[1:4]),
            settings=lambda run: (run.folder / "config.yaml").read_text(encoding="utf-8"),
            panels=panels,
            style=_asset("page.css"),
            scripts=[_asset("plotly-cartesian.min.js"), _asset("page.js")] if panels else [_asset("page.js")],
        )
    )


def _counts(found: Findings) -> dict[str, int]:
    """For each verdict the claims that have it, those without any left out."""
    counts = {name: sum(name in told.verdicts for told in found.claims) for name in VERDICTS}
    return {name: count for name, count in counts.items() if count}


def _groups(found: Findings, figures: dict[str, dict[str, pictures.Picture]]) -> list[Group]:
    before: set[str] = set()
    entries: dict[str, list[Entry]] = {}
    for told in found.claims:
        mine = pictures.beside(told, figures)
        new = [picture for picture in mine if picture.anchor not in before]
        old = [picture for picture in mine if picture.anchor in before]
        before |= {picture.anchor for picture in new}
        strip = strips.strip(told.claim, told.answers)
        entry = Entry(told, list(rules.facts(told.claim)), strip, new, old)
        entries.setdefault(told.claim.experiment, []).append(entry)
    groups = []
    for name, some in entries.items():
        said = yaml.safe_load((CONF / "experiment" / f"{name}.yaml").read_text(encoding="utf-8"))
        groups.append(Group(name, said["title"], said["section"], some))
    return groups


def _asset(name: str) -> Markup:
    return Markup((HERE / "assets" / name).read_text(encoding="utf-8").strip())


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(HERE / "templates")
    made = templates().overlay(loader=loader, autoescape=True)
    made.filters.update(
        {
            "capital": _capital,
            "duration": duration,
            "interval": _interval,
            "sentence": _sentence,
            "unbroken": _unbroken,
            "digest": _digest,
        }
    )
    made.globals.update({"symbols": SYMBOLS, "meaning": MEANING, "text": collect.text})
    return made


def _interval(answer: Answer) -> Markup:
    words = collect.interval(*answer.ours[1:4]) or "unknown"
    words = re.sub(r"e([+-])(\d+)", lambda m: f" × 10<sup>{m[1].strip('+')}{m[2]}</sup>", words)
    return Markup(words.replace("-", "\N{MINUS SIGN}"))


def _capital(words: str) -> str:
    """Words with a capital first, as a heading, unless they begin with a symbol such as k."""
    return words if re.match(r"[b-z]\b", words) else words[:1].upper() + words[1:]


def _sentence(words: str) -> str:
    """Words as a sentence: a capital first, unless it is a name of the code, and a full stop."""
    named = re.match(r"\w+[=_]", words)
    return _unbroken(words if named else _capital(words)) + (
        "" if words.endswith((".", "!", "?")) or not words else "."
    )


def _unbroken(words: str) -> str:
    """Words whose numbers have minus signs, at which no line is broken."""
    return re.sub(r"(?<=\de)-(?=\d)|(?<![\w.-])-(?=\d)", "\N{MINUS SIGN}", words)


def _digest(script: str) -> str:
    """The hash that lets a browser run a script and no other, for its security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def duration(seconds: float) -> str:
    """Seconds in words, to two digits."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
