"""The command line, as a user meets it: its output and its exit codes."""

import re
import subprocess
import sys

import pytest

from experiments.__main__ import CONF, main
from tests.harness.conftest import ROOT, Home

SERIAL = "executor=serial"


def test_help(home: Home) -> None:
    code, out, err = home.run("experiment=hill --help")
    assert (code, err) == (0, "")
    assert re.search(r"hill +section 4\.1: a hill to descend", out)
    assert re.search(r"paper +the paper one", out) and "adam, adamw, " in out
    assert out.count("  python -m experiments ") == 6


def test_help_of_the_project() -> None:
    command = [sys.executable, "-m", "experiments", "--help"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    names = [
        file.stem
        for group in ("experiment", "profile", "optimizer")
        for file in (CONF / group).glob("*.yaml")
    ]
    assert process.returncode == 0 and all(name in process.stdout for name in names)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no experiment given; add experiment=NAME, one of dale, hill"),
        ("experiment=hil", "experiment=hil: no such experiment (did you mean 'hill'?)"),
        ("experiment=hill profile=quik", "profile=quik: no such profile (did you mean 'quick'?)"),
        ("experiment=hill profile=quick/hill", "profile: must be given"),
        ("experiment=hill executor=dusk", "executor=dusk: no such executor (did you mean 'dask'?)"),
        ("experiment=hill executor=dask", "executor.address: must be given"),
        ("experiment=hill +optimizer@competitors.x=adem", "optimizer=adem: no such optimizer"),
        ("experiment=hill optimizer@competitors.x=adam", "to add it write +optimizer@competitors.x=NAME"),
        ("experiment=hill serch.trials=3", "serch.trials: no such setting (did you mean 'search.trials'?)"),
        ("experiment=hill +search.trails=3", "search.trails: no such setting (did you mean 'search."),
        ("experiment=hill ++typo=3", "typo: no such setting (allowed: "),
        ("experiment=hill much.more=3", "much.more: no such setting (allowed: executor, experiment, lr, "),
        ("experiment=hill profile.name=x", "profile.name: no such setting"),
        ("experiment=hill ~nothing", "nothing: no such setting"),
        ("experiment=hill lr", "lr: not a setting of the form key=value"),
        ("experiment=hill lr=1,2", "To sweep over it, add --multirun"),
        ("experiment=hill lr=${nothing}", "lr: Interpolation key 'nothing' not found"),
        ("experiment=hill --bogus", "unrecognized arguments: --bogus; see --help"),
        ("experiment=hill --cfg nothing", "invalid choice: 'nothing'"),
        ("experiment=hill --config-dir nowhere", "nowhere' not found"),
        ("experiment=hill paths.results=conf/config.yaml", "cannot write to conf/config.yaml/quick/hill"),
        ("experiment=hill paths.results=/proc/none", "cannot write to /proc/none/quick/hill"),
        ("-m experiment=hill paths.results=conf/config.yaml lr=1,2", "choose paths.results=FOLDER"),
        ("experiment=null", "experiment=null: must be a name, one of dale, hill"),
        ("experiment=[hill,dale]", "must be a name, one of dale, hill"),
        ("~experiment", "~experiment: cannot be left out; choose experiment=NAME, one of dale, hill"),
        ("experiment=hill +experiment.x=1", "experiment={'x': 1}: no experiment given"),
        ("experiment=hill profile@_global_=paper/hill", "a profile's budgets belong to it"),
        ("experiment=hill ~profile@_global_", "a profile's budgets belong to it"),
        ("experiment=hill ++profile=../x", "++profile=../x"),
        ("experiment=hill +paths.x.y=1", "paths.x: no such setting"),
        ('experiment=hill paths.results="~nouser/x"', "paths.results=~nouser/x: there is no such user"),
        ("experiment=hill seed=100000000000000000000", "seed=100000000000000000000: must be 9.22337e+18 or"),
        ("experiment=hill executor=serial executor.workers=1", "(did you mean 'executor.kind'?)"),
        ("experiment=hill --resolve", "--resolve: belongs to --cfg job"),
        ("experiment=hill --package x", "--package: belongs to --cfg job"),
        ("experiment=hill --experimental-rerun x", "--experimental-rerun: not offered"),
        ("experiment=hill --config-name x", "--config-name: not offered"),
        ("experiment=hill -m seed=glob(*)", "seed=glob(*): glob chooses among files of a group"),
        ("experiment=hill -m seed=range(0)", "seed=range(0): there is no value in it"),
    ],
)
def test_one_line_for_a_mistake(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    monkeypatch.chdir(home.folder)
    before = home.files()
    code = main(words.split(), home.folder / "conf", "tests.toys")
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err
    assert home.files() == before


def test_the_settings_can_be_printed(home: Home) -> None:
    code, out, err = home.run("experiment=hill search.steps=77 --cfg job --resolve")
    assert (code, err) == (0, "")
    assert "trials: 4" in out and "steps: 77" in out and not home.results().exists()


def test_a_run_and_its_rerun(home: Home) -> None:
    before = home.files()
    code, out, _ = home.run(f"experiment=hill {SERIAL}")
    folder = home.results()
    assert (code, out) == (0, "")
    figures = ["figures/alt.json", "figures/losses.pdf", "figures/losses.png"]
    names = [".lock", "config.yaml", "provenance.json", "trials.csv", "units.sqlite", *figures]
    assert home.files() - before == {f"results/quick/hill/{name}" for name in names}
    assert len((folder / "trials.csv").read_text().splitlines()) == 1 + 4
    assert (
        f'"command": "python -m experiments experiment=hill {SERIAL}"'
        in (folder / "provenance.json").read_text()
    )

    drawn = (folder / figures[2]).stat().st_mtime_ns
    code, _, err = home.run(f"experiment=hill {SERIAL}")
    assert code == 0 and "nothing to compute" in err and (folder / figures[2]).stat().st_mtime_ns == drawn

    whole = (folder / "trials.csv").read_bytes()
    (folder / "trials.csv").write_bytes(whole[:-5])
    code, _, err = home.run(f"experiment=hill {SERIAL}")
    assert code == 2 and err.count("\n") == 1 and "trials.csv" in err and "then run again" in err
    (folder / "trials.csv").unlink()
    log = home.folder / "log"
    assert home.run(f"experiment=hill {SERIAL}", LOG=str(log))[0] == 0
    assert (folder / "trials.csv").read_bytes() == whole and not log.exists()  # all of it was stored


def test_a_budget_given_by_hand_beats_the_profile(home: Home) -> None:
    assert home.run(f"experiment=hill search.trials=6 {SERIAL}")[0] == 0
    assert len((home.results() / "trials.csv").read_text().splitlines()) == 1 + 6


@pytest.mark.parametrize("executor", ["executor=serial", "executor.workers=1"])
def test_a_bug_shows_where_it_is(home: Home, executor: str) -> None:
    code, _, err = home.run(f"experiment=hill lr=101 {executor}")
    assert code == 1 and "Traceback" in err and "ZeroDivisionError: a bug" in err and "hill.py" in err


def test_a_sweep_goes_on_after_a_failure(home: Home) -> None:
    before = home.files()
    code, _, err = home.run(f"experiment=hill,dale lr=-1,0.5 {SERIAL} -m")
    assert code == 2 and err.count("error: lr=-1: must be above 0\n") == 2 and "Traceback" not in err
    assert (home.results() / "trials.csv").exists()
    assert (home.folder / "results/quick/dale/trials.csv").exists()
    assert all(name.startswith("results/") for name in home.files() - before)


@pytest.mark.parametrize("launcher", ["submitit_local", "joblib"])
def test_whole_experiments_by_a_launcher(home: Home, launcher: str) -> None:
    """Jobs of a sweep in processes of their own; one that fails sets the exit code."""
    words = f"experiment=hill paths.results=r/${{lr}} {SERIAL}"
    code, _, err = home.process(f"{words} -m lr=-1,2 hydra/launcher={launcher}")
    assert code == 2, err
    swept = (home.results("r/2") / "trials.csv").read_bytes()
    assert home.run(f"{words} lr=2 paths.results=alone")[0] == 0
    assert swept == (home.results("alone") / "trials.csv").read_bytes()


@pytest.mark.parametrize("words", ["--help", "experiment=hill --cfg job"])
def test_a_reader_that_goes_away(home: Home, words: str) -> None:
    with home.start(words) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
