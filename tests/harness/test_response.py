"""What a command imports before its first line: torch takes seconds, which many need not wait for."""

import subprocess
import sys
from pathlib import Path

from experiments.harness import results
from experiments.harness.settings import CONF
from tests.harness.conftest import ROOT, Home

SLOW = {"torch", "pandas", "scipy", "matplotlib", "distributed", "hyperopt"}
NAMES = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
SCRIPT = """\
import pathlib, sys
from experiments.__main__ import main
for words in sys.argv[3:]:
    print(main(words.split(), pathlib.Path(sys.argv[1]), sys.argv[2]), *sorted({slow} & sys.modules.keys()))
"""


def imported(conf: Path, package: str, *commands: str, cwd: Path = ROOT) -> tuple[list[str], str]:
    """For each command its exit code and what was imported by then; and what was printed on stderr."""
    words = [sys.executable, "-c", SCRIPT.format(slow=SLOW), str(conf), package, *commands]
    done = subprocess.run(words, cwd=cwd, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    return done.stdout.splitlines(), done.stderr


def test_wrong_settings_are_refused_before_anything_slow_is_imported() -> None:
    wrong = [f"experiment={name} seed=-1" for name in NAMES]
    found, err = imported(CONF, "experiments", *wrong, "experiment=mnist profile=quick sed=1")
    assert found == ["2"] * (len(NAMES) + 1)
    assert err.splitlines() == [
        *["error: seed=-1: must be 0 or more"] * len(NAMES),
        "error: sed: no such setting (did you mean 'seed'?)",
    ]


def test_a_finished_experiment_is_seen_without_torch_and_matplotlib(home: Home) -> None:
    words = "experiment=hill executor=serial"
    assert home.run(words)[0] == 0
    found, err = imported(home.folder / "conf", "tests.toys", words, cwd=home.folder)
    assert "nothing to compute" in err
    assert (
        len(found) == 1 and found[0].startswith("0") and not {"torch", "matplotlib"} & set(found[0].split())
    )


def test_a_lost_figure_is_drawn_again(home: Home) -> None:
    words = "experiment=hill executor=serial"
    assert home.run(words)[0] == 0
    figures = home.results() / "figures"
    before = {file.name: file.read_bytes() for file in figures.iterdir()}
    for lost in ("losses.png", "losses.pdf", "alt.json", "*"):
        assert results.drawn(figures)
        for file in figures.glob(lost):
            file.unlink()
        assert not results.drawn(figures)
        code, _, err = home.run(words)
        assert code == 0 and "nothing to compute" in err
        assert {file.name: file.read_bytes() for file in figures.iterdir()} == before
