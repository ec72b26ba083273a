"""Running experiments side by side: one executor, a report after each, the worst exit code."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.harness.conftest import ROOT, until

SCRIPT = ROOT / "scripts" / "reproduce.py"
TINY = ["search.trials=2", "search.steps=3", "long.steps=4", "executor.workers=2"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reproduce", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(root: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), "--profile", "smoke", *words, f"paths.results={root}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE)


def test_the_report_is_there_after_the_first_experiment(tmp_path: Path) -> None:
    with start(tmp_path, "--only", "ackley zakharov", *TINY) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    reports = [line for line in err.splitlines() if line.startswith("report: ")]
    assert reports == [f"report: {tmp_path}/smoke/report.md"] * 2
    for name in ("ackley", "zakharov"):
        record = json.loads((tmp_path / "smoke" / name / "provenance.json").read_text())
        assert record["command"].startswith(f"python -m experiments experiment={name} profile=smoke")


def test_a_mistake_in_one_experiment_is_found_before_any_is_run(tmp_path: Path) -> None:
    with start(tmp_path, "--only", "zakharov two_basin", *TINY) as process:  # two_basin has no search
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and err.count("\n") == 1
    assert "search.trials: no such setting" in err and not (tmp_path / "smoke").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_experiments_run(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with start(tmp_path, "--only", "two_basin zakharov") as process:
        until(lambda: (tmp_path / "smoke/zakharov/units.sqlite").exists())
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1] == "interrupted; run the same command again to go on"
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--profile", "quik"], "no such profile (did you mean 'quick'?)"),
        (["--profile", ""], "--profile '': no such profile"),
        (["--only", "acklay"], "--only acklay: no such experiment (did you mean 'ackley'?)"),
        (["--only", "zakharov", "seed=-1"], "seed=-1: must be 0 or more"),
        (["--only", "zakharov", "sed=1"], "sed: no such setting (did you mean 'seed'?)"),
        (["--bogus"], "unrecognized arguments: --bogus; see --help"),
    ],
)
def test_one_line_for_a_mistake(
    script: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert script.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err
