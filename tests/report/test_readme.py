"""What is committed for readers is what `make report` writes, and can be read."""

import json
import re
from pathlib import Path

import pytest

from experiments.harness.claims import load_paper
from experiments.report import collect, markdown, page, pictures
from experiments.report.collect import Findings
from experiments.report.layout import FIGURES

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def found() -> Findings:
    return collect.findings(ROOT / "results")


def test_the_readme_has_the_tables_that_make_report_writes(found: Findings) -> None:
    assert markdown.readme(found) == markdown.README.read_text(encoding="utf-8")


def test_the_hours_are_those_that_make_report_writes(found: Findings) -> None:
    text = markdown.HOURS.read_text(encoding="utf-8")
    assert markdown.reproducibility(found) == text
    for file in (ROOT / "results").glob("*/*/provenance.json"):
        seconds = json.loads(file.read_text(encoding="utf-8"))["seconds"]["all_units"]
        name = file.parent.relative_to(ROOT / "results")
        assert name.parts[0] == "smoke" or f"| {name} | {seconds / 3600:.2f} |" in text


def test_the_report_is_the_one_that_make_report_writes(found: Findings) -> None:
    assert markdown.report(found) == (ROOT / "results/report.md").read_text(encoding="utf-8")


def test_the_page_is_the_one_that_make_report_writes(
    found: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for pictures and plots, whose bytes depend on the versions of the libraries that draw them."""
    monkeypatch.setattr(pictures, "_encoded", lambda file, *_: ("", (0, 0)))
    monkeypatch.setattr(pictures, "_plots", lambda run: {})
    committed = (ROOT / "results/report.html").read_text(encoding="utf-8")
    assert _words(page.html(found)) == _words(committed)


def _words(html: str) -> str:
    drawn = r"<script.*?</script>|<img [^>]*>|<meta http-equiv[^>]*>|<div class=\"live\"[^>]*></div>"
    return " ".join(re.sub(drawn, "", html, flags=re.DOTALL).split())


def test_the_published_size_is_compared(found: Findings) -> None:
    """Of the experiments that ran at the published size no answer is reduced, and no claim is left out."""
    full = {run.experiment for run in found.runs if run.config.profile == "paper"}
    assert full >= {"ackley", "theory", "two_basin", "zakharov"}
    for told in found.claims:
        if told.claim.experiment in full:
            assert not set(told.verdicts) & {"reduced", "not run"}, told.claim.id


def test_every_figure_has_its_place(found: Findings) -> None:
    """Every claim that the layout names exists, and every pattern finds a figure where the claim was run."""
    assert FIGURES.keys() <= load_paper().claims.keys()
    for told in found.claims:
        for pattern in FIGURES.get(told.claim.id, []) if told.answers else []:
            assert any((ROOT / "results").glob(f"*/*/figures/{pattern}.png")), pattern


def test_the_readme_is_short() -> None:
    assert len(markdown.README.read_text(encoding="utf-8").split()) <= 900


def test_a_readme_without_markers_is_named(found: Findings, tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("<!-- summary: written by make report -->\n")
    with pytest.raises(ValueError, match=r"README\.md: needs the markers"):
        markdown.readme(found, file)


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_links_lead_to_files(file: Path) -> None:
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:|#", link)]
    missing = [link for link in links if not (file.parent / link.partition("#")[0]).exists()]
    assert not missing
    for link in links:
        path, _, anchor = link.partition("#")
        if path.endswith("report.md") and anchor:
            assert f'name="{anchor}"' in (file.parent / path).read_text(encoding="utf-8")
