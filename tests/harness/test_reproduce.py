"""Running experiments side by side: one executor, a report, the worst exit code."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.harness.conftest import ROOT, until

SCRIPT = ROOT / "scripts" / "reproduce.py"


def load() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("reproduce", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load()


def test_a_mistake_in_one_experiment_is_found_before_any_is_run(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--profile", "smoke", "--only", "zakharov two_basin", "search.trials=2"]
    assert script.main([*words, f"paths.results={tmp_path}"]) == 2  # two_basin has no search
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "search.trials: no such setting" in err and not (tmp_path / "smoke").exists()


def test_interrupted_while_experiments_run(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--profile", "smoke", "--only", "two_basin zakharov"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, f"paths.results={tmp_path}", "executor=serial"],
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
    ) as process:
        until(lambda: (tmp_path / "smoke/two_basin/units.sqlite").exists())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err.splitlines()[-1] == "interrupted; run the same command again to go on"
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--profile", "quik"], "no such profile (did you mean 'quick'?)"),
        (["--profile", ""], "--profile '': no such profile"),
        (["--only", "acklay"], "--only acklay: no such experiment (did you mean 'ackley'?)"),
        (["--only", "zakharov", "profile=null"], "profile=null: must be a name"),
        (["--bogus"], "unrecognized arguments: --bogus; see --help"),
    ],
)
def test_one_line_for_a_mistake(
    script: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert script.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err
