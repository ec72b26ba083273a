"""Writing the report and redrawing figures, from the tables alone."""

from pathlib import Path

from experiments.harness import session
from experiments.harness.settings import Paths
from experiments.harness.tables import replace
from experiments.report import collect, markdown, page, runs


def write(root: Path) -> list[Path]:
    """Judge every claim and write `report.html`, `report.md` and `verdicts.csv` into ``root``.

    The same tables give the same bytes.

    Args:
        root: Root of the results of all profiles.

    Returns:
        The paths written, the page first.

    Raises:
        UserError: There are no results, or a table is damaged.
        ValueError: An experiment answers an id that `paper.yaml` does not have.
    """
    found = collect.findings(root)
    files = {
        "report.html": page.html(found),
        "report.md": markdown.report(found),
        "verdicts.csv": markdown.csv(found),
    }
    replace(root, {name: content.encode() for name, content in files.items()})
    return [root / name for name in files]


def write_readme(root: Path) -> list[Path]:
    """Write the generated tables of README and docs from the results under ``root``; their paths."""
    found = collect.findings(root)
    files = {markdown.README: markdown.readme(found), markdown.HOURS: markdown.reproducibility(found)}
    for file, content in files.items():
        replace(file.parent, {file.name: content.encode()})
    return list(files)


def draw(root: Path, profile: str) -> list[Path]:
    """Redraw the figures of every finished experiment of a profile from its tables; the files written."""
    paths: list[Path] = []
    for run in runs.finished(root, profile):
        cfg = run.dressed().model_copy(update={"paths": Paths(results=str(root))})
        session.draw(cfg, run.module, again=True)
        paths += sorted((cfg.folder / "figures").iterdir())
    return paths
