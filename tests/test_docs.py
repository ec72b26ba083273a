"""The examples in the documents run as they stand."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


def blocks(file: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("file", ["docs/quickstart.md", "README.md"])
def test_the_example_runs_and_the_loss_falls(file: str) -> None:
    examples = blocks(file)
    assert examples
    for code in examples:
        torch.manual_seed(0)
        names: dict[str, object] = {}
        exec(compile(code, file, "exec"), names)
        start = torch.nn.functional.mse_loss(torch.zeros_like(names["y"]), names["y"])  # type: ignore[arg-type]
        assert names["loss"] < 0.7 * start  # type: ignore[operator]


def test_every_setting_of_the_guide_exists() -> None:
    from bbi import BBI

    table = re.findall(
        r"^\| (`.*?) \|", (ROOT / "docs/optimizer.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    optimizer = BBI([torch.nn.Parameter(torch.zeros(1))], 0.1)
    assert named
    assert named <= set(optimizer.defaults)


def test_the_table_of_frameworks_names_its_tests() -> None:
    rows = [
        line
        for line in (ROOT / "docs/frameworks.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith(("| framework", "| ---"))
    ]
    assert rows
    for row in rows:
        file, name = row.split("|")[-2].strip(" `").split("::")
        found = ROOT / ("" if "/" in file else "tests/frameworks") / file
        assert f"\ndef {name}(" in found.read_text(encoding="utf-8"), row


def test_the_findings_are_those_of_the_tables() -> None:
    text = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    assert len(re.sub(r"[|#`]|---", " ", text).split()) <= 600
    verdicts = pd.read_csv(ROOT / "results/verdicts.csv").fillna({"variant": ""})
    found = verdicts[verdicts["largest"].eq(True)]  # empty where a claim was not run
    known = found.set_index(["claim", "variant"])[["estimate", "verdict"]]
    rows = [re.split(r" ?\| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    for name, variant, ours, verdict in rows:
        estimate, expected = known.loc[name.strip("`"), variant]
        assert (ours, verdict) == (f"{estimate:.3g}", expected), (name, variant)


def test_the_problem_of_ones_own_is_solved() -> None:
    (code,) = blocks("docs/extending.md")
    names: dict[str, object] = {}
    exec(compile(code, "docs/extending.md", "exec"), names)
    assert names["lowest"] < 1e-6  # type: ignore[operator]


@pytest.mark.skipif(not importlib.util.find_spec("furo"), reason="Sphinx and its theme: make docs")
def test_the_documentation_builds_without_warnings_and_loads_nothing(tmp_path: Path) -> None:
    html = tmp_path / "html"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "doctrees")]
    built = subprocess.run([*command, str(ROOT / "docs"), str(html)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = [page for page in html.rglob("*.html") if page.name != "report.html"]
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*src=\"([^\"]*)|<link[^>]*href=\"([^\"]*)", text)
        assert not [url for pair in loaded for url in pair if re.match("(https?:)?//", url)], page
    assert "<math" in (html / "how-it-works.html").read_text(encoding="utf-8")
