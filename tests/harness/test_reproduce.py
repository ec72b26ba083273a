"""Running experiments side by side: names in front, the worst exit code, and no process left behind."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "reproduce.py"
PARENT = """
import runpy, sys
script = runpy.run_path({script!r})
child = [sys.executable, "-c", {child!r}]
try:
    script["Pool"](2).run({{"a": child, "b": child, "c": child}})
except KeyboardInterrupt:
    sys.exit(130)
"""
CHILD = """
import os, sys, time
try:
    print("started", os.getpid(), file=sys.stderr, flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("saved", file=sys.stderr, flush=True)
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reproduce", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_in_front_and_the_worst_code(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    say = "import sys; print(sys.argv[1], file=sys.stderr); sys.exit(int(sys.argv[2]))"
    commands = {
        name: [sys.executable, "-c", say, name * 3, code]
        for name, code in [("x", "0"), ("y", "2"), ("z", "1")]
    }
    assert script.Pool(2).run(commands) == 2
    assert sorted(capsys.readouterr().err.splitlines()) == ["x: xxx", "y: yyy", "z: zzz"]


def test_a_killed_experiment_counts(script: ModuleType) -> None:
    kill = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert script.Pool(1).run({"x": kill}) == 128 + 9


def test_they_run_side_by_side(script: ModuleType, tmp_path: Path) -> None:
    # Each waits until the other is there too.
    text = (
        "import pathlib, sys, time\n"
        "mine, other = map(pathlib.Path, sys.argv[1:])\n"
        "mine.touch()\n"
        "deadline = time.monotonic() + 60\n"
        "while not other.exists() and time.monotonic() < deadline: time.sleep(0.01)\n"
        "sys.exit(not other.exists())"
    )
    x, y = str(tmp_path / "x"), str(tmp_path / "y")
    nap = [sys.executable, "-c", text]
    assert script.Pool(2).run({"x": [*nap, x, y], "y": [*nap, y, x]}) == 0


def test_ctrl_c_reaches_the_experiments_and_starts_no_more(tmp_path: Path) -> None:
    text = PARENT.format(script=str(SCRIPT), child=CHILD)
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    with subprocess.Popen([sys.executable, "-c", text], stderr=-1, text=True, env=environment) as parent:
        assert parent.stderr is not None
        started = [parent.stderr.readline(), parent.stderr.readline()]
        parent.send_signal(signal.SIGINT)
        rest = parent.stderr.read()
    assert parent.returncode == 130
    assert sorted(line[:2] for line in started) == ["a:", "b:"]
    assert sorted(rest.splitlines()) == ["a: saved", "b: saved"]
    for line in started:
        with pytest.raises(ProcessLookupError):
            os.kill(int(line.split()[-1]), 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "hil"], "error: --only hil: no such experiment"),
        (["--profile", "quik"], "error: --profile quik: no such profile (did you mean 'quick'?)"),
        (["--bogus"], "error: unrecognized arguments: --bogus"),
    ],
)
def test_mistakes_take_one_line(
    script: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert script.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith(message) and err.count("\n") == 1


def test_a_report_that_cannot_be_written(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script.Pool, "run", lambda pool, commands: 0)
    (tmp_path / "smoke" / "verdicts.csv").mkdir(parents=True)
    assert script.main(["--profile", "smoke", f"paths.results={tmp_path}"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: cannot write ") and line.endswith("; choose paths.results=FOLDER")


def test_where_the_results_go(script: ModuleType) -> None:
    assert script.results_root(["seed=1"]) == Path("results")
    assert script.results_root(["paths.results=a", "paths.results=b/c"]) == Path("b/c")
