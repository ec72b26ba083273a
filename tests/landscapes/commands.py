"""Sections as a command line runs them, at small budgets."""

from pathlib import Path

import pytest

from experiments.__main__ import main, one_line, prepare
from experiments.harness import results
from experiments.harness.claims import load_paper
from experiments.harness.errors import UserError
from experiments.harness.sections import section_of
from experiments.harness.settings import compose, load
from experiments.harness.tables import Tables
from experiments.harness.verdicts import judge, sentence


def refusal(experiment: str, words: str) -> str:
    """The line that refuses these settings."""
    overrides = [f"experiment={experiment}", "profile=smoke", *words.split()]
    with pytest.raises(UserError) as refused, one_line(overrides):
        prepare(compose(*overrides), overrides).cfg.check()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def finished(experiment: str, words: str, folder: Path) -> Tables:
    """The tables of a run that leaves three figures or more, and whose claims have verdicts and sentences."""
    given = [f"experiment={experiment}", "profile=smoke", f"paths.results={folder}", "executor=serial"]
    assert main([*given, *words.split()]) == 0
    place = folder / "smoke" / experiment
    assert len(list((place / "figures").glob("*.png"))) >= 3
    tables, cfg = results.read_tables(place), compose(*given, *words.split())
    section = section_of(cfg)
    paper = load_paper()
    beside = {entry.id: entry for some in paper.numbers.values() for entry in some}
    answers = section.estimate(tables, load(cfg, section.Config))
    for answer in answers:
        if answer.claim in paper.claims:
            claim = paper.claims[answer.claim]
            assert judge(claim, answer) and (not claim.note or sentence(claim, answer))
        if answer.claim in beside:
            sentence(beside[answer.claim], answer)
    return tables
