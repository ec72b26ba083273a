"""Sections as a command line runs them, at small budgets."""

from pathlib import Path

from experiments.__main__ import main
from experiments.harness import results
from experiments.harness.sections import section_of
from experiments.harness.settings import compose, load
from experiments.harness.statistics import Estimate
from experiments.harness.tables import Tables
from tests.answers import NUMBERS, judged, note


def finished(experiment: str, words: str, folder: Path) -> tuple[Tables, list[Estimate]]:
    """Tables and answers of a run that leaves three figures or more; claims have verdicts and sentences."""
    given = [f"experiment={experiment}", "profile=smoke", f"paths.results={folder}", "executor=serial"]
    assert main([*given, *words.split()]) == 0
    place = folder / "smoke" / experiment
    assert len(list((place / "figures").glob("*.png"))) >= 3
    tables, cfg = results.read_tables(place), compose(*given, *words.split())
    section = section_of(cfg)
    answers = section.estimate(tables, load(cfg, section.Config))
    for answer in answers:
        said = note(answer)
        assert answer.claim in NUMBERS or (said and judged(answer))
    return tables, answers
